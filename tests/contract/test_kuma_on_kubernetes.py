# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kuma_resources with mode=kubernetes against a real API server."""

from __future__ import annotations

import typing as t

import pytest
from kuma_mesh import everything, mesh, timeout
from kuma_on_kubernetes import GRAPH, SYSTEM, Run, fixture_cluster, fixture_run, tls  # noqa: F401 (fixtures)

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import load


def documents() -> list[dict[str, t.Any]]:
    return [one for one in everything() if one["type"] != "Dataplane"]


def test_the_same_documents_come_to_rest(run: Run, cluster: Cluster) -> None:
    wish = documents()
    told = run(*wish, allow_removed=True, check=True)
    # The record of the owner is one more.
    done = run(*wish, allow_removed=True, diff=True)
    assert done["counts"]["created"] == len(wish) + 1
    assert told["counts"]["created"] in (len(wish), len(wish) + 1)
    again = run(*wish, allow_removed=True, prune=True)
    assert (again["changed"], again["actions"]) == (False, [])
    found = cluster.request("GET", f"/apis/kuma.io/v1alpha1/namespaces/{SYSTEM}/meshidentities")
    assert found["items"][0]["metadata"]["labels"]["kuma.io/mesh"] == "contract"
    secret = cluster.request("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/partner")
    assert (secret["type"], secret["data"]["value"]) == ("system.kuma.io/secret", "c2VjcmV0LW9mLXRoZS1wYXJ0bmVy")


def test_one_change_is_one_action(run: Run) -> None:
    run(mesh(), timeout("one"), timeout("two"))
    done = run(mesh(), timeout("one", "2s"), timeout("two"))
    assert done["actions"] == [f"updated MeshTimeout {SYSTEM}/one"]


def test_permissions_and_network_policies_of_one_file(run: Run, cluster: Cluster) -> None:
    run(mesh(), call_graph=GRAPH, network_policies=True)
    policies = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
    policy = cluster.request("GET", f"{policies}/calls-to-api-contract")
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": 8080, "protocol": "TCP"}]
    locked = cluster.request("GET", f"{policies}/calls-default-deny-contract")
    assert locked["spec"]["policyTypes"] == ["Ingress", "Egress"]
    done = run(mesh(), call_graph={**GRAPH, "calls": {}}, network_policies=True, prune=True)
    assert sorted(done["actions"]) == [
        f"deleted MeshTrafficPermission {SYSTEM}/calls-to-api-contract",
        f"updated ConfigMap {SYSTEM}/owner-contract",
        "updated NetworkPolicy shop/calls-to-api-contract",
    ]


def test_what_proxies_tell(run: Run) -> None:
    told = {"access_log": "otlp", "otlp_endpoint": "collector.monitoring.svc:4317", "applications": [{"port": 8080}]}
    for access_log in ("stdout", "otlp"):
        wish = {**told, "access_log": access_log}
        assert run(mesh(), observability=wish, prune=True)["changed"]
        again = run(mesh(), observability=wish, prune=True)
        assert (again["changed"], again["actions"]) == (False, [])


def test_prune_spares_meshes_and_refuses_too_many(run: Run, cluster: Cluster) -> None:
    run(mesh(), timeout("one"), timeout("two"))
    with pytest.raises(AssertionError, match="prune_max 1 allows 1 to go"):
        run(timeout("three"), prune=True, prune_max=1)
    done = run(timeout("one"), prune=True)
    assert f"deleted MeshTimeout {SYSTEM}/two" in done["actions"]
    assert cluster.request("GET", "/apis/kuma.io/v1alpha1/meshes")["items"]


def test_prediction_for_a_control_plane_that_is_still_to_be_made(
    run: Run, kubernetes_api: dict[str, t.Any], cluster: Cluster
) -> None:
    elsewhere = {"kubeconfig": kubernetes_api, "namespace": "not-there-yet"}
    told = run(mesh(), timeout(), check=True, prune=True, kubernetes=elsewhere)
    assert told["counts"] == {"created": 3, "updated": 0, "deleted": 0}
    with pytest.raises(AssertionError, match="not-there-yet"):
        run(mesh(), timeout(), prune=True, kubernetes=elsewhere)


