# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gateways that can't be configured, or not all of them: what kong_config says, and what it leaves alone.

They are doubles: no real one is ended, or says that it is another version. Documents that are wrong are in
test_kong_config.py and test_kong_dbless.py.
"""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from kong_gateway import Gateway, document

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin

WISH = document(services=[{"name": "a", "host": "h"}])
Start = t.Callable[..., Gateway]


@pytest.fixture(name="start")
def fixture_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Start]:
    with contextlib.ExitStack() as running:
        monkeypatch.delenv("KONG_ADMIN_URL", raising=False)
        monkeypatch.delenv("KONG_DBLESS_ADMIN_URLS", raising=False)

        def start(database: str, nodes: int = 1, version: str | None = None) -> Gateway:
            gateway = Gateway(database, version)
            running.enter_context(gateway.running(nodes))
            gateway.start_test(tmp_path, capsys, monkeypatch)
            return gateway

        yield start


class ReadOnly(http.server.BaseHTTPRequestHandler):
    """A load balancer before the Admin API that lets nobody write."""

    behind: t.ClassVar[str]
    status: t.ClassVar[int]

    def do_GET(self) -> None:
        try:
            with urllib.request.urlopen(self.behind + self.path, timeout=10) as answer:
                self._answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                self._answer(error.code, error.read())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(self.status, b"<html>no</html>")

    do_PUT = do_PATCH = do_DELETE = do_POST

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: t.Any) -> None:
        pass


@contextlib.contextmanager
def read_only(url: str, status: int) -> t.Iterator[str]:
    handler = type("Handler", (ReadOnly,), {"behind": url, "status": status})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("status", [401, 403, 405])
def test_an_admin_api_that_takes_no_writes(start: Start, status: int, validate: bool) -> None:
    gateway = start("postgres")
    with (
        read_only(gateway.urls[0], status) as url,
        pytest.raises(AssertionError, match=r"read-only|takes no requests of this kind"),
    ):
        gateway.run(config=WISH, admin_urls=[url], validate=validate)
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
