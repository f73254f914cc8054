# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP against a server on loopback that answers as it is told."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _http_api as transport
from ansible_collections.cloudnative.platform.plugins.module_utils._kong import (
    dbless,
    information,
    proxy,
    reading,
    sync,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import (
    Admin,
    NodeError,
    Refused,
    Trust,
    Unreachable,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Problems
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kong_support import (
    answer,
    catalogue,
    load,
    merged,
    planned,
)

Reply = tuple[int, t.Any]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_args: t.Any) -> None:
        pass

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.seen.append((self.command, self.path, body, dict(self.headers)))
        self.server.sockets.add(self.client_address)
        status, content = self.server.reply(self.command, self.path, body)
        if status == 0:
            self.close_connection = True
            return
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if self.server.hang_up:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[t.Any] = []
        self.sockets: set[t.Any] = set()
        self.replies: dict[tuple[str, str], list[Reply]] = {}
        self.hang_up = False
        self.url = f"http://127.0.0.1:{self.server_port}"

    def reply(self, method: str, path: str, _body: t.Any) -> Reply:
        waiting = self.replies.get((method, path)) or [(404, {"message": "Not found"})]
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@pytest.fixture
def server() -> t.Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def test_pages_are_asked_for_by_offset_with_the_size_kept(server: Server) -> None:
    """The `next` of a nested list has lost the size (upstreams_targets.postgres#56)."""
    first = answer("upstreams_targets.postgres#56")
    assert first["next"] == "/upstreams/u1/targets?offset=1"
    server.replies[("GET", "/upstreams/u1/targets?size=1000")] = [(200, first)]
    server.replies[("GET", "/upstreams/u1/targets?size=1000&offset=1")] = [(200, {"data": [{"id": "2"}], "next": None})]
    admin = Admin(server.url)
    assert [item["id"] for item in admin.pages("/upstreams/u1/targets")][1:] == ["2"]
    assert len(server.seen) == 2
    admin.close()


def test_connections_stay_open_and_are_one_for_each_worker(server: Server) -> None:
    server.replies[("GET", "/x")] = [(200, {})]
    admin = Admin(server.url, parallel=3)
    admin.each(lambda _number: admin.get("/x"), list(range(30)))
    assert admin.requests == len(server.seen) == 30
    assert len(server.sockets) <= 3
    admin.close()


def test_a_connection_that_was_closed_meanwhile_is_opened_again(server: Server) -> None:
    server.replies[("GET", "/x")] = [(200, {"a": 1})]
    server.hang_up = True
    admin = Admin(server.url)
    assert admin.get("/x") == admin.get("/x") == {"a": 1}
    admin.close()


def test_headers_go_with_every_request(server: Server) -> None:
    server.replies[("GET", "/x")] = [(200, {})]
    admin = Admin(server.url + "/behind/", headers={"Kong-Admin-Token": "abc"})
    server.replies[("GET", "/behind/x")] = [(200, {})]
    admin.get("/x")
    assert server.seen[0][3]["Kong-Admin-Token"] == "abc"
    admin.close()


def test_a_busy_node_is_asked_again_and_an_internal_error_is_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport.time, "sleep", lambda _seconds: None)
    server.replies[("GET", "/busy")] = [(503, {}), (429, {}), (200, {"a": 1})]
    server.replies[("GET", "/broken")] = [(500, {"message": "An unexpected error occurred"})]
    admin = Admin(server.url)
    assert admin.get("/busy") == {"a": 1}
    with pytest.raises(Refused, match="An unexpected error occurred"):
        admin.get("/broken")
    assert len(server.seen) == 4
    admin.close()


def test_an_answer_that_is_no_json(server: Server) -> None:
    server.replies[("GET", "/x")] = [(502, "<html>\n<body>bad   gateway</body></html>")]
    admin = Admin(server.url)
    with pytest.raises(Refused, match="bad gateway"):
        admin.get("/x")
    admin.close()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("gateway:8001", "is not the address of an Admin API"),
        ("ftp://gateway", "is not the address of an Admin API"),
        ("http://gateway/?x=1", "is not the address of an Admin API"),
        ("http://al:pw@gateway", "has no user and no password in it"),
    ],
)
def test_addresses_that_are_none(url: str, problem: str) -> None:
    with pytest.raises(KongError, match=problem):
        Admin(url)


def test_nobody_there(server: Server) -> None:
    with pytest.raises(Unreachable, match="connection refused"):
        Admin("http://127.0.0.1:1").get("/")
    with pytest.raises(Unreachable, match="is not known"):
        Admin("http://no-such-host.invalid").get("/")
    server.replies[("GET", "/x")] = [(0, "")]
    with pytest.raises(Unreachable, match="connection closed without an answer"):
        Admin(server.url).get("/x")
    with pytest.raises(Unreachable, match="TLS"):
        Admin(server.url.replace("http", "https"), Trust(validate_certs=False)).get("/x")


