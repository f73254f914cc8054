# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""When an object is ready, and if not, why not. Pure."""

from __future__ import annotations

import enum
import typing as t

Object = dict[str, t.Any]


class State(enum.Enum):
    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"


class Readiness(t.NamedTuple):
    state: State
    message: str = ""


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


def _because(entry: Object) -> str:
    text = ": ".join(part for part in (entry.get("reason"), entry.get("message")) if part)
    return f" ({text})" if text else ""


def _not_observed(body: Object) -> bool:
    return (body.get("status") or {}).get("observedGeneration", 0) < (body.get("metadata") or {}).get("generation", 0)


def _deployment(body: Object) -> Readiness:
    status, wanted = body.get("status") or {}, (body.get("spec") or {}).get("replicas", 1)
    if _not_observed(body):
        return _waiting("the controller has not seen this version yet")
    progressing = condition(body, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return _failed(f"the rollout made no progress{_because(progressing)}")
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted:
        failure = condition(body, "ReplicaFailure")
        return _waiting(f"{updated} of {wanted} pods updated{_because(failure)}")
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
    if _not_observed(body):
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
    if _not_observed(body):
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
        return _failed(f"the job failed{_because(failed)}")
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
        return _failed(f"its names are not accepted{_because(names)}")
    established = condition(body, "Established")
    return READY if established.get("status") == "True" else _waiting(f"not established{_because(established)}")


def _by_condition(kind: str) -> t.Callable[[Object], Readiness]:
    def rule(body: Object) -> Readiness:
        entry = condition(body, kind)
        return READY if entry.get("status") == "True" else _waiting(f"not {kind}{_because(entry)}")

    return rule


def _namespace(body: Object) -> Readiness:
    if (body.get("metadata") or {}).get("deletionTimestamp"):
        return _failed("it is being deleted")
    return READY


_RULES: dict[tuple[str, str], t.Callable[[Object], Readiness]] = {
    ("", "Namespace"): _namespace,
    ("", "Node"): _by_condition("Ready"),
    ("apps", "Deployment"): _deployment,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _crd,
    ("apiregistration.k8s.io", "APIService"): _by_condition("Available"),
}


def has_rule(group: str, kind: str) -> bool:
    """Whether there is anything to wait for; an object of any other kind is ready once it is stored."""
    return (group, kind) in _RULES


def readiness(group: str, kind: str, body: Object | None) -> Readiness:
    if body is None:
        return _waiting("it is not there")
    return _RULES[(group, kind)](body)


def pod_problems(pods: t.Iterable[Object]) -> list[str]:
    """One sentence for each container that doesn't run, or for each pod that has none yet."""
    problems: list[str] = []
    for pod in pods:
        status, spec = pod.get("status") or {}, pod.get("spec") or {}
        where = f"pod {(pod.get('metadata') or {}).get('name')}"
        if spec.get("nodeName"):
            where += f" on {spec['nodeName']}"
        statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        found = [text for entry in statuses for text in _container_problem(entry)]
        # An init container that can't start explains all the others that wait for it.
        if any(not text.endswith("PodInitializing") for text in found):
            found = [text for text in found if not text.endswith("PodInitializing")]
        scheduled = condition(pod, "PodScheduled")
        if scheduled.get("status") == "False":
            found.append(f"not scheduled{_because(scheduled)}")
        elif not spec.get("nodeName") and not statuses:
            found.append("waits for the scheduler")
        problems += [f"{where}: {text}" for text in found]
    return problems


def _container_problem(entry: Object) -> list[str]:
    state = entry.get("state") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    last = (entry.get("lastState") or {}).get("terminated") or {}
    text = ""
    if waiting:
        text = f"container {entry['name']} waiting: " + ": ".join(
            part for part in (waiting.get("reason"), waiting.get("message")) if part
        )
    elif ended and ended.get("exitCode"):
        text = f"container {entry['name']} ended with exit code {ended['exitCode']}"
        last = ended
    elif "running" in state and not entry.get("ready", True):
        text = f"container {entry['name']} runs but is not ready"
    if text and last.get("message"):
        text += f"; its last words: {last['message'].strip().splitlines()[-1]}"
    return [text] if text else []


def event_lines(events: t.Iterable[Object], limit: int = 3) -> list[str]:
    """The latest warnings, oldest first, each once."""

    def moment(event: Object) -> str:
        return event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or ""

    lines: dict[str, None] = {}
    for event in sorted((one for one in events if one.get("type") == "Warning"), key=moment):
        involved = event.get("involvedObject") or {}
        line = f"{involved.get('kind')} {involved.get('name')}: {event.get('reason')}: {event.get('message')}"
        lines.pop(line, None)
        lines[line] = None
    return list(lines)[-limit:]
