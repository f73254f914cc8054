# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.pods import (
    Cause,
    Patience,
    event_lines,
    is_current,
    newest_hash,
    pod_problems,
    pods_of,
    selects,
    silent_container,
    troubles_of,
    troubles_of_workload,
)


def conditions(*entries):
    return {"conditions": [dict(zip(("type", "status", "reason", "message"), entry)) for entry in entries]}


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


# -- troubles: statuses as kubelets of 1.36 write them ----------------------------------------------------------

NOT_FOUND = (
    'Back-off pulling image "registry.k8s.io/pauze:3": ErrImagePull: rpc error: code = NotFound desc = failed to pull '
    'and unpack image "registry.k8s.io/pauze:3": failed to resolve image: registry.k8s.io/pauze:3: not found'
)
REFUSED = (
    'rpc error: code = Unknown desc = failed to pull and unpack image "x/y:1": failed to do request: Head '
    '"https://10.0.0.5:5000/v2/x/y/manifests/1": dial tcp 10.0.0.5:5000: connect: connection refused'
)


def crashing(restarts, **last):
    return {
        **waiting("c", "CrashLoopBackOff", "back-off 20s restarting failed container=c pod=p"),
        "restartCount": restarts,
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error", **last}},
    }


def with_image(found, image):
    found["spec"]["containers"] = [{"name": "c", "image": image}]
    return found


@pytest.mark.parametrize(
    ("found", "cause", "words"),
    [
        (pod([{"name": "c", "ready": True, "state": {"running": {}}}]), None, ""),
        (pod([waiting("c", "ContainerCreating")]), None, ""),
        (pod([waiting("c", "PodInitializing")]), None, ""),
        (
            with_image(pod([waiting("c", "ImagePullBackOff", NOT_FOUND)]), "registry.k8s.io/pauze:3"),
            Cause.IMAGE_REFUSED,
            "pod p on n1: container c: image registry.k8s.io/pauze:3 can't be pulled: ImagePullBackOff: Back-off",
        ),
        (
            pod([waiting("c", "ErrImagePull", "pull access denied, authorization failed")]),
            Cause.IMAGE_REFUSED,
            "denied",
        ),
        (pod([waiting("c", "InvalidImageName", 'couldn\'t parse image name "UP"')]), Cause.IMAGE_REFUSED, "parse"),
        (pod([waiting("c", "ErrImageNeverPull", "not present with pull policy of Never")]), Cause.IMAGE_REFUSED, ""),
        (pod([waiting("c", "ErrImagePull", REFUSED)]), Cause.IMAGE_UNREACHABLE, "connection refused"),
        (
            pod([waiting("c", "ErrImagePull", "unexpected status: 503 Service Unavailable")]),
            Cause.IMAGE_UNREACHABLE,
            "",
        ),
        (pod([waiting("c", "ImagePullBackOff", 'Back-off pulling image "x/y:1"')]), Cause.IMAGE_UNREACHABLE, ""),
        (pod(init=[waiting("i", "ImagePullBackOff", NOT_FOUND)]), Cause.IMAGE_REFUSED, "container i"),
        (
            pod([waiting("c", "CreateContainerConfigError", 'secret "db" not found')]),
            Cause.CONFIGURATION,
            'container c: CreateContainerConfigError: secret "db" not found',
        ),
        (pod([waiting("c", "RunContainerError", "exec: no such file")]), Cause.CONFIGURATION, "no such file"),
        (pod([crashing(1)]), None, ""),
        (pod([crashing(2)]), Cause.CRASH, "container c crashes: ended 3 times, last with exit code 3"),
        (pod([crashing(5, reason="OOMKilled", exitCode=137)]), Cause.CRASH, "exit code 137 (OOMKilled)"),
        (pod([crashing(2, message="no database\n")]), Cause.CRASH, "its last words: no database"),
        (
            pod(node=None, **conditions(("PodScheduled", "False", "Unschedulable", "0/3 nodes are available"))),
            Cause.NOT_SCHEDULED,
            "pod p can't be scheduled: 0/3 nodes are available",
        ),
        (pod(node=None, **conditions(("PodScheduled", "False", "SchedulingGated", "gated"))), None, ""),
    ],
)
def test_troubles(found, cause, words):
    troubles = troubles_of("Deployment", found, 2)
    assert [one.cause for one in troubles] == ([cause] if cause else [])
    assert all(words in one.message for one in troubles)


def test_jobs_count_their_crashes_themselves():
    assert troubles_of("Job", pod([crashing(9)]), 2) == []
    assert troubles_of("Job", pod([waiting("c", "ErrImagePull", "not found")]), 2)


def failed_create(kind, name, message, reason="FailedCreate"):
    return {"involvedObject": {"kind": kind, "name": name}, "reason": reason, "message": message}


QUOTA = conditions(("ReplicaFailure", "True", "FailedCreate", "exceeded quota: small"))
EVENTS = [
    failed_create("StatefulSet", "db", "old"),
    failed_create("StatefulSet", "db", "exceeded quota: small"),
    failed_create("StatefulSet", "other", "else"),
    failed_create("StatefulSet", "db", "pulled", reason="Pulled"),
]


