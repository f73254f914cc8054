# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import wait
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import (
    State,
    daemon_set,
    event_lines,
    has_rule,
    pod_problems,
    readiness,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.wait import Target
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Unreachable


def body(spec=None, status=None, generation=1, **metadata):
    return {
        "metadata": {"name": "x", "generation": generation, **metadata},
        "spec": spec or {},
        "status": {"observedGeneration": 1, **(status or {})},
    }


def conditions(*entries):
    return {"conditions": [dict(zip(("type", "status", "reason", "message"), entry)) for entry in entries]}


DONE = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
DAEMONS = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
STUCK = conditions(("Progressing", "False", "ProgressDeadlineExceeded", "too slow"))
QUOTA = conditions(("ReplicaFailure", "True", "FailedCreate", "exceeded quota"))


@pytest.mark.parametrize(
    ("kind", "obj", "state", "words"),
    [
        ("Deployment", body({"replicas": 2}, DONE), State.READY, ""),
        ("Deployment", body({"replicas": 0}, {}), State.READY, ""),
        ("Deployment", body({"replicas": 2}, DONE, generation=2), State.WAITING, "not seen"),
        ("Deployment", body({"replicas": 2}, {}), State.WAITING, "0 of 2 pods updated"),
        ("Deployment", body({"replicas": 2}, QUOTA), State.WAITING, "exceeded quota"),
        ("Deployment", body({"replicas": 2}, {**DONE, "replicas": 3}), State.WAITING, "1 old pods"),
        ("Deployment", body({"replicas": 2}, {**DONE, "availableReplicas": 1}), State.WAITING, "1 of 2 pods available"),
        ("Deployment", body({"replicas": 2}, {**DONE, "terminatingReplicas": 1}), State.WAITING, "1 old pods"),
        ("Deployment", body({"replicas": 2}, {**DONE, "terminatingReplicas": 0}), State.READY, ""),
        ("Deployment", body({"replicas": 2}, STUCK), State.FAILED, "too slow"),
        ("DaemonSet", body({}, DAEMONS), State.READY, ""),
        ("DaemonSet", body({}, {}), State.READY, ""),
        ("DaemonSet", body({}, DAEMONS, generation=2), State.WAITING, "not seen"),
        ("DaemonSet", body({}, {**DAEMONS, "updatedNumberScheduled": 1}), State.WAITING, "1 of 3 pods updated"),
        ("DaemonSet", body({}, {**DAEMONS, "numberAvailable": 2}), State.WAITING, "2 of 3 pods available"),
        (
            "DaemonSet",
            body({"updateStrategy": {"type": "OnDelete"}}, {**DAEMONS, "updatedNumberScheduled": 0}),
            State.READY,
            "",
        ),
        ("StatefulSet", body({"replicas": 2}, {"updatedReplicas": 2, "readyReplicas": 2}), State.READY, ""),
        ("StatefulSet", body({"replicas": 2}, {"updatedReplicas": 1, "readyReplicas": 2}), State.WAITING, "1 of 2"),
        ("StatefulSet", body({"replicas": 2}, {"updatedReplicas": 2, "readyReplicas": 1}), State.WAITING, "1 of 2"),
        (
            "StatefulSet",
            body(
                {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
                {"updatedReplicas": 1, "readyReplicas": 2},
            ),
            State.READY,
            "",
        ),
    ],
)
def test_workloads(kind, obj, state, words):
    verdict = readiness("apps", kind, obj)
    assert verdict.state is state
    assert words in verdict.message


@pytest.mark.parametrize(
    ("group", "kind", "obj", "state", "words"),
    [
        ("batch", "Job", body(status=conditions(("Complete", "True"))), State.READY, ""),
        ("batch", "Job", body({"suspend": True}), State.READY, ""),
        ("batch", "Job", body(status={"active": 1}), State.WAITING, "1 pods active"),
        ("batch", "Job", body(status=conditions(("Failed", "True", "BackoffLimitExceeded"))), State.FAILED, "Backoff"),
        ("", "Node", body(status=conditions(("Ready", "True"))), State.READY, ""),
        ("", "Node", body(status=conditions(("Ready", "False", "NoCNI", "plugin missing"))), State.WAITING, "plugin"),
        ("", "Namespace", body(), State.READY, ""),
        ("", "Namespace", body(deletionTimestamp="now"), State.FAILED, "being deleted"),
        ("apiregistration.k8s.io", "APIService", body(status=conditions(("Available", "True"))), State.READY, ""),
        ("apiregistration.k8s.io", "APIService", None, State.WAITING, "not there"),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            body(status=conditions(("NamesAccepted", "True"), ("Established", "True"))),
            State.READY,
            "",
        ),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            body(status=conditions(("NamesAccepted", "False", "Taken"))),
            State.FAILED,
            "Taken",
        ),
        ("apiextensions.k8s.io", "CustomResourceDefinition", body(), State.WAITING, "not established"),
    ],
)
def test_others(group, kind, obj, state, words):
    verdict = readiness(group, kind, obj)
    assert verdict.state is state
    assert words in verdict.message


