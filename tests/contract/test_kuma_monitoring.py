# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Prometheus is given of a mesh, as a real API server with the operator's own definitions takes it."""

from __future__ import annotations

import typing as t
from pathlib import Path

from real_servers import Bundle
from role_play import ROOT, play

from ansible_collections.cloudnative.platform.plugins.filter.mesh_targets import mesh_targets

CRDS = "cloudnative.platform/prometheus-operator-crds"
KINDS = ("servicemonitors", "podmonitors", "probes", "prometheusrules", "scrapeconfigs")
ROLE = ROOT / "collections/ansible_collections/cloudnative/platform/roles/kuma"
MONITORING = ROLE.with_name("monitoring")


def test_the_api_server_takes_it(kubernetes_api: dict[str, t.Any], bundle: Bundle, tmp_path: Path) -> None:
    manifests = [str(bundle.take_binary(CRDS, f"{kind}.yaml", tmp_path)) for kind in KINDS]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kuma-system"}}
    before = {"kubeconfig": kubernetes_api, "src": manifests, "definitions": [namespace], "wait": True}
    template = "{{ lookup('ansible.builtin.template', role_path ~ '/templates/monitoring.yml.j2') }}"
    applied = {"kubeconfig": kubernetes_api, "definitions": template}
    plays = [
        {
            "name": "apply",
            "vars_files": [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main.yml")],
            "tasks": [
                {"cloudnative.platform.k8s_apply": before},
                {"cloudnative.platform.k8s_apply": applied, "check_mode": True},
            ],
        }
    ]
    told = play(tmp_path, plays, {"role_path": str(ROLE)}, "--diff")
    for wanted in ("alert: KumaControlPlaneGone", "replacement: $1:5670", "kuma-control-plane.kuma-system.svc:5678"):
        assert wanted in told


def test_the_api_server_takes_what_is_asked_of_a_mesh_on_hosts(
    kubernetes_api: dict[str, t.Any], bundle: Bundle, tmp_path: Path
) -> None:
    manifests = [str(bundle.take_binary(CRDS, f"{kind}.yaml", tmp_path)) for kind in KINDS]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}
    before = {"kubeconfig": kubernetes_api, "src": manifests, "definitions": [namespace], "wait": True}
    templates = [
        f"{{{{ lookup('ansible.builtin.template', role_path ~ '/templates/{name}.yml.j2') }}}}"
        for name in ("targets", "probes", "rules")
    ]
    applied = {"kubeconfig": kubernetes_api, "definitions": templates}
    control_plane = {"ansible_host": "192.0.2.31", "kuma_monitoring": True}
    host = {"ansible_host": "192.0.2.41", "kuma_dataplanes": [{"name": "shop-1", "workload": "shop"}]}
    given = {
        "role_path": str(MONITORING),
        "monitoring_registry": {"ca_pem": "none"},
        "monitoring_hosts": {"cp1": "192.0.2.11"},
        "monitoring_control_planes": ["cp1"],
        "monitoring_mesh_targets": mesh_targets(["mesh1"], ["shop1"], {"mesh1": control_plane, "shop1": host}),
    }
    plays = [
        {
            "name": "apply",
            "vars_files": [str(MONITORING / "defaults/main.yml"), str(MONITORING / "vars/main.yml")],
            "tasks": [
                {"cloudnative.platform.k8s_apply": before},
                {"cloudnative.platform.k8s_apply": applied, "check_mode": True},
                {"ansible.builtin.debug": {"var": "__monitoring_jobs"}},
            ],
        }
    ]
    told = play(tmp_path, plays, given, "--diff")
    for wanted in ("jobName: kuma-control-plane", "192.0.2.31:5680", "192.0.2.41:5670", "alert: KumaControlPlaneGone"):
        assert wanted in told
    assert "kuma_workload: shop" in told
    assert "192.0.2.31:5678" in told
    assert '"kuma-dataplanes": "1"' in told or '"kuma-dataplanes": 1' in told
    # With a mesh in the cluster they are there already.
    assert "alert: KumaControlPlaneGone" not in play(tmp_path, plays, {**given, "platform_addons": ["kuma"]}, "--diff")
