"""The cluster of the scenario, the services in its mesh, and who may call whom."""

from __future__ import annotations

import http.client
import pathlib
import threading
import typing as t

from kubectl import KUBECTL, Cluster

ROOT = pathlib.Path(__file__).parents[3]
INVENTORY = ROOT / ".lab/molecule/kuma/inventory/hosts.ini"
BUNDLE = pathlib.Path("~/.cache/cloudnative-platform/doubles/bundle/bundle.json").expanduser()
SYSTEM = "kuma-system"
OWNED = "cloudnative.platform/owner=kuma-mesh"
GATEWAY = ("10.98.101.13", 30080)
SERVICES = ("web", "api", "other")
GRAPH: dict[str, t.Any] = {
    "services": {
        "gateway": {
            "namespace": "kong",
            "service_account": "kong",
            "pod_labels": {"app.kubernetes.io/name": "kong"},
            "gateway": True,
        },
        **{
            name: {"namespace": "shop", "service_account": name, "pod_labels": {"app": name}, "ports": [8080]}
            for name in SERVICES
        },
    },
    "calls": {"gateway": ["web"], "web": ["api"]},
}


class MeshCluster(Cluster):
    def versions(self) -> dict[str, str]:
        """Of everything that makes up the mesh: a write changes the version of what it writes."""
        kinds = "meshes,meshidentities,meshtlses,meshtrafficpermissions,meshtimeouts,networkpolicies"
        items = self.get(f"{kinds} --all-namespaces")["items"]
        return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in items}

    def ca_bundles(self) -> set[str]:
        configurations = self.get("mutatingwebhookconfigurations,validatingwebhookconfigurations")["items"]
        hooks = [one for body in configurations for one in body["webhooks"] if "kuma" in one["name"]]
        return {one["clientConfig"]["caBundle"] for one in hooks}

    def serving(self) -> dict[str, str]:
        return self.get(f"secret --namespace {SYSTEM} kuma-tls-cert")["data"]

    def reaches(self, who: str, whom: str) -> bool:
        address = self.get(f"pod --namespace shop {whom}")["status"]["podIP"]
        command = f"{KUBECTL} exec --namespace shop {who} -- /agnhost connect {address}:8080 --timeout=2s"
        return self.host.run(command).rc == 0


def through_gateway(service: str) -> str | None:
    """Which service answered; None when the gateway got no answer of it."""
    connection = http.client.HTTPConnection(*GATEWAY, timeout=10)
    try:
        connection.request("GET", f"/{service}/hostname")
        answer = connection.getresponse()
        told = answer.read().decode()
    finally:
        connection.close()
    return told if answer.status == 200 else None


def workload(name: str, image: str) -> list[dict[str, t.Any]]:
    """A service, its service account, and a pod of it that answers on 8080."""
    place = {"name": name, "namespace": "shop"}
    container = {
        "name": "main",
        "image": image,
        "args": ["netexec", "--http-port=8080"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    spec = {"serviceAccountName": name, "terminationGracePeriodSeconds": 1, "containers": [container]}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"selector": {"app": name}, "ports": [{"port": 8080}]},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": {**place, "labels": {"app": name}}, "spec": spec},
    ]


def timeout(name: str, value: str = "5s", kind: str = "Mesh") -> dict[str, t.Any]:
    to = [{"targetRef": {"kind": kind}, "default": {"connectionTimeout": value}}]
    metadata = {"name": name, "namespace": SYSTEM, "labels": {"kuma.io/mesh": "default"}}
    spec = {"targetRef": {"kind": "Mesh"}, "to": to}
    return {"apiVersion": "kuma.io/v1alpha1", "kind": "MeshTimeout", "metadata": metadata, "spec": spec}


class Writers:
    """Somebody who writes policies all the time, as a dry run that all webhooks take part in."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.written = 0
        self.refused: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(0.3):
            self.written += 1
            done = self.cluster.try_apply([timeout("always")], "--dry-run=server")
            if done.rc != 0:
                self.refused.append(done.stderr)

    def __enter__(self) -> Writers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        print(f"{self.written} writes, {len(self.refused)} refused: {self.refused[:3]}")
