# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import chart, lock
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.release import Unavailable
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils import bundle_support as support

CHART: dict[str, t.Any] = {"release": "mesh", "namespace": "mesh-system", "renders": {"plain.yaml": {}}}
CRD = "kind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1\nmetadata: {name: %s}\n"
RENDERED = f"""---
{CRD % "b.example.com"}---
# Source: chart/templates/none.yaml
---
{CRD % "a.example.com"}---
apiVersion: v1
kind: Service
metadata: {{name: one}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: patch, annotations: {{helm.sh/hook: pre-install}}}}
"""


@pytest.mark.parametrize(
    ("entry", "files", "said"),
    [
        (CHART, ["plain.yaml"], ""),
        ({**CHART, "crds": "crds.yaml"}, ["crds.yaml", "plain.yaml"], ""),
        ({**CHART, "crds": "crds.yaml"}, ["plain.yaml"], "make crds.yaml, plain.yaml, files names plain.yaml"),
        ({**CHART, "renders": {}}, ["plain.yaml"], "renders is missing"),
        ({**CHART, "vaules": {}}, ["plain.yaml"], "knows crds, namespace, release, renders, values"),
        ("chart", [], "knows crds"),
    ],
)
def test_entries_of_the_lock(entry: t.Any, files: list[str], said: str) -> None:
    found = chart.problem(entry, files)
    assert (said in found) if said else (found == "")


def test_wrong_entry_is_refused_with_its_place() -> None:
    with pytest.raises(BundleError, match=r"components\[0\] \(mesh\)\.chart: renders and crds make"):
        support.make_lock([{"name": "mesh", "chart": CHART, "release": {"url": "https://x/y", "sha256": {}}}])


def test_hooks_are_left_out_and_definitions_stand_apart() -> None:
    entry = {**CHART, "crds": "crds.yaml", "renders": {"plain.yaml": {}, "more.yaml": {}}}
    made = chart.parts(entry, {"plain.yaml": RENDERED, "more.yaml": RENDERED}, "here")
    names = {file: [one["metadata"]["name"] for one in yaml.safe_load_all(text)] for file, text in made.items()}
    assert names == {"plain.yaml": ["one"], "more.yaml": ["one"], "crds.yaml": ["a.example.com", "b.example.com"]}


def test_bytes_do_not_depend_on_how_helm_writes_yaml() -> None:
    other = yaml.safe_dump_all(list(yaml.safe_load_all(RENDERED)), default_flow_style=True)
    assert chart.parts(CHART, {"plain.yaml": RENDERED}, "") == chart.parts(CHART, {"plain.yaml": other}, "")


@pytest.mark.parametrize(("text", "said"), [("a: [", "no YAML"), ("just text", "no object"), ("a: 1", "no object")])
def test_what_is_no_object_is_refused(text: str, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        chart.objects(text, "here")


def test_values_are_laid_over_values() -> None:
    base = {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    assert chart.merged(base, {"a": {"c": {"d": 3}}, "e": [2]}) == {"a": {"b": 1, "c": {"d": 3}}, "e": [2]}
    assert base["a"]["c"] == {"d": 2}


def test_packed_chart_is_found_wherever_it_lies_and_takes_nothing_outside(tmp_path: pathlib.Path) -> None:
    packed = tmp_path / "chart.tgz"
    content = {"mesh/Chart.yaml": b"a", "mesh/charts/sub/Chart.yaml": b"b", "../outside": b"c"}
    packed.write_bytes(support.archive(content))
    place = tmp_path / "there"
    assert chart.unpack(str(packed), str(place), "url") == str(place / "mesh")
    assert not (tmp_path / "outside").exists()
    packed.write_bytes(support.archive({"README": b"a"}))
    with pytest.raises(Unavailable, match=r"has no Chart\.yaml"):
        chart.unpack(str(packed), str(tmp_path / "other"), "url")
    packed.write_bytes(b"no archive")
    with pytest.raises(Unavailable, match="no readable tar archive"):
        chart.unpack(str(packed), str(tmp_path / "third"), "url")


def test_helm_gets_the_values_of_each_rendering_and_nothing_of_this_machine(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for Helm that shows what it was given."""
    monkeypatch.setenv("HELM_NAMESPACE", "elsewhere")
    helm = tmp_path / "helm"
    helm.write_text(
        "#!/usr/bin/python3\n"
        "import json, os, sys\n"
        "values = json.load(open(sys.argv[sys.argv.index('--values') + 1]))\n"
        "seen = {'arguments': sys.argv[1:6], 'values': values, 'environment': sorted(os.environ)}\n"
        "print(json.dumps({'apiVersion': 'v1', 'kind': 'Seen', 'metadata': {'name': 'x'}, 'seen': seen}))\n"
    )
    helm.chmod(0o755)
    entry = {**CHART, "values": {"a": {"b": 1}}, "renders": {"plain.yaml": {}, "more.yaml": {"a": {"c": 2}}}}
    paths = chart.render(str(helm), "/the/chart", entry, str(tmp_path), str(tmp_path / "log"))
    seen = {name: yaml.safe_load(pathlib.Path(path).read_text())["seen"] for name, path in paths.items()}
    assert seen["plain.yaml"]["values"] == {"a": {"b": 1}}
    assert seen["more.yaml"]["values"] == {"a": {"b": 1, "c": 2}}
    assert seen["plain.yaml"]["arguments"] == ["template", "mesh", "/the/chart", "--namespace", "mesh-system"]
    assert "HELM_NAMESPACE" not in seen["plain.yaml"]["environment"]


def test_a_component_without_a_chart_keeps_its_place_in_the_cache() -> None:
    made = support.make_lock([{"name": "tool", "release": {"url": "https://x/y", "sha256": {}}}])
    assert isinstance(made, lock.Lock)
    assert made.components[0].chart is None
    assert json.loads(chart.text_of([{"a": 1}]).decode().removeprefix("---\n")) == {"a": 1}