@pytest.mark.parametrize(
    ("kind", "status", "events", "expected"),
    [
        ("Deployment", {"replicas": 1, "updatedReplicas": 1}, EVENTS, None),
        ("Deployment", QUOTA, [], Cause.NOT_CREATED),
        ("Deployment", {**QUOTA, "replicas": 2, "updatedReplicas": 1}, [], Cause.NO_ROOM),
        ("Deployment", {**QUOTA, "terminatingReplicas": 1}, [], Cause.NO_ROOM),
        ("Deployment", conditions(("ReplicaFailure", "False", "x", "exceeded quota")), [], None),
        ("StatefulSet", {}, EVENTS, Cause.NOT_CREATED),
        ("DaemonSet", {}, EVENTS, None),
        ("Job", {}, [], None),
    ],
)
def test_pods_that_cannot_be_created(kind, status, events, expected):
    troubles = troubles_of_workload(kind, {"metadata": {"name": "db"}, "status": status}, events)
    assert [one.cause for one in troubles] == ([expected] if expected else [])
    assert all("exceeded quota: small" in one.message for one in troubles)


def test_every_cause_has_its_patience():
    patience = Patience(not_scheduled=5)
    assert {cause: patience.seconds(cause) for cause in Cause} == {
        Cause.IMAGE_REFUSED: 0,
        Cause.IMAGE_UNREACHABLE: 60,
        Cause.CONFIGURATION: 10,
        Cause.CRASH: 0,
        Cause.NOT_CREATED: 10,
        Cause.NO_ROOM: 60,
        Cause.NOT_SCHEDULED: 5,
    }


# -- which pods -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "labels", "taken"),
    [
        ({"matchLabels": {"app": "a"}}, {"app": "a", "x": "y"}, True),
        ({"matchLabels": {"app": "a"}}, {"app": "b"}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, {"app": "b"}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]}, {}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, {}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, {"app": ""}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, {"app": ""}, False),
        ({}, {"app": "a"}, False),
        (None, {"app": "a"}, False),
    ],
)
def test_selects(selector, labels, taken):
    assert selects(selector, labels) is taken
    workload, one = {"spec": {"selector": selector}}, {"metadata": {"labels": labels}}
    assert pods_of(workload, [one]) == ([one] if taken else [])


REVISION = "deployment.kubernetes.io/revision"


def replica_set(revision, template_hash, owner="u1"):
    return {
        "metadata": {
            "labels": {"pod-template-hash": template_hash},
            "annotations": {REVISION: revision},
            "ownerReferences": [{"uid": owner}],
        }
    }


def test_newest_hash():
    deployment = {"metadata": {"uid": "u1", "annotations": {REVISION: "2"}}}
    sets = [replica_set("1", "old"), replica_set("2", "foreign", "u2"), replica_set("2", "new")]
    assert newest_hash(deployment, sets) == "new"
    assert newest_hash(deployment, sets[:2]) is None


GENERATION = "deprecated.daemonset.template.generation"


@pytest.mark.parametrize(
    ("kind", "workload", "labels", "current"),
    [
        ("Deployment", {}, {"pod-template-hash": "new"}, True),
        ("Deployment", {}, {"pod-template-hash": "old"}, False),
        ("StatefulSet", {"status": {"updateRevision": "b"}}, {"controller-revision-hash": "b"}, True),
        ("StatefulSet", {"status": {"updateRevision": "b"}}, {"controller-revision-hash": "a"}, False),
        ("StatefulSet", {}, {"controller-revision-hash": "a"}, True),
        ("DaemonSet", {"metadata": {"annotations": {GENERATION: "2"}}}, {"pod-template-generation": "2"}, True),
        ("DaemonSet", {"metadata": {"annotations": {GENERATION: "2"}}}, {"pod-template-generation": "1"}, False),
        ("DaemonSet", {"metadata": {"annotations": {GENERATION: "2"}}}, {}, True),
        ("Job", {}, {}, True),
    ],
)
def test_is_current(kind, workload, labels, current):
    assert is_current(kind, workload, {"metadata": {"labels": labels}}, "new") is current
    assert not is_current(kind, workload, {"metadata": {"labels": labels, "deletionTimestamp": "now"}}, "new")


def test_without_a_known_template_no_pod_of_a_deployment_counts():
    assert not is_current("Deployment", {}, {"metadata": {"labels": {"pod-template-hash": "x"}}}, None)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pod([{"name": "c", "ready": True, "state": {"running": {}}}]), None),
        (pod([waiting("c", "ContainerCreating")]), None),
        (pod([crashing(1)]), ("c", True)),
        (pod([{"name": "c", "ready": False, "state": {"running": {}}}]), ("c", False)),
        (pod([{"name": "c", "state": {"terminated": {"exitCode": 1}}}]), ("c", False)),
    ],
)
def test_whose_log_tells_more(found, expected):
    assert silent_container(found) == expected
