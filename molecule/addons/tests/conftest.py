"""The hosts and the cluster of the scenario, as its tests ask them."""

from __future__ import annotations

import json
import pathlib
import typing as t
import urllib.parse

import pytest
import testinfra
from kubectl import Cluster

INVENTORY = pathlib.Path(__file__).parents[3] / ".lab/molecule/addons/inventory/hosts.ini"


@pytest.fixture(scope="session")
def get_host() -> t.Callable[[str], t.Any]:
    return lambda name: testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


class MonitoredCluster(Cluster):
    def query(self, promql: str) -> list[dict[str, t.Any]]:
        """Ask Prometheus through the API server."""
        path = "/api/v1/namespaces/monitoring/services/prometheus:web/proxy/api/v1/query"
        answer = json.loads(self.run(f"get --raw '{path}?query={urllib.parse.quote(promql)}'"))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]


@pytest.fixture(scope="session")
def cluster(get_host: t.Callable[[str], t.Any]) -> MonitoredCluster:
    return MonitoredCluster(get_host("cp1"))
