# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _k8s_client as client
from ansible_collections.cloudnative.platform.plugins.module_utils import _k8s_errors as errors
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import ConfigError

KUBECONFIG = {"apiVersion": "v1", "current-context": "admin@lab", "clusters": [], "users": [], "contexts": []}


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        ("GET", "/version", "get /version"),
        ("GET", "/api/v1", "get /api/v1"),
        ("GET", "/api/v1/nodes", "list nodes"),
        ("GET", "/api/v1/nodes/cp1", "get nodes cp1"),
        ("GET", "/api/v1/namespaces", "list namespaces"),
        ("DELETE", "/api/v1/namespaces/shop", "delete namespaces shop"),
        ("PATCH", "/api/v1/namespaces/shop/secrets/s", "patch secrets s in namespace shop"),
        ("POST", "/apis/apps/v1/namespaces/shop/deployments", "create deployments.apps in namespace shop"),
        ("PUT", "/apis/rbac.authorization.k8s.io/v1/clusterroles/x", "update clusterroles.rbac.authorization.k8s.io x"),
        ("GET", "/api/v1/namespaces/shop/pods/p/log?tail=1", "get pods p/log in namespace shop"),
    ],
)
def test_describe_request(method, path, text):
    assert errors.describe_request(method, path) == text


FORBIDDEN = 'nodes "cp1" is forbidden: User "u" cannot get resource "nodes" in API group "" at the cluster scope'


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (401, "because", ["not authenticated to get nodes cp1", "expired"]),
        (403, "because", ["not allowed to get nodes cp1", "because"]),
        (403, FORBIDDEN, ["not allowed to get nodes cp1", FORBIDDEN]),
        (403, 'pods "p" is forbidden: exceeded quota: small', ["the cluster refused to get nodes cp1", "quota: small"]),
        (403, 'admission webhook "a.b.test" denied the request: no', ["refused to get nodes cp1", '"a.b.test"']),
        (403, 'pods "p" is forbidden: violates PodSecurity "baseline:latest"', ["refused", "PodSecurity"]),
        (422, "because", ["get nodes cp1 failed (422 Invalid): because"]),
    ],
)
def test_describe_error(status, message, words):
    text = errors.describe_error(status, "Invalid", message, "GET", "/api/v1/nodes/cp1")
    for word in words:
        assert word in text


def token(**claims):
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.x"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (token(exp=1799000000), ""),
        (token(exp=1764000000), "the token expired at 2025-11-24 16:00:00 UTC"),
        (token(sub="a"), ""),
        (token(exp="soon"), ""),
        ("a-plain-token", ""),
        ("a.b.c", ""),
        ("", ""),
    ],
)
def test_expired(given, text):
    now = datetime.datetime(2026, 11, 26, tzinfo=datetime.timezone.utc)
    assert errors.expired(given, now) == text


@pytest.mark.parametrize(
    ("status", "method", "repeated"),
    [
        (429, "POST", True),
        (503, "POST", True),
        (500, "PATCH", True),
        (504, "GET", True),
        (500, "POST", False),
        (504, "POST", False),
        (409, "PATCH", False),
        (404, "GET", False),
    ],
)
def test_is_retriable(status, method, repeated):
    assert errors.is_retriable(status, method) is repeated


def test_a_definition_of_the_wrong_type_is_not_sent_again():
    assert errors.is_retriable(500, "PATCH", 'failed calling webhook "a.b": timeout')
    assert not errors.is_retriable(500, "PATCH", '{"message": "failed to create typed patch object (n/x): .data.x"}')
    converted = "unable to convert unstructured object to /v1, Kind=Secret: illegal base64 data at input byte 5"
    assert not errors.is_retriable(500, "PATCH", f'{{"message": "failed to convert new object (n/x): {converted}"}}')


@pytest.mark.parametrize(
    ("attempt", "header", "low", "high"),
    [
        (0, None, 0.2, 0.3),
        (3, None, 1.6, 2.4),
        (9, None, 4.0, 6.0),
        (0, "2", 2, 2),
        (0, "600", 5, 5),
        (0, "soon", 0.2, 0.3),
    ],
)
def test_retry_delay(attempt, header, low, high):
    assert low <= errors.retry_delay(attempt, header) <= high


def test_kubeconfig_that_is_no_yaml_is_not_quoted(tmp_path):
    path = tmp_path / "config"
    path.write_text("apiVersion: v1\nusers: [{token: !t0ken}]\n")
    with pytest.raises(ConfigError) as refused:
        client.Cluster(kubeconfig=str(path))
    assert str(refused.value) == f"the kubeconfig {path} is not valid YAML in line 2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kubeconfig": {"apiVersion": "v1"}}, "given as a dictionary can't be used"),
        ({"kubeconfig": KUBECONFIG, "context": "nope"}, "context"),
        ({"host": "https://127.0.0.1", "client_cert": "/no/such.crt"}, "/no/such.crt does not exist"),
    ],
)
def test_cluster_refuses(options, message):
    with pytest.raises(ConfigError, match=message):
        client.Cluster(**options)


