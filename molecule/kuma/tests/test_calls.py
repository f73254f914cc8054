"""Who may call whom, as those who write it down and the services see it.

The control plane is a double of Kuma: no pod has a proxy, so what is denied here is denied by the network's policies.
"""

from __future__ import annotations

import pytest
from mesh import OWNED, SERVICES, SYSTEM, through_gateway, timeout
from waiting import wait_for

pytestmark = pytest.mark.usefixtures("shop")


def test_it_is_a_double_and_says_so(cluster):
    said = cluster.run(f"logs --namespace {SYSTEM} deployment/kuma-control-plane --all-pods")
    assert said.count("THIS IS A DOUBLE OF KUMA, NOT KUMA") >= 2
    pod = cluster.get("pod --namespace shop web")
    assert "kuma-double/no-sidecar" in pod["metadata"]["annotations"]


def test_call_graph_is_one_permission_for_each_service_that_is_called(cluster):
    items = cluster.get(f"meshtrafficpermissions --all-namespaces --selector {OWNED}")["items"]
    allowed = {
        one["metadata"]["name"]: [
            match["spiffeID"]["value"] for rule in one["spec"]["rules"] for match in rule["default"]["allow"]
        ]
        for one in items
    }
    domain = "spiffe://default.default.mesh.local"
    assert allowed == {"calls-to-api": [f"{domain}/ns/shop/sa/web"], "calls-to-web": [f"{domain}/ns/kong/sa/kong"]}
    policies = cluster.get(f"networkpolicies --all-namespaces --selector {OWNED}")["items"]
    assert {one["metadata"]["name"] for one in policies} == {
        *("calls-default-deny", "calls-to-web", "calls-to-api", "calls-to-other"),
    }


def test_control_plane_computes_labels(cluster):
    labels = cluster.get(f"meshtrafficpermission --namespace {SYSTEM} calls-to-api")["metadata"]["labels"]
    assert labels["kuma.io/mesh"] == "default"
    assert labels["kuma.io/origin"] == "zone"
    assert labels["k8s.kuma.io/namespace"] == SYSTEM
    assert labels["kuma.io/policy-role"] == "system"


def test_allowed_call_gets_through_and_no_other(cluster):
    calls = [("web", "api"), ("web", "other"), ("other", "api"), ("other", "web"), ("api", "web")]
    assert [call for call in calls if cluster.reaches(*call)] == [("web", "api")]


def test_gateway_reaches_what_it_may_and_nothing_else(cluster):
    """Both have a route; to api only web may go."""
    assert through_gateway("web") == "web"
    assert through_gateway("api") is None
    pod = cluster.get("pods --namespace kong --selector app.kubernetes.io/name=kong")["items"][0]
    assert pod["metadata"]["annotations"]["kuma.io/gateway"] == "enabled"


def test_pods_of_the_mesh_are_injected_and_no_others(cluster):
    assert cluster.get("namespace shop")["metadata"]["labels"]["kuma.io/sidecar-injection"] == "enabled"
    for name in SERVICES:
        annotations = cluster.get(f"pod --namespace shop {name}")["metadata"]["annotations"]
        assert annotations["kuma.io/sidecar-injected"] == "true"
    for pod in cluster.get(f"pods --namespace {SYSTEM}")["items"]:
        assert "kuma.io/sidecar-injected" not in pod["metadata"]["annotations"]


def test_the_same_once_more_changes_nothing(cluster, configure, graph):
    before = cluster.versions()
    done = configure(graph())
    assert done.returncode == 0
    assert "changed=0" in done.stdout
    assert cluster.versions() == before


def test_one_line_more_changes_one_permission_and_the_policy_of_the_same_name(cluster, configure, graph):
    before = cluster.versions()
    more = graph()
    more["calls"]["other"] = ["api"]
    assert configure(more).returncode == 0
    after = cluster.versions()
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"MeshTrafficPermission/calls-to-api", "NetworkPolicy/calls-to-api"}
    wait_for(lambda: cluster.reaches("other", "api"), 60, "other reaches api")
    assert configure(graph()).returncode == 0
    wait_for(lambda: not cluster.reaches("other", "api"), 60, "other does not reach api any more")
    assert cluster.reaches("web", "api")


def test_policy_that_is_wrong_is_refused_with_field_and_reason(cluster):
    done = cluster.try_apply([timeout("wrong", kind="MeshSubset")])
    assert done.rc != 0
    reason = "spec.to[0].targetRef.kind: value 'MeshSubset' is not supported"
    assert f'The MeshTimeout "wrong" is invalid: {reason}' in done.stderr


def test_wrong_document_of_a_run_changes_nothing(cluster, configure, graph):
    before = cluster.versions()
    wrong = {"type": "MeshTimeout", "name": "slow", "spec": timeout("slow")["spec"] | {"too": []}}
    done = configure(graph(), kuma_mesh_resources=[wrong])
    assert done.returncode != 0
    assert "spec.too" in done.stdout
    assert cluster.versions() == before


def test_what_can_not_work_is_refused_before_any_host_is_touched(configure, graph):
    ring = graph()
    ring["calls"] = {"web": ["api"], "api": ["web", "nobody"]}
    half = {"ca": "-----BEGIN CERTIFICATE-----", "certificate": "x"}
    done = configure(ring, kuma_certificate=half, kuma_certificate_days=10, kuma_settings={"KUMA_STORE_TYPE": "memory"})
    assert done.returncode != 0
    assert "kuma_certificate: has no key" in done.stdout
    assert "kuma_certificate_renew_before_days" in done.stdout
    assert "KUMA_STORE_TYPE" in done.stdout
    assert "Configure the mesh" not in done.stdout
