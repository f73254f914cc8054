# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests of Kuma's chart, from the lock to a real API server: rendered, patched, applied, applied again.

`KUMA_CHART` names the packed chart of a release of Kuma (kuma-2.14.3.tgz); without it, that of the double stands in.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from conftest import Bundle, kubernetes_servers

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import chart as charts
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import lock
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition, collect
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import control_plane

ROOT = Path(__file__).resolve().parents[2]
DOUBLES = ROOT / "tests" / "doubles"
LOCK = ROOT / "collections/ansible_collections/cloudnative/platform/roles/bundle/files/lock.yml"
sys.path.insert(0, str(DOUBLES))
from kuma import definitions as double  # noqa: E402 - a directory of doubles, no package of ours

FILES = sorted(control_plane.FILES.values())
IMAGES = {role: f"kuma/{role}:1@sha256:{'a' * 64}" for role in ("control_plane", "data_plane", "init", "cni")}
SETTINGS = control_plane.Settings(images=IMAGES, ca_bundle="Y2E=", certificate="print", environment={"KUMA_X": "y"})
Objects = dict[str, list[dict[str, t.Any]]]


@pytest.fixture(scope="module", name="entry")
def fixture_entry() -> dict[str, t.Any]:
    """How the lock wants it rendered."""
    text = LOCK.read_bytes()
    (component,) = lock.parse(yaml.load(text, yaml.CSafeLoader), text, "amd64").select(["kuma"])
    assert component.chart is not None
    return component.chart


@pytest.fixture(scope="module", name="rendered")
def fixture_rendered(bundle: Bundle, entry: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory) -> Objects:
    work = tmp_path_factory.mktemp("chart")
    given = os.environ.get("KUMA_CHART")
    if given:
        place = charts.unpack(given, str(work / "kuma"), given)
    else:
        place = str(work / "kuma")
        for path in (DOUBLES / "kuma" / "chart").rglob("*"):
            if path.is_file():
                target = work / "kuma" / path.relative_to(DOUBLES / "kuma" / "chart")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(path.read_text())
        (work / "kuma" / "crds").mkdir()
        for kind, names in double.CRDS.items():
            (work / "kuma" / "crds" / f"{names['plural']}.yaml").write_text(json.dumps(double.definition(kind)))
    helm = str(bundle.take_binary("cloudnative.platform/helm", "helm", work))
    texts = [
        {
            name: Path(path).read_text()
            for name, path in charts.render(helm, place, entry, str(work), str(work / "log")).items()
        }
        for _turn in range(2)
    ]
    # The same bytes each time: nothing in it is generated.
    assert texts[0] == texts[1]
    return {name: list(yaml.load_all(text, yaml.CSafeLoader)) for name, text in texts[0].items()}


def test_it_is_all_there_and_nothing_that_a_run_does_itself(rendered: Objects) -> None:
    assert len(rendered[control_plane.CRDS]) == 54
    kinds = {body["kind"] for name in FILES for body in rendered[name]}
    assert {"Deployment", "Service", "PodDisruptionBudget", *control_plane.WEBHOOKS} <= kinds
    # No hooks, no certificate of Helm's making, no namespace.
    assert not kinds & {"Job", "Secret", "Namespace", "CustomResourceDefinition"}
    assert "DaemonSet" not in {body["kind"] for body in rendered["init.yaml"]}


@pytest.mark.parametrize("file", FILES)
def test_everything_of_a_site_gets_in(rendered: Objects, file: str) -> None:
    made = control_plane.patched(rendered[file], SETTINGS)
    text = json.dumps(made)
    for role in IMAGES:
        assert (IMAGES[role] in text) is (role != "cni" or file != "init.yaml")
    assert "cGxhY2Vob2xkZXI=" not in text
    hooks = [hook for body in made if body["kind"] in control_plane.WEBHOOKS for hook in body["webhooks"]]
    assert {hook["clientConfig"]["caBundle"] for hook in hooks} == {"Y2E="}
    assert {hook["failurePolicy"] for hook in hooks if "injector" in hook["name"]} == {"Fail"}
    ignoring = {hook["name"] for hook in control_plane_hooks(rendered[file]) if hook["failurePolicy"] == "Ignore"}
    assert ignoring == {
        "secret.validator.kuma-admission.kuma.io",
        *(h["name"] for h in hooks if "injector" in h["name"]),
    }


def control_plane_hooks(objects: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    relaxed = control_plane.Settings(images=IMAGES, injector_failure_policy="Ignore")
    made = control_plane.patched(objects, relaxed)
    return [hook for body in made if body["kind"] in control_plane.WEBHOOKS for hook in body["webhooks"]]


def test_api_server_takes_it_and_the_second_time_nothing_changes(
    bundle: Bundle, rendered: Objects, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A server of its own: with the webhooks in it nobody could write a Mesh."""
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": control_plane.NAMESPACE}}
    objects = [system, *rendered[control_plane.CRDS], *control_plane.patched(rendered["cni-calico.yaml"], SETTINGS)]
    definitions: list[Definition] = collect([("Kuma's chart", body) for body in objects])
    with kubernetes_servers(bundle, tmp_path_factory.mktemp("servers")) as kubeconfig:
        first = Engine(Cluster(kubeconfig), "contract", owned_by="kuma").apply(definitions)
        # The namespace kube-system is there before.
        assert {change.action for change in first} == {"created"}
        second = Engine(Cluster(kubeconfig), "contract", owned_by="kuma").apply(definitions)
        assert {change.action for change in second} == {"unchanged"}
        assert [change.after for change in second] == [change.before for change in second]
