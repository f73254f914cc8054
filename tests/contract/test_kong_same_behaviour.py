# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same document, applied to a gateway with a database and to one without, makes their proxies do the same.

Doubles, or the real gateways that `KONG_ADMIN_URL`, `KONG_PROXY_URL`, `KONG_DBLESS_ADMIN_URLS` and
`KONG_DBLESS_PROXY_URL` name.
"""

from __future__ import annotations

import copy
import http.client
import json
import os
import time
import typing as t
import urllib.parse

import pytest
from kong.echo import servers
from kong_gateway import Gateway, document

WITH_DATABASE, WITHOUT = Gateway("postgres"), Gateway("off")
# What differs from one request to the next, or tells the time.
VOLATILE = {"date", "server", "via", "x-kong-request-id", "x-kong-upstream-latency", "x-kong-proxy-latency"}
VOLATILE |= {"x-kong-response-latency", "content-length", "ratelimit-reset", "retry-after", "connection"}
VOLATILE_UPSTREAM = {"x-kong-request-id", "x-credential-identifier", "x-consumer-id", "connection", "keep-alive"}

REQUESTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "prefix is stripped": ("GET", "/shop/items?a=1", {"Host": "shop.test"}),
    "prefix is kept": ("GET", "/kept/items", {"Host": "shop.test"}),
    "longer prefix first": ("GET", "/shop/admin/x", {"Host": "shop.test"}),
    "regex before prefix": ("GET", "/shop/42", {"Host": "shop.test"}),
    "host of the client": ("GET", "/host", {"Host": "kept.test"}),
    "method": ("POST", "/method", {"Host": "shop.test"}),
    "no route for the method": ("GET", "/method", {"Host": "shop.test"}),
    "header": ("GET", "/header", {"Host": "shop.test", "X-Version": "2"}),
    "no route without the header": ("GET", "/header", {"Host": "shop.test"}),
    "no route for the host": ("GET", "/shop", {"Host": "other.test"}),
    "no key": ("GET", "/private", {"Host": "shop.test"}),
    "wrong key": ("GET", "/private", {"Host": "shop.test", "apikey": "wrong"}),
    "key": ("GET", "/private", {"Host": "shop.test", "apikey": "key-of-alice"}),
    "key, but not of the group": ("GET", "/private", {"Host": "shop.test", "apikey": "key-of-bob"}),
    "limited": ("GET", "/limited", {"Host": "shop.test"}),
    "still within the limit": ("GET", "/limited", {"Host": "shop.test"}),
    "over the limit": ("GET", "/limited", {"Host": "shop.test"}),
    "terminated": ("GET", "/closed", {"Host": "shop.test"}),
    "correlated": ("GET", "/correlated", {"Host": "shop.test", "X-Correlation": "7"}),
    "disabled service": ("GET", "/off", {"Host": "shop.test"}),
    "no target": ("GET", "/empty", {"Host": "shop.test"}),
}


def demo(port: int) -> dict[str, t.Any]:
    """One of everything that decides where a request goes, or whether it does."""

    def route(name: str, path: str, **fields: t.Any) -> dict[str, t.Any]:
        return {"name": name, "paths": [path], "hosts": ["shop.test"], **fields}

    def plugin(name: str, **config: t.Any) -> dict[str, t.Any]:
        return {"name": name, "config": config}

    limit = plugin("rate-limiting", hour=2, policy="local")
    return document(
        upstreams=[
            {"name": "demo", "targets": [{"target": f"127.0.0.1:{port}"}]},
            {"name": "nobody", "targets": [{"target": f"127.0.0.1:{port}", "weight": 0}]},
        ],
        services=[
            {
                "name": "demo",
                "host": "demo",
                "path": "/base",
                "routes": [
                    route("shop", "/shop"),
                    route("admin", "/shop/admin"),
                    route("item", "~/shop/[0-9]+$", strip_path=False),
                    route("kept", "/kept", strip_path=False),
                    route("host", "/host", hosts=["kept.test"], preserve_host=True),
                    route("method", "/method", methods=["POST"]),
                    route("header", "/header", headers={"x-version": ["1", "2"]}),
                    route("private", "/private", plugins=[plugin("key-auth"), plugin("acl", allow=["staff"])]),
                    route("limited", "/limited", plugins=[limit]),
                    route("closed", "/closed", plugins=[plugin("request-termination", status_code=451, message="no")]),
                    route(
                        "correlated",
                        "/correlated",
                        plugins=[plugin("correlation-id", header_name="X-Correlation", echo_downstream=True)],
                    ),
                ],
            },
            {"name": "off", "host": "demo", "enabled": False, "routes": [route("off", "/off")]},
            {"name": "empty", "host": "nobody", "routes": [route("empty", "/empty")]},
        ],
        consumers=[
            {
                "username": "alice",
                "custom_id": "a1",
                "keyauth_credentials": [{"key": "key-of-alice"}],
                "acls": [{"group": "staff"}],
            },
            {"username": "bob", "keyauth_credentials": [{"key": "key-of-bob"}]},
        ],
    )


@pytest.fixture(name="port", scope="module")
def fixture_port() -> t.Iterator[int]:
    with servers() as ports, WITH_DATABASE.running(1), WITHOUT.running(1):
        WITHOUT.proxy = os.environ.get("KONG_DBLESS_PROXY_URL", WITHOUT.proxy or "")
        yield next(iter(ports.values()))


@pytest.fixture(name="apply")
def fixture_apply(
    tmp_path: t.Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> t.Callable[[t.Any], None]:
    """Applies a document to both, and waits until their proxies have it."""
    for gateway in (WITH_DATABASE, WITHOUT):
        gateway.start_test(tmp_path, capsys, monkeypatch)

    def apply(config: t.Any) -> None:
        for gateway in (WITH_DATABASE, WITHOUT):
            assert gateway.run(config=config, prune=True, prune_max=-1)["changed"]
            assert not gateway.run(config=config, prune=True)["changed"]
        time.sleep(6 if "KONG_ADMIN_URL" in os.environ else 1)

    return apply


def ask(gateway: Gateway, method: str, path: str, headers: dict[str, str]) -> dict[str, t.Any]:
    """What a client sees of an answer, and what the service saw of the request."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(gateway.proxy or "").netloc, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    try:
        body = json.loads(text)
    except ValueError:
        # Of an error that Kong writes as plain text, the second line is the id of the request.
        body = text.splitlines()[:1]
    seen = {name.lower(): value for name, value in answer.getheaders()}
    if isinstance(body, dict):
        body.pop("request_id", None)
        if isinstance(body.get("headers"), dict):
            upstream = {name.lower(): value for name, value in body["headers"].items()}
            ports = {"x-forwarded-port"}
            body["headers"] = {name: upstream[name] for name in upstream.keys() - VOLATILE_UPSTREAM - ports}
    return {"status": answer.status, "headers": {name: seen[name] for name in seen.keys() - VOLATILE}, "body": body}


