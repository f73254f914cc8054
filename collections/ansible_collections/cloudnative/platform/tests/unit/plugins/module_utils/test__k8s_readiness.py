# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import (
    State,
    daemon_set,
    ended,
    has_rule,
    readiness,
    volume_claim,
    waits_for_pod,
)


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
        ("Deployment", body({"replicas": 2, "paused": True}, {}), State.READY, ""),
        ("ReplicaSet", body({"replicas": 2}, {"availableReplicas": 2}), State.READY, ""),
        ("ReplicaSet", body({"replicas": 2}, {**QUOTA, "availableReplicas": 1}), State.WAITING, "exceeded quota"),
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
    # What another group's kinds mean is not known, but their conditions may tell.
    assert has_rule("ex.io", "Deployment")


@pytest.mark.parametrize(
    ("available", "tolerated", "ready"), [(2, 1, True), (1, 1, False), (0, 3, True), (2, 0, False)]
)
def test_daemon_set_without_nodes_that_are_gone(available, tolerated, ready):
    status = {"desiredNumberScheduled": 3, "updatedNumberScheduled": available, "numberAvailable": available}
    assert (daemon_set(body(status=status), tolerated).state is State.READY) is ready


def gateway_conditions(*entries):
    return [dict(zip(("type", "status", "observedGeneration", "reason"), entry)) for entry in entries]


ACCEPTED = gateway_conditions(("Accepted", "True", 2), ("ResolvedRefs", "True", 2))
PARENTS = {"parentRefs": [{"name": "edge", "sectionName": "https"}, {"name": "inner"}]}


def parent(name, conditions, **more):
    return {"parentRef": {"group": "gateway.networking.k8s.io", "name": name, **more}, "conditions": conditions}


@pytest.mark.parametrize(
    ("kind", "obj", "state", "words"),
    [
        ("GatewayClass", body(status={"conditions": ACCEPTED}, generation=2), State.READY, ""),
        ("Gateway", body(status={"conditions": ACCEPTED}, generation=2), State.WAITING, "not Programmed"),
        (
            "Gateway",
            body(status={"conditions": gateway_conditions(("Accepted", "True", 1))}, generation=2),
            State.WAITING,
            "Accepted is not known of this version yet",
        ),
        (
            "Gateway",
            body(
                status={"conditions": gateway_conditions(("Accepted", "True", 2), ("Programmed", "False", 2, "NoIP"))}
            ),
            State.WAITING,
            "not Programmed (NoIP)",
        ),
        (
            "Gateway",
            body(status={"conditions": gateway_conditions(("Accepted", "True", 2), ("Programmed", "True", 2))}),
            State.READY,
            "",
        ),
        ("HTTPRoute", body(PARENTS, {}), State.WAITING, "no controller has answered for parent edge yet"),
        (
            "HTTPRoute",
            body(PARENTS, {"parents": [parent("edge", ACCEPTED, sectionName="http"), parent("inner", ACCEPTED)]}),
            State.WAITING,
            "parent edge",
        ),
        (
            "HTTPRoute",
            body(PARENTS, {"parents": [parent("edge", ACCEPTED, sectionName="https"), parent("inner", ACCEPTED[:1])]}),
            State.WAITING,
            "parent inner: not ResolvedRefs",
        ),
        (
            "GRPCRoute",
            body(PARENTS, {"parents": [parent("edge", ACCEPTED, sectionName="https"), parent("inner", ACCEPTED)]}),
            State.READY,
            "",
        ),
        ("HTTPRoute", body(), State.READY, ""),
    ],
)
def test_gateway_api(kind, obj, state, words):
    verdict = readiness("gateway.networking.k8s.io", kind, obj)
    assert verdict.state is state
    assert words in verdict.message


