# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_apply with an owner: label, record, prune, guard and removal, against a real API server."""

from __future__ import annotations

import typing as t

import pytest
from apply_objects import Run, config_map, custom

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster

LABEL = "cloudnative.platform/owner"


def service(name: str, namespace: str) -> dict[str, t.Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}


def names(cluster: Cluster, path: str, owner: str) -> list[str]:
    answer = cluster.request("GET", path, {"labelSelector": f"{LABEL}={owner}"})
    return sorted(item["metadata"]["name"] for item in answer["items"])


def record(cluster: Cluster, owner: str, namespace: str = "kube-system") -> dict[str, list[str]] | None:
    try:
        body = cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/owner-{owner}")
    except ApiError as e:
        assert e.status == 404
        return None
    return {name: text.split() for name, text in body["data"].items()}


def test_what_is_not_defined_any_more_goes(run: Run, cluster: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    old = [config_map("a", namespace, x="1"), config_map("b", namespace, x="1"), service("s", namespace)]
    first = run(definitions=old, owner="shop", prune=True)
    assert first["actions"] == [
        *(f"created {kind} {namespace}/{name}" for kind, name in (("ConfigMap", "a"), ("ConfigMap", "b"))),
        f"created Service {namespace}/s",
        "created ConfigMap kube-system/owner-shop",
    ]
    assert record(cluster, "shop") == {"kinds": ["ConfigMap", "Service"], "namespaces": [namespace]}
    assert names(cluster, path, "shop") == ["a", "b"]
    # Somebody copied the label, a controller or a person: that makes no object of ours of it.
    copy = {"metadata": {"name": "copy", "labels": {LABEL: "shop"}}}
    cluster.request("POST", path, body=copy)

    unchanged = run(definitions=old, owner="shop", prune=True)
    assert (unchanged["changed"], unchanged["actions"]) == (False, [])
    predicted = run(definitions=old[:2], owner="shop", prune=True, check=True, diff=True)
    assert record(cluster, "shop") == {"kinds": ["ConfigMap", "Service"], "namespaces": [namespace]}
    result = run(definitions=old[:2], owner="shop", prune=True, diff=True)
    assert result["actions"] == [f"deleted Service {namespace}/s", "updated ConfigMap kube-system/owner-shop"]
    assert [
        line.replace("would delete", "deleted").replace("would update", "updated") for line in predicted["actions"]
    ] == (result["actions"])
    assert predicted["diff"] == result["diff"]
    assert record(cluster, "shop") == {"kinds": ["ConfigMap"], "namespaces": [namespace]}
    assert names(cluster, path, "shop") == ["a", "b", "copy"]
    with pytest.raises(ApiError, match="404"):
        cluster.request("GET", f"/api/v1/namespaces/{namespace}/services/s")
    again = run(definitions=old[:2], owner="shop", prune=True)
    assert (again["changed"], again["actions"]) == (False, [])
    # The two objects, what is served, the record, and the kind in it.
    assert again["requests"] <= 2 * 2 + 2 + 1 + 1


def test_without_prune_the_record_remembers(run: Run, cluster: Cluster, namespace: str) -> None:
    run(definitions=[config_map("a", namespace), service("s", namespace)], owner="keeps")
    assert run(definitions=[config_map("a", namespace)], owner="keeps")["changed"] is False
    assert record(cluster, "keeps") == {"kinds": ["ConfigMap", "Service"], "namespaces": [namespace]}
    result = run(definitions=[config_map("a", namespace)], owner="keeps", prune=True)
    assert f"deleted Service {namespace}/s" in result["actions"]


def test_lost_record_is_searched_for(run: Run, cluster: Cluster, namespace: str) -> None:
    run(definitions=[config_map("a", namespace), config_map("b", namespace), service("s", namespace)], owner="lost")
    cluster.request("DELETE", "/api/v1/namespaces/kube-system/configmaps/owner-lost")
    definitions = [config_map("a", namespace), config_map("b", namespace)]
    result = run(definitions=definitions, owner="lost", prune=True)
    assert result["actions"] == [f"deleted Service {namespace}/s", "created ConfigMap kube-system/owner-lost"]


def test_kind_that_is_not_served_for_now_stays_recorded(run: Run, cluster: Cluster, namespace: str) -> None:
    definitions = [config_map("a", namespace)]
    run(definitions=definitions, owner="patient", prune=True)
    path = "/api/v1/namespaces/kube-system/configmaps/owner-patient"
    data = {"data": {"kinds": "ConfigMap\nThing.away.test\n"}}
    cluster.request("PATCH", path, {"fieldManager": "cloudnative.platform"}, data, "application/merge-patch+json")
    assert run(definitions=definitions, owner="patient", prune=True)["changed"] is False
    assert record(cluster, "patient") == {"kinds": ["ConfigMap", "Thing.away.test"], "namespaces": [namespace]}


@pytest.mark.parametrize("check", [True, False])
def test_guard(run: Run, cluster: Cluster, namespace: str, check: bool) -> None:
    owner = f"guarded-{check}".lower()
    everything = [config_map(name, namespace, x="1") for name in "abcd"]
    run(definitions=everything, owner=owner)
    changed = config_map("a", namespace, x="2")
    for limit, allowed in (("50%", 2), ("2", 2), ("0", 0)):
        refused = run(definitions=[changed], owner=owner, prune=True, prune_max=limit, check=check)
        assert refused["failed"] is True
        assert refused["changed"] is False
        assert (
            f"3 of 4 objects of owner {owner} are not defined any more, and prune_max {limit} allows {allowed} to go: "
            f"ConfigMap {namespace}/b, ConfigMap {namespace}/c, ConfigMap {namespace}/d"
        ) in refused["msg"]
    empty = run(definitions=[], owner=owner, prune=True, prune_max="100%", check=check)
    assert "there are no definitions" in empty["msg"]
    assert "state=absent" in empty["msg"]
    wrong = run(definitions=[changed], owner=owner, prune=True, prune_max="half", check=check)
    assert "prune_max 'half' is neither a number" in wrong["msg"]
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert names(cluster, path, owner) == ["a", "b", "c", "d"]
    assert cluster.request("GET", f"{path}/a")["data"] == {"x": "1"}
    allowed_now = run(definitions=[changed], owner=owner, prune=True, prune_max="75%", check=check)
    assert len(allowed_now["actions"]) == 4


def test_absent_removes_all_of_it(run: Run, cluster: Cluster, namespace: str) -> None:
    definitions = [
        custom("cups", "Cup", "owned.test"),
        {"apiVersion": "owned.test/v1", "kind": "Cup", "metadata": {"name": "c", "namespace": namespace}, "spec": {}},
        config_map("a", namespace),
    ]
    run(definitions=definitions, owner="whole", owner_namespace=namespace)
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body={"metadata": {"name": "foreign"}})
    predicted = run(state="absent", owner="whole", owner_namespace=namespace, check=True)
    result = run(state="absent", owner="whole", owner_namespace=namespace, wait=True, wait_timeout=30)
    assert result["actions"] == [
        f"deleted Cup {namespace}/c",
        f"deleted ConfigMap {namespace}/a",
        "deleted CustomResourceDefinition cups.owned.test",
        f"deleted ConfigMap {namespace}/owner-whole",
    ]
    assert [line.replace("would delete", "deleted") for line in predicted["actions"]] == result["actions"]
    assert record(cluster, "whole", namespace) is None
    assert cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/foreign")
    assert run(state="absent", owner="whole", owner_namespace=namespace)["changed"] is False


