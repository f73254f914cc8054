# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import threading
import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import wait, watch
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.pods import Patience
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.wait import Target
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Unreachable


class Events:
    """A watch that says what it was given and then nothing, until it is closed."""

    def __init__(self, events):
        self.events = events
        self.closed = threading.Event()

    def __iter__(self):
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event
        if not any(event["type"] == "ERROR" for event in self.events):
            self.closed.wait(30)

    def close(self):
        self.closed.set()


class Api:
    """Answers lists and watches with what it was given, the last one again and again."""

    def __init__(self, lists, watches=(), others=None):
        self.lists, self.watches, self.others = list(lists), list(watches), others or {}
        self.asked = []

    def request(self, method, path, query=None, **_more):
        self.asked.append(path)
        for pattern, answer in self.others.items():
            if re.fullmatch(pattern, path):
                return self.raised(answer)
        found = self.raised(self.lists.pop(0) if len(self.lists) > 1 else self.lists[0])
        return {"metadata": {"resourceVersion": "7"}, "items": found}

    def stream(self, path, query, timeout):
        if path in self.others:
            return Events([])
        return Events(self.raised(self.watches.pop(0)) if self.watches else [])

    @staticmethod
    def raised(answer):
        if isinstance(answer, Exception):
            raise answer
        return answer


def node(status, reason=""):
    condition = {"type": "Ready", "status": status, "reason": reason}
    return {"metadata": {"name": "n1", "resourceVersion": "8"}, "status": {"conditions": [condition]}}


def event(kind, body):
    return {"type": kind, "object": body}


def refused(status):
    return ApiError(status, "Reason", "because", "GET", "/api/v1/nodes")


NODE = Target(Resource("", "v1", "nodes", "Node", False), "n1", None)
READY, NOT_READY = node("True"), node("False", "NoCNI")
EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
BOOKMARK = event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(watch, "PAUSE_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("lists", "watches"),
    [
        ([[READY]], []),
        ([[NOT_READY]], [[event("MODIFIED", NOT_READY), BOOKMARK, event("MODIFIED", READY)]]),
        ([[]], [[event("ADDED", READY)]]),
        ([[], [READY]], [[EXPIRED]]),
        ([[NOT_READY], [READY]], [[event("DELETED", NOT_READY), EXPIRED]]),
        ([[NOT_READY], [READY]], [refused(410)]),
        ([[NOT_READY], [NOT_READY], [READY]], [refused(403)]),
        ([[NOT_READY], [READY]], [[Unreachable("https://api", "broke off")]]),
        ([refused(404), [READY]], []),
        ([refused(503), [READY]], []),
        ([Unreachable("https://api", "restarts"), [READY]], []),
    ],
)
def test_wait_ends_well(lists, watches):
    # Servers of other tests in this process may still be ending theirs.
    others = set(threading.enumerate())
    assert wait.Waiter(Api(lists, watches)).wait([NODE], 5) == []
    assert set(threading.enumerate()) <= others


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ([NOT_READY], "Node n1: not Ready (NoCNI)"),
        ([], "Node n1: it is not there"),
        (refused(404), "Node n1: it is not there"),
        (refused(500), "Node n1: list nodes failed (500 Reason): because"),
        (Unreachable("https://api", "gone"), "Node n1: the Kubernetes API at https://api can't be reached: gone"),
    ],
)
def test_wait_ends_late(answer, problem):
    assert wait.Waiter(Api([answer])).wait([NODE], 0.05) == [f"not ready after 0 s: {problem}"]
    assert wait.Waiter(Api([answer])).wait([NODE], 0) == [f"not ready: {problem}"]


def test_what_was_seen_ready_is_not_asked_for():
    api = Api([[READY]])
    assert wait.Waiter(api).wait([NODE._replace(seen=READY)], 5) == []
    assert api.asked == []


def test_who_may_only_get_is_served_too():
    api = Api([refused(403)], others={"/api/v1/nodes/n1": READY})
    assert wait.Waiter(api).wait([NODE], 5) == []
    with pytest.raises(ApiError, match="not allowed"):
        wait.Waiter(Api([refused(403)])).wait([NODE], 60)


def test_many_namespaces_are_one_list():
    claims = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True)
    bodies = [{"metadata": {"name": "c", "namespace": f"n{one}"}, "status": {"phase": "Bound"}} for one in range(5)]
    api = Api([bodies])
    targets = [Target(claims, "c", f"n{one}") for one in range(5)]
    assert wait.Waiter(api).wait(targets, 5) == []
    assert api.asked == ["/api/v1/persistentvolumeclaims"]


DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", True)
WEB = Target(DEPLOYMENTS, "web", "shop")
STATUS = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}
DEPLOYMENT = {
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "u1",
        "generation": 1,
        "annotations": {"deployment.kubernetes.io/revision": "1"},
    },
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
    "status": STATUS,
}
REPLICA_SETS = {
    "items": [
        {
            "metadata": {
                "labels": {"pod-template-hash": "h1"},
                "annotations": {"deployment.kubernetes.io/revision": "1"},
                "ownerReferences": [{"uid": "u1"}],
            }
        }
    ]
}


def pod(reason, message="", template_hash="h1", **more):
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "labels": {"app": "web", "pod-template-hash": template_hash},
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "x/y:1"}]},
        "status": {"containerStatuses": [{"name": "c", "state": state, **more}]},
    }


def rolling(one, **others):
    return Api(
        [[DEPLOYMENT]],
        others={
            "/api/v1/namespaces/shop/pods": {"metadata": {"resourceVersion": "7"}, "items": [one]},
            "/api/v1/namespaces/shop/events": {"items": []},
            "/apis/apps/v1/namespaces/shop/replicasets": REPLICA_SETS,
            "/api/v1/namespaces/shop/pods/web-1/log": "starting\nno database\n",
            **others,
        },
    )


