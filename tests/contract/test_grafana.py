# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role monitoring gives Grafana, as a real API server takes it. The bundle has its image only on request."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest
import yaml
from role_play import ROOT, play

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import dashboards

ROLE = ROOT / "collections/ansible_collections/cloudnative/platform/roles/monitoring"
IMAGE = {"ref": "registry.example.com/grafana/grafana:13.2.0", "digest": f"sha256:{'a' * 64}"}
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
DIRECTORY = "/etc/grafana/provisioning"


class Variant(t.NamedTuple):
    settings: dict[str, t.Any]
    password: str
    memory: str
    addons: tuple[str, ...] = ()

    @property
    def namespace(self) -> str:
        return self.settings["monitoring_namespace"]


VARIANTS = {
    "as it comes": Variant({"monitoring_namespace": "grafana-plain"}, "a-generated-password", "512Mi"),
    "all that is optional": Variant(
        {
            "monitoring_namespace": "grafana-full",
            "monitoring_grafana_admin_password": 'it\'s "gräßlich": $x',
            "monitoring_resources": {"grafana": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}},
            "platform_addons": ["storage", "monitoring", "kong", "kuma"],
        },
        'it\'s "gräßlich": $x',
        "1Gi",
        ("kong", "kuma"),
    ),
}


def plays(variant: Variant, kubeconfig: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Checked, applied, and checked again."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": variant.namespace, "labels": RESTRICTED}}
    template = "{{ lookup('ansible.builtin.template', role_path ~ '/templates/grafana.yml.j2') }}"
    apply = {"kubeconfig": kubeconfig, "definitions": template}
    chosen = ["'grafana' in __monitoring_templates"]
    tasks = [
        {"ansible.builtin.assert": {"that": chosen}},
        {"cloudnative.platform.k8s_apply": {"kubeconfig": kubeconfig, "definitions": [namespace]}},
        {"cloudnative.platform.k8s_apply": apply, "check_mode": True, "register": "predicted"},
        {"cloudnative.platform.k8s_apply": apply, "register": "done"},
        {"cloudnative.platform.k8s_apply": apply, "check_mode": True, "register": "again"},
        {
            "ansible.builtin.assert": {
                "that": [
                    "predicted.actions | map('replace', 'would create', 'created') | list == done.actions",
                    "done.actions | length == 5",
                    "again.actions == []",
                ]
            }
        },
    ]
    files = [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main.yml")]
    return [{"name": "apply", "vars_files": files, "tasks": tasks}]


@pytest.fixture(name="variant", scope="module", params=list(VARIANTS.values()), ids=list(VARIANTS))
def fixture_variant(request: pytest.FixtureRequest) -> Variant:
    return request.param


@pytest.fixture(name="told", scope="module")
def fixture_told(kubernetes_api: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory, variant: Variant) -> str:
    variables = {
        "role_path": str(ROLE),
        "monitoring_components": {"grafana": IMAGE},
        "__monitoring_secrets": {"passwords": {"grafana": "a-generated-password"}},
        **variant.settings,
    }
    return play(tmp_path_factory.mktemp("grafana"), plays(variant, kubernetes_api), variables, "--diff")


@pytest.fixture(name="read")
def fixture_read(kubernetes_api: dict[str, t.Any], told: str, variant: Variant) -> t.Callable[..., dict[str, t.Any]]:
    assert told

    def read(resource: str, name: str, root: str = "/api/v1") -> dict[str, t.Any]:
        return Cluster(kubernetes_api).request("GET", f"{root}/namespaces/{variant.namespace}/{resource}/{name}")

    return read


def test_the_password_arrives_and_is_not_told(told: str, read: t.Any, variant: Variant) -> None:
    data = read("secrets", "grafana-admin")["data"]
    assert {key: base64.b64decode(text).decode() for key, text in data.items()} == {
        "admin-user": "admin",
        "admin-password": variant.password,
    }
    assert variant.password not in told
    assert data["admin-password"] not in told


def test_each_dashboard_arrives_as_it_was_made(read: t.Any, variant: Variant) -> None:
    stored = read("configmaps", "grafana-dashboards")["data"]
    made = dashboards.dashboards("prometheus", "1m", "now-3h", variant.addons)
    assert {name: json.loads(text) for name, text in stored.items()} == {
        f"{uid}.json": one for uid, one in made.items()
    }


def test_what_the_pod_mounts_is_there(read: t.Any) -> None:
    pod = read("deployments", "grafana", "/apis/apps/v1")["spec"]["template"]["spec"]
    stored = read("configmaps", "grafana-provisioning")["data"]
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    for name in ("datasources", "dashboards"):
        assert mounts[f"{DIRECTORY}/{name}/{name}.yaml"]["subPath"] in stored
    sources = yaml.safe_load(stored["datasources.yaml"])["datasources"]
    # The one that the dashboards ask.
    assert [one["url"] for one in sources if one["uid"] == "prometheus"] == ["http://prometheus:9090"]
    provider = yaml.safe_load(stored["dashboards.yaml"])["providers"][0]
    assert provider["options"]["path"] in mounts


def test_the_pod_is_let_in(kubernetes_api: dict[str, t.Any], read: t.Any, variant: Variant) -> None:
    """A Deployment is taken as it is; what its namespace doesn't let in is seen only when its pods come."""
    template = read("deployments", "grafana", "/apis/apps/v1")["spec"]["template"]
    pod = {**template, "metadata": {**template["metadata"], "name": "grafana"}}
    taken = Cluster(kubernetes_api).request(
        "POST", f"/api/v1/namespaces/{variant.namespace}/pods", {"dryRun": "All"}, pod
    )
    container = taken["spec"]["containers"][0]
    assert container["image"] == f"{IMAGE['ref']}@{IMAGE['digest']}"
    assert container["resources"]["limits"]["memory"] == variant.memory


def test_without_its_image_there_is_none(tmp_path: Path) -> None:
    files = [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main.yml")]
    task = {"ansible.builtin.assert": {"that": ["'grafana' not in __monitoring_templates"]}}
    without: list[dict[str, t.Any]] = [{"monitoring_components": {}}]
    without.append({"monitoring_components": {"grafana": IMAGE}, "monitoring_grafana": False})
    for variables in without:
        play(
            tmp_path, [{"name": "choose", "vars_files": files, "tasks": [task]}], {"role_path": str(ROLE), **variables}
        )
