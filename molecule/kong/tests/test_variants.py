"""What the role makes of settings that the scenario does not run with: the API server checks it without storing it."""

from __future__ import annotations

import pytest
from gateway import HOST, NODES, certificate

# Of pods that the scenario has: the check of an edition looks at variables, not at the image.
EDITIONS = {
    "enterprise": {"kong_licence": {"license": {"version": 1, "payload": {"license_key": "a-licence-key"}}}},
    "konnect": {
        "kong_konnect": {
            "control_plane": "cp.example.com",
            "telemetry": "tp.example.com",
            **{name: value for name, value in certificate(HOST, NODES[1]).items() if name != "names"},
        }
    },
}


def test_load_balancer_and_autoscaling(configure, document):
    done = configure(
        document(),
        check=True,
        kong_exposure="LoadBalancer",
        kong_load_balancer_class="example.com/fast",
        kong_service_annotations={"example.com/internal": "true"},
        kong_external_traffic_policy="Local",
        kong_autoscaling_max=4,
        kong_node_selector={"kubernetes.io/os": "linux"},
        kong_tolerations=[{"key": "dedicated", "operator": "Equal", "value": "gateway", "effect": "NoSchedule"}],
        kong_settings={"trusted_ips": "10.0.0.0/8", "real_ip_header": "X-Forwarded-For"},
    )
    assert done.returncode == 0
    for found in ("HorizontalPodAutoscaler", "example.com/fast", "example.com/internal", "KONG_TRUSTED_IPS"):
        assert found in done.stdout


@pytest.mark.parametrize("edition", sorted(EDITIONS))
def test_editions_with_their_credentials(configure, document, edition):
    wished = document() if edition == "enterprise" else {}
    done = configure(wished, check=True, kong_edition=edition, **EDITIONS[edition])
    assert done.returncode == 0
    assert "kong-credentials" in done.stdout
    assert "PRIVATE KEY" not in done.stdout and "a-licence-key" not in done.stdout


@pytest.mark.parametrize("exposure", ["hostPort", "ClusterIP"])
def test_a_pod_on_each_node(configure, document, exposure):
    done = configure(document(), check=True, kong_workload="DaemonSet", kong_exposure=exposure)
    assert done.returncode == 0
    assert "DaemonSet" in done.stdout


def test_that_changed_nothing(configure, document):
    done = configure(document())
    assert done.returncode == 0
    assert "changed=0" in done.stdout


def test_what_somebody_changed_by_hand_is_taken_back(cluster, configure, document):
    cluster.run("""patch service kong --namespace kong --patch '{"spec": {"externalTrafficPolicy": "Local"}}'""")
    cluster.run("label namespace kong pod-security.kubernetes.io/enforce=privileged --overwrite")
    assert configure(document()).returncode == 0
    assert cluster.get("service --namespace kong kong")["spec"]["externalTrafficPolicy"] == "Cluster"
    labels = cluster.get("namespace kong")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
