# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits of k8s_apply against a real API server.

There are no controllers and no kubelets here: a thread of the test writes the statuses that they would write.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
import typing as t

import pytest
from apply_objects import Run, config_map, custom, deployment

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
DONE = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
NONE_MISSING = {"observedGeneration": 2, "unavailableReplicas": None}
UNDER_WAY = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1}


def set_status(cluster: Cluster, path: str, status: dict[str, t.Any]) -> None:
    """As a controller would, as soon as the object is there."""
    deadline = time.monotonic() + 20
    while True:
        try:
            cluster.request("PATCH", f"{path}/status", body={"status": status}, content_type=MERGE)
            return
        except ApiError as e:
            if e.status != 404 or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(name="later")
def fixture_later() -> t.Iterator[t.Callable[..., None]]:
    """Calls a function after some seconds, while the module waits. Its failure is the test's."""
    others = set(threading.enumerate())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        calls: list[concurrent.futures.Future[None]] = []

        def later(seconds: float, call: t.Callable[..., None], *args: t.Any) -> None:
            def run() -> None:
                time.sleep(seconds)
                call(*args)

            calls.append(pool.submit(run))

        yield later
        for call in calls:
            call.result(30)
    assert set(threading.enumerate()) <= others


def workload_path(namespace: str, plural: str, name: str) -> str:
    group = "batch" if plural == "jobs" else "apps"
    return f"/apis/{group}/v1/namespaces/{namespace}/{plural}/{name}"


def claim(name: str, namespace: str, **spec: t.Any) -> dict[str, t.Any]:
    size = {"resources": {"requests": {"storage": "1Gi"}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], **size, **spec},
    }


def job(name: str, namespace: str) -> dict[str, t.Any]:
    container = {"name": "c", "image": "registry.k8s.io/pause:3.10.2"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


def test_everything_is_waited_for_together(run: Run, cluster: Cluster, namespace: str, later: t.Any) -> None:
    definitions = [
        deployment("web", namespace),
        job("once", namespace),
        claim("data", namespace, storageClassName="fast"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "edge", "namespace": namespace},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        },
    ]
    moment = "2026-11-26T10:00:00Z"
    complete = [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
    core = f"/api/v1/namespaces/{namespace}"
    later(1.0, set_status, cluster, workload_path(namespace, "deployments", "web"), DONE)
    later(
        1.2,
        set_status,
        cluster,
        workload_path(namespace, "jobs", "once"),
        {"conditions": complete, "startTime": moment, "completionTime": moment, "succeeded": 1},
    )
    later(1.4, set_status, cluster, f"{core}/persistentvolumeclaims/data", {"phase": "Bound"})
    later(1.6, set_status, cluster, f"{core}/services/edge", {"loadBalancer": {"ingress": [{"ip": "127.0.0.9"}]}})
    started = time.monotonic()
    result = run(definitions=definitions, wait=True, wait_timeout=30)
    took = time.monotonic() - started
    assert "failed" not in result, result["msg"]
    # As long as the last one, not as long as all after one another, and without asking again and again.
    assert 1.5 < took < 8
    assert result["requests"] < 2 + 2 * len(definitions) + 20
    again = run(definitions=definitions, wait=True, wait_timeout=30)
    assert again["changed"] is False
    # What an apply answers as ready is not asked for once more.
    assert again["requests"] == 2 + 2 * len(definitions)


@pytest.mark.parametrize("default", [True, False])
def test_claim_that_waits_for_its_first_consumer(run: Run, cluster: Cluster, namespace: str, default: bool) -> None:
    mode = {"metadata": {"name": f"local-{default}".lower()}, "provisioner": "none.test/x"}
    if default:
        mode["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    path = "/apis/storage.k8s.io/v1/storageclasses"
    cluster.request("POST", path, body={**mode, "volumeBindingMode": "WaitForFirstConsumer"})
    spec = {} if default else {"storageClassName": "local-false"}
    result = run(definitions=[claim("data", namespace, **spec)], wait=True, wait_timeout=5)
    cluster.request("DELETE", f"{path}/local-{default}".lower())
    assert "failed" not in result


def make_pod(cluster: Cluster, namespace: str, workload: str, status: dict[str, t.Any]) -> None:
    """What the Deployment's controller and a kubelet would do: a ReplicaSet, a pod of it and its status."""
    path = f"/apis/apps/v1/namespaces/{namespace}"
    revision = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}}
    body = cluster.request("PATCH", f"{path}/deployments/{workload}", body=revision, content_type=MERGE)
    labels = {"app": workload, "pod-template-hash": "h1"}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload, "uid": body["metadata"]["uid"]}
    template = body["spec"]["template"]
    cluster.request(
        "POST",
        f"{path}/replicasets",
        body={
            "metadata": {
                "name": f"{workload}-h1",
                "labels": labels,
                "ownerReferences": [owner],
                **revision["metadata"],
            },
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
            },
        },
    )
    pods = f"/api/v1/namespaces/{namespace}/pods"
    cluster.request(
        "POST", pods, body={"metadata": {"name": f"{workload}-h1-x", "labels": labels}, "spec": template["spec"]}
    )
    set_status(cluster, f"{path}/deployments/{workload}", UNDER_WAY)
    set_status(cluster, f"{pods}/{workload}-h1-x", status)


