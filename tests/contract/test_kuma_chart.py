# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests of Kuma's chart, from the lock to a real API server: rendered, patched, applied, applied again.

`KUMA_CHART` names the packed chart of a release of Kuma (kuma-2.14.3.tgz); without it, that of the double stands in.
"""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import double_of_kuma
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from real_servers import Bundle, kubernetes_servers

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import chart as charts
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import lock
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition, collect
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import control_plane, control_plane_run
from ansible_collections.cloudnative.platform.plugins.modules import kuma_control_plane

ROOT = Path(__file__).resolve().parents[2]
DOUBLES = ROOT / "tests" / "doubles"
LOCK = ROOT / "collections/ansible_collections/cloudnative/platform/roles/bundle/files/lock.yml"
double = double_of_kuma.part("definitions")

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


@pytest.fixture(name="run")
def fixture_run(
    rendered: Objects, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> t.Callable[..., dict[str, t.Any]]:
    """The module, with the manifests at hand in place of a registry."""

    def texts(_registry: t.Any, wanted: list[t.Any], *_more: t.Any) -> list[tuple[str, str]]:
        return [(name, yaml.safe_dump_all(rendered[name])) for one in wanted for name in one.patterns]

    def run(kubeconfig: dict[str, t.Any], check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        names = (*kuma_control_plane.ARGUMENT_SPEC["images"]["options"].values(), {"default": "kuma"})
        component = {"ref": "docker.io/kumahq/one:2.14.3", "digest": f"sha256:{'a' * 64}", "version": "2.14.3"}
        arguments = {
            "kubeconfig": kubeconfig,
            "registry": {"endpoints": ["https://registry.example.com"]},
            "components": {name["default"]: component for name in names},
            "definitions": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": control_plane.NAMESPACE}},
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }
        capsys.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            kuma_control_plane.main()
        output = capsys.readouterr().out
        assert "PRIVATE KEY" not in output
        return json.loads(output)

    monkeypatch.setattr(control_plane_run, "read_texts", texts)
    return run


def test_a_control_plane_that_does_not_come_up_and_goes_again(
    bundle: Bundle, run: t.Callable[..., dict[str, t.Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing runs here: no node takes a pod, and nobody answers the webhooks."""
    with kubernetes_servers(bundle, tmp_path_factory.mktemp("servers")) as kubeconfig:
        cluster = Cluster(kubeconfig)
        told = run(kubeconfig, check=True)
        assert not told.get("failed"), told
        assert told["changed"] and told["not_ready"] and told["version"] == ""
        failed = run(kubeconfig, wait_timeout=2)
        assert failed["failed"]
        assert "the control plane is not ready: " in failed["msg"] and "Deployment" in failed["msg"]
        # What was foretold was done.
        assert len(failed["actions"]) == len(told["actions"])
        secret = f"/api/v1/namespaces/{control_plane.NAMESPACE}/secrets/{control_plane.SERVING_SECRET}"
        made = cluster.request("GET", secret)["data"]
        again = run(kubeconfig, wait_timeout=2)
        assert (again["failed"], again["changed"], again["actions"]) == (True, False, [])
        assert cluster.request("GET", secret)["data"] == made
        webhooks = run(kubeconfig, check=True, namespaces=["default"])
        assert webhooks["actions"] == ["would update Namespace default"]
        run(kubeconfig, wait_timeout=2, namespaces=["default"])
        injection = cluster.request("GET", "/api/v1/namespaces/default")["metadata"]["labels"]
        assert injection[control_plane.INJECTION] == "enabled"
        # Nobody answers the webhooks, and nothing is held by them; only namespaces need controllers to end.
        gone = run(kubeconfig, check=True, state="absent")
        assert not gone.get("failed"), gone
        done = run(kubeconfig, state="absent", wait_timeout=3)
        assert "kuma-system" in done.get("msg", "kuma-system")
        assert control_plane.INJECTION not in cluster.request("GET", "/api/v1/namespaces/default")["metadata"]["labels"]
        hooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        assert cluster.request("GET", hooks)["items"] == []


# -- another version -------------------------------------------------------------------------------------------------

SYSTEM = control_plane.NAMESPACE
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"


