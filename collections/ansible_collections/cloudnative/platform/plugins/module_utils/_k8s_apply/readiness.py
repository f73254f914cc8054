# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""When an object is ready, and if not, why not. Pure."""

from __future__ import annotations

import enum
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import BUILT_IN

Object = dict[str, t.Any]


class State(enum.Enum):
    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"


class Readiness(t.NamedTuple):
    state: State
    message: str = ""


Rule = t.Callable[[Object], Readiness]
READY = Readiness(State.READY)


def _waiting(message: str) -> Readiness:
    return Readiness(State.WAITING, message)


def _failed(message: str) -> Readiness:
    return Readiness(State.FAILED, message)


def condition(body: Object, kind: str) -> Object:
    for entry in (body.get("status") or {}).get("conditions") or []:
        if entry.get("type") == kind:
            return entry
    return {}


def because(entry: Object) -> str:
    text = ": ".join(part for part in (entry.get("reason"), entry.get("message")) if part)
    return f" ({text})" if text else ""


def not_observed(body: Object) -> bool:
    return (body.get("status") or {}).get("observedGeneration", 0) < (body.get("metadata") or {}).get("generation", 0)


def replica_failure(body: Object) -> Object:
    """Why a controller can't make pods: quota, admission."""
    entry = condition(body, "ReplicaFailure")
    return entry if entry.get("status") == "True" else {}


