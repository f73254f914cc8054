# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role kuma gives Prometheus, as a real API server with the operator's own definitions takes it."""

from __future__ import annotations

import typing as t
from pathlib import Path

from real_servers import Bundle
from role_play import ROOT, play

CRDS = "cloudnative.platform/prometheus-operator-crds"
KINDS = ("servicemonitors", "podmonitors", "probes", "prometheusrules")
ROLE = ROOT / "collections/ansible_collections/cloudnative/platform/roles/kuma"


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
