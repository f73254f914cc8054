# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_apply against a real API server."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from apply_objects import Run, config_map, custom, deployment

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster


def test_everything_in_one_call(run: Run, cluster: Cluster) -> None:
    """Given in the wrong order: an object before its namespace, and one before its definition."""
    definitions = [
        {
            "apiVersion": "one.test/v1",
            "kind": "Box",
            "metadata": {"name": "b", "namespace": "one-call"},
            "spec": {"size": 1},
        },
        config_map("a", "one-call", x="1"),
        custom("boxes", "Box", "one.test"),
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: one-call}\n",
    ]
    predicted = run(definitions=definitions, check=True)
    assert predicted["changed"] is True
    with pytest.raises(ApiError, match="404"):
        cluster.request("GET", "/api/v1/namespaces/one-call")
    first = run(definitions=definitions, wait=True)
    assert first["actions"] == [
        "created CustomResourceDefinition boxes.one.test",
        "created Namespace one-call",
        "created ConfigMap one-call/a",
        "created Box one-call/b",
    ]
    assert [line.replace("would create", "created") for line in predicted["actions"]] == first["actions"]
    assert cluster.request("GET", "/apis/one.test/v1/namespaces/one-call/boxes/b")["spec"] == {"size": 1}
    for check in (True, False):
        again = run(definitions=definitions, wait=True, check=check)
        assert (again["changed"], again["actions"]) == (False, [])


def test_only_what_differs_is_changed(run: Run, cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    run(definitions=[config_map("a", x="1", y="1"), config_map("b", x="1")], namespace=namespace)
    versions = {name: cluster.request("GET", f"{path}/{name}")["metadata"]["resourceVersion"] for name in "ab"}
    definitions = [config_map("a", x="2"), config_map("b", x="1")]
    predicted = run(definitions=definitions, namespace=namespace, check=True, diff=True)
    assert predicted["actions"] == [f"would update ConfigMap {namespace}/a"]
    assert cluster.request("GET", f"{path}/a")["metadata"]["resourceVersion"] == versions["a"]
    result = run(definitions=definitions, namespace=namespace, diff=True)
    assert result["actions"] == [f"updated ConfigMap {namespace}/a"]
    assert result["diff"] == predicted["diff"]
    assert "x: '1'" in result["diff"][0]["before"]
    assert "x: '2'" in result["diff"][0]["after"]
    # A field that is no longer defined goes, because it was ours.
    assert cluster.request("GET", f"{path}/a")["data"] == {"x": "2"}
    assert cluster.request("GET", f"{path}/b")["metadata"]["resourceVersion"] == versions["b"]


def test_conflict_names_manager_and_field(run: Run, cluster: Cluster, namespace: str) -> None:
    run(definitions=[deployment("web", namespace, replicas=1)])
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 5}}
    cluster.request("PATCH", path, {"fieldManager": "autoscaler"}, scaled, content_type="application/merge-patch+json")
    refused = run(definitions=[deployment("web", namespace, replicas=2)])
    assert refused["failed"] is True
    for word in (
        f"Deployment {namespace}/web",
        "autoscaler",
        ".spec.replicas",
        "force_conflicts",
        "Nothing was changed",
    ):
        assert word in refused["msg"]
    # What a definition doesn't set is left to whoever set it.
    assert run(definitions=[deployment("web", namespace)])["changed"] is False
    taken = run(definitions=[deployment("web", namespace, replicas=2)], force_conflicts=True)
    assert taken["actions"] == [f"updated Deployment {namespace}/web"]
    assert cluster.request("GET", path)["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (config_map("bad", x=1), ["ConfigMap default/bad", ".data.x"]),
        (deployment("bad", "default", replicass=1), ["Deployment default/bad", ".spec.replicass"]),
        (deployment("BAD", "default"), ["Deployment default/BAD", "metadata.name", "lowercase"]),
    ],
)
def test_invalid_definition(run: Run, definition: dict[str, t.Any], words: list[str]) -> None:
    for check in (True, False):
        result = run(definitions=[definition], check=check)
        assert result["failed"] is True
        assert result["changed"] is False
        for word in words:
            assert word in result["msg"]


def test_what_was_done_before_a_failure_is_told(run: Run, namespace: str) -> None:
    result = run(definitions=[config_map("good", namespace, x="1"), deployment("bad", namespace, replicas="many")])
    assert result["failed"] is True
    assert result["changed"] is True
    assert result["actions"] == [f"created ConfigMap {namespace}/good"]
    assert f"Before that: created ConfigMap {namespace}/good" in result["msg"]


def test_unknown_kind_is_refused_before_anything_is_sent(run: Run, cluster: Cluster, namespace: str) -> None:
    unknown = {"apiVersion": "apps/v1", "kind": "Deploymint", "metadata": {"name": "x", "namespace": namespace}}
    for check in (True, False):
        result = run(definitions=[config_map("early", namespace, x="1"), unknown], check=check)
        assert "definitions[1]: the cluster serves no Deploymint in apps/v1" in result["msg"]
    with pytest.raises(ApiError, match="404"):
        cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/early")