def _deployment(body: Object) -> Readiness:
    status, wanted = body.get("status") or {}, (body.get("spec") or {}).get("replicas", 1)
    if not_observed(body):
        return _waiting("the controller has not seen this version yet")
    if (body.get("spec") or {}).get("paused"):
        return READY
    progressing = condition(body, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return _failed(f"the rollout made no progress{because(progressing)}")
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted:
        failure = replica_failure(body)
        return _waiting(f"{updated} of {wanted} pods updated{because(failure)}")
    if status.get("replicas", 0) > updated:
        return _waiting(f"{status['replicas'] - updated} old pods still running")
    if available < wanted:
        return _waiting(f"{available} of {wanted} pods available")
    # Reported since Kubernetes 1.35; a rollout is over when nothing of it moves any more.
    if status.get("terminatingReplicas"):
        return _waiting(f"{status['terminatingReplicas']} old pods still ending")
    return READY


def daemon_set(body: Object, tolerated: int = 0) -> Readiness:
    """`tolerated` nodes may be without a running pod."""
    status, spec = body.get("status") or {}, body.get("spec") or {}
    if not_observed(body):
        return _waiting("the controller has not seen this version yet")
    wanted = max(0, status.get("desiredNumberScheduled", 0) - tolerated)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete" and updated < wanted:
        return _waiting(f"{updated} of {wanted} pods updated")
    if available < wanted:
        return _waiting(f"{available} of {wanted} pods available")
    return READY


def _stateful_set(body: Object) -> Readiness:
    status, spec = body.get("status") or {}, body.get("spec") or {}
    wanted = spec.get("replicas", 1)
    if not_observed(body):
        return _waiting("the controller has not seen this version yet")
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") != "OnDelete":
        target = wanted - ((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        if status.get("updatedReplicas", 0) < target:
            return _waiting(f"{status.get('updatedReplicas', 0)} of {target} pods updated")
    if status.get("readyReplicas", 0) < wanted:
        return _waiting(f"{status.get('readyReplicas', 0)} of {wanted} pods ready")
    return READY


def _job(body: Object) -> Readiness:
    failed = condition(body, "Failed")
    if failed.get("status") == "True":
        return _failed(f"the job failed{because(failed)}")
    if condition(body, "Complete").get("status") == "True" or (body.get("spec") or {}).get("suspend"):
        return READY
    status = body.get("status") or {}
    return _waiting(
        f"{status.get('active', 0)} pods active, {status.get('succeeded', 0)} succeeded, "
        f"{status.get('failed', 0)} failed"
    )


def _crd(body: Object) -> Readiness:
    names = condition(body, "NamesAccepted")
    if names.get("status") == "False":
        return _failed(f"its names are not accepted{because(names)}")
    established = condition(body, "Established")
    return READY if established.get("status") == "True" else _waiting(f"not established{because(established)}")


def _by_condition(kind: str) -> Rule:
    def rule(body: Object) -> Readiness:
        entry = condition(body, kind)
        return READY if entry.get("status") == "True" else _waiting(f"not {kind}{because(entry)}")

    return rule


def _namespace(body: Object) -> Readiness:
    if (body.get("metadata") or {}).get("deletionTimestamp"):
        return _failed("it is being deleted")
    return READY


def _replica_set(body: Object) -> Readiness:
    status, wanted = body.get("status") or {}, (body.get("spec") or {}).get("replicas", 1)
    if not_observed(body):
        return _waiting("the controller has not seen this version yet")
    if status.get("availableReplicas", 0) < wanted:
        failure = condition(body, "ReplicaFailure")
        return _waiting(f"{status.get('availableReplicas', 0)} of {wanted} pods available{because(failure)}")
    return READY


def _pod(body: Object) -> Readiness:
    status = body.get("status") or {}
    if status.get("phase") == "Failed":
        return _failed(f"the pod failed{because(status)}")
    if status.get("phase") == "Succeeded" or condition(body, "Ready").get("status") == "True":
        return READY
    return _waiting(f"the pod is {status.get('phase') or 'not seen by the scheduler yet'}, not ready")


def volume_claim(body: Object, waits_for_pod: bool = False) -> Readiness:
    """`waits_for_pod`: its storage class binds a volume only when a pod uses the claim, so pending is all it can be."""
    status, spec = body.get("status") or {}, body.get("spec") or {}
    phase = status.get("phase")
    if phase == "Lost":
        return _failed(f"its volume {spec.get('volumeName')} is lost")
    if phase == "Bound" or (waits_for_pod and phase in (None, "Pending")):
        return READY
    if spec.get("storageClassName") is None and not spec.get("volumeName"):
        return _waiting("not bound: it names no storage class, and the cluster has no default one")
    where = f" by storage class {spec['storageClassName']}" if spec.get("storageClassName") else ""
    return _waiting(f"not bound{where}")


def waits_for_pod(claim: Object, classes: t.Iterable[Object]) -> bool:
    """Whether the storage class of a claim binds only for a pod that uses it."""
    name = (claim.get("spec") or {}).get("storageClassName")
    for one in classes:
        metadata = one.get("metadata") or {}
        default = (metadata.get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
        if metadata.get("name") == name or (name is None and default):
            return one.get("volumeBindingMode") == "WaitForFirstConsumer"
    return False


def _service(body: Object) -> Readiness:
    if (body.get("spec") or {}).get("type") != "LoadBalancer":
        return READY
    if ((body.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return READY
    return _waiting("no load balancer has given it an address yet")


def _conditions(*kinds: str) -> Rule:
    """Conditions of the Gateway API: each says of which generation it speaks."""

    def rule(body: Object) -> Readiness:
        return _all_true((body.get("status") or {}).get("conditions") or [], kinds, body)

    return rule


def _all_true(conditions: list[Object], kinds: t.Iterable[str], body: Object) -> Readiness:
    generation = (body.get("metadata") or {}).get("generation", 0)
    found = {entry.get("type"): entry for entry in conditions}
    for kind in kinds:
        entry = found.get(kind) or {}
        if entry.get("observedGeneration", generation) < generation:
            return _waiting(f"{kind} is not known of this version yet")
        if entry.get("status") != "True":
            return _waiting(f"not {kind}{because(entry)}")
    return READY


def _route(body: Object) -> Readiness:
    """Every Gateway that a route names has to take it."""
    parents = (body.get("status") or {}).get("parents") or []
    for reference in (body.get("spec") or {}).get("parentRefs") or []:
        wanted = {key: value for key, value in reference.items() if key in ("name", "namespace", "sectionName", "port")}
        name = reference.get("name")
        answers = [one for one in parents if wanted.items() <= (one.get("parentRef") or {}).items()]
        if not answers:
            return _waiting(f"no controller has answered for parent {name} yet")
        for answer in answers:
            verdict = _all_true(answer.get("conditions") or [], ("Accepted", "ResolvedRefs"), body)
            if verdict.state is not State.READY:
                return verdict._replace(message=f"parent {name}: {verdict.message}")
    return READY


def _by_its_status(body: Object) -> Readiness:
    """The conventions that most controllers keep (kstatus): observedGeneration, Ready, Reconciling and Stalled.

    An object that says nothing of all that is ready once it is stored.
    """
    metadata = body.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return _failed("it is being deleted")
    stalled = condition(body, "Stalled")
    if "observedGeneration" in (body.get("status") or {}) and not_observed(body):
        return _waiting("its controller has not seen this version yet")
    if stalled.get("status") == "True":
        return _failed(f"stalled{because(stalled)}")
    reconciling = condition(body, "Reconciling")
    if reconciling.get("status") == "True":
        return _waiting(f"reconciling{because(reconciling)}")
    ready = condition(body, "Ready")
    if ready and ready.get("observedGeneration", metadata.get("generation", 0)) < metadata.get("generation", 0):
        return _waiting("Ready is not known of this version yet")
    if ready and ready.get("status") != "True":
        return _waiting(f"not Ready{because(ready)}")
    return READY


_RULES: dict[tuple[str, str], Rule] = {
    ("", "Namespace"): _namespace,
    ("", "Node"): _by_condition("Ready"),
    ("", "PersistentVolumeClaim"): volume_claim,
    ("", "Pod"): _pod,
    ("", "ReplicationController"): _replica_set,
    ("", "Service"): _service,
    ("apps", "Deployment"): _deployment,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _crd,
    ("apiregistration.k8s.io", "APIService"): _by_condition("Available"),
    ("gateway.networking.k8s.io", "GatewayClass"): _conditions("Accepted"),
    ("gateway.networking.k8s.io", "Gateway"): _conditions("Accepted", "Programmed"),
    **{("gateway.networking.k8s.io", f"{protocol}Route"): _route for protocol in ("HTTP", "GRPC", "TLS", "TCP", "UDP")},
}


def ended(body: Object | None, uid: str) -> Readiness:
    """Whether an object is gone. A controller may have made a new one of the same name meanwhile."""
    metadata = (body or {}).get("metadata") or {}
    if body is None or metadata.get("uid") != uid:
        return READY
    finalizers = metadata.get("finalizers") or []
    return _waiting("still there" + (f", held by finalizers {', '.join(finalizers)}" if finalizers else ""))


def has_rule(group: str, kind: str) -> bool:
    """Whether there is anything to wait for; an object of the other built-in kinds is ready once it is stored."""
    return (group, kind) in _RULES or group not in BUILT_IN


def readiness(group: str, kind: str, body: Object | None) -> Readiness:
    if body is None:
        return _waiting("it is not there")
    return _RULES.get((group, kind), _by_its_status)(body)
