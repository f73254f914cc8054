# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables: what a database says and what is asked -> the step that is due, or why there is none."""

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong_migrations import (
    MigrationError,
    Schema,
    Status,
    check,
    check_known,
    parse_array,
    parse_settings,
    plan_finish,
    plan_up,
    reached_by,
    release,
    schema_of,
    status_of,
    with_authority,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong_migrations_io import address_of

BASE = {"core": ("000_base", "023_360_to_370")}
NEW = {"core": ("024_380_to_390",)}
BEHIND = Status(executed=BASE, new=NEW)
BEGUN = Status(executed=BASE, pending=NEW)
DONE = Status(executed={"core": (*BASE["core"], *NEW["core"])})
EMPTY = Status(needs_bootstrap=True, new={**BASE, **NEW})
TWICE = Status(executed=BASE, pending=NEW, new={"core": ("025_390_to_3100",)})


@pytest.mark.parametrize(
    ("status", "command"),
    [(EMPTY, "bootstrap"), (BEHIND, "up"), (BEGUN, ""), (DONE, "")],
    ids=["empty", "behind", "interrupted after up", "done"],
)
def test_before_a_node_starts(status, command):
    step = plan_up(status, "3.9.3")
    assert step.command == command
    assert bool(step.text) == bool(command)


def test_new_migrations_wait_for_the_end_of_the_upgrade_before():
    with pytest.raises(
        MigrationError, match=r"024_380_to_390.*Kong 3\.10\.0 has new ones: install the version of that"
    ):
        plan_up(TWICE, "3.10.0")


@pytest.mark.parametrize(
    ("status", "nodes", "command", "waiting_for"),
    [
        (DONE, {"a": "3.9.3", "b": "3.8.0"}, "", ()),
        (BEGUN, {"a": "3.9.3", "b": "3.9.3"}, "finish", ()),
        (BEGUN, {"a": "3.9.3", "b": "3.8.0"}, "", ("b",)),
        # One that was not asked, or does not answer, may be an old one.
        (BEGUN, {"a": "", "b": "3.9.3"}, "", ("a",)),
        # Even a patch: what runs there is not what is installed here.
        (BEGUN, {"a": "3.9.3", "b": "3.9.2"}, "", ("b",)),
    ],
    ids=["nothing pending", "all new", "one old", "one unknown", "one with an older patch"],
)
def test_finish_comes_when_the_last_old_node_is_gone(status, nodes, command, waiting_for):
    step = plan_finish(status, "3.9.3", nodes)
    assert (step.command, step.waiting_for) == (command, waiting_for)


@pytest.mark.parametrize(("status", "message"), [(EMPTY, "never bootstrapped"), (BEHIND, "lacks core: 024_380_to_390")])
def test_what_did_not_begin_can_not_be_finished(status, message):
    with pytest.raises(MigrationError, match=message):
        plan_finish(status, "3.9.3", {"a": "3.9.3"})


@pytest.mark.parametrize(
    ("schema", "version", "newer"),
    [
        (None, "3.8.0", None),
        (Schema(BASE), "3.8.0", None),
        (Schema({"core": (*BASE["core"], *NEW["core"])}), "3.9.3", None),
        (Schema({"core": (*BASE["core"], *NEW["core"])}), "3.10.0.2", None),
        (Schema({"core": (*BASE["core"], *NEW["core"])}), "3.8.0", r"3\.9\.0"),
        (Schema(BASE, NEW), "3.8.0", r"3\.9\.0"),
        (Schema({"core": ("025_390_to_393",)}), "3.9.2", r"3\.9\.3"),
        (Schema({"core": ("025_390_to_393",)}), "3.9.3", None),
        (Schema({"core": ("025_390_to_3100",)}), "3.9.3", r"3\.10\.0"),
    ],
)
def test_a_database_that_is_too_new(schema, version, newer):
    if newer is None:
        check(schema, version, "kong at db:5432")
        return
    with pytest.raises(MigrationError, match=f"kong at db:5432 was migrated by Kong {newer} and is newer than"):
        check(schema, version, "kong at db:5432")


def test_a_migration_that_the_installed_version_does_not_know():
    schema = Schema({"core": (*BASE["core"], "024_something_else")})
    with pytest.raises(MigrationError, match=r"024_something_else.*newer Kong"):
        check_known(schema, Status(executed=BASE), "3.8.0", "kong at db:5432")
    check_known(Schema(BASE), Status(executed=BASE), "3.8.0", "kong at db:5432")


@pytest.mark.parametrize(
    ("name", "version"),
    [("024_380_to_390", (3, 9, 0)), ("x_390_to_3102", (3, 10, 2)), ("000_base", None), ("001_add_ttl_index", None)],
)
def test_version_that_a_migration_leads_to(name, version):
    assert reached_by(name) == version


@pytest.mark.parametrize(("text", "found"), [("3.9.3", (3, 9, 3)), ("3.10.0.2", (3, 10, 0)), ("", None), ("3.9", None)])
def test_release_of_a_version(text, found):
    assert release(text) == found


def test_rows_of_the_database():
    assert schema_of([]) is None
    rows = [("core", "{000_base,023_360_to_370}", "{024_380_to_390}"), ("acl", "{000_base_acl}", None)]
    assert schema_of(rows) == Schema({**BASE, "acl": ("000_base_acl",)}, NEW)
    assert parse_array("{}") == parse_array(None) == ()


def test_answer_of_kong():
    answer = {
        "needs_bootstrap": False,
        "executed_migrations": [{"subsystem": "core", "namespace": "n", "migrations": ["000_base", "023_360_to_370"]}],
        "new_migrations": [{"subsystem": "core", "namespace": "n", "migrations": [{"name": "024_380_to_390"}]}],
        "pending_migrations": {},
    }
    assert status_of(answer) == BEHIND


def test_settings_are_read_as_kong_reads_them():
    text = '# pg_host = no\npg_host = db.example # here\npg_password = it\'s \\#1: "x" = y\npg_ssl=on\n\n'
    assert parse_settings(text) == {"pg_host": "db.example", "pg_password": 'it\'s #1: "x" = y', "pg_ssl": "on"}


def test_where_the_database_is():
    given = {
        "pg_host": "db",
        "pg_ssl": "on",
        "pg_ssl_verify": "on",
        "lua_ssl_trusted_certificate": "/etc/ca.pem,system",
    }
    address = address_of(given, 5)
    assert (str(address), address.database, address.user) == ("db:5432", "kong", "kong")
    assert (address.tls, address.verify, address.ca_file) == (True, True, "/etc/ca.pem")
    assert address_of({"lua_ssl_trusted_certificate": "system"}, 5).ca_file is None


def test_another_file_of_certificates():
    text = "pg_host = db\nlua_ssl_trusted_certificate = /etc/kong/database-ca.pem,system\npg_user = kong\n"
    changed = parse_settings(with_authority(text, "/tmp/ca.pem"))
    assert changed == {"pg_host": "db", "lua_ssl_trusted_certificate": "/tmp/ca.pem", "pg_user": "kong"}
