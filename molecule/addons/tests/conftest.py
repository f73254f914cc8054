"""The hosts and the cluster of the scenario, as its tests ask them."""

from __future__ import annotations

import json
import pathlib
import time
import typing as t
import urllib.parse

import pytest
import testinfra

INVENTORY = pathlib.Path(__file__).parents[3] / ".lab/molecule/addons/inventory/hosts.ini"
KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"


@pytest.fixture(scope="session")
def get_host() -> t.Callable[[str], t.Any]:
    return lambda name: testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


class Cluster:
    """kubectl on the control plane."""

    def __init__(self, host: t.Any) -> None:
        self.host = host

    def run(self, command: str) -> str:
        return self.host.check_output(f"{KUBECTL} {command}")

    def get(self, command: str) -> dict[str, t.Any]:
        return json.loads(self.run(f"get {command} --output json"))

    def apply(self, manifest: dict[str, t.Any]) -> None:
        self.host.check_output("sh -c %s", f"echo '{json.dumps(manifest)}' | {KUBECTL} apply -f -")

    def query(self, promql: str) -> list[dict[str, t.Any]]:
        """Ask Prometheus through the API server."""
        path = "/api/v1/namespaces/monitoring/services/prometheus:web/proxy/api/v1/query"
        answer = json.loads(self.run(f"get --raw '{path}?query={urllib.parse.quote(promql)}'"))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]


@pytest.fixture(scope="session")
def cluster(get_host: t.Callable[[str], t.Any]) -> Cluster:
    return Cluster(get_host("cp1"))


@pytest.fixture(scope="session")
def wait_until() -> t.Callable[..., None]:
    def wait(condition: t.Callable[[], t.Any], timeout: float, what: str | t.Callable[[], str]) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                # What is still missing is only known now.
                pytest.fail(f"not within {timeout} s: {what() if callable(what) else what}")
            time.sleep(2)

    return wait