def test_what_is_refused_before_anything_is_sent(run: Run) -> None:
    with pytest.raises(AssertionError, match="makes a Dataplane of each pod"):
        run({"type": "Dataplane", "name": "a", "networking": {"address": "127.0.0.1"}})
    with pytest.raises(AssertionError, match="network_policies needs call_graph"):
        run(timeout(), network_policies=True)
    identity = {"type": "MeshIdentity", "name": "i", "spec": {"provider": {"type": "Spire"}}}
    with pytest.raises(AssertionError, match=r"needs meshServices\.mode Exclusive"):
        run({"type": "Mesh", "name": "contract"}, identity)


# -- strict mTLS ------------------------------------------------------------------------------------------------------


@pytest.fixture(name="workloads")
def fixture_workloads(cluster: Cluster) -> t.Iterator[t.Callable[..., None]]:
    """Makes what the control plane and a Deployment would: a Dataplane with its insight, a pod without a sidecar."""
    made: list[str] = []

    def make(path: str, body: dict[str, t.Any]) -> None:
        cluster.request("POST", path, body=body)
        made.append(f"{path}/{body['metadata']['name']}")

    yield make
    for path in reversed(made):
        cluster.request("DELETE", path, {"gracePeriodSeconds": 0})


def custom(kind: str, name: str, **more: t.Any) -> dict[str, t.Any]:
    metadata = {"name": name, "namespace": "shop", "labels": {"kuma.io/mesh": "contract"}}
    return {"apiVersion": "kuma.io/v1alpha1", "kind": kind, "metadata": metadata, "mesh": "contract", **more}


def test_strict_waits_for_every_workload(run: Run, cluster: Cluster, workloads: t.Callable[..., None]) -> None:
    crds = "/apis/kuma.io/v1alpha1/namespaces/shop"
    run(mesh(), tls("Permissive"))
    workloads(f"{crds}/dataplanes", custom("Dataplane", "web-1", spec={"networking": {"address": "127.0.0.1"}}))
    for check in (True, False):
        with pytest.raises(AssertionError, match=r"while 1 of 1 workloads .* shop/web-1 is offline"):
            run(mesh(), tls("Strict"), check=check)
    insight = load("observed")["connected"]["dataplaneInsight"]
    insight = {**insight, "mTLS": {**insight["mTLS"], "certificateExpirationTime": "2126-11-23T12:00:00Z"}}
    workloads(f"{crds}/dataplaneinsights", custom("DataplaneInsight", "web-1", status=insight))
    cluster.request(
        "PATCH",
        "/api/v1/namespaces/shop",
        body={"metadata": {"labels": {"kuma.io/sidecar-injection": "enabled", "kuma.io/mesh": "contract"}}},
        content_type="application/merge-patch+json",
    )
    pod: dict[str, t.Any] = {"metadata": {"name": "old"}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    workloads("/api/v1/namespaces/shop/pods", pod)
    with pytest.raises(AssertionError, match=r"while 1 of 2 workloads .* pod shop/old has no sidecar"):
        run(mesh(), tls("Strict"))
    cluster.request("DELETE", "/api/v1/namespaces/shop/pods/old", {"gracePeriodSeconds": 0})
    sidecar = {"name": "kuma-sidecar", "image": "kuma-dp", "restartPolicy": "Always"}
    cluster.request(
        "POST",
        "/api/v1/namespaces/shop/pods",
        body={**pod, "spec": {**pod["spec"], "initContainers": [sidecar]}},
    )
    assert run(mesh(), tls("Strict"))["actions"] == [f"updated MeshTLS {SYSTEM}/mode"]
    assert not run(mesh(), tls("Strict"))["changed"]