def waiting(reason: str, message: str, **more: t.Any) -> dict[str, t.Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    entry = {"name": "c", "image": "registry.k8s.io/pause:3.10.2", "imageID": "", "ready": False, "restartCount": 0}
    return {"phase": "Pending", "containerStatuses": [{**entry, "state": state, **more}]}


UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu.",
        }
    ],
}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            waiting("ImagePullBackOff", "Back-off pulling image: ErrImagePull: rpc error: code = NotFound: not found"),
            ["image registry.k8s.io/pause:3.10.2 can't be pulled: ImagePullBackOff", "code = NotFound"],
        ),
        (
            waiting(
                "CrashLoopBackOff",
                "back-off 20s restarting failed container",
                restartCount=3,
                lastState={"terminated": {"exitCode": 2, "reason": "Error"}},
            ),
            ["container c crashes: ended 4 times, last with exit code 2"],
        ),
        (UNSCHEDULABLE, ["pod web-h1-x can't be scheduled: 0/3 nodes are available: 3 Insufficient cpu."]),
    ],
    ids=["image", "crash", "unschedulable"],
)
def test_rollout_that_cannot_succeed(
    run: Run, cluster: Cluster, namespace: str, later: t.Any, status: dict[str, t.Any], words: list[str]
) -> None:
    later(0.5, make_pod, cluster, namespace, "web", status)
    started = time.monotonic()
    result = run(
        definitions=[config_map("c", namespace), deployment("web", namespace)],
        wait=True,
        wait_timeout=60,
        unschedulable_timeout=1,
    )
    assert time.monotonic() - started < 12
    assert result["failed"] is True
    assert result["actions"] == [f"created ConfigMap {namespace}/c", f"created Deployment {namespace}/web"]
    assert result["msg"].startswith(f"Deployment {namespace}/web: pod web-h1-x")
    for word in words:
        assert word in result["msg"]


@pytest.mark.parametrize("again", [False, True])
def test_crash_of_before_may_be_over(run: Run, cluster: Cluster, namespace: str, later: t.Any, again: bool) -> None:
    """As after an outage: a run that changes nothing waits until the kubelet has started it once more."""
    definitions = [deployment("web", namespace)]
    run(definitions=definitions)
    crashed = waiting("CrashLoopBackOff", "back-off 20s restarting failed container", restartCount=3)
    make_pod(cluster, namespace, "web", crashed)
    if again:
        crashed = waiting("CrashLoopBackOff", "back-off 40s restarting failed container", restartCount=4)
        later(1.5, set_status, cluster, f"/api/v1/namespaces/{namespace}/pods/web-h1-x", crashed)
    else:
        later(1.5, set_status, cluster, workload_path(namespace, "deployments", "web"), {**DONE, **NONE_MISSING})
    result = run(definitions=definitions, wait=True, wait_timeout=30)
    assert result["changed"] is False
    assert ("crashes: ended 5 times" in result.get("msg", "")) is again
    assert result.get("failed", False) is again


def test_quota_of_a_workload_that_tells_by_events(run: Run, cluster: Cluster, namespace: str, later: t.Any) -> None:
    body = deployment("db", namespace)
    body = {**body, "kind": "StatefulSet", "spec": {**body["spec"], "serviceName": "db"}}
    message = 'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: small'
    event = {
        "metadata": {"name": "db.1", "namespace": namespace},
        "involvedObject": {"kind": "StatefulSet", "name": "db", "namespace": namespace},
        "reason": "FailedCreate",
        "type": "Warning",
        "message": message,
    }
    later(0.5, set_status, cluster, workload_path(namespace, "statefulsets", "db"), {"observedGeneration": 1})
    later(1.5, cluster.request, "POST", f"/api/v1/namespaces/{namespace}/events", None, event)
    started = time.monotonic()
    result = run(definitions=[body], wait=True, wait_timeout=60)
    # It has ten seconds to pass.
    assert 10 < time.monotonic() - started < 20
    assert result["msg"] == f"StatefulSet {namespace}/db: its pods can't be created: {message}"


