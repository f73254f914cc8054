# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._verify import state
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.state import Expectation, ExpectedNode

EXPECTED = Expectation(
    version="v1.36.4",
    nodes=(ExpectedNode("cp1", "control_plane", "192.0.2.11"), ExpectedNode("w1", "worker", "192.0.2.21")),
)
DIGEST = {
    name: f"sha256:{number:064x}" for number, name in enumerate(("kube-proxy", "pause", "etcd", "foreign", "old"))
}


def node(name, address, control_plane=False, ready="True", version="v1.36.4", **more):
    conditions = [{"type": "Ready", "status": ready, "message": "container runtime is down"}]
    return {
        "metadata": {"name": name, "labels": {state.CONTROL_PLANE_LABEL: ""} if control_plane else {}},
        "spec": more.get("spec", {}),
        "status": {
            "conditions": conditions + more.get("conditions", []),
            "nodeInfo": {"kubeletVersion": version},
            "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}],
        },
    }


CP1 = node("cp1", "192.0.2.11", control_plane=True)
W1 = node("w1", "192.0.2.21")


@pytest.mark.parametrize(
    ("observed", "faults"),
    [
        ([CP1, W1], []),
        ([CP1], ["node w1 is missing"]),
        ([CP1, W1, node("w9", "192.0.2.29")], ["node w9 is not in the inventory"]),
        ([CP1, node("w1", "192.0.2.21", ready="False")], ["node w1 is not Ready: container runtime is down"]),
        ([CP1, node("w1", "192.0.2.21", ready="Unknown")], ["node w1 is not Ready: container runtime is down"]),
        ([CP1, node("w1", "192.0.2.21", version="v1.35.1")], ["node w1 runs kubelet v1.35.1 instead of v1.36.4"]),
        ([CP1, node("w1", "192.0.2.99")], ["node w1 has address 192.0.2.99 instead of 192.0.2.21"]),
        ([CP1, node("w1", "192.0.2.21", control_plane=True)], ["node w1 is a control_plane instead of a worker"]),
        ([node("cp1", "192.0.2.11"), W1], ["node cp1 is a worker instead of a control_plane"]),
        ([CP1, node("w1", "192.0.2.21", spec={"unschedulable": True})], ["node w1 is cordoned"]),
        (
            [CP1, node("w1", "192.0.2.21", conditions=[{"type": "DiskPressure", "status": "True", "reason": "Full"}])],
            ["node w1 has DiskPressure: Full"],
        ),
        ([], ["node cp1 is missing", "node w1 is missing"]),
    ],
)
def test_nodes(observed, faults):
    result = state.nodes(EXPECTED, observed)
    assert (result.status, result.details) == (("failed", faults) if faults else ("ok", []))


def test_any_node_is_right_when_none_is_expected():
    assert state.nodes(Expectation(), [W1]).status == "ok"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("[+]ping ok\n[+]etcd ok\nreadyz check passed\n", None),
        ("ok", None),
        (
            "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n",
            "https://a/readyz reports etcd as failed",
        ),
        ("the Kubernetes API at https://a can't be reached: timed out", "https://a/readyz: the Kubernetes API at"),
        ("", "https://a/readyz: "),
    ],
)
def test_api_servers(answer, fault):
    result = state.api_servers({"https://a": {"/readyz": answer}})
    assert result.status == ("failed" if fault else "ok")
    assert result.message.startswith(fault or "1 API servers")


def pod(name, namespace="kube-system", ready="True", containers=(), **status):
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": list(containers),
            **status,
        },
    }


STATIC = [pod(f"{component}-cp1") for component in state.STATIC_PODS]


@pytest.mark.parametrize(
    ("pods", "faults"),
    [
        (STATIC, []),
        (STATIC[1:], ["etcd does not run on cp1"]),
        (
            [
                *STATIC[:3],
                pod(
                    "kube-scheduler-cp1",
                    ready="False",
                    containers=[
                        {
                            "name": "kube-scheduler",
                            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                        }
                    ],
                ),
            ],
            ["kube-scheduler on cp1 is not Ready: kube-scheduler CrashLoopBackOff back-off 10s"],
        ),
    ],
)
def test_control_plane_pods(pods, faults):
    result = state.control_plane_pods(EXPECTED, pods)
    assert (result.status, result.details) == (("failed", faults) if faults else ("ok", []))


def workload(kind, **status):
    return {
        "kind": kind,
        "metadata": {"name": "x", "namespace": "kube-system", "generation": 2},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, **status},
    }


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        (workload("Deployment", readyReplicas=2, updatedReplicas=2), None),
        (workload("Deployment", readyReplicas=1, updatedReplicas=2), "has 1 of 2 pods Ready"),
        (workload("Deployment", updatedReplicas=2), "has 0 of 2 pods Ready"),
        (workload("Deployment", readyReplicas=2, updatedReplicas=1), "has 1 of 2 pods up to date"),
        (workload("Deployment", readyReplicas=2, updatedReplicas=2, observedGeneration=1), "has changes that"),
        (workload("DaemonSet", desiredNumberScheduled=3, numberReady=3, updatedNumberScheduled=3), None),
        (
            workload("DaemonSet", desiredNumberScheduled=3, numberReady=2, updatedNumberScheduled=3),
            "has 2 of 3 pods Ready",
        ),
        (workload("DaemonSet", desiredNumberScheduled=3, numberReady=3), "has 0 of 3 pods up to date"),
    ],
)
def test_workloads(item, fault):
    result = state.workloads([item])
    assert result.status == ("failed" if fault else "ok")
    assert not fault or f"{item['kind']} kube-system/x {fault}" in result.message