def test_a_certificate_that_is_not_there() -> None:
    with pytest.raises(KongError, match="does not exist"):
        Admin("https://gateway", Trust(ca_cert="/no/such/file"))


def root(**changes: t.Any) -> dict[str, t.Any]:
    return {**answer("info.postgres#1"), **changes}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": "3.4.2"}, "Kong 3.4.2 at .* is older than what this module knows: it supports 3.9.x"),
        ({"version": "3.10.0.1", "edition": "enterprise"}, "is newer than what this module knows"),
        ({"version": None}, "not as the Admin API of a Kong Gateway does"),
        ({"configuration": {"role": "data_plane", "database": "off"}}, "is a data plane"),
    ],
)
def test_nodes_that_are_not_configured(server: Server, changes: dict[str, t.Any], problem: str) -> None:
    server.replies[("GET", "/")] = [(200, root(**changes))]
    with pytest.raises(KongError, match=problem):
        reading.node(Admin(server.url))


def test_a_node_that_lost_its_database(server: Server) -> None:
    server.replies[("GET", "/")] = [(500, {"message": "An unexpected error occurred"})]
    with pytest.raises(KongError, match="if it has a database, it has lost it"):
        reading.node(Admin(server.url))


PUSH = ("POST", "/config?check_hash=1&flatten_errors=1")


@pytest.mark.parametrize(
    ("first", "second", "problem", "of_the_node"),
    [
        ((413, {"message": "map full"}), None, r"does not fit, raise Kong's lmdb_map_size: map full", True),
        (
            (500, {"message": "An unexpected error occurred"}),
            None,
            r": POST /config was refused \(500\): An unex",
            True,
        ),
        ((404, {"message": "no Route matched"}), None, r": POST /config was refused \(404\): no Route matched", True),
        ((400, {"message": "declarative config is invalid"}), (400, {"message": "why"}), r"refuses .*: why", False),
        ((400, {"message": "invalid"}), (502, "<html>"), r": POST /config was refused \(502\): <html>", True),
        ((400, {"message": "invalid"}), (201, {}), r"first refused the configuration and then took it", True),
        ((201, {}), None, r"took the configuration but reports hash other instead of wanted", True),
    ],
)
def test_whose_trouble_it_is_that_a_node_does_not_take_a_document(
    server: Server, monkeypatch: pytest.MonkeyPatch, first: Reply, second: Reply, problem: str, of_the_node: bool
) -> None:
    monkeypatch.setattr(dbless, "SETTLE_TIMEOUT", 0)
    server.replies = {
        PUSH: [first],
        ("POST", "/config"): [second],
        ("GET", "/status"): [(200, {"configuration_hash": "other"})],
    }
    admin = Admin(server.url)
    with pytest.raises(KongError, match=problem) as found:
        dbless.push(admin, "{}", "wanted", merged())
    assert isinstance(found.value, NodeError) is of_the_node
    assert server.url in str(found.value)
    admin.close()


def test_an_answer_that_is_none_about_the_entity_is_one_about_the_node(server: Server) -> None:
    server.replies[("POST", "/schemas/services/validate")] = [(500, {"message": "An unexpected error occurred"})]
    admin = Admin(server.url)
    with pytest.raises(NodeError, match=r"\(500\): An unexpected .* \(asked about service a \(kong.yml: services"):
        sync.validate(admin, planned({"services": [{"name": "a", "host": "h"}]}), catalogue())
    admin.close()


def test_schemas_are_read_once_for_a_version_and_its_plugins(server: Server, tmp_path: t.Any) -> None:
    about = reading.Node(root())
    for name, schema in load("schemas").items():
        server.replies[("GET", f"/schemas/{name}")] = [(200, schema)]
    admin = Admin(server.url)
    reading.Schemas(admin, about, str(tmp_path)).catalogue(["cors"], ["env"])
    first = len(server.seen)
    assert first == len(about.kinds()) + 2
    reading.Schemas(admin, about, str(tmp_path)).catalogue(["cors"], ["env"])
    assert len(server.seen) == first
    # A vault that this Kong does not have is asked for once, too.
    reading.Schemas(admin, about, str(tmp_path)).catalogue(["cors"], ["hcv"])
    reading.Schemas(admin, about, str(tmp_path)).catalogue(["cors"], ["hcv"])
    assert len(server.seen) == first + 1
    other = reading.Node(root(version="3.9.4"))
    reading.Schemas(admin, other, str(tmp_path)).catalogue([], [])
    assert len(server.seen) > first + 1
    admin.close()


def test_all_problems_are_found_before_the_first_write(server: Server) -> None:
    for kind, name in (("services", "validate.postgres#2"), ("plugins", "validate.postgres#20")):
        server.replies[("POST", f"/schemas/{kind}/validate")] = [(400, answer(name))]
    made = planned({"services": [{"name": "a", "host": "h", "plugins": [{"name": "rate-limiting"}]}]})
    admin = Admin(server.url)
    with pytest.raises(Problems) as found:
        sync.validate(admin, made, catalogue())
    assert found.value.problems[0] == "service a (kong.yml: services[0]): host: required field missing"
    assert (
        "plugin rate-limiting of service a (kong.yml: services[0].plugins[0]): at least one" in found.value.problems[1]
    )
    assert {method for method, *_rest in server.seen} == {"POST"}
    admin.close()


