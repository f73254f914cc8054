# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._reset import cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.cluster import RemovalError


def member(name, healthy=True, learner=False, identity=None, url=None):
    return {
        "id": identity or f"id-{name}",
        "name": name,
        "peer_urls": [url or f"https://192.0.2.{len(name)}:2380"],
        "learner": learner,
        "healthy": healthy,
        "error": "" if healthy else "context deadline exceeded",
    }


def node(name, ready=True, unschedulable=False, address="192.0.2.1"):
    return {
        "metadata": {"name": name},
        "spec": {"unschedulable": True} if unschedulable else {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
            "addresses": [{"type": "InternalIP", "address": address}],
        },
    }


THREE = [member("cp1"), member("cp2"), member("cp3")]
NODES = {name: node(name) for name in ("cp1", "cp2", "cp3", "w1")}


@pytest.mark.parametrize(
    ("members", "leaving", "numbers"),
    [
        pytest.param(THREE, ["cp3"], None, id="one of three"),
        pytest.param(THREE, ["cp2", "cp3"], None, id="two of three that all answer"),
        pytest.param([member("cp1"), member("cp2"), member("cp3", False)], ["cp3"], None, id="the one that is dead"),
        pytest.param(
            [member("cp1"), member("cp2"), member("cp3", False)],
            ["cp2"],
            "of 3 members 2 would stay, 1 of them healthy, 2 are needed; not healthy: cp3",
            id="a healthy one beside a dead one",
        ),
        pytest.param([member("cp1"), member("cp2"), member("cp3", False)], ["cp2", "cp3"], None, id="both of them"),
        pytest.param(
            [member("a"), member("b"), member("c"), member("d", False), member("e", False)],
            ["c"],
            "of 5 members 4 would stay, 2 of them healthy, 3 are needed",
            id="two of five are dead",
        ),
        pytest.param(
            [member("cp1"), member("cp2", learner=True)],
            ["cp1"],
            "of 2 members 0 would stay, 0 of them healthy, 1 are needed",
            id="a learner does not vote",
        ),
        pytest.param([member("cp1", False), member("cp2", False)], [], None, id="nobody leaves"),
    ],
)
def test_quorum(members, leaving, numbers):
    problem = cluster.quorum_problem(members, [item for item in members if item["name"] in leaving])
    assert (problem == "") is (numbers is None)
    assert (numbers or "") in problem


def kinds(names, nodes, members):
    return [(step.kind, step.target) for step in cluster.plan(names, nodes, members).steps]


@pytest.mark.parametrize(
    ("names", "nodes", "members", "expected"),
    [
        pytest.param(["w1"], NODES, THREE, [("cordon", "w1"), ("drain", "w1"), ("node", "w1")], id="worker"),
        pytest.param(
            ["cp3"],
            NODES,
            THREE,
            [("cordon", "cp3"), ("drain", "cp3"), ("member", "cp3"), ("node", "cp3")],
            id="control plane",
        ),
        pytest.param(
            ["cp2", "w1"],
            NODES,
            THREE,
            [
                ("cordon", "cp2"),
                ("cordon", "w1"),
                ("drain", "cp2"),
                ("drain", "w1"),
                ("member", "cp2"),
                ("node", "cp2"),
                ("node", "w1"),
            ],
            id="all are cordoned before one is drained",
        ),
        pytest.param(
            ["cp2", "cp3"],
            {**NODES, "cp3": node("cp3", ready=False)},
            [member("cp1"), member("cp2"), member("cp3", False)],
            [
                ("cordon", "cp2"),
                ("cordon", "cp3"),
                ("drain", "cp2"),
                ("member", "cp3"),
                ("member", "cp2"),
                ("node", "cp2"),
                ("node", "cp3"),
            ],
            id="a dead one is not drained and leaves etcd first",
        ),
        pytest.param(
            ["w1"], {"w1": node("w1", unschedulable=True)}, THREE, [("drain", "w1"), ("node", "w1")], id="resumed"
        ),
        pytest.param(["cp3"], {"cp1": node("cp1")}, THREE, [("member", "cp3")], id="its node is gone already"),
        pytest.param(["cp3"], {"cp1": node("cp1")}, THREE[:2], [], id="done"),
        pytest.param(
            ["cp3"],
            {"cp3": node("cp3", ready=False, address="192.0.2.9")},
            [*THREE[:2], member("", identity="x", url="https://192.0.2.9:2380", learner=True)],
            [("cordon", "cp3"), ("member", ""), ("node", "cp3")],
            id="a member that never started is known by its address",
        ),
    ],
)
def test_plan(names, nodes, members, expected):
    assert kinds(names, nodes, members) == expected