def test_two_owners_of_one_object(run: Run, cluster: Cluster, namespace: str) -> None:
    definition = config_map("a", namespace, x="1")
    run(definitions=[definition], owner="first")
    for check in (True, False):
        refused = run(definitions=[definition], owner="second", check=check)
        assert f"ConfigMap {namespace}/a (definitions[0]) belongs to owner first, not to second" in refused["msg"]
    taken = run(definitions=[definition], owner="second", force_conflicts=True)
    assert f"updated ConfigMap {namespace}/a" in taken["actions"]
    # The first one has lost it, and does not delete it.
    others = [config_map("b", namespace)]
    assert not any("deleted" in line for line in run(definitions=others, owner="first", prune=True)["actions"])
    # An owner that is taken away leaves the object.
    freed = run(definitions=[definition])
    assert freed["actions"] == [f"updated ConfigMap {namespace}/a"]
    assert names(cluster, f"/api/v1/namespaces/{namespace}/configmaps", "second") == []


@pytest.mark.parametrize("reason", ["another owner's", "refused by the server"])
def test_owner_of_nothing_leaves_no_record(run: Run, cluster: Cluster, namespace: str, reason: str) -> None:
    name = namespace[-20:].strip("-")
    bad = config_map("a", namespace) if reason == "another owner's" else config_map("A", namespace)
    run(definitions=[config_map("a", namespace)], owner="who-was-first")
    refused = run(definitions=[bad], owner=name, diff=True)
    assert refused["failed"] is True
    assert (refused["changed"], refused["actions"], refused["diff"]) == (False, [], [])
    assert refused["msg"].endswith(". Nothing was changed")
    assert record(cluster, name) is None
    # Where one of two objects was applied, the record says where it is.
    half = run(definitions=[bad, config_map("b", namespace)], owner=name)
    assert sorted(half["actions"]) == sorted(
        [f"created ConfigMap {namespace}/b", f"created ConfigMap kube-system/owner-{name}"]
    )
    assert record(cluster, name) == {"kinds": ["ConfigMap"], "namespaces": [namespace]}
    # And one that was there before stays.
    assert run(definitions=[bad], owner=name)["actions"] == []
    assert record(cluster, name) == {"kinds": ["ConfigMap"], "namespaces": [namespace]}


def test_wrong_owner_options(run: Run, namespace: str) -> None:
    definition = config_map("a", namespace)
    assert "owner 'Big Shop'" in run(definitions=[definition], owner="Big Shop")["msg"]
    assert "prune" in run(definitions=[definition], prune=True)["msg"]
    for check in (True, False):
        lost = run(definitions=[definition], owner="nowhere", owner_namespace="not-there", check=check)
        assert "namespace not-there, which does not exist" in lost["msg"]
    labelled = {**definition, "metadata": {**definition["metadata"], "labels": {LABEL: "other"}}}
    assert f"says {LABEL}=other, not mine" in run(definitions=[labelled], owner="mine")["msg"]


def test_rights_in_one_namespace_are_enough(run: Run, cluster: Cluster, namespace: str) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    cluster.request("POST", f"{path}/roles", body={"metadata": {"name": "own"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "own"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "own"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}],
    }
    cluster.request("POST", f"{path}/rolebindings", body=binding)
    options: dict[str, t.Any] = {"owner": "tenant", "owner_namespace": namespace, "prune": True, "context": "limited"}
    first = run(definitions=[config_map(name, namespace) for name in "ab"], **options)
    assert first["changed"] is True
    assert "not searched for objects of owner tenant, because listing them is forbidden: " in str(first["warnings"])
    second = run(definitions=[config_map("a", namespace)], **options)
    assert f"deleted ConfigMap {namespace}/b" in second["actions"]