def test_an_address_that_takes_no_writes_is_found_before_the_first(server: Server) -> None:
    server.replies[("POST", "/schemas/services/validate")] = [(403, {"message": "no"})]
    admin = Admin(server.url)
    with pytest.raises(KongError, match=r"is read-only \(asked about service a .*\); nothing was changed"):
        sync.validate(admin, planned({"services": [{"name": "a", "host": "h"}]}), catalogue())
    admin.close()


def test_a_write_that_fails_is_named_and_what_comes_after_is_not_tried(server: Server) -> None:
    made = planned(
        {
            "services": [
                {"name": "a", "host": "h", "routes": [{"name": "r", "paths": ["/"]}]},
                {"name": "b", "host": "h"},
            ],
            "consumers": [{"username": "al", "keyauth_credentials": [{"key": "very-secret"}]}],
        }
    )
    known = {change.label: change for change in made.changes}
    for change in made.changes:
        path = f"/{'key-auths' if change.kind == 'keyauth_credentials' else change.kind}/{change.id}"
        server.replies[("PUT", path)] = [(200, {})]
    server.replies[("PUT", f"/services/{known['service b'].id}")] = [(409, answer("services.postgres#10"))]
    admin = Admin(server.url)
    with pytest.raises(sync.Incomplete) as found:
        sync.apply(admin, made, catalogue(), True)
    assert "create service b failed: name: s1" in str(found.value)
    assert "3 changes were made, 1 not tried" in str(found.value)
    assert "very-secret" not in str(found.value)
    assert not any(path.startswith("/routes") for _method, path, *_rest in server.seen)
    admin.close()


def test_what_kong_stores_otherwise_is_told(server: Server) -> None:
    made = planned({"services": [{"name": "a", "host": "h"}]})
    stored = {**made.changes[0].body, "retries": 5, "path": "/added"}
    server.replies[("PUT", f"/services/{made.changes[0].id}")] = [(200, stored)]
    admin = Admin(server.url)
    surprises = sync.apply(admin, made, catalogue(), True)
    assert "Kong stored" in surprises[0]
    assert "path" in surprises[0]
    admin.close()


def test_health_is_each_nodes_opinion() -> None:
    views = {
        "one": {"u1": answer("upstreams_targets.postgres#60")["data"]},
        "two": {"u1": answer("upstreams_targets.postgres#65")["data"]},
    }
    found = information.merged(["u1"], views)[0]
    target = next(item for item in found["targets"] if item["target"] == "127.0.0.1:18103")
    assert target["health"]["one"] in ("HEALTHY", "HEALTHCHECKS_OFF")
    assert target["health"]["two"] == "UNHEALTHY"
    assert found["unhealthy"] >= 1


@pytest.mark.parametrize(
    ("second", "same"),
    [
        ({"configuration_hash": "a"}, True),
        ({"configuration_hash": "b"}, False),
        ({"configuration_hash": "a", "version": "3.9.2"}, False),
        ({"configuration_hash": "a", "reachable": False}, False),
    ],
)
def test_nodes_in_sync(second: dict[str, t.Any], same: bool) -> None:
    first = {"reachable": True, "version": "3.9.3", "configuration_hash": "a"}
    assert information.in_sync([first, {**first, **second}]) is same


@pytest.mark.parametrize(
    ("status", "text", "wanted", "good"),
    [
        (200, "", [], True),
        (404, '{"message":"no Route matched with those values"}', [], False),
        (404, "not here", [], True),
        (0, "refused", [], False),
        (401, "", [401], True),
        (200, "", [401], False),
    ],
)
def test_answers_of_the_proxy(status: int, text: str, wanted: list[int], good: bool) -> None:
    assert proxy.is_good(status, text, wanted) is good


def test_the_proxy_is_waited_for(server: Server) -> None:
    server.replies[("GET", "/shop")] = [(404, {"message": proxy.NO_ROUTE})] * 2 + [(200, {})]
    options = {
        "url": f"{server.url}/shop",
        "method": "GET",
        "headers": {"Host": "shop.test"},
        "status": None,
        "timeout": 10,
        "validate_certs": True,
        "ca_cert": None,
    }
    proxy.wait(options, lambda _seconds: None)
    assert len(server.seen) == 2 + proxy.IN_A_ROW
    server.replies[("GET", "/shop")] = [(404, {"message": proxy.NO_ROUTE})]
    with pytest.raises(KongError, match="did not answer with a route within 0 s"):
        proxy.wait({**options, "timeout": 0}, lambda _seconds: None)
