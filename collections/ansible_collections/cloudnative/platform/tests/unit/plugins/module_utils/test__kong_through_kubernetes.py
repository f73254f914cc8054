# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way through the Kubernetes API, with the API's answers and the forwarded socket given."""

from __future__ import annotations

import socket
import threading
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import AUTH_ARG_SPEC
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError
from ansible_collections.cloudnative.platform.plugins.module_utils._kong import through_kubernetes
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Trust, Unreachable
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError

kubernetes = pytest.importorskip("kubernetes")

OPTIONS: dict[str, t.Any] = {
    **dict.fromkeys(AUTH_ARG_SPEC),
    "namespace": "kong",
    "selector": "app=kong",
    "port": 8001,
    "scheme": "http",
}


def pod(name: str, phase: str = "Running", **metadata: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"name": name, **metadata}, "status": {"phase": phase, "conditions": []}}


class FakeCluster:
    """What `pods` uses of a cluster."""

    items: t.ClassVar[list[dict[str, t.Any]]] = []
    error: t.ClassVar[Exception | None] = None

    def __init__(self, **options: t.Any) -> None:
        self.api_client = kubernetes.client.ApiClient(kubernetes.client.Configuration())

    def request(self, method: str, path: str, query: dict[str, t.Any]) -> dict[str, t.Any]:
        assert (method, path) == ("GET", "/api/v1/namespaces/kong/pods")
        assert query == {"labelSelector": "app=kong"}
        if self.error:
            raise self.error
        return {"items": self.items}


@pytest.fixture(name="cluster", autouse=True)
def fixture_cluster(monkeypatch: pytest.MonkeyPatch) -> type[FakeCluster]:
    monkeypatch.setattr(through_kubernetes, "Cluster", FakeCluster)
    monkeypatch.setattr(FakeCluster, "items", [pod("kong-b"), pod("kong-a")])
    return FakeCluster


def nodes() -> list[t.Any]:
    return through_kubernetes.pods(OPTIONS, Trust(), {}, 5, 10)


def test_pods_that_run_are_nodes_whether_ready_or_not() -> None:
    items = [
        pod("b"),
        pod("a"),
        pod("c", "Pending"),
        pod("d", deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("e", "Failed"),
    ]
    assert through_kubernetes.running(items) == ["a", "b"]
    assert [node.name for node in nodes()] == ["pod kong/kong-a", "pod kong/kong-b"]


def test_no_pod_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCluster, "items", [pod("x", "Pending")])
    with pytest.raises(KongError, match="no pod of app=kong runs in namespace kong"):
        nodes()


def test_who_may_not_list_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCluster, "error", ApiError(403, "Forbidden", "no", "GET", "/api/v1/namespaces/kong/pods"))
    with pytest.raises(KongError, match="not allowed to list pods in namespace kong"):
        nodes()


class Forwarded:
    """A forwarded port behind which somebody answers one request after another."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        threading.Thread(target=self.serve, daemon=True).start()

    def socket(self, port: int) -> socket.socket:
        assert port == 8001
        return self.near

    def serve(self) -> None:
        while self.far.recv(65536):
            self.far.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}')


def test_requests_go_through_the_forwarded_port(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[tuple[t.Any, ...]] = []

    def portforward(_method: t.Any, name: str, namespace: str, ports: str) -> Forwarded:
        dialled.append((name, namespace, ports))
        return Forwarded()

    monkeypatch.setattr(kubernetes.stream, "portforward", portforward)
    node = nodes()[0]
    assert [node.get("/"), node.get("/status")] == [{"a": 1}, {"a": 1}]
    assert dialled == [("kong-a", "kong", "8001")]
    node.close()


def test_a_port_that_can_not_be_forwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    def portforward(*_args: t.Any, **_options: t.Any) -> t.Any:
        raise kubernetes.client.exceptions.ApiException(status=403, reason="Handshake status 403 Forbidden")

    monkeypatch.setattr(kubernetes.stream, "portforward", portforward)
    with pytest.raises(Unreachable, match=r"port 8001 of pod kong/kong-a can't be forwarded \(403\)"):
        nodes()[0].get("/")