def test_what_has_no_rule_is_not_waited_for():
    assert has_rule("apps", "Deployment")
    assert not has_rule("", "ConfigMap")
    assert not has_rule("ex.io", "Deployment")


@pytest.mark.parametrize(
    ("available", "tolerated", "ready"), [(2, 1, True), (1, 1, False), (0, 3, True), (2, 0, False)]
)
def test_daemon_set_without_nodes_that_are_gone(available, tolerated, ready):
    status = {"desiredNumberScheduled": 3, "updatedNumberScheduled": available, "numberAvailable": available}
    assert (daemon_set(body(status=status), tolerated).state is State.READY) is ready


def pod(statuses=(), node="n1", init=(), **status):
    return {
        "metadata": {"name": "p"},
        "spec": {"nodeName": node} if node else {},
        "status": {"initContainerStatuses": list(init), "containerStatuses": list(statuses), **status},
    }


def waiting(name, reason, message=""):
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}}


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        (pod([{"name": "c", "ready": True, "state": {"running": {}}}]), []),
        (
            pod([waiting("c", "ImagePullBackOff", "no such image")]),
            ["pod p on n1: container c waiting: ImagePullBackOff: no such image"],
        ),
        (
            pod([waiting("c", "PodInitializing")], init=[waiting("i", "ErrImagePull")]),
            ["pod p on n1: container i waiting: ErrImagePull"],
        ),
        (pod([waiting("c", "PodInitializing")]), ["pod p on n1: container c waiting: PodInitializing"]),
        (
            pod([{**waiting("c", "CrashLoopBackOff"), "lastState": {"terminated": {"message": "one\ntwo\n"}}}]),
            ["pod p on n1: container c waiting: CrashLoopBackOff; its last words: two"],
        ),
        (
            pod([{"name": "c", "state": {"terminated": {"exitCode": 3, "message": "bad flag"}}}]),
            ["pod p on n1: container c ended with exit code 3; its last words: bad flag"],
        ),
        (pod([{"name": "c", "state": {"terminated": {"exitCode": 0}}}]), []),
        (
            pod([{"name": "c", "ready": False, "state": {"running": {}}}]),
            ["pod p on n1: container c runs but is not ready"],
        ),
        (
            pod(node=None, **conditions(("PodScheduled", "False", "Unschedulable", "0/3 nodes"))),
            ["pod p: not scheduled (Unschedulable: 0/3 nodes)"],
        ),
        (pod(node=None), ["pod p: waits for the scheduler"]),
    ],
)
def test_pod_problems(found, problems):
    assert pod_problems([found]) == problems


def test_event_lines_are_the_latest_warnings_once():
    def event(second, message, kind="Warning"):
        return {
            "type": kind,
            "reason": "Failed",
            "message": message,
            "lastTimestamp": f"2026-11-22T10:00:0{second}Z",
            "involvedObject": {"kind": "Pod", "name": "p"},
        }

    events = [event(4, "d"), event(1, "a"), event(3, "a"), event(2, "b"), event(5, "fine", "Normal"), event(0, "z")]
    assert event_lines(events) == ["Pod p: Failed: b", "Pod p: Failed: a", "Pod p: Failed: d"]


class Api:
    """Answers what it is told to, one after the other, and then the last one forever."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def request(self, method, path, query=None):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


NODE = Target(Resource("", "v1", "nodes", "Node", False), "n1", None)
READY = body(status=conditions(("Ready", "True")))
NOT_READY = body(status=conditions(("Ready", "False", "NoCNI")))


def refused(status):
    return ApiError(status, "Reason", "because", "GET", "/api/v1/nodes/n1")


@pytest.mark.parametrize(
    "answers",
    [
        [READY],
        [NOT_READY, READY],
        [refused(404), READY],
        [refused(503), READY],
        [Unreachable("https://api", "restarts"), READY],
    ],
)
def test_wait_ends_well(monkeypatch, answers):
    monkeypatch.setattr(wait, "INTERVAL", 0)
    assert wait.Waiter(Api(*answers)).wait([NODE], 5) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (NOT_READY, "Node n1: not Ready (NoCNI)"),
        (refused(404), "Node n1: it is not there"),
        (refused(500), "Node n1: get nodes n1 failed (500 Reason): because"),
        (Unreachable("https://api", "gone"), "Node n1: the Kubernetes API at https://api can't be reached: gone"),
    ],
)
def test_wait_ends_late(monkeypatch, answer, problem):
    monkeypatch.setattr(wait, "INTERVAL", 0.01)
    assert wait.Waiter(Api(answer)).wait([NODE], 0.05) == [f"not ready after 0 s: {problem}"]
    assert wait.Waiter(Api(answer)).wait([NODE], 0) == [f"not ready: {problem}"]


def test_wait_does_not_wait_for_what_will_not_come():
    stuck = Target(Resource("apps", "v1", "deployments", "Deployment", True), "web", None)
    assert wait.Waiter(Api(body({"replicas": 1}, STUCK))).wait([stuck], 60) == [
        "Deployment web: the rollout made no progress (ProgressDeadlineExceeded: too slow)"
    ]
    with pytest.raises(ApiError, match="not allowed"):
        wait.Waiter(Api(refused(403))).wait([NODE], 60)
