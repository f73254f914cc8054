"""Fixtures of the scenario."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
import testinfra
import yaml
from gateway import BUNDLE, DOCUMENT, INVENTORY, GatewayCluster, ask, version
from waiting import wait_for


@pytest.fixture(scope="session")
def cluster() -> GatewayCluster:
    return GatewayCluster(testinfra.get_host("ansible://cp1", ansible_inventory=str(INVENTORY)))


@pytest.fixture(scope="session")
def other_node() -> t.Callable[[str], t.Any]:
    """The node that is not the one of that name."""
    hosts = {
        name: testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY)) for name in ("cp1", "worker1")
    }
    return lambda name: next(host for node, host in hosts.items() if node != name)


@pytest.fixture(scope="session")
def registry() -> t.Any:
    return testinfra.get_host("ansible://registry1", ansible_inventory=str(INVENTORY))


@pytest.fixture(scope="session")
def agnhost() -> str:
    components = json.loads(BUNDLE.read_text())["components"]
    return next(one["ref"] for one in components if one["name"] == "agnhost")


@pytest.fixture(scope="session")
def document() -> t.Callable[[], dict[str, t.Any]]:
    """The document of the demo service, to be changed."""
    return lambda: copy.deepcopy(DOCUMENT)


@pytest.fixture(scope="session")
def configure(playbook: t.Any, tmp_path_factory: pytest.TempPathFactory) -> t.Callable[..., t.Any]:
    """Runs the playbook of those who work on routes, or another one. Returns how it ended."""

    def run(content: dict[str, t.Any], name: str = "configure_gateway", **variables: t.Any) -> t.Any:
        path = tmp_path_factory.mktemp("variables") / "variables.yml"
        path.write_text(yaml.safe_dump({"kong_configuration": content, **variables}))
        return playbook(name, "--extra-vars", f"@{path}")

    return run


@pytest.fixture(scope="session")
def demo(cluster: GatewayCluster, agnhost: str, configure: t.Any, document: t.Any) -> None:
    """Two versions of a service behind the gateway."""
    cluster.apply(*version("demo-v1", agnhost), *version("demo-v2", agnhost))
    for name in ("demo-v1", "demo-v2"):
        cluster.run(f"rollout status deployment/{name} --timeout=90s")
    done = configure(document())
    assert done.returncode == 0
    wait_for(lambda: ask("/hostname").status == 200, 60, "the demo service answers through the gateway")
