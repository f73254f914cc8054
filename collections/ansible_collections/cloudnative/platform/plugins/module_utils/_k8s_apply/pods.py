# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What pods and events say of a rollout: why it is not there yet, and whether it can still succeed. Pure."""

from __future__ import annotations

import enum
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import (
    Object,
    because,
    condition,
    replica_failure,
)

WITH_PODS = frozenset({"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job"})
# Controllers of these tell only by events that they can't make a pod.
WITH_EVENTS = frozenset({"DaemonSet", "StatefulSet", "Job"})


class Cause(enum.Enum):
    """What keeps a pod from running."""

    IMAGE_REFUSED = "image refused"
    IMAGE_UNREACHABLE = "image unreachable"
    CONFIGURATION = "configuration"
    CRASH = "crash"
    NOT_CREATED = "not created"
    NO_ROOM = "no room beside old pods"
    NOT_SCHEDULED = "not scheduled"


class Patience(t.NamedTuple):
    """How many seconds a trouble may last before it counts as a failure.

    What was refused stays refused. The rest may pass: a registry that restarts, a Secret that an operator is about to
    make, a quota that old pods give free, a node that is about to join.
    """

    image_refused: float = 0.0
    image_unreachable: float = 60.0
    configuration: float = 10.0
    crash: float = 0.0
    not_created: float = 10.0
    no_room: float = 60.0
    not_scheduled: float = 60.0
    # A first crash is often one of starting before something else.
    restarts: int = 2

    def seconds(self, cause: Cause) -> float:
        return {
            Cause.IMAGE_REFUSED: self.image_refused,
            Cause.IMAGE_UNREACHABLE: self.image_unreachable,
            Cause.CONFIGURATION: self.configuration,
            Cause.CRASH: self.crash,
            Cause.NOT_CREATED: self.not_created,
            Cause.NO_ROOM: self.no_room,
            Cause.NOT_SCHEDULED: self.not_scheduled,
        }[cause]


class Trouble(t.NamedTuple):
    """Something that keeps a rollout from its end. `pod` and `container` say whose log may tell more, `restarts` how
    often a container that crashes was started again."""

    cause: Cause
    message: str
    pod: str = ""
    container: str = ""
    restarts: int = 0

    @property
    def identity(self) -> tuple[Cause, str, str]:
        return self.cause, self.pod, self.container