def test_kind_of_a_definition_that_is_yet_to_come(run: Run, namespace: str) -> None:
    unknown = {"apiVersion": "later.test/v1", "kind": "Thing", "metadata": {"name": "x", "namespace": namespace}}
    predicted = run(definitions=[unknown], check=True)
    assert predicted["actions"] == [f"would create Thing {namespace}/x"]
    assert "not known to the cluster yet" in str(predicted["warnings"])
    assert "CustomResourceDefinition installed" in run(definitions=[unknown])["msg"]


def test_missing_namespace(run: Run) -> None:
    definition = config_map("a", "nowhere", x="1")
    assert run(definitions=[definition], check=True)["actions"] == ["would create ConfigMap nowhere/a"]
    assert 'namespaces "nowhere" not found' in run(definitions=[definition])["msg"]


def test_secrets_are_nowhere_in_the_output(run: Run, namespace: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"pw": "hunter2-first"}}
    output = [run(definitions=[secret], namespace=namespace, diff=True)]
    changed = {**secret, "stringData": {"pw": "hunter2-second"}}
    output += [run(definitions=[changed], namespace=namespace, diff=True, check=check) for check in (True, False)]
    assert all(result["changed"] for result in output)
    text = json.dumps(output)
    for part in ("hunter2", "aHVudGVyMi1"):
        assert part not in text
    assert "new value" in text


def test_absent(run: Run, cluster: Cluster, namespace: str) -> None:
    definitions = [
        custom("jars", "Jar", "gone.test"),
        config_map("a", namespace, x="1"),
        {"apiVersion": "gone.test/v1", "kind": "Jar", "metadata": {"name": "j", "namespace": namespace}, "spec": {}},
    ]
    run(definitions=definitions)
    predicted = run(definitions=definitions, state="absent", check=True)
    assert cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/a")
    result = run(definitions=definitions, state="absent", wait=True, wait_timeout=30)
    assert result["actions"] == [
        f"deleted Jar {namespace}/j",
        f"deleted ConfigMap {namespace}/a",
        "deleted CustomResourceDefinition jars.gone.test",
    ]
    assert [line.replace("would delete", "deleted") for line in predicted["actions"]] == result["actions"]
    assert run(definitions=definitions, state="absent")["changed"] is False


def test_wait_says_what_is_missing(run: Run, namespace: str) -> None:
    """Nothing rolls out here: this API server has no controllers."""
    started = time.monotonic()
    result = run(definitions=[deployment("web", namespace)], wait=True, wait_timeout=1)
    assert time.monotonic() - started < 10
    assert result["failed"] is True
    assert result["actions"] == [f"created Deployment {namespace}/web"]
    assert f"not ready after 1 s: Deployment {namespace}/web: the controller has not seen this version" in result["msg"]


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ("limited", ["not allowed to", "configmaps", "limited", "403"]),
        ("stranger", ["not authenticated", "401"]),
        ("nobody", ["nobody"]),
    ],
)
def test_credentials_that_do_not_do(run: Run, context: str, words: list[str]) -> None:
    result = run(definitions=[config_map("a", "default", x="1")], context=context)
    assert result["failed"] is True
    for word in words:
        assert word in result["msg"]


def test_no_certificate_authority(kubernetes_api: dict[str, t.Any], run: Run) -> None:
    url = kubernetes_api["clusters"][0]["cluster"]["server"]
    result = run(kubeconfig=None, host=url, definitions=[config_map("a", "default", x="1")])
    assert url in result["msg"]
    assert "certificate verify failed" in result["msg"]


def test_many_objects_are_read_by_one_list(run: Run, cluster: Cluster, namespace: str) -> None:
    definitions = [config_map(f"c{number}", namespace, x="1") for number in range(40)]
    assert run(definitions=definitions)["changed"] is True
    result = run(definitions=definitions)
    assert result["changed"] is False
    # What is served, the list, and one for each.
    assert result["requests"] == 2 + 1 + len(definitions)
    # Only what differs counts as changed: one that was taken away, one that somebody changed, one that we do.
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    cluster.request("DELETE", f"{path}/c3")
    foreign = {"fieldManager": "cloudnative.platform"}
    cluster.request("PATCH", f"{path}/c5", foreign, {"data": {"x": "9"}}, content_type="application/merge-patch+json")
    cluster.request("PATCH", f"{path}/c6", None, {"data": {"y": "9"}}, content_type="application/merge-patch+json")
    definitions[7] = config_map("c7", namespace, x="2")
    for check in (True, False):
        verbs = ("would create", "would update") if check else ("created", "updated")
        changed = run(definitions=definitions, force_conflicts=True, check=check)
        assert changed["actions"] == [
            f"{verbs[0]} ConfigMap {namespace}/c3",
            f"{verbs[1]} ConfigMap {namespace}/c5",
            f"{verbs[1]} ConfigMap {namespace}/c7",
        ]
