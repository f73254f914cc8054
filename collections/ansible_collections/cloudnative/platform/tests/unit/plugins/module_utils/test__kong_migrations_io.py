# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to the database, on a real server: new, migrated, and every way in which it can be wrong."""

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong_migrations import MigrationError, Schema
from ansible_collections.cloudnative.platform.plugins.module_utils._kong_migrations_io import Database, _last_words
from ansible_collections.cloudnative.platform.plugins.module_utils._postgres import Connection
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.postgres_support import PASSWORD

TABLE = "CREATE TABLE schema_meta (key text, subsystem text, last_executed text, executed text[], pending text[])"


def database(port, **changed):
    settings = {"pg_host": "127.0.0.1", "pg_port": str(port), "pg_user": "kong", "pg_password": PASSWORD, **changed}
    return Database(settings, 5)


def test_a_database_from_the_first_day_on(postgres):
    assert database(postgres).schema() is None
    with Connection(database(postgres)._address) as connection:
        connection.query(TABLE)
        # Kong makes the table first and fills it then.
        assert database(postgres).schema() is None
        connection.query("INSERT INTO schema_meta VALUES ('schema_meta', 'core', 'b', '{a,b}', '{c}')")
        assert database(postgres).schema() == Schema({"core": ("a", "b")}, {"core": ("c",)})
        connection.query("DROP TABLE schema_meta")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pg_password": "wrong"}, "kong at 127.0.0.1:.* as kong: .*; the password in kong_database is wrong"),
        ({"pg_database": "nothing"}, 'database "nothing" does not exist; create the database'),
        ({"pg_user": "old", "pg_password": "old"}, "may create no table in it; make the role the owner"),
        ({"pg_ssl": "on"}, "does not speak TLS"),
        ({"pg_port": "1"}, "127.0.0.1:1 can't be reached: Connection refused"),
    ],
    ids=["password", "database", "rights", "encryption", "port"],
)
def test_what_is_wrong_is_told_with_what_to_do(postgres, changed, message):
    with pytest.raises(MigrationError, match=message) as caught:
        database(postgres, **changed).schema()
    assert PASSWORD not in str(caught.value)


def test_without_a_database_nobody_is_asked():
    assert database(1, database="off").schema() is None


def test_last_words_of_kong():
    text = "Error: [PostgreSQL error] no\n\n  Run with --v (verbose) or --vv (debug) for more details\n"
    assert _last_words(text) == "[PostgreSQL error] no"
