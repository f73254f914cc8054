"""Fixtures of the scenario."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
import testinfra
import yaml
from mesh import BUNDLE, GRAPH, INVENTORY, SERVICES, MeshCluster, workload
from waiting import wait_for


@pytest.fixture(scope="session")
def cluster() -> MeshCluster:
    return MeshCluster(testinfra.get_host("ansible://cp1", ansible_inventory=str(INVENTORY)))


@pytest.fixture(scope="session")
def agnhost() -> str:
    components = json.loads(BUNDLE.read_text())["components"]
    return next(one["ref"] for one in components if one["name"] == "agnhost")


@pytest.fixture(scope="session")
def graph() -> t.Callable[[], dict[str, t.Any]]:
    """Who may call whom, to be changed."""
    return lambda: copy.deepcopy(GRAPH)


@pytest.fixture(scope="session")
def configure(playbook: t.Any, tmp_path_factory: pytest.TempPathFactory) -> t.Callable[..., t.Any]:
    """Runs the playbook of those who work on the mesh, or another one. Returns how it ended."""

    def run(graph: dict[str, t.Any], name: str = "configure_mesh", check: bool = False, **variables: t.Any) -> t.Any:
        place = tmp_path_factory.mktemp("variables")
        (place / "calls.yml").write_text(yaml.safe_dump(graph))
        given = {"kuma_namespaces": ["shop"], "kuma_call_graph": str(place / "calls.yml"), **variables}
        (place / "variables.yml").write_text(yaml.safe_dump(given))
        return playbook(name, "--diff", *(["--check"] if check else []), "--extra-vars", f"@{place / 'variables.yml'}")

    return run


@pytest.fixture(scope="session")
def shop(cluster: MeshCluster, agnhost: str, configure: t.Any, graph: t.Any) -> None:
    """Three services in the mesh: web may call api, and nobody else may call anybody."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    done = configure(graph())
    assert done.returncode == 0
    for name in SERVICES:
        # The service account first: a pod of one that is not there is refused.
        for manifest in workload(name, agnhost):
            cluster.apply(manifest)
    cluster.run("wait --namespace shop pod --all --for=condition=Ready --timeout=60s")
    wait_for(lambda: cluster.reaches("web", "api"), 60, "web reaches api")
