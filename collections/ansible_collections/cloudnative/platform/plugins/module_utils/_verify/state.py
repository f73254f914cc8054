# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Judges what the Kubernetes API shows: pure functions from (expected, observed) to a result."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._verify.result import Result, skipped, verdict

Object = dict[str, t.Any]

CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
LEADERS = ("kube-controller-manager", "kube-scheduler")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_FAILED_CHECK = re.compile(r"^\[-\](\S+)", re.MULTILINE)


@dataclass(frozen=True)
class ExpectedNode:
    name: str
    role: str = "worker"
    address: str = ""


@dataclass(frozen=True)
class Expectation:
    """What the cluster should look like, said by the inventory and the bundle."""

    version: str = ""
    nodes: tuple[ExpectedNode, ...] = ()
    components: dict[str, Object] = field(default_factory=dict)
    allowed_digests: frozenset[str] = frozenset()

    @property
    def control_planes(self) -> tuple[ExpectedNode, ...]:
        return tuple(node for node in self.nodes if node.role == "control_plane")


def name_of(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def conditions_of(obj: Object) -> dict[str, Object]:
    return {item["type"]: item for item in obj.get("status", {}).get("conditions") or []}


def because(condition: Object | None) -> str:
    if not condition:
        return "no status reported"
    return condition.get("message") or condition.get("reason") or "no reason given"


def plain_version(version: str) -> str:
    return version.lstrip("v")


def nodes(expected: Expectation, observed: list[Object]) -> Result:
    """Every expected node is there, Ready, of the right role, version and address; no other node is."""
    faults = []
    found = {name_of(node): node for node in observed}
    wanted = {node.name: node for node in expected.nodes}
    faults += [f"node {name} is missing" for name in wanted if name not in found]
    if wanted:
        faults += [f"node {name} is not in the inventory" for name in sorted(found) if name not in wanted]
    for name, node in sorted(found.items()):
        faults += [f"node {name} {fault}" for fault in node_faults(node, wanted.get(name), expected.version)]
    versions = sorted({node["status"]["nodeInfo"]["kubeletVersion"] for node in observed})
    return verdict("nodes", faults, f"{len(found)} nodes Ready at {', '.join(versions)}")


def node_faults(node: Object, wanted: ExpectedNode | None, version: str) -> list[str]:
    faults = []
    conditions = conditions_of(node)
    if conditions.get("Ready", {}).get("status") != "True":
        faults.append(f"is not Ready: {because(conditions.get('Ready'))}")
    for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"):
        if conditions.get(kind, {}).get("status") == "True":
            faults.append(f"has {kind}: {because(conditions[kind])}")
    kubelet = node["status"]["nodeInfo"]["kubeletVersion"]
    if version and plain_version(kubelet) != plain_version(version):
        faults.append(f"runs kubelet {kubelet} instead of {version}")
    if node.get("spec", {}).get("unschedulable"):
        faults.append("is cordoned")
    if wanted is None:
        return faults
    role = "control_plane" if CONTROL_PLANE_LABEL in (node["metadata"].get("labels") or {}) else "worker"
    if role != wanted.role:
        faults.append(f"is a {role} instead of a {wanted.role}")
    addresses = [item["address"] for item in node["status"].get("addresses", []) if item["type"] == "InternalIP"]
    if wanted.address and wanted.address not in addresses:
        faults.append(f"has address {', '.join(addresses) or 'none'} instead of {wanted.address}")
    return faults


def api_servers(observed: dict[str, dict[str, str]]) -> Result:
    """Server URL → path → answer: `ok…` as the health endpoints send it, or what went wrong."""
    faults = []
    for server, answers in observed.items():
        for path, answer in answers.items():
            failed = _FAILED_CHECK.findall(answer)
            if failed:
                faults.append(f"{server}{path} reports {', '.join(failed)} as failed")
            elif not (answer == "ok" or answer.rstrip().endswith("check passed")):
                faults.append(f"{server}{path}: {answer.strip()}")
    return verdict("api-servers", faults, f"{len(observed)} API servers live and ready", sorted(observed))


def control_plane_pods(expected: Expectation, pods: list[Object]) -> Result:
    """The four static pods of every control plane are Ready."""
    found = {name_of(pod): pod for pod in pods}
    faults = []
    seen = 0
    for node in expected.control_planes:
        for component in STATIC_PODS:
            pod = found.get(f"{component}-{node.name}")
            if pod is None:
                faults.append(f"{component} does not run on {node.name}")
            elif conditions_of(pod).get("Ready", {}).get("status") != "True":
                faults.append(f"{component} on {node.name} is not Ready: {pod_trouble(pod)}")
            else:
                seen += 1
    return verdict("control-plane", faults, f"{seen} static pods Ready on {len(expected.control_planes)} hosts")


def pod_trouble(pod: Object) -> str:
    """The nearest thing to a cause that the status of a pod holds."""
    status = pod.get("status", {})
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = container.get("state", {})
        for kind in ("waiting", "terminated"):
            if kind in state and state[kind].get("reason") != "Completed":
                text = f"{container['name']} {state[kind].get('reason', kind)} {state[kind].get('message', '')}"
                return text.strip()
    for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready"):
        condition = conditions_of(pod).get(kind)
        if condition and condition.get("status") != "True":
            return because(condition)
    return f"phase {status.get('phase', 'unknown')}"


def workloads(observed: list[Object]) -> Result:
    """Every Deployment and DaemonSet of the platform's own namespaces is complete and up to date."""
    faults = []
    for item in observed:
        label = f"{item['kind']} {item['metadata']['namespace']}/{name_of(item)}"
        status = item.get("status", {})
        if item["kind"] == "DaemonSet":
            wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
            current = status.get("updatedNumberScheduled", 0)
        else:
            wanted, ready = item.get("spec", {}).get("replicas", 1), status.get("readyReplicas", 0)
            current = status.get("updatedReplicas", 0)
        if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
            faults.append(f"{label} has changes that no controller has seen yet")
        elif ready < wanted:
            faults.append(f"{label} has {ready} of {wanted} pods Ready")
        elif current < wanted:
            faults.append(f"{label} has {current} of {wanted} pods up to date")
    if not observed:
        faults.append("there are no workloads, not even the cluster's own")
    return verdict("workloads", faults, f"{len(observed)} workloads complete", [name_of(item) for item in observed])


def renewed(before: list[Object], after: list[Object]) -> bool:
    """Whether waiting longer can still change the judgement of `leases`."""
    first = {name_of(item): item.get("spec", {}).get("renewTime") for item in before}
    second = {name_of(item): item.get("spec", {}).get("renewTime") for item in after}
    return all(first[name] != second.get(name) for name in LEADERS if name in first)


def leases(expected: Expectation, before: list[Object], after: list[Object]) -> Result:
    """Leaders renew their leases: seen on the leases alone, so no two clocks are compared."""
    faults, holders = [], []
    first = {name_of(item): item.get("spec", {}) for item in before}
    second = {name_of(item): item.get("spec", {}) for item in after}
    names = [node.name for node in expected.control_planes]
    for name in LEADERS:
        holder = str(second.get(name, {}).get("holderIdentity") or "")
        if not holder:
            faults.append(f"{name} has no leader")
        elif second[name].get("renewTime") == first.get(name, {}).get("renewTime"):
            faults.append(f"{name} on {holder} has stopped renewing its lease")
        elif names and holder.rsplit("_", maxsplit=1)[0] not in names:
            faults.append(f"{name} is led by {holder}, which is not a control plane of the inventory")
        else:
            holders.append(f"{name}: {holder.rsplit('_', maxsplit=1)[0]}")
    return verdict("leaders", faults, ", ".join(holders))


def kubelet_certificates(observed: dict[str, str | None]) -> Result:
    """Node → what is wrong with the serving certificate of its kubelet, or nothing."""
    if not observed:
        return verdict("kubelet-certificates", ["no node has an internal address to ask"], "")
    faults = [f"kubelet of {node}: {problem}" for node, problem in sorted(observed.items()) if problem]
    return verdict("kubelet-certificates", faults, f"{len(observed)} kubelets serve a certificate of the cluster's CA")


def repository_of(image: str) -> str:
    """`host/path` of a reference with or without tag and digest."""
    name = image.split("@", maxsplit=1)[0]
    head, separator, tail = name.rpartition(":")
    return head if separator and "/" not in tail else name


def images(expected: Expectation, pods: list[Object]) -> Result:
    """Every running container runs an image of the bundle, proven by its digest."""
    if not expected.components:
        return skipped("images", "no list of components was given")
    of_bundle = {
        component["digest"]: component["ref"]
        for component in expected.components.values()
        if component.get("kind") == "image"
    }
    by_repository: dict[str, list[str]] = {}
    for digest, ref in of_bundle.items():
        by_repository.setdefault(repository_of(ref), []).append(digest)
    faults: dict[str, str] = {}
    used = set()
    for pod in pods:
        status = pod.get("status", {})
        for key in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
            for container in status.get(key) or []:
                image_id = container.get("imageID") or ""
                match = _DIGEST.search(image_id)
                if not image_id:
                    continue
                digest = match[0] if match else image_id
                if digest in of_bundle or digest in expected.allowed_digests:
                    used.add(digest)
                    continue
                where = f"{pod['metadata']['namespace']}/{name_of(pod)} container {container['name']}"
                right = by_repository.get(repository_of(container.get("image") or image_id))
                wanted = f"instead of {', '.join(right)}" if right else "which is not in the bundle"
                faults[where] = f"{where} runs {image_id}, {wanted}"
    return verdict("images", [faults[key] for key in sorted(faults)], f"{len(used)} images in use, all of the bundle")
