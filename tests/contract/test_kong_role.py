# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role kong makes of its settings, as a real API server takes it: each object, checked and not stored."""

from __future__ import annotations

import re
import typing as t

import pytest
from kong_gateway import certificate
from real_servers import Bundle
from role_play import play

CRDS = "cloudnative.platform/prometheus-operator-crds"
KINDS = ("servicemonitors", "prometheusrules")
GATEWAY_IMAGE = {"ref": "registry.example.com/kong/kong-gateway:3.9.1.1", "digest": f"sha256:{'a' * 64}"}
COMPONENTS = {
    "kong": {"ref": "registry.example.com/library/kong:3.9.3", "digest": f"sha256:{'b' * 64}"},
    "kong-gateway": GATEWAY_IMAGE,
}
CERTIFICATE = dict(zip(("certificate", "key"), certificate("shop.test")))
LICENCE = {"license": {"version": 1, "payload": {"license_key": "a-licence-key"}}}
#: Settings, and what has to be among the objects.
VARIANTS: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "all that is optional": (
        {
            "kong_monitoring": True,
            "kong_exposure": "LoadBalancer",
            "kong_load_balancer_class": "example.com/fast",
            "kong_service_annotations": {"example.com/internal": "true"},
            "kong_external_traffic_policy": "Local",
            "kong_autoscaling_max": 4,
            "kong_node_selector": {"node-role.example.com/edge": "true"},
            "kong_tolerations": [{"key": "edge", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}],
            "kong_settings": {"trusted_ips": "10.0.0.0/8", "real_ip_header": "X-Forwarded-For"},
        },
        [
            *("kind: ServiceMonitor", "kind: PrometheusRule", "alert: KongGone"),
            *("type: LoadBalancer", "loadBalancerClass: example.com/fast", "example.com/internal: 'true'"),
            *("kind: HorizontalPodAutoscaler", "maxReplicas: 4"),
            *("node-role.example.com/edge: 'true'", "key: edge", "KONG_TRUSTED_IPS"),
        ],
    ),
    "ports of the host": (
        {"kong_workload": "DaemonSet", "kong_exposure": "hostPort"},
        ["kind: DaemonSet", "hostPort: 443", "pod-security.kubernetes.io/enforce: privileged"],
    ),
    "inside only": ({"kong_workload": "DaemonSet", "kong_exposure": "ClusterIP"}, ["maxSurge: 1", "type: ClusterIP"]),
    "a certificate that is to be issued": (
        {"kong_certificates": [{"names": ["shop.test"]}], "kong_authority_host": "localhost"},
        ["certificate of shop.test", "issued: there is no certificate yet", "kind: Deployment"],
    ),
    "enterprise": (
        {"kong_edition": "enterprise", "kong_component": "kong-gateway", "kong_licence": LICENCE},
        ["KONG_LICENSE_PATH", "name: kong-credentials", str(GATEWAY_IMAGE["digest"])],
    ),
    "konnect": (
        {
            "kong_edition": "konnect",
            "kong_component": "kong-gateway",
            "kong_konnect": {"control_plane": "cp.example.com", "telemetry": "tp.example.com", **CERTIFICATE},
        },
        ["value: cp.example.com:443", "name: kong-credentials"],
    ),
}


@pytest.fixture(name="told", scope="module")
def fixture_told(
    kubernetes_api: dict[str, t.Any], bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What one run with a play for each variant said, by variant."""
    directory = tmp_path_factory.mktemp("role")
    manifests = [str(bundle.take_binary(CRDS, f"{kind}.yaml", directory)) for kind in KINDS]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kong"}}
    before = {"kubeconfig": kubernetes_api, "src": manifests, "definitions": [namespace], "wait": True}
    play(directory, [{"name": "before", "tasks": [{"cloudnative.platform.k8s_apply": before}]}], {})
    plays = [
        {"name": name, "vars": {"kong_monitoring": False, **settings}, "roles": ["cloudnative.platform.kong"]}
        for name, (settings, _wanted) in VARIANTS.items()
    ]
    given = {"kong_kubeconfig": kubernetes_api, "kong_components": COMPONENTS, "__kong_pki": str(directory / "pki")}
    parts = re.split(r"^PLAY \[(.*)\] \*+$", play(directory, plays, given, "--check", "--diff"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_takes_it(told: dict[str, str], variant: str) -> None:
    assert [text for text in VARIANTS[variant][1] if text not in told[variant]] == []


def test_no_secret_is_told(told: dict[str, str]) -> None:
    assert [text for text in told.values() if "PRIVATE KEY" in text or "a-licence-key" in text] == []
