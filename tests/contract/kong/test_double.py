# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the double promises beyond the transcripts: who it is, its proxy, its size, how it ends."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .gateway import DOUBLE, Double, Gateway, Gateways
from .replay import Answer, Client, payload, steps

pytestmark = pytest.mark.skipif("KONG_ADMIN_URL" in os.environ, reason="says what the double does, not what Kong does")


@pytest.fixture
def gateway(gateways: Gateways) -> Gateway:
    return gateways.take("postgres", fresh=False)


@pytest.fixture
def dbless(gateways: Gateways) -> Gateway:
    return gateways.take("off", fresh=False)


def admin(gateway: Gateway, method: str, path: str, body: Any = None) -> Answer:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    return gateway.clients()["admin"].send(method, path, headers, payload(body))


def proxy(gateway: Gateway, path: str, **headers: str) -> Answer:
    return gateway.clients()["proxy"].send("GET", path, headers, None)


def test_it_says_that_it_is_not_kong(gateway: Gateway) -> None:
    for client in gateway.clients().values():
        assert client.send("GET", "/", {}, None).headers["server"] == "kong-double/3.9.3 (not Kong)"


def test_a_plugin_it_does_not_run_is_named(gateway: Gateway) -> None:
    upstream = gateway.ports.get(18101, 18101)
    admin(gateway, "PUT", "/services/s", {"url": f"http://127.0.0.1:{upstream}"})
    admin(gateway, "PUT", "/services/s/routes/r", {"paths": ["/r"]})
    plugin = json.loads(admin(gateway, "POST", "/plugins", {"name": "cors"}).body)
    gateway.wait_for_router()
    refused = proxy(gateway, "/r")
    assert refused.status == 501
    assert json.loads(refused.body)["message"] == "kong-double does not implement the plugin 'cors'"
    admin(gateway, "PATCH", f"/plugins/{plugin['id']}", {"enabled": False})
    assert proxy(gateway, "/r").status == 200


def test_weights_are_kept_to_the_request(gateway: Gateway) -> None:
    first, second = (gateway.ports.get(port, port) for port in (18101, 18102))
    admin(gateway, "PUT", "/upstreams/u", {})
    admin(gateway, "POST", "/upstreams/u/targets", {"target": f"127.0.0.1:{first}", "weight": 80})
    admin(gateway, "POST", "/upstreams/u/targets", {"target": f"127.0.0.1:{second}", "weight": 20})
    admin(gateway, "PUT", "/services/s", {"host": "u"})
    admin(gateway, "PUT", "/services/s/routes/r", {"paths": ["/"]})
    gateway.wait_for_router()
    client = gateway.clients()["proxy"]
    seen = Counter(json.loads(client.send("GET", "/", {}, None).body)["server"] for _ in range(50))
    assert seen == {first: 40, second: 10}


@pytest.mark.parametrize(
    ("host", "path", "route"),
    [
        ("a.test", "/", "host"),
        ("b.test", "/", "any-host"),
        # A wildcard counts less than the length of a path.
        ("x.w.test", "/", "any-host"),
        ("x.w.test", "/only", "wildcard-and-path"),
        ("b.test", "/api/v2/x", "longer"),
        ("b.test", "/api/v1", "shorter"),
        ("b.test", "/item/12", "regex"),
        ("b.test", "/item/12/more", "prefix-behind-regex"),
        ("a.test", "/api/v2", "host-and-path"),
    ],
)
def test_routes_win_in_the_order_of_kong(gateway: Gateway, host: str, path: str, route: str) -> None:
    routes: dict[str, dict[str, Any]] = {
        "host": {"hosts": ["a.test"]},
        "any-host": {"paths": ["/"]},
        "wildcard-and-path": {"hosts": ["*.w.test"], "paths": ["/only"]},
        "shorter": {"paths": ["/api"]},
        "longer": {"paths": ["/api/v2"]},
        "regex": {"paths": ["~/item/\\d+$"]},
        "prefix-behind-regex": {"paths": ["/item"]},
        "host-and-path": {"hosts": ["a.test"], "paths": ["/api"]},
    }
    for name, body in routes.items():
        admin(gateway, "PUT", f"/routes/{name}", body)
        config = {"status_code": 200, "message": name}
        admin(gateway, "POST", f"/routes/{name}/plugins", {"name": "request-termination", "config": config})
    gateway.wait_for_router()
    assert json.loads(proxy(gateway, path, Host=host).body)["message"] == route