def answers(gateway: Gateway) -> dict[str, t.Any]:
    return {name: ask(gateway, *request) for name, request in REQUESTS.items()}


def test_the_same_document_makes_both_do_the_same(port: int, apply: t.Callable[[t.Any], None]) -> None:
    apply(demo(port))
    found, other = answers(WITH_DATABASE), answers(WITHOUT)
    for name in REQUESTS:
        assert found[name] == other[name], name
    # That they agree is worth something: all of this did happen.
    assert {name: answer["status"] for name, answer in found.items()} == {
        "prefix is stripped": 200,
        "prefix is kept": 200,
        "longer prefix first": 200,
        "regex before prefix": 200,
        "host of the client": 200,
        "method": 200,
        "no route for the method": 404,
        "header": 200,
        "no route without the header": 404,
        "no route for the host": 404,
        "no key": 401,
        "wrong key": 401,
        "key": 200,
        "key, but not of the group": 403,
        "limited": 200,
        "still within the limit": 200,
        "over the limit": 429,
        "terminated": 451,
        "correlated": 200,
        "disabled service": 404,
        "no target": 503,
    }
    assert found["prefix is stripped"]["body"]["path"] == "/base/items?a=1"
    assert found["key"]["body"]["headers"]["x-consumer-username"] == "alice"


def test_and_so_does_a_change_of_it_given_as_two_documents(port: int, apply: t.Callable[[t.Any], None]) -> None:
    changed = copy.deepcopy(demo(port))
    consumers = document(consumers=changed.pop("consumers"))
    consumers["consumers"][1]["acls"] = [{"group": "staff"}]
    routes = changed["services"][0]["routes"]
    del routes[0]
    routes[1]["strip_path"] = True
    changed["services"][1]["enabled"] = True
    apply([changed, consumers])
    found, other = answers(WITH_DATABASE), answers(WITHOUT)
    for name in REQUESTS:
        assert found[name] == other[name], name
    assert found["prefix is stripped"]["status"] == 404
    assert found["regex before prefix"]["body"]["path"] == "/base"
    assert found["key, but not of the group"]["status"] == 200
    assert found["disabled service"]["status"] == 200


def test_an_entity_that_two_documents_of_a_list_claim_is_named(port: int, apply: t.Callable[[t.Any], None]) -> None:
    one = document(services=[{"name": "demo", "host": "a.test"}])
    with pytest.raises(AssertionError, match=r"config\[1\]"):
        apply([one, copy.deepcopy(one)])
