# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One document, given to a gateway with a database and to one without: clients can't tell them apart. Doubles."""

from __future__ import annotations

import collections
import contextlib
import http.client
import http.server
import json
import threading
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kong_gateway import Gateway, document

KEY = "a-key-that-only-alice-has"
HOST = "shop.example.com"


class Echo(http.server.BaseHTTPRequestHandler):
    """Says which version it is, and what it was asked."""

    version: t.ClassVar[str]

    def do_GET(self) -> None:
        told = {
            "version": self.version,
            "path": self.path,
            # Otherwise it is the one of the target, and which target that was is chance.
            "keeps_host": self.headers["Host"] == HOST,
            "consumer": self.headers.get("X-Consumer-Username"),
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: t.Any) -> None:
        pass


@contextlib.contextmanager
def service(version: str) -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Echo,), {"version": version}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(name="versions", scope="module")
def fixture_versions() -> t.Iterator[list[str]]:
    with service("v1") as first, service("v2") as second:
        yield [first, second]


@pytest.fixture(name="gateways")
def fixture_gateways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[list[Gateway]]:
    monkeypatch.delenv("KONG_ADMIN_URL", raising=False)
    monkeypatch.delenv("KONG_DBLESS_ADMIN_URLS", raising=False)
    first, second = Gateway("postgres"), Gateway("off")
    with first.running(1), second.running(1):
        first.start_test(tmp_path, capsys, monkeypatch)
        second.start_test(tmp_path, capsys, monkeypatch)
        yield [first, second]


def shop(versions: list[str], weights: tuple[int, int]) -> dict[str, t.Any]:
    targets = [{"target": target, "weight": weight} for target, weight in zip(versions, weights)]
    limit = {"name": "rate-limiting", "config": {"minute": 3, "policy": "local"}}
    ended = {"name": "request-termination", "config": {"status_code": 410, "message": "gone for good"}}
    routes = [
        {"name": "open", "hosts": [HOST], "paths": ["/"], "strip_path": False},
        {"name": "private", "hosts": [HOST], "paths": ["/private"], "plugins": [{"name": "key-auth"}]},
        {"name": "limited", "hosts": [HOST], "paths": ["/limited"], "plugins": [limit]},
        {"name": "items", "hosts": [HOST], "paths": [r"~/items/\d+$"], "strip_path": False, "preserve_host": True},
        {"name": "old", "hosts": [HOST], "paths": ["/old"], "plugins": [ended]},
        {"name": "reports", "hosts": [HOST], "paths": ["/reports"], "methods": ["POST"]},
    ]
    return document(
        upstreams=[{"name": "shop", "targets": targets}],
        services=[{"name": "shop", "host": "shop", "port": 80, "routes": routes}],
        consumers=[{"username": "alice", "keyauth_credentials": [{"key": KEY}]}],
    )


def ask(gateway: Gateway, path: str, **headers: str) -> tuple[int, t.Any]:
    connection = http.client.HTTPConnection(urlsplit(gateway.proxy or "").netloc, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": HOST, **headers})
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    # Of each answer something of its own, and which of the versions it was is chance.
    told = {name: value for name, value in body.items() if name not in ("version", "request_id")}
    return answer.status, told


REQUESTS: dict[str, tuple[str, dict[str, str]]] = {
    "open": ("/anything?a=1", {}),
    "another host": ("/anything", {"Host": "other.example.com"}),
    "private without a key": ("/private/x", {}),
    "private with a wrong key": ("/private/x", {"apikey": "wrong"}),
    "private with a key": ("/private/x", {"apikey": KEY}),
    "items": ("/items/42", {}),
    "not an item": ("/items/abc", {}),
    "old": ("/old", {}),
    "another method": ("/reports", {}),
    "limited": ("/limited", {}),
}


def seen(gateway: Gateway) -> dict[str, tuple[int, t.Any]]:
    return {name: ask(gateway, path, **headers) for name, (path, headers) in REQUESTS.items()}


def shares(gateway: Gateway) -> collections.Counter[str]:
    connection = http.client.HTTPConnection(urlsplit(gateway.proxy or "").netloc, timeout=10)
    found: collections.Counter[str] = collections.Counter()
    for _number in range(100):
        connection.request("GET", "/", headers={"Host": HOST})
        found[json.loads(connection.getresponse().read())["version"]] += 1
    connection.close()
    return found


def test_clients_see_the_same(gateways: list[Gateway], versions: list[str]) -> None:
    """Created, changed, pruned, rolled back."""
    small = shop(versions, (0, 100))
    del small["services"][0]["routes"][1:]
    small["consumers"] = []
    told: list[dict[str, tuple[int, t.Any]]] = []
    for step, (wish, least) in enumerate(
        [(shop(versions, (80, 20)), ("v1", 65)), (small, ("v2", 100)), (shop(versions, (80, 20)), ("v1", 65))]
    ):
        for gateway in gateways:
            assert gateway.run(config=wish, owner="shop", prune=True, prune_max=-1)["changed"]
        # Workers take a change up some time later.
        time.sleep(1)
        first, second = (seen(gateway) for gateway in gateways)
        assert first == second, f"step {step}"
        told.append(first)
        for gateway in gateways:
            assert shares(gateway)[least[0]] >= least[1]
            assert not gateway.run(config=wish, owner="shop", prune=True)["changed"]
    whole, pruned, back = told
    assert whole == back != pruned
    statuses = {name: status for name, (status, _told) in whole.items()}
    assert (statuses["open"], statuses["another host"], statuses["old"]) == (200, 404, 410)
    assert (statuses["private without a key"], statuses["private with a key"]) == (401, 200)
    assert whole["private with a key"][1]["consumer"] == "alice"
    assert (whole["items"][1]["keeps_host"], whole["not an item"][1]["keeps_host"]) == (True, False)
    assert {status for status, _told in pruned.values()} == {200, 404}


def test_who_asks_too_often_is_told_so_by_both(gateways: list[Gateway], versions: list[str]) -> None:
    for gateway in gateways:
        gateway.run(config=shop(versions, (1, 1)), owner="shop")
    # Workers take it up some time later.
    time.sleep(1)
    for gateway in gateways:
        found = collections.Counter(ask(gateway, "/limited")[0] for _number in range(8))
        # Once more when a minute begins meanwhile.
        assert found[200] in range(3, 7) and found[200] + found[429] == 8
