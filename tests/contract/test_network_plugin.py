# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""network_plugin against a real API server and a real registry, with the manifests of the bundle.

No network comes up here, because there are no nodes; the molecule scenarios `network` and `cluster` show that.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import Registry, parse_reference
from ansible_collections.cloudnative.platform.plugins.modules import network_plugin

Run = t.Callable[..., dict[str, t.Any]]

DAEMON_SETS = {"calico": "kube-system/daemonsets/calico-node", "flannel": "kube-flannel/daemonsets/kube-flannel-ds"}


@pytest.fixture(scope="module", name="components")
def fixture_components(bundle: t.Any, registry: str) -> dict[str, t.Any]:
    """What the bundle holds; the manifests of the plugins are in the registry."""
    components = {one["name"]: one for one in json.loads((bundle.path / "bundle.json").read_text())["components"]}
    client = Registry(registry)
    for plugin in DAEMON_SETS:
        reference = parse_reference(components[plugin]["ref"])
        body = bundle.blob(components[plugin]["digest"]).read_bytes()
        manifest = json.loads(body)
        for descriptor in [manifest["config"], *manifest["layers"]]:
            client.upload_blob(reference.repository, descriptor["digest"], bundle.blob(descriptor["digest"]))
        client.put_manifest(reference.repository, reference.tag, body, manifest["mediaType"])
    client.close()
    return components


@pytest.fixture(name="cluster")
def fixture_cluster(kubernetes_api: dict[str, t.Any]) -> t.Iterator[Cluster]:
    cluster = Cluster(kubernetes_api)
    yield cluster
    remove(cluster, *(f"/apis/apps/v1/namespaces/{place}" for place in DAEMON_SETS.values()))
    remove(cluster, "/apis/crd.projectcalico.org/v1/ippools/default-ipv4-ippool", "/api/v1/nodes/n1")


def remove(cluster: Cluster, *paths: str) -> None:
    for path in paths:
        try:
            cluster.request("DELETE", path)
        except ApiError as e:
            assert e.status == 404


@pytest.fixture(name="run")
def fixture_run(
    kubernetes_api: dict[str, t.Any],
    registry: str,
    components: dict[str, t.Any],
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    def run(plugin: str, check: bool = False, **params: t.Any) -> dict[str, t.Any]:
        arguments = {
            "kubeconfig": kubernetes_api,
            "plugin": plugin,
            "pod_cidr": "10.244.0.0/16",
            "registry": {"endpoints": [registry]},
            "components": components,
            "wait_timeout": 1,
            "_ansible_check_mode": check,
            **params,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            network_plugin.main()
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize(("plugin", "enforces"), [("calico", True), ("flannel", False)])
def test_predicted_then_applied_then_unchanged(run: Run, cluster: Cluster, plugin: str, enforces: bool) -> None:
    predicted = run(plugin, check=True)
    assert predicted["changed"] is True
    assert (predicted["plugin"], predicted["enforces_policy"]) == (plugin, enforces)
    with pytest.raises(ApiError, match="404"):
        cluster.request("GET", f"/apis/apps/v1/namespaces/{DAEMON_SETS[plugin]}")
    first = run(plugin)
    assert first["actions"] == [line.replace("would create", "created") for line in predicted["actions"]]
    # Nobody here rolls out a DaemonSet.
    assert first["failed"] is True
    assert "not ready after 1 s: DaemonSet" in first["msg"]
    again = run(plugin, check=True)
    assert (again["changed"], again["actions"]) == (False, [])
    assert any("DaemonSet" in text for text in again["not_ready"])


def test_setting_that_changes(run: Run, cluster: Cluster) -> None:
    run("calico")
    result = run("calico", calico={"vxlan_mode": "Always", "mtu": 1400})
    assert result["actions"] == [
        "updated ConfigMap kube-system/calico-config",
        "updated IPPool default-ipv4-ippool",
        "updated DaemonSet kube-system/calico-node",
    ]
    pool = cluster.request("GET", "/apis/crd.projectcalico.org/v1/ippools/default-ipv4-ippool")
    assert pool["spec"]["vxlanMode"] == "Always"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"pod_cidr": "10.200.0.0/16"}, "has cidr 10.244.0.0/16, not 10.200.0.0/16"),
        ({"calico": {"block_size": 24}}, "has blockSize 26, not 24"),
        ({"plugin": "flannel"}, "network plugin is calico (DaemonSet kube-system/calico-node), not flannel"),
    ],
)
def test_what_would_break_a_running_network_is_refused(run: Run, params: dict[str, t.Any], words: str) -> None:
    run("calico")
    result = run(**{"plugin": "calico", **params})
    assert (result["failed"], result["changed"]) == (True, False)
    assert words in result["msg"]


def test_node_of_another_pod_network(run: Run, cluster: Cluster) -> None:
    cluster.request("POST", "/api/v1/nodes", body={"metadata": {"name": "n1"}, "spec": {"podCIDR": "10.9.1.0/24"}})
    assert "n1 has 10.9.1.0/24" in run("calico", check=True)["msg"]


def test_nodes_that_are_not_ready_and_nodes_that_do_not_report(run: Run, cluster: Cluster) -> None:
    cluster.request("POST", "/api/v1/nodes", body={"metadata": {"name": "n1"}})
    for status, words in (("False", "Node n1: not Ready (NoNetwork)"), ("Unknown", "don't report")):
        condition = {"type": "Ready", "status": status, "reason": "NoNetwork"}
        patch = {"status": {"conditions": [condition]}}
        cluster.request("PATCH", "/api/v1/nodes/n1/status", body=patch, content_type="application/merge-patch+json")
        assert words in json.dumps(run("calico"))


def test_registry_without_the_manifest(run: Run, components: dict[str, t.Any]) -> None:
    missing = {**components, "calico": {**components["calico"], "digest": "sha256:" + "0" * 64}}
    result = run("calico", components=missing)
    assert "cloudnative.platform/calico" in result["msg"]
    assert "seeded" in run("calico", components={})["msg"]


def test_registry_that_is_not_there(run: Run) -> None:
    result = run("calico", registry={"endpoints": ["http://127.0.0.1:9"]})
    assert "http://127.0.0.1:9" in result["msg"]
    assert result["failed"] is True