def test_the_most_specific_plugin_counts(gateway: Gateway) -> None:
    upstream = gateway.ports.get(18101, 18101)
    admin(gateway, "PUT", "/services/s", {"url": f"http://127.0.0.1:{upstream}"})
    admin(gateway, "PUT", "/services/s/routes/r", {"paths": ["/r"]})
    admin(gateway, "PUT", "/services/s/routes/q", {"paths": ["/q"]})
    admin(gateway, "PUT", "/consumers/c", {})
    admin(gateway, "PUT", "/consumers/c/key-auth/k", {})
    limits = {"/plugins": 10, "/services/s/plugins": 20, "/routes/r/plugins": 30, "/consumers/c/plugins": 40}
    for path, minute in limits.items():
        admin(gateway, "POST", path, {"name": "rate-limiting", "config": {"minute": minute}})
    admin(gateway, "POST", "/routes/q/plugins", {"name": "key-auth"})
    gateway.wait_for_router()
    assert proxy(gateway, "/r").headers["x-ratelimit-limit-minute"] == "30"
    assert proxy(gateway, "/q", apikey="k").headers["x-ratelimit-limit-minute"] == "40"


@pytest.fixture
def tls_double(tmp_path: Path) -> Iterator[tuple[Double, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    double = Double("postgres", tmp_path / "tls")
    double.stop()
    double.start(["--proxy-ssl-port", str(port)])
    yield double, port
    double.stop()


def test_tls_shows_the_certificate_of_the_name(tls_double: tuple[Double, int]) -> None:
    double, port = tls_double
    recorded = steps("ttl_and_tls.dbless.jsonl")[7].request
    assert recorded is not None
    certificates = json.loads(recorded["body"]["config"])["certificates"]
    for number, names in enumerate((["a.example.com"], ["*.wild.test"])):
        body = {key: certificates[number][key] for key in ("cert", "key")}
        assert admin(double, "POST", "/certificates", {**body, "snis": names}).status == 201
    for name, number in (("a.example.com", 0), ("x.wild.test", 1)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            shown = connection.getpeercert(binary_form=True)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 404")
        assert shown == ssl.PEM_cert_to_DER_cert(certificates[number]["cert"].strip())


def test_two_thousand_entities_are_read_and_written_in_seconds(dbless: Gateway) -> None:
    services = [
        {
            "name": f"s{i}",
            "url": f"http://h{i}",
            "routes": [{"name": f"r{i}-{j}", "paths": [f"/{i}/{j}"]} for j in (0, 1, 2)],
        }
        for i in range(500)
    ]
    text = json.dumps({"_format_version": "3.0", "services": services})
    started = time.process_time()
    assert admin(dbless, "POST", "/config", {"config": text}).status == 201
    assert admin(dbless, "POST", "/config?check_hash=1", {"config": text}).status == 304
    page = json.loads(admin(dbless, "GET", "/routes?size=1000").body)
    assert len(page["data"]) == 1000
    assert len(json.loads(admin(dbless, "GET", page["next"]).body)["data"]) == 500
    assert time.process_time() - started < 10


def test_writes_of_many_clients_do_not_disturb_each_other(gateway: Gateway) -> None:
    """Ten clients race for one name and write others: one wins, nothing is lost."""
    results: list[int] = []
    url = f"http://127.0.0.1:{gateway.clients()['admin'].connection.port}"

    def write(number: int) -> None:
        client = Client(url)
        headers = {"Content-Type": "application/json"}
        answer = client.send("POST", "/services", headers, payload({"name": "one", "host": "h"}))
        results.append(answer.status)
        for other in range(20):
            client.send("PUT", f"/services/s{number}-{other}", headers, payload({"host": "h"}))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [201] + [409] * 9
    assert len(json.loads(admin(gateway, "GET", "/services?size=1000").body)["data"]) == 201


_ODD: list[Any] = [
    None,
    "",
    "x",
    -1,
    1.5,
    True,
    [],
    {},
    ["a"],
    [None],
    [[]],
    {"a": 1},
    {"id": None},
    "http://[::1",
    10**30,
]


@pytest.mark.parametrize("database", ["postgres", "off"])
def test_no_body_makes_the_double_fail(gateways: Gateways, database: str) -> None:
    """Whatever stands in a field, the answer is one of Kong's, not a mistake of the double."""
    gateway = gateways.take(database, fresh=False)
    client = gateway.clients()["admin"]
    headers = {"Content-Type": "application/json"}
    failed = []
    for name in (
        "services",
        "routes",
        "upstreams",
        "targets",
        "plugins",
        "certificates",
        "keys",
        "keyauth_credentials",
    ):
        schema = json.loads(client.send("GET", f"/schemas/{name}", {}, None).body)
        fields = [key for entry in schema["fields"] for key in entry] + ["url", "ttl", "unknown"]
        for field in fields:
            for value in _ODD:
                body = {"name": "rate-limiting", field: value}
                path, sent = f"/{name}", body
                if database == "off":
                    path, sent = "/config?flatten_errors=1", {"_format_version": "3.0", name: [body]}
                answer = client.send("POST", path, headers, payload(sent))
                if "x-double-error" in answer.headers:
                    failed.append((path, sent))
    assert failed == []


@pytest.mark.parametrize(
    "text",
    [
        "services:\n- name: s # why\n  host: h\n  tags: [a, 'b']\n  path: |-\n    /p\n",
        'services: [{name: s, "host": h, tags: [a, b], path: "/p"}]\n',
        "services:\n  -\n    name: &n s\n    host: h\n    tags:\n    - a\n    - !!str b\n    path: >-\n      /p\n",
        '{"services": [{"name": "s", "host": "h", "tags": ["a", "b"], "path": "/p"}]}',
    ],
)
def test_one_configuration_may_be_written_in_many_ways(dbless: Gateway, text: str) -> None:
    text = (
        text.replace("{", '{"_format_version": "3.0", ', 1)
        if text.startswith("{")
        else f"_format_version: '3.0'\n{text}"
    )
    assert admin(dbless, "POST", "/config", {"config": text}).status == 201
    service = json.loads(admin(dbless, "GET", "/services/s").body)
    assert (service["host"], service["tags"], service["path"]) == ("h", ["a", "b"], "/p")


def test_a_broken_file_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "kong.yml"
    file.write_text('_format_version: "3.0"\nservices:\n- name: s\n', encoding="utf-8")
    command = [sys.executable, str(DOUBLE), "--database", "off", "--declarative-config", str(file)]
    ended = subprocess.run([*command, "--admin-port", "0"], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "required field missing" in ended.stderr


@pytest.mark.parametrize("database", ["postgres", "off"])
def test_an_oauth2_secret_is_kept_as_its_hash(gateways: Gateways, database: str) -> None:
    gateway = gateways.take(database, fresh=True)
    credential = {"name": "app", "client_id": "c", "client_secret": "s3cret", "hash_secret": True}
    if database == "postgres":
        admin(gateway, "PUT", "/consumers/al", {})
        admin(gateway, "POST", "/consumers/al/oauth2", credential)
    else:
        consumer = {"username": "al", "oauth2_credentials": [credential]}
        assert admin(gateway, "POST", "/config", {"_format_version": "3.0", "consumers": [consumer]}).status == 201
    stored = json.loads(admin(gateway, "GET", "/oauth2/c").body)["client_secret"]
    _empty, kind, parameters, salt, made = stored.split("$")
    assert (kind, parameters) == ("pbkdf2-sha512", "i=10000,l=32")
    expected = hashlib.pbkdf2_hmac("sha512", b"s3cret", base64.b64decode(salt + "=="), 10000, 32)
    assert base64.b64decode(made + "=") == expected
    if database == "postgres":
        # What does not speak of it leaves it; what says it again has the hash hashed.
        renamed = json.loads(admin(gateway, "PATCH", "/oauth2/c", {"name": "new"}).body)
        assert renamed["client_secret"] == stored
        again = json.loads(admin(gateway, "PATCH", "/oauth2/c", {"hash_secret": True}).body)
        assert again["client_secret"] not in (stored, "s3cret")