@pytest.mark.parametrize(
    ("obj", "state", "words"),
    [
        ({"metadata": {"name": "x", "generation": 3}}, State.READY, ""),
        (body(status=conditions(("Ready", "True"))), State.READY, ""),
        (body(status=conditions(("Ready", "False", "NoDisk", "full"))), State.WAITING, "not Ready (NoDisk: full)"),
        (body(status=conditions(("Ready", "True")), generation=2), State.WAITING, "not seen this version"),
        (
            {
                "metadata": {"generation": 2},
                "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]},
            },
            State.WAITING,
            "Ready is not known of this version yet",
        ),
        (body(status=conditions(("Reconciling", "True", "Working"), ("Ready", "True"))), State.WAITING, "reconciling"),
        (body(status=conditions(("Stalled", "True", "Wrong", "no such class"))), State.FAILED, "no such class"),
        (body(deletionTimestamp="now"), State.FAILED, "being deleted"),
    ],
)
def test_custom_objects_by_their_conditions(obj, state, words):
    verdict = readiness("ex.io", "Thing", obj)
    assert verdict.state is state
    assert words in verdict.message


@pytest.mark.parametrize(
    ("kind", "obj", "state", "words"),
    [
        ("Service", body({"type": "ClusterIP"}), State.READY, ""),
        ("Service", body({"type": "LoadBalancer"}), State.WAITING, "no load balancer"),
        (
            "Service",
            body({"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}),
            State.READY,
            "",
        ),
        ("Pod", body(status={"phase": "Pending"}), State.WAITING, "Pending"),
        ("Pod", body(status={"phase": "Running", **conditions(("Ready", "True"))}), State.READY, ""),
        ("Pod", body(status={"phase": "Running", **conditions(("Ready", "False"))}), State.WAITING, "not ready"),
        ("Pod", body(status={"phase": "Succeeded"}), State.READY, ""),
        ("Pod", body(status={"phase": "Failed", "reason": "Evicted"}), State.FAILED, "Evicted"),
    ],
)
def test_core(kind, obj, state, words):
    verdict = readiness("", kind, obj)
    assert verdict.state is state
    assert words in verdict.message


@pytest.mark.parametrize(
    ("spec", "status", "waits", "state", "words"),
    [
        ({"storageClassName": "fast"}, {"phase": "Bound"}, False, State.READY, ""),
        ({"storageClassName": "fast"}, {"phase": "Pending"}, True, State.READY, ""),
        ({"storageClassName": "fast"}, {"phase": "Pending"}, False, State.WAITING, "not bound by storage class fast"),
        ({}, {"phase": "Pending"}, False, State.WAITING, "the cluster has no default one"),
        ({"volumeName": "v"}, {"phase": "Pending"}, False, State.WAITING, "not bound"),
        ({"volumeName": "v"}, {"phase": "Lost"}, True, State.FAILED, "volume v is lost"),
    ],
)
def test_volume_claim(spec, status, waits, state, words):
    verdict = volume_claim(body(spec, status), waits)
    assert verdict.state is state
    assert words in verdict.message


def storage_class(name, mode, default=False):
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {"metadata": {"name": name, "annotations": annotations}, "volumeBindingMode": mode}


@pytest.mark.parametrize(
    ("spec", "waits"),
    [
        ({}, True),
        ({"storageClassName": "fast"}, False),
        ({"storageClassName": "local"}, True),
        ({"storageClassName": "none"}, False),
        ({"storageClassName": ""}, False),
    ],
)
def test_claims_that_wait_for_a_pod(spec, waits):
    classes = [
        storage_class("fast", "Immediate"),
        storage_class("local", "WaitForFirstConsumer", default=True),
    ]
    assert waits_for_pod(body(spec), classes) is waits


def test_end_of_an_object():
    assert ended(None, "u1").state is State.READY
    # A controller made a new one of the same name.
    assert ended(body(uid="u2"), "u1").state is State.READY
    assert "held by finalizers a.io/x, b" in ended(body(uid="u1", finalizers=["a.io/x", "b"]), "u1").message