@pytest.fixture(name="server")
def fixture_server(monkeypatch):
    """A server that answers what `answers` says, one after the other, and remembers what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            self.server.asked.append((self.command, self.path, headers, body))
            status, headers, text = self.server.answers.pop(0)
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PATCH = do_POST = answer

        def log_message(self, *args):
            pass

    monkeypatch.setattr(client, "retry_delay", lambda attempt, header: 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked, server.answers = [], []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_request_sends_token_query_and_body(server):
    server.answers = [(200, {}, '{"kind": "ConfigMap"}')]
    cluster = client.Cluster(host=server.url, api_key="t0ken")
    answer = cluster.request(
        "PATCH", "/x?a=1", query={"force": True, "dryRun": None}, body={"b": 2}, content_type="application/json"
    )
    assert answer == {"kind": "ConfigMap"}
    method, path, headers, body = server.asked[0]
    assert (method, path, json.loads(body)) == ("PATCH", "/x?a=1&force=true", {"b": 2})
    assert headers["authorization"] == "Bearer t0ken"


def test_request_returns_text_that_is_not_json(server):
    server.answers = [(200, {"Content-Type": "text/plain"}, "ok")]
    assert client.Cluster(host=server.url).request("GET", "/readyz") == "ok"


@pytest.mark.parametrize(
    ("method", "answers"),
    [
        ("GET", [(429, {"Retry-After": "1"}, "{}"), (200, {}, "{}")]),
        ("PATCH", [(500, {}, "etcdserver: leader changed"), (503, {}, ""), (200, {}, "{}")]),
        ("POST", [(503, {}, "{}"), (200, {}, "{}")]),
        ("PATCH", [(None, {}, ""), (200, {}, "{}")]),
    ],
)
def test_request_repeats_what_may_be_repeated(server, method, answers):
    server.answers = list(answers)
    assert client.Cluster(host=server.url).request(method, "/x", body={}) == {}
    assert len(server.asked) == len(answers)


def test_request_does_not_repeat_a_create_that_may_have_happened(server):
    server.answers = [(500, {}, '{"message": "no", "reason": "InternalError"}')]
    with pytest.raises(client.ApiError, match="no"):
        client.Cluster(host=server.url).request("POST", "/x", body={})
    server.answers = [(None, {}, "")]
    with pytest.raises(client.Unreachable):
        client.Cluster(host=server.url).request("POST", "/x", body={})


def test_request_gives_up_in_the_end(server):
    server.answers = [(503, {}, "not yet")] * 20
    with pytest.raises(client.ApiError) as error:
        client.Cluster(host=server.url).request("GET", "/x")
    assert error.value.status == 503
    assert "not yet" in str(error.value)
    assert len(server.asked) == client.MAX_RETRIES + 1


def test_request_raises_what_the_server_says(server):
    status = {
        "reason": "Conflict",
        "message": "Apply failed",
        "details": {"causes": [{"field": ".spec.replicas", "message": 'conflict with "hpa"'}]},
    }
    server.answers = [(409, {}, json.dumps(status))]
    with pytest.raises(client.ApiError) as error:
        client.Cluster(host=server.url).request("PATCH", "/x", body={})
    assert (error.value.status, error.value.reason) == (409, "Conflict")
    assert error.value.causes[0]["field"] == ".spec.replicas"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("https://127.0.0.1:9", "Connection refused"),
        ("https://no-such-host.invalid", "no-such-host.invalid"),
    ],
)
def test_unreachable_within_ten_seconds_names_url_and_reason(host, reason):
    started = time.monotonic()
    with pytest.raises(client.Unreachable) as error:
        client.Cluster(host=host).request("GET", "/version")
    assert time.monotonic() - started < 10
    assert host in str(error.value)
    assert reason in str(error.value)


# -- watches ----------------------------------------------------------------------------------------------------


@pytest.fixture(name="watched")
def fixture_watched():
    """A server that sends pieces of a watch, and after the last one nothing until it is let go."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(self.server.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in self.server.pieces:
                self.wfile.write(f"{len(piece):x}\r\n{piece}\r\n".encode())
                self.wfile.flush()
            if self.server.ends:
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.server.let_go.wait(20)
                self.close_connection = True

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.status, server.pieces, server.ends, server.let_go = 200, [], True, threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.let_go.set()
    server.shutdown()
    server.server_close()


def test_stream_puts_pieces_together(watched):
    watched.pieces = ['{"a": 1}\n{"b"', ": 2}\n", '{"c": 3}\n']
    stream = client.Cluster(host=watched.url).stream("/x", {"watch": True}, 5)
    assert list(stream) == [{"a": 1}, {"b": 2}, {"c": 3}]
    stream.close()


def test_stream_ends_when_another_thread_closes_it(watched):
    watched.pieces, watched.ends = ['{"a": 1}\n'], False
    stream = client.Cluster(host=watched.url).stream("/x", {}, 30)
    threading.Timer(0.2, stream.close).start()
    started = time.monotonic()
    assert list(stream) == [{"a": 1}]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("pieces", "seconds"), [(['{"a": 1}\n{"b'], 0.3), (['{"a": 1}\nno json\n'], 5)])
def test_stream_that_breaks_off(watched, pieces, seconds):
    watched.pieces, watched.ends = pieces, False
    stream = client.Cluster(host=watched.url).stream("/x", {}, seconds)
    with pytest.raises(client.Unreachable, match="broke off"):
        list(stream)


def test_stream_that_is_refused(watched):
    watched.status, watched.pieces = 410, ['{"reason": "Expired", "message": "too old"}']
    with pytest.raises(client.ApiError, match="410 Expired") as refused:
        client.Cluster(host=watched.url).stream("/x", {}, 5)
    assert refused.value.status == 410
