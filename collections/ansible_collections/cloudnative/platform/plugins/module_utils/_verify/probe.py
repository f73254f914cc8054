# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The objects that the probes need, and the judgement of what the probes saw. Pure functions only."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._verify.result import Result, verdict

Object = dict[str, t.Any]

NAMESPACE = "cloudnative-verify"
PROBE = "probe"
PORT = 8080
POLICY_SERVER = "policy-server"
POLICY_ALLOWED = "policy-allowed"
POLICY_DENIED = "policy-denied"
_OWNER = {"app.kubernetes.io/managed-by": "cloudnative.platform", "app.kubernetes.io/part-of": "cluster-verify"}


def labels(name: str) -> dict[str, str]:
    return {**_OWNER, "app.kubernetes.io/name": name}


def namespace() -> Object:
    """The strictest Pod Security level: what runs here must run anywhere."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": {**_OWNER, "pod-security.kubernetes.io/enforce": "restricted"},
        },
    }


def pod_spec(image: str) -> Object:
    """A web server that answers with its name and connects to where it is told."""
    return {
        "automountServiceAccountToken": False,
        "serviceAccountName": PROBE,
        "enableServiceLinks": False,
        # Gone at once: nothing in here is worth a graceful end.
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "runAsGroup": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": PROBE,
                "image": image,
                # The registry is asked each time, even where the image is already on the node.
                "imagePullPolicy": "Always",
                "command": ["/agnhost"],
                "args": ["netexec", f"--http-port={PORT}", "--udp-port=-1"],
                "ports": [{"containerPort": PORT}],
                "readinessProbe": {
                    "httpGet": {"path": "/hostname", "port": PORT},
                    "periodSeconds": 1,
                    "failureThreshold": 60,
                },
                "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "64Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


def service_account() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": PROBE, "namespace": NAMESPACE, "labels": labels(PROBE)},
        "automountServiceAccountToken": False,
    }


def daemon_set(image: str) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": PROBE, "namespace": NAMESPACE, "labels": labels(PROBE)},
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": PROBE}},
            "template": {"metadata": {"labels": labels(PROBE)}, "spec": pod_spec(image)},
        },
    }


def service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": PROBE, "namespace": NAMESPACE, "labels": labels(PROBE)},
        "spec": {"selector": {"app.kubernetes.io/name": PROBE}, "ports": [{"port": PORT, "targetPort": PORT}]},
    }


def policy_pod(name: str, image: str) -> Object:
    """One of the three pods of the policy test, on different nodes where there are enough."""
    spread = {
        "labelSelector": {"matchLabels": {"cloudnative.platform/verify": "policy"}},
        "topologyKey": "kubernetes.io/hostname",
    }
    preferred = [{"weight": 100, "podAffinityTerm": spread}]
    affinity = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {**labels(name), "cloudnative.platform/verify": "policy"},
        },
        "spec": {**pod_spec(image), "affinity": affinity},
    }


def network_policy() -> Object:
    """Only one of the two clients may reach the server."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": POLICY_SERVER, "namespace": NAMESPACE, "labels": labels(POLICY_SERVER)},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": POLICY_SERVER}},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": POLICY_ALLOWED}}}]},
            ],
        },
    }


@dataclass
class Dial:
    """One connection from a pod to a target: what answered, or why nothing did."""

    source: str
    target: str
    responses: list[str] = field(default_factory=list)
    error: str = ""
    attempts: int = 1
    # False when the pod itself could not be asked, which proves nothing about its target.
    asked: bool = True


def parse_dial(source: str, target: str, answer: t.Any) -> Dial:
    """The JSON of the probe's /dial, which arrives as text."""
    try:
        parsed = json.loads(answer) if isinstance(answer, str) else answer
        errors = parsed.get("errors") or []
        return Dial(source, target, list(parsed.get("responses") or []), "; ".join(sorted(set(errors))))
    except (ValueError, AttributeError):
        return Dial(source, target, error=f"unexpected answer {answer!r}")


