# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way through the Kubernetes API, by the real client and its port forwarding, with an API server of a few lines."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import struct
import threading
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import AUTH_ARG_SPEC
from ansible_collections.cloudnative.platform.plugins.module_utils._kong import through_kubernetes
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Trust, Unreachable
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError

pytest.importorskip("kubernetes")

PODS = "/api/v1/namespaces/kong/pods"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'
_BINARY, _CLOSE = 2, 8


def pod(name: str, phase: str = "Running", **metadata: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"name": name, **metadata}, "status": {"phase": phase, "conditions": []}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def log_message(self, *_args: t.Any) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == PODS:
            self.reply(self.server.status, {"items": self.server.pods, "message": "no", "reason": "Forbidden"})
        elif path.endswith("/portforward") and self.server.forwards:
            self.server.dialled.append(self.path)
            self.forward()
        else:
            self.reply(403, {"message": "no"})

    def reply(self, status: int, content: t.Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def forward(self) -> None:
        """A websocket: channel 0 is the data of the port, 1 its errors; each begins with the number of the port."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self.close_connection = True
        for channel in (0, 1):
            self.frame(bytes([channel]) + struct.pack("<H", 8001))
        while True:
            kind, data = self.received()
            if kind == _CLOSE:
                return
            if data.endswith(b"\r\n\r\n"):
                self.server.requests.append(data[1:].decode().splitlines()[0])
                # In two pieces: what a frame holds is not what a message is.
                self.frame(b"\0" + ANSWER[:20])
                self.frame(b"\0" + ANSWER[20:])

    def frame(self, data: bytes) -> None:
        self.wfile.write(bytes([0x80 | _BINARY, len(data)]) + data)

    def received(self) -> tuple[int, bytes]:
        head = self.rfile.read(2)
        if len(head) < 2:
            return _CLOSE, b""
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.rfile.read(2))[0]
        mask = self.rfile.read(4)
        data = self.rfile.read(length)
        return head[0] & 0x0F, bytes(byte ^ mask[number % 4] for number, byte in enumerate(data))


class ApiServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.forwards = True
        self.pods = [pod("kong-b"), pod("kong-a")]
        self.dialled: list[str] = []
        self.requests: list[str] = []


@pytest.fixture(name="api")
def fixture_api() -> t.Iterator[ApiServer]:
    server = ApiServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def nodes(api: ApiServer, **more: t.Any) -> list[t.Any]:
    options: dict[str, t.Any] = {
        **dict.fromkeys(AUTH_ARG_SPEC),
        "host": f"http://127.0.0.1:{api.server_port}",
        "namespace": "kong",
        "selector": "app=kong",
        "port": 8001,
        "scheme": "http",
    }
    return through_kubernetes.pods(options, Trust(), {}, 5, 10, **more)


def test_pods_that_run_are_nodes_whether_ready_or_not(api: ApiServer) -> None:
    gone = pod("d", deletionTimestamp="2026-01-01T00:00:00Z")
    assert through_kubernetes.running([pod("b"), pod("a"), pod("c", "Pending"), gone, pod("e", "Failed")]) == ["a", "b"]
    assert [node.name for node in nodes(api)] == ["pod kong/kong-a", "pod kong/kong-b"]


def test_no_pod_runs(api: ApiServer) -> None:
    api.pods = [pod("x", "Pending")]
    with pytest.raises(KongError, match="no pod of app=kong runs in namespace kong"):
        nodes(api)


def test_pods_that_are_ready(api: ApiServer) -> None:
    ready = pod("c")
    ready["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    starting = pod("d")
    starting["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    assert through_kubernetes.running([pod("b"), ready, starting], ready_only=True) == ["c"]
    # Before the gateway is installed there is none, which is no error then.
    assert nodes(api, ready_only=True) == []


def test_who_may_not_list_pods(api: ApiServer) -> None:
    api.status = 403
    with pytest.raises(KongError, match="not allowed to list pods in namespace kong"):
        nodes(api)


def test_requests_share_a_forwarded_port(api: ApiServer) -> None:
    node = nodes(api)[0]
    assert [node.get("/"), node.get("/status")] == [{"a": 1}, {"a": 1}]
    assert api.dialled == [f"{PODS}/kong-a/portforward?ports=8001"]
    assert api.requests == ["GET / HTTP/1.1", "GET /status HTTP/1.1"]
    node.close()


def test_several_connections_at_a_time(api: ApiServer) -> None:
    node = nodes(api)[0]
    assert node.each(lambda number: node.get(f"/{number}"), list(range(12))) == [{"a": 1}] * 12
    assert 1 <= len(api.dialled) <= through_kubernetes.MOST_CONNECTIONS
    node.close()


def test_a_port_that_can_not_be_forwarded(api: ApiServer) -> None:
    api.forwards = False
    with pytest.raises(Unreachable, match=r"pod kong/kong-a can't be reached: port 8001 .* can't be forwarded"):
        nodes(api)[0].get("/")