@pytest.fixture(name="older", scope="module")
def fixture_older(
    bundle: Bundle, rendered: Objects, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[tuple[dict[str, t.Any], Cluster]]:
    """A cluster with the definitions and the Deployment of a control plane, whose version tests choose."""
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
    deployment = next(body for body in rendered["init.yaml"] if body["kind"] == "Deployment")
    with kubernetes_servers(bundle, tmp_path_factory.mktemp("servers")) as kubeconfig:
        cluster = Cluster(kubeconfig)
        engine = Engine(cluster, "before", owned_by="before")
        engine.apply(collect([("before", body) for body in (system, *rendered[control_plane.CRDS], deployment)]))
        yield kubeconfig, cluster


def runs(cluster: Cluster, version: str) -> None:
    image = f"docker.io/kumahq/kuma-cp:{version}@sha256:{'b' * 64}"
    change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
    place = f"{DEPLOYMENTS}/{control_plane.NAME}"
    cluster.request("PATCH", place, body=change, content_type="application/json-patch+json")


def proxy(cluster: Cluster, name: str, version: str) -> None:
    """What injector and control plane make of a pod whose sidecar is connected."""
    metadata = {"name": name, "namespace": "default", "labels": {"kuma.io/mesh": "default"}}
    body: dict[str, t.Any] = {"apiVersion": "kuma.io/v1alpha1", "metadata": metadata, "mesh": "default"}
    place = "/apis/kuma.io/v1alpha1/namespaces/default"
    spec = {"networking": {"address": "127.0.0.1"}}
    cluster.request("POST", f"{place}/dataplanes", body={**body, "kind": "Dataplane", "spec": spec})
    session = {"connectTime": "2026-11-22T12:00:39Z", "version": {"kumaDp": {"version": version}}}
    status = {"subscriptions": [session]}
    cluster.request("POST", f"{place}/dataplaneinsights", body={**body, "kind": "DataplaneInsight", "status": status})


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (
            "2.11.18",
            "Kuma 2.11.18 runs here and does not go to 2.14.3: from 2.11 to 2.14 is more than 2 minor versions",
        ),
        ("3.0.0", "a control plane does not go back from 3.0 to 2.14"),
        ("ours", "the control plane runs 'ours', which is no release"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_version_that_may_not_go_there(
    older: tuple[dict[str, t.Any], Cluster],
    run: t.Callable[..., dict[str, t.Any]],
    version: str,
    said: str,
    check: bool,
) -> None:
    kubeconfig, cluster = older
    body = {"metadata": {"labels": {"app.kubernetes.io/version": version}}}
    place = f"{DEPLOYMENTS}/{control_plane.NAME}"
    cluster.request("PATCH", place, body=body, content_type="application/merge-patch+json")
    runs(cluster, version)
    done = run(kubeconfig, check=check, wait_timeout=2)
    assert done["failed"] and said in done["msg"]
    assert "set skip_upgrade_checks (of role kuma: kuma_skip_upgrade_checks)" in done["msg"]
    assert (done["changed"], done["actions"]) == (False, [])
    secrets = cluster.request("GET", f"/api/v1/namespaces/{SYSTEM}/secrets")["items"]
    assert secrets == []


def test_data_planes_that_would_be_too_far_away(
    older: tuple[dict[str, t.Any], Cluster], run: t.Callable[..., dict[str, t.Any]]
) -> None:
    kubeconfig, cluster = older
    runs(cluster, "2.13.10")
    proxy(cluster, "new", "2.13.10")
    told = run(kubeconfig, check=True)
    assert not told.get("failed"), told
    proxy(cluster, "old", "2.11.18")
    done = run(kubeconfig, wait_timeout=2)
    assert "1 data planes would be more than 2 minor versions from a control plane of 2.14.3" in done["msg"]
    assert "(default/old.default 2.11.18): bring them to 2.13.10 first" in done["msg"]
    assert done["actions"] == []
    told = run(kubeconfig, check=True, skip_upgrade_checks=True)
    assert not told.get("failed") and told["changed"]
    assert "old.default 2.11.18" in json.dumps(told["warnings"])
    # Nothing goes anywhere, so nothing is in the way.
    runs(cluster, "2.14.3")
    assert not run(kubeconfig, check=True).get("failed")