def test_no_workload_proves_nothing():
    assert state.workloads([]).status == "failed"


def leases(scheduler="cp1_aa", manager="cp1_bb", time="1"):
    specs = {"kube-scheduler": scheduler, "kube-controller-manager": manager}
    return [
        {"metadata": {"name": name}, "spec": {"holderIdentity": holder, "renewTime": time}}
        for name, holder in specs.items()
        if holder is not None
    ]


@pytest.mark.parametrize(
    ("before", "after", "renewed", "fault"),
    [
        (leases(), leases(time="2"), True, None),
        (leases(), leases(), False, "kube-controller-manager on cp1_bb has stopped renewing its lease"),
        (leases(), leases(scheduler=None, time="2"), True, "kube-scheduler has no leader"),
        (leases(scheduler=None), leases(scheduler="cp1_x", time="2"), True, None),
        (leases(), leases(scheduler="cp9_x", time="2"), True, "kube-scheduler is led by cp9_x"),
        # Names of nodes may hold an underscore nowhere, identities after it always do.
        (leases(), leases(scheduler="cp1_aa_bb", time="2"), True, "kube-scheduler is led by cp1_aa_bb"),
    ],
)
def test_leases(before, after, renewed, fault):
    assert state.renewed(before, after) is renewed
    result = state.leases(EXPECTED, before, after)
    assert result.status == ("failed" if fault else "ok")
    assert result.message.startswith(fault or "kube-controller-manager: cp1, kube-scheduler: cp1")


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        ({"cp1": None, "w1": None}, "2 kubelets serve a certificate of the cluster's CA"),
        ({"cp1": None, "w1": "self-signed certificate"}, "kubelet of w1: self-signed certificate"),
        ({}, "no node has an internal address to ask"),
    ],
)
def test_kubelet_certificates(observed, message):
    assert state.kubelet_certificates(observed).message == message


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause"),
        ("registry.k8s.io/pause@sha256:00", "registry.k8s.io/pause"),
        ("localhost:5000/a/b", "localhost:5000/a/b"),
        ("localhost:5000/a/b:1@sha256:00", "localhost:5000/a/b"),
    ],
)
def test_repository_of(image, repository):
    assert state.repository_of(image) == repository


def container(name, image, image_id):
    return {"name": name, "image": image, "imageID": image_id}


BUNDLE = Expectation(
    components={
        "kube-proxy": {"kind": "image", "ref": "registry.k8s.io/kube-proxy:v1.36.4", "digest": DIGEST["kube-proxy"]},
        "etcd": {"kind": "image", "ref": "registry.k8s.io/etcd:3.6.8-0", "digest": DIGEST["etcd"]},
        "kubelet": {"kind": "files", "ref": "cloudnative.platform/kubelet:v1", "digest": DIGEST["foreign"]},
    },
    allowed_digests=frozenset({DIGEST["pause"]}),
)


@pytest.mark.parametrize(
    ("statuses", "fault"),
    [
        ([container("a", "registry.k8s.io/etcd:3.6.8-0", f"registry.k8s.io/etcd@{DIGEST['etcd']}")], None),
        ([container("a", "x/allowed:1", f"x/allowed@{DIGEST['pause']}")], None),
        ([container("a", "registry.k8s.io/etcd:3.6.8-0", "")], None),
        (
            [container("a", "registry.k8s.io/kube-proxy:v1.36.4", f"registry.k8s.io/kube-proxy@{DIGEST['old']}")],
            f"kube-system/p container a runs registry.k8s.io/kube-proxy@{DIGEST['old']}, "
            f"instead of {DIGEST['kube-proxy']}",
        ),
        (
            [container("a", "docker.io/evil:1", f"docker.io/evil@{DIGEST['old']}")],
            f"kube-system/p container a runs docker.io/evil@{DIGEST['old']}, which is not in the bundle",
        ),
        # The digest of files is no image.
        (
            [container("a", "docker.io/evil:1", f"docker.io/evil@{DIGEST['foreign']}")],
            f"kube-system/p container a runs docker.io/evil@{DIGEST['foreign']}, which is not in the bundle",
        ),
        (
            [container("a", "imported:1", "imported-without-digest")],
            "kube-system/p container a runs imported-without-digest, which is not in the bundle",
        ),
    ],
)
@pytest.mark.parametrize("key", ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"])
def test_images(statuses, fault, key):
    result = state.images(BUNDLE, [pod("p", **{key: statuses})])
    assert result.status == ("failed" if fault else "ok")
    assert not fault or result.message == fault


def test_images_are_not_judged_without_a_bundle():
    assert state.images(Expectation(), []).status == "skipped"
