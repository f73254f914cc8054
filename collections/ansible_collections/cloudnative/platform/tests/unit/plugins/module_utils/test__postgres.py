# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of PostgreSQL against a real server, and the exchange of RFC 7677 to the letter."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._postgres import (
    Address,
    Connection,
    PostgresError,
    Scram,
    md5_answer,
)
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.postgres_support import PASSWORD


def test_scram_as_in_the_standard():
    scram = Scram("pencil", b"rOprNGfwEbeRWgbNEkqO")
    assert scram.first() == b"n,,n=,r=rOprNGfwEbeRWgbNEkqO"
    challenge = (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"  # RFC 7677, section 3
    )
    # The standard's client sends a name, PostgreSQL's has none: the proof differs in that.
    scram._bare = b"n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert scram.final(challenge).endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")


def test_md5():
    assert md5_answer("kong", "secret", b"\x01\x02\x03\x04").startswith(b"md5")


def address(port: int, **changed: t.Any) -> Address:
    return Address(
        **{"host": "127.0.0.1", "port": port, "database": "kong", "user": "kong", "password": PASSWORD, **changed}
    )


def test_rows(postgres):
    with Connection(address(postgres)) as connection:
        assert connection.query("SELECT 1, NULL, 'ü', ARRAY['a', 'b']") == [("1", None, "ü", "{a,b}")]
        assert connection.query("CREATE TEMPORARY TABLE one (a text)") == []
        with pytest.raises(PostgresError) as caught:
            connection.query("SELECT * FROM nowhere")
        assert caught.value.code == "42P01"
        # A question that failed does not spoil the next one.
        assert connection.query("SELECT has_schema_privilege(current_schema(), 'CREATE')") == [("t",)]


def test_password_of_the_old_kind(postgres):
    with Connection(address(postgres, user="old", password="old")) as connection:
        assert connection.query("SELECT current_user") == [("old",)]


@pytest.mark.parametrize(
    ("changed", "code", "text"),
    [
        ({"password": "wrong"}, "28P01", 'password authentication failed for user "kong"'),
        ({"database": "other"}, "3D000", 'database "other" does not exist'),
        ({"tls": True}, "", "does not speak TLS"),
    ],
    ids=["wrong password", "no such database", "no TLS there"],
)
def test_what_the_server_refuses(postgres, changed, code, text):
    with pytest.raises(PostgresError, match=text) as caught:
        Connection(address(postgres, **changed))
    assert caught.value.code == code
    assert PASSWORD not in str(caught.value)


def test_nobody_there():
    with pytest.raises(PostgresError, match=r"127\.0\.0\.1:1 can't be reached"):
        Connection(address(1))