def test_plan_says_how_many_members_stay():
    texts = [step.text for step in cluster.plan(["cp2", "cp3"], {}, THREE).steps]
    assert texts == ["remove etcd member cp2 (2 stay)", "remove etcd member cp3 (1 stay)"]


def test_quorum_is_judged_before_anything():
    with pytest.raises(RemovalError, match="Nothing was changed"):
        cluster.plan(["cp2", "w1"], NODES, [member("cp1"), member("cp2"), member("cp3", False)])


def pod(name="a", labels=None, owner=None, annotations=None, deleted=None, namespace="default"):
    metadata = {"name": name, "namespace": namespace, "uid": name, "labels": labels or {}, "annotations": annotations}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "controller": True}]
    if deleted:
        metadata["deletionTimestamp"] = deleted
    return {"metadata": metadata}


@pytest.mark.parametrize(
    ("found", "evicted"),
    [
        (pod(owner="ReplicaSet"), True),
        (pod(owner="StatefulSet"), True),
        (pod(), True),
        (pod(owner="DaemonSet"), False),
        (pod(owner="Node", annotations={"kubernetes.io/config.mirror": "x"}), False),
    ],
)
def test_pods_that_a_drain_moves(found, evicted):
    assert cluster.is_evicted(found) is evicted


def budget(selector, allowed=0, namespace="default", name="keep"):
    status = {"disruptionsAllowed": allowed, "currentHealthy": 2, "desiredHealthy": 2}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector}, "status": status}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "db"}}, False),
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
    ],
)
def test_budgets_select_pods(selector, matches):
    assert bool(cluster.budgets_of(pod(labels={"app": "web"}), [budget(selector)])) is matches


def test_budget_of_another_namespace_does_not_count():
    assert cluster.budgets_of(pod(), [budget({}, namespace="other")]) == []


@pytest.mark.parametrize(
    ("found", "budgets", "refusal", "text"),
    [
        (
            pod(),
            [budget({})],
            "429",
            "default/a: PodDisruptionBudget default/keep needs 2 healthy pods and has 2",
        ),
        (pod(), [budget({}, allowed=1)], "", "default/a: it was not evicted yet"),
        (pod(), [], "no webhook answers", "default/a: no webhook answers"),
        (pod(deleted="T"), [budget({})], "", "default/a: it is told to end and does not (its grace period ends at T)"),
    ],
)
def test_why_a_pod_is_still_there(found, budgets, refusal, text):
    assert cluster.why_there(found, budgets, refusal) == text


def state(name, leaving=False, present=True, ready=True, reached=True, reason=""):
    return {
        "name": name,
        "leaving": leaving,
        "present": present,
        "ready": ready,
        "reached": reached,
        "reason": reason,
    }


ABSENT = {"present": False, "ready": False}


@pytest.mark.parametrize(
    ("states", "anchor"),
    [
        pytest.param([state("cp1"), state("cp2")], "cp1", id="the first"),
        pytest.param([state("cp1", leaving=True), state("cp2")], "cp2", id="one that stays"),
        pytest.param([state("cp1", ready=False), state("cp2")], "cp2", id="one that answers"),
        pytest.param([state("cp1", reached=False, **ABSENT), state("cp2")], "cp2", id="one that is reached"),
        pytest.param([state("cp1", **ABSENT), state("cp2", leaving=True, **ABSENT)], "", id="no cluster was ever made"),
    ],
)
def test_anchor(states, anchor):
    assert cluster.choose_anchor(states) == anchor


@pytest.mark.parametrize(
    ("states", "message"),
    [
        pytest.param(
            [state("cp1", ready=False, reason="its API server is not ready"), state("cp2", leaving=True)],
            r"none of the control planes that stay is healthy \(cp1: its API server is not ready\)",
            id="no answer",
        ),
        pytest.param(
            [state("cp1", reached=False, reason="it can't be reached", **ABSENT)], "cp1: it can't be reached", id="lost"
        ),
        pytest.param(
            [state("cp1", leaving=True), state("cp2", **ABSENT)], "cp1 holds the cluster alone", id="the last of them"
        ),
    ],
)
def test_no_anchor(states, message):
    with pytest.raises(RemovalError, match=message):
        cluster.choose_anchor(states)
