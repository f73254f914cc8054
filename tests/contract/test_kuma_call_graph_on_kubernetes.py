# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a call graph together with what else there is of a mesh in a real cluster."""

from __future__ import annotations

import typing as t

import pytest
from kuma_mesh import MESH, identity, mesh
from kuma_on_kubernetes import GRAPH, SYSTEM, Run, fixture_cluster, fixture_run  # noqa: F401 (fixtures)

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster

POLICIES = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
PERMISSIONS = f"/apis/kuma.io/v1alpha1/namespaces/{SYSTEM}/meshtrafficpermissions"


@pytest.fixture(scope="module", autouse=True)
def fixture_records(cluster: Cluster) -> t.Iterator[None]:
    """What an owner had stays in its record. The server is that of other tests as well, which count what they make."""
    yield
    for owner in ("contract", "second"):
        cluster.request("DELETE", f"/api/v1/namespaces/{SYSTEM}/configmaps/owner-{owner}")


def test_graphs_of_two_meshes_do_not_overwrite_each_other(run: Run, cluster: Cluster) -> None:
    run(mesh(), {**mesh(), "name": "second"}, call_graph=GRAPH, network_policies=True)
    try:
        run(call_graph={**GRAPH, "mesh": "second"}, network_policies=True, owner="second")
        names = {one["metadata"]["name"] for one in cluster.request("GET", PERMISSIONS)["items"]}
        assert {"calls-to-api-contract", "calls-to-api-second"} <= names
        assert not run(mesh(), call_graph=GRAPH, network_policies=True)["changed"]
    finally:
        run(state="absent", owner="second", prune_max=-1)
        run({**mesh(), "name": "second"}, state="absent")


def test_a_graph_alone_in_which_nobody_may_call(run: Run, cluster: Cluster) -> None:
    nobody = {**GRAPH, "calls": {}}
    done = run(call_graph=nobody, network_policies=True, prune=True)
    assert f"created NetworkPolicy shop/calls-default-deny-{MESH}" in done["actions"]
    assert "ingress" not in cluster.request("GET", f"{POLICIES}/calls-to-web-contract")["spec"]
    again = run(call_graph=nobody, network_policies=True, prune=True)
    assert (again["changed"], again["actions"]) == (False, [])


def test_what_proxies_tell_gets_through_the_network(run: Run, cluster: Cluster) -> None:
    told = {"metrics_port": 5999, "otlp_endpoint": "collector.tracing.svc:4317"}
    options = {"network_policies": True, "observability": told, "monitoring_namespace": "eyes"}
    run(mesh(), call_graph=GRAPH, **options)
    spec = cluster.request("GET", f"{POLICIES}/calls-default-deny-contract")["spec"]
    metrics, traces = spec["ingress"][1], spec["egress"][3]
    for rule, side, namespace, port in ((metrics, "from", "eyes", 5999), (traces, "to", "tracing", 4317)):
        assert rule[side][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": namespace}
        assert rule["ports"] == [{"port": port, "protocol": "TCP"}]
    open_graph = {**GRAPH, "network": {"default_deny": False}}
    run(mesh(), call_graph=open_graph, prune=True, **options)
    callers, admin, metrics = cluster.request("GET", f"{POLICIES}/calls-to-api-contract")["spec"]["ingress"]
    assert [one["ports"][0]["port"] for one in (callers, admin, metrics)] == [8080, 9901, 5999]
    again = run(mesh(), call_graph=open_graph, prune=True, **options)
    assert (again["changed"], again["actions"]) == (False, [])


def test_identities_of_a_cluster(run: Run, cluster: Cluster) -> None:
    """The role's identities are of accounts; the zone is what the control plane is started with."""
    on_hosts = {**GRAPH, "services": {**GRAPH["services"], "web": {}}}
    with pytest.raises(AssertionError, match=r"services\.web: .*; give it namespace and service_account"):
        run(mesh(), identity(), call_graph=on_hosts)
    elsewhere = {**GRAPH, "zone": "eu"}
    labels = {"app": "kuma-control-plane"}
    zone = {"name": "KUMA_MULTIZONE_ZONE_NAME", "value": "eu"}
    container: dict[str, t.Any] = {
        "name": "control-plane",
        "image": "kuma-cp",
        "env": [{"name": "KUMA_MODE", "value": "zone"}],
    }
    body: dict[str, t.Any] = {
        "metadata": {"name": "kuma-control-plane"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"
    cluster.request("POST", path, body=body)
    try:
        with pytest.raises(AssertionError, match=r"its trust domain is contract\.eu\.mesh\.local, that of the mesh is"):
            run(mesh(), identity(), call_graph=elsewhere)
        run(mesh(), identity(), call_graph=GRAPH)
        container["env"].append(zone)
        cluster.request("DELETE", f"{path}/kuma-control-plane", {"gracePeriodSeconds": 0})
        cluster.request("POST", path, body=body)
        assert run(call_graph=elsewhere, network_policies=True)["requests"] > 0
        with pytest.raises(
            AssertionError, match=r"contract\.default\.mesh\.local, that of .* contract\.eu\.mesh\.local"
        ):
            run(call_graph=GRAPH)
    finally:
        cluster.request("DELETE", f"{path}/kuma-control-plane", {"gracePeriodSeconds": 0})
