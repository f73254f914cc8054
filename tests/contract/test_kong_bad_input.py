# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways that can't be configured, or not all of them: what kong_config says, and what it leaves alone.

They are doubles: no real one is ended, or says that it is another version. Nodes that answer, but badly, are in
test_kong_bad_nodes.py; documents that are wrong are in test_kong_config.py and test_kong_dbless.py.
"""

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest
from kong_gateway import Start, document, doubles

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin
from bench_relay import Relay

WISH = document(services=[{"name": "a", "host": "h"}])


@pytest.fixture(name="start")
def fixture_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Start]:
    with doubles(tmp_path, capsys, monkeypatch) as start:
        yield start


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("status", [401, 403, 405])
def test_an_admin_api_that_takes_no_writes(start: Start, status: int, validate: bool) -> None:
    gateway = start("postgres")
    with (
        Relay(
            gateway.urls[0], lambda method, _path: None if method == "GET" else (status, b"<html>no</html>")
        ) as front,
        pytest.raises(AssertionError, match=r"read-only|takes no requests of this kind"),
    ):
        gateway.run(config=WISH, admin_urls=[front.url], validate=validate)
    assert gateway.run(config=WISH, check=True)["counts"] == {"created": 1, "updated": 0, "deleted": 0}


def test_nobody_at_the_address(start: Start) -> None:
    gateway = start("postgres")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(AssertionError, match=rf"the Admin API at {url} can't be reached: .*refused"):
            gateway.run(config=WISH, admin_urls=[url])


@pytest.mark.parametrize("database", ["postgres", "off"])
@pytest.mark.parametrize(("version", "age"), [("3.4.2", "older"), ("2.8.5", "older"), ("3.10.0", "newer")])
def test_a_kong_that_is_not_known(start: Start, database: str, version: str, age: str) -> None:
    gateway = start(database, version=version)
    with pytest.raises(AssertionError, match=rf"Kong {version} at .* is {age} than what this module knows: .* 3\.9\.x"):
        gateway.run(config=WISH)
    assert gateway.asked("GET") == ["/"]


def test_a_later_release_is_known(start: Start) -> None:
    gateway = start("postgres", version="3.9.9")
    assert gateway.run(config=WISH)["version"] == "3.9.9"


def test_two_owners(start: Start) -> None:
    gateway = start("postgres")
    gateway.run(config=WISH, owner="team-a")
    gateway.seen.clear()
    with pytest.raises(AssertionError, match=r"service a .*belongs to owner team-a"):
        gateway.run(config=WISH, owner="team-b")
    assert gateway.writes() == 0


@pytest.mark.parametrize("database", ["postgres", "off"])
def test_a_change_that_would_prune_more_than_it_may(start: Start, database: str) -> None:
    gateway = start(database)
    many = [{"name": f"s{number}", "host": "h"} for number in range(5)]
    gateway.run(config=document(services=many), owner="team-a")
    gateway.seen.clear()
    with pytest.raises(AssertionError, match="more than prune_max=3 allows"):
        gateway.run(config=document(services=many[:1]), owner="team-a", prune=True, prune_max=3)
    assert gateway.writes() == 0
    done = gateway.run(config=document(services=many[:1]), owner="team-a", prune=True, prune_max=4)
    assert done["counts"]["deleted"] == 4


def test_a_node_that_goes_down_while_the_others_are_given_the_document(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = start("off", nodes=3)
    ask = Admin.request

    def request(admin: Admin, method: str, path: str, body: t.Any = None) -> dict[str, t.Any]:
        answer = ask(admin, method, path, body)
        if path.startswith("/config") and admin.name == gateway.urls[0]:
            gateway.stop(2)
        return answer

    monkeypatch.setattr(Admin, "request", request)
    with pytest.raises(AssertionError) as found:
        gateway.run(config=WISH)
    assert gateway.urls[2] in str(found.value)
    assert f"{gateway.urls[0]}, {gateway.urls[1]} have the configuration" in str(found.value)
    monkeypatch.setattr(Admin, "request", ask)
    gateway.start_again(2)
    done = gateway.run(config=WISH)
    assert [node["changed"] for node in done["nodes"]] == [False, False, True]
    assert gateway.info()["in_sync"]
    assert not gateway.run(config=WISH)["changed"]