def test_a_rollout_that_cannot_succeed_ends_the_wait():
    started = time.monotonic()
    problems = wait.Waiter(rolling(pod("ErrImagePull", "x/y:1: not found"))).wait([WEB], 60)
    assert time.monotonic() - started < 5
    assert problems == [
        "Deployment shop/web: pod web-1 on n1: container c: image x/y:1 can't be pulled: ErrImagePull: x/y:1: not found"
    ]


def test_a_crash_tells_the_last_lines_of_its_log():
    last = {"terminated": {"exitCode": 1}}
    problems = wait.Waiter(rolling(pod("CrashLoopBackOff", restartCount=2, lastState=last))).wait([WEB], 60)
    assert problems == [
        "Deployment shop/web: pod web-1 on n1: container c crashes: ended 3 times, last with exit code 1; "
        "log of web-1, container c: starting | no database"
    ]


@pytest.mark.parametrize(("unchanged", "again", "failed"), [(True, 2, False), (True, 3, True), (False, 2, True)])
def test_a_crash_of_before_counts_only_when_it_happens_again(monkeypatch, unchanged, again, failed):
    """After an outage: what was not changed is about to be started again by its kubelet."""
    monkeypatch.setattr(wait, "LOOK_SECONDS", 0.05)
    waiter = wait.Waiter(rolling(pod("CrashLoopBackOff", restartCount=2)))
    looks = [pod("CrashLoopBackOff", restartCount=2), pod("CrashLoopBackOff", restartCount=again)]
    objects = waiter._objects
    monkeypatch.setattr(
        waiter,
        "_objects",
        lambda resource, namespace: (
            [looks.pop(0) if len(looks) > 1 else looks[0]] if resource is wait.POD else objects(resource, namespace)
        ),
    )
    problems = waiter.wait([WEB._replace(unchanged=unchanged)], 0.5)
    assert problems[0].startswith("not ready after") is not failed
    assert "crashes: ended" in problems[0] or not failed


def test_a_pod_of_an_older_template_says_nothing_of_this_rollout():
    problems = wait.Waiter(rolling(pod("ErrImagePull", "not found", template_hash="h0"))).wait([WEB], 0.3)
    assert problems[0].startswith("not ready after 0 s: Deployment shop/web: 0 of 1 pods available; pod web-1 on n1: ")


@pytest.mark.parametrize(("seconds", "failed"), [(0.1, True), (30, False)])
def test_what_may_pass_gets_a_while(monkeypatch, seconds, failed):
    monkeypatch.setattr(wait, "LOOK_SECONDS", 0.05)
    api = rolling(pod("CreateContainerConfigError", 'secret "db" not found'))
    problems = wait.Waiter(api, patience=Patience(configuration=seconds)).wait([WEB], 1)
    assert problems[0].startswith("not ready after 1 s") is not failed
    assert 'secret "db" not found' in problems[0]


def test_pods_that_may_not_be_seen_are_no_reason_to_stop():
    api = rolling({}, **{"/api/v1/namespaces/shop/pods": refused(403)})
    problems = wait.Waiter(api).wait([WEB], 0.2)
    assert problems[0].startswith("not ready after 0 s: Deployment shop/web: 0 of 1 pods available; no details: ")


def test_late_objects_tell_all_there_is_to_know():
    warning = {
        "type": "Warning",
        "reason": "BackOff",
        "message": "Back-off restarting",
        "involvedObject": {"kind": "Pod", "name": "web-1"},
    }
    one = pod("CrashLoopBackOff", restartCount=1, lastState={"terminated": {"exitCode": 1}})
    api = rolling(one, **{"/api/v1/namespaces/shop/events": {"items": [warning]}})
    problems = wait.Waiter(api).wait([WEB], 0.2)
    assert problems == [
        "not ready after 0 s: Deployment shop/web: 0 of 1 pods available; "
        "pod web-1 on n1: container c waiting: CrashLoopBackOff; "
        "event: Pod web-1: BackOff: Back-off restarting; log of web-1, container c: starting | no database"
    ]


def test_claims_that_wait_for_their_first_pod_are_ready():
    claims = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True)
    body = {"metadata": {"name": "c", "namespace": "n"}, "spec": {}, "status": {"phase": "Pending"}}
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    classes = [{"metadata": {"name": "l", "annotations": default}, "volumeBindingMode": "WaitForFirstConsumer"}]
    others = {"/apis/storage.k8s.io/v1/storageclasses": {"items": classes}}
    assert wait.Waiter(Api([[body]], others=others)).wait([Target(claims, "c", "n")], 5) == []


def test_a_failed_one_ends_the_wait_for_all():
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow"}
    body = {**DEPLOYMENT, "status": {**STATUS, "conditions": [stuck]}}
    others = rolling(pod("ContainerCreating")).others
    problems = wait.Waiter(Api([[body]], others={**others, "/api/v1/nodes": {"items": []}})).wait([WEB, NODE], 60)
    assert len(problems) == 1
    assert "Deployment shop/web: the rollout made no progress (ProgressDeadlineExceeded: too slow)" in problems[0]


def test_wait_for_the_end():
    there = {"metadata": {"name": "n1", "uid": "u", "finalizers": ["a.io/x"]}}
    target = NODE._replace(ending="u")
    assert wait.Waiter(Api([[there]], [[event("DELETED", there)]])).wait([target], 5, "gone") == []
    problems = wait.Waiter(Api([[there]])).wait([target], 0.05, "gone")
    assert problems == ["not gone after 0 s: Node n1: still there, held by finalizers a.io/x"]