def connections(name: str, dials: list[Dial], what: str, expected: t.Container[str] | None = None) -> Result:
    """Every connection was made and, where it matters, answered by the right one."""
    faults, slow = [], []
    if not dials:
        faults.append("there is no pod to connect from")
    for dial in dials:
        if dial.error or not dial.responses:
            faults.append(f"{dial.source} cannot reach {dial.target}: {dial.error or 'no answer'}")
        elif expected is not None and any(response not in expected for response in dial.responses):
            faults.append(f"{dial.source} to {dial.target} was answered by {', '.join(sorted(set(dial.responses)))}")
        elif dial.attempts > 1:
            slow.append(f"{dial.source} reached {dial.target} at attempt {dial.attempts}")
    return verdict(name, faults, f"{len(dials)} {what}", slow)


def pod_pairs(dials: list[Dial]) -> Result:
    """Every node's pod was reached from every other node's, and it was that pod that answered."""
    faults = [] if dials else ["there are no two pods to connect with each other"]
    for dial in dials:
        if dial.error or not dial.responses:
            faults.append(f"pod on {dial.source} cannot reach the pod on {dial.target}: {dial.error or 'no answer'}")
    return verdict("pod-network", faults, f"{len(dials)} connections between pods of different nodes")


def answered_by(dials: list[Dial]) -> set[str]:
    return {response for dial in dials for response in dial.responses}


def service_spread(dials: list[Dial], backends: dict[str, str]) -> Result:
    """Backends are pod names and their nodes. All pods reach the Service, and more than one backend answers."""
    reached = connections("service", dials, f"pods reach the Service, it has {len(backends)} backends", backends)
    answered = answered_by(dials)
    silent = sorted(node for pod, node in backends.items() if pod not in answered)
    if reached.status == "ok" and len(backends) > 1 and len(answered) < 2:
        return verdict("service", [f"only {', '.join(sorted(answered))} answers for {len(backends)} backends"], "")
    if silent:
        reached.details.append(f"no answer happened to come from {', '.join(silent)}")
    return reached


def node_of(pod: Object) -> str:
    """The node a pod runs on, or the one its DaemonSet wants it on while it is not scheduled."""
    spec = pod["spec"]
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for expression in term.get("matchFields") or []:
            if expression.get("key") == "metadata.name":
                return str(expression["values"][0])
    return ""


def image_pull(image: str, pods: list[Object], events: list[Object], missing: dict[str, str]) -> Result:
    """Every node asked the registry for the image and runs exactly the wanted digest."""
    digest = image.rpartition("@")[2]
    pulled = {
        event.get("involvedObject", {}).get("name")
        for event in events
        if event.get("reason") == "Pulled" and "Successfully pulled" in (event.get("message") or "")
    }
    faults = [f"{node} has not pulled {image}: {why}" for node, why in sorted(missing.items())]
    for pod in pods:
        node = node_of(pod)
        running = [item.get("imageID", "") for item in pod.get("status", {}).get("containerStatuses") or []]
        if not all(image_id.endswith(digest) for image_id in running):
            faults.append(f"{node} runs {', '.join(running)} instead of {digest}")
        elif pod["metadata"]["name"] not in pulled:
            faults.append(f"{node} did not report that it pulled {image}")
    return verdict("image-pull", faults, f"{len(pods)} nodes pulled {image}")


def policy(before: list[Dial], allowed: list[Dial], denied: list[Dial]) -> Result:
    """Both clients connect without the policy; with it, one still does and the other does not."""
    name = "network-policy"
    faults = [
        f"{dial.source} cannot reach {dial.target} even without a policy: {dial.error or 'no answer'}"
        for dial in before
        if dial.error or not dial.responses
    ]
    if not faults:
        faults += [
            f"{dial.source} is allowed but cannot reach {dial.target}: {dial.error or 'no answer'}"
            for dial in allowed
            if dial.error or not dial.responses
        ]
        faults += [f"{dial.source} cannot be asked: {dial.error}" for dial in denied if not dial.asked]
        faults += [
            f"{dial.source} still reaches {dial.target} although no policy allows it"
            for dial in denied
            if dial.responses
        ]
    return verdict(name, faults, "a connection that the policy allows is made, one that it does not allow is refused")