def test_conditions_of_a_user(run: Run, cluster: Cluster, namespace: str, later: t.Any) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    conditions = [
        {"kind": "ConfigMap", "name": "a", "expression": "data.x == '2'"},
        {"kind": "Secret", "name": "made-by-an-operator", "expression": "length(data.password) > `3`"},
        {"kind": "Lamp", "name": "l", "expression": "spec.size"},
    ]
    definitions = [
        custom("lamps", "Lamp", "waits.test"),
        {"apiVersion": "waits.test/v1", "kind": "Lamp", "metadata": {"name": "l"}, "spec": {"size": 1}},
        config_map("a", x="1"),
    ]
    secret = {"metadata": {"name": "made-by-an-operator"}, "stringData": {"password": "hunter2"}}
    later(1.5, cluster.request, "POST", f"/api/v1/namespaces/{namespace}/secrets", None, secret)
    later(2.0, cluster.request, "PATCH", f"{path}/a", None, {"data": {"x": "2"}}, MERGE)
    result = run(definitions=definitions, namespace=namespace, wait=True, wait_timeout=30, wait_for=conditions)
    assert "failed" not in result, result["msg"]
    late = run(
        definitions=definitions[:2],
        namespace=namespace,
        wait=True,
        wait_timeout=1,
        wait_for=[
            {"kind": "ConfigMap", "name": "a", "expression": "data.x == '3'"},
            {"kind": "ConfigMap", "name": "b", "expression": "data.x"},
        ],
    )
    assert f"not ready after 1 s: ConfigMap {namespace}/a: data.x == '3' is false" in late["msg"]
    assert f"ConfigMap {namespace}/b: it is not there" in late["msg"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            {"kind": "ConfigMap", "expression": "data.x = '2'"},
            "wait_for[0]: \"data.x = '2'\" is no JMESPath expression",
        ),
        ({"kind": "ConfigMap", "expression": "size(data)"}, "size(), which JMESPath does not have"),
        ({"kind": "ConfigMop", "expression": "data"}, "the cluster serves no ConfigMop; did you mean ConfigMap?"),
    ],
)
def test_wrong_condition(run: Run, cluster: Cluster, namespace: str, condition: dict[str, str], words: str) -> None:
    for check in (True, False):
        result = run(
            definitions=[config_map("early", namespace)], wait=True, wait_for=[{"name": "a", **condition}], check=check
        )
        assert words in result["msg"]
    with pytest.raises(ApiError, match="404"):
        cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/early")
    unused = run(definitions=[config_map("early", namespace)], wait_for=[{"name": "a", **condition}])
    assert "wait_for needs wait=true" in unused["msg"]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("spec.replicas >= '1'", "'>=' not supported between instances of 'int' and 'str'"),
        ("contains(metadata.name, `1`)", "requires string"),
        ("spec.template.spec.containers[::0]", "slice step cannot be zero"),
    ],
)
def test_condition_that_turns_out_wrong(run: Run, namespace: str, expression: str, words: str) -> None:
    """It ends the wait at once, and what was done before is told."""
    condition = {"kind": "Deployment", "api_version": "apps/v1", "name": "web", "expression": expression}
    started = time.monotonic()
    result = run(
        definitions=[deployment("web", namespace, replicas=1)],
        namespace=namespace,
        wait=True,
        wait_timeout=60,
        wait_for=[condition],
    )
    assert time.monotonic() - started < 20
    assert f"Deployment {namespace}/web: {expression} can't be evaluated: " in result["msg"]
    assert words in result["msg"]
    assert "numbers stand in backticks" in result["msg"]
    assert (result["changed"], result["actions"]) == (True, [f"created Deployment {namespace}/web"])


def test_who_may_not_watch_waits_too(run: Run, cluster: Cluster, namespace: str, later: t.Any) -> None:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch", "create"]}
    cluster.request("POST", f"{path}/roles", body={"metadata": {"name": "few"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "few"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "few"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}],
    }
    cluster.request("POST", f"{path}/rolebindings", body=binding)
    later(1.5, set_status, cluster, workload_path(namespace, "deployments", "web"), DONE)
    result = run(definitions=[deployment("web", namespace)], wait=True, wait_timeout=20, context="limited")
    assert "failed" not in result, result["msg"]


def test_end_of_an_object_that_is_held(run: Run, cluster: Cluster, namespace: str, later: t.Any) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/a"
    definition = config_map("a", namespace)
    run(definitions=[definition])
    held = {"metadata": {"finalizers": ["example.test/hold"]}}
    cluster.request("PATCH", path, body=held, content_type=MERGE)
    late = run(definitions=[definition], state="absent", wait=True, wait_timeout=1)
    assert (
        f"not gone after 1 s: ConfigMap {namespace}/a: still there, held by finalizers example.test/hold" in late["msg"]
    )
    assert late["actions"] == [f"deleted ConfigMap {namespace}/a"]
    later(1.0, cluster.request, "PATCH", path, None, {"metadata": {"finalizers": None}}, MERGE)
    result = run(definitions=[definition], state="absent", wait=True, wait_timeout=20)
    assert "failed" not in result