_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
_PULL_REFUSED = frozenset({"InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
_CONFIGURATION = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
# A registry that says so may say something else in a moment; one that knows no such image won't.
_TRANSIENT = re.compile(
    r"timeout|timed out|deadline exceeded|connection refused|connection reset|no route to host|unreachable|EOF"
    r"|temporary failure|server misbehaving|try again|too many requests|toomanyrequests|\b(429|50[0234])\b"
    r"|pull QPS exceeded",
    re.IGNORECASE,
)
# Between two tries a kubelet may say no more than that it waits.
_UNTOLD = re.compile(r'(Back-off pulling image "[^"]*")?')


# -- which pods -------------------------------------------------------------------------------------------------


def selects(selector: Object | None, labels: t.Mapping[str, str]) -> bool:
    """Whether a label selector, as workloads have it, takes an object with these labels."""
    selector = selector or {}
    expressions = selector.get("matchExpressions") or []
    if not selector.get("matchLabels") and not expressions:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(one, labels) for one in expressions)


def _holds(expression: Object, labels: t.Mapping[str, str]) -> bool:
    key, operator, values = expression.get("key") or "", expression.get("operator"), expression.get("values") or []
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    return (key in labels) is (operator == "Exists")


def pods_of(workload: Object, pods: t.Iterable[Object]) -> list[Object]:
    selector = (workload.get("spec") or {}).get("selector")
    return [pod for pod in pods if selects(selector, (pod.get("metadata") or {}).get("labels") or {})]


def newest_hash(deployment: Object, replica_sets: t.Iterable[Object]) -> str | None:
    """What the pods of a Deployment's present template carry as `pod-template-hash`."""
    annotation = "deployment.kubernetes.io/revision"
    metadata = deployment.get("metadata") or {}
    revision = (metadata.get("annotations") or {}).get(annotation)
    for one in replica_sets:
        theirs = one.get("metadata") or {}
        owners = [owner.get("uid") for owner in theirs.get("ownerReferences") or []]
        if metadata.get("uid") in owners and revision == (theirs.get("annotations") or {}).get(annotation):
            return (theirs.get("labels") or {}).get("pod-template-hash")
    return None


def is_current(kind: str, workload: Object, pod: Object, template_hash: str | None) -> bool:
    """Whether a pod is of the present template: one of an older one that fails says nothing of this rollout."""
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    if metadata.get("deletionTimestamp"):
        return False
    pairs: dict[str, tuple[str, str | None]] = {
        "Deployment": ("pod-template-hash", template_hash),
        "StatefulSet": ("controller-revision-hash", (workload.get("status") or {}).get("updateRevision")),
        "DaemonSet": (
            "pod-template-generation",
            ((workload.get("metadata") or {}).get("annotations") or {}).get("deprecated.daemonset.template.generation"),
        ),
    }
    label, wanted = pairs.get(kind, ("", None))
    if kind == "Deployment":
        return wanted is not None and labels.get(label) == wanted
    return wanted is None or labels.get(label, wanted) == wanted


# -- why it can't succeed ---------------------------------------------------------------------------------------


def troubles_of(kind: str, pod: Object, restarts: int) -> list[Trouble]:
    """What keeps a pod from running."""
    name = (pod.get("metadata") or {}).get("name") or ""
    where = _where(pod)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return [Trouble(Cause.NOT_SCHEDULED, f"{where} can't be scheduled: {scheduled.get('message')}", name)]
    found: list[Trouble] = []
    images = {one.get("name"): one.get("image") for one in _containers(pod)}
    for entry in _statuses(pod):
        waiting = (entry.get("state") or {}).get("waiting") or {}
        reason, message = waiting.get("reason"), waiting.get("message") or ""
        container = entry.get("name") or ""
        text = f"{where}: container {container}"
        if reason in _PULL | _PULL_REFUSED:
            refused = reason in _PULL_REFUSED or not (_TRANSIENT.search(message) or _UNTOLD.fullmatch(message))
            cause = Cause.IMAGE_REFUSED if refused else Cause.IMAGE_UNREACHABLE
            image = images.get(container) or entry.get("image")
            found.append(Trouble(cause, f"{text}: image {image} can't be pulled: {reason}: {message}", name, container))
        elif reason in _CONFIGURATION:
            found.append(Trouble(Cause.CONFIGURATION, f"{text}: {reason}: {message}", name, container))
        # A Job counts by itself how often it may fail.
        elif reason == "CrashLoopBackOff" and kind != "Job" and entry.get("restartCount", 0) >= restarts:
            found.append(Trouble(Cause.CRASH, f"{text} {_crash(entry)}", name, container, entry["restartCount"]))
    return found


def _crash(entry: Object) -> str:
    last = (entry.get("lastState") or {}).get("terminated") or {}
    code = f" with exit code {last['exitCode']}" if "exitCode" in last else ""
    reason = f" ({last['reason']})" if last.get("reason") not in (None, "Error", "Completed") else ""
    words = f"; its last words: {last['message'].strip()}" if last.get("message") else ""
    return f"crashes: ended {entry.get('restartCount', 0) + 1} times, last{code}{reason}{words}"


def troubles_of_workload(kind: str, workload: Object, events: t.Iterable[Object]) -> list[Trouble]:
    """Pods that a controller can't even create: quota, admission, a service account that isn't there."""
    failure = replica_failure(workload)
    if failure:
        status = workload.get("status") or {}
        old = status.get("replicas", 0) > status.get("updatedReplicas", 0) or status.get("terminatingReplicas")
        return [Trouble(Cause.NO_ROOM if old else Cause.NOT_CREATED, f"its pods can't be created{because(failure)}")]
    if kind not in WITH_EVENTS:
        return []
    name = (workload.get("metadata") or {}).get("name")
    found = [one for one in events if _is_about(one, kind, name) and one.get("reason") == "FailedCreate"]
    return [Trouble(Cause.NOT_CREATED, f"its pods can't be created: {one.get('message')}") for one in found[-1:]]


def _is_about(event: Object, kind: str, name: str | None) -> bool:
    involved = event.get("involvedObject") or {}
    return (involved.get("kind"), involved.get("name")) == (kind, name)


def _containers(pod: Object) -> list[Object]:
    spec = pod.get("spec") or {}
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _where(pod: Object) -> str:
    node = (pod.get("spec") or {}).get("nodeName")
    return f"pod {(pod.get('metadata') or {}).get('name')}" + (f" on {node}" if node else "")


# -- what there is to say ---------------------------------------------------------------------------------------


def silent_container(pod: Object) -> tuple[str, bool] | None:
    """The container whose log should tell why its pod isn't ready, and whether it is that of its last life."""
    for entry in _statuses(pod):
        state = entry.get("state") or {}
        ended = state.get("terminated") or {}
        if "waiting" in state and (entry.get("lastState") or {}).get("terminated"):
            return entry["name"], True
        if ended.get("exitCode") or ("running" in state and not entry.get("ready", True)):
            return entry["name"], False
    return None


def pod_problems(pods: t.Iterable[Object]) -> list[str]:
    """One sentence for each container that doesn't run, or for each pod that has none yet."""
    problems: list[str] = []
    for pod in pods:
        spec, where, statuses = pod.get("spec") or {}, _where(pod), _statuses(pod)
        found = [text for entry in statuses for text in _container_problem(entry)]
        # An init container that can't start explains all the others that wait for it.
        if any(not text.endswith("PodInitializing") for text in found):
            found = [text for text in found if not text.endswith("PodInitializing")]
        scheduled = condition(pod, "PodScheduled")
        if scheduled.get("status") == "False":
            found.append(f"not scheduled{because(scheduled)}")
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
