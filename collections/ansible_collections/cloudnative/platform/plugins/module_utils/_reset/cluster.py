# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How nodes leave a cluster: who may go, in which order, and what holds them back. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Object = dict[str, t.Any]

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


class RemovalError(Exception):
    """Nodes can't be taken out of the cluster; the text says why and what to do."""


@dataclass(frozen=True)
class Step:
    kind: str  # cordon, drain, member, node
    target: str
    text: str
    detail: t.Any = None


@dataclass
class Plan:
    steps: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def not_drained(name: str) -> str:
    return f"node {name} is not ready and can't be drained: its pods are replaced once it is gone"


def members_of(names: t.Collection[str], nodes: t.Mapping[str, Object], members: list[Object]) -> list[Object]:
    """Members of etcd that belong to nodes: by the name, which kubeadm takes from the node, else by the address."""
    addresses = {
        item["address"]
        for name in names
        for item in nodes.get(name, {}).get("status", {}).get("addresses") or []
        if item["type"] == "InternalIP"
    }
    found = []
    for member in members:
        hosts = {url.rpartition(":")[0].partition("//")[2].strip("[]") for url in member["peer_urls"]}
        # A member that was added and never started has no name yet.
        if member["name"] in names or (not member["name"] and hosts & addresses):
            found.append(member)
    return found


def quorum_problem(members: list[Object], leaving: list[Object]) -> str:
    """Why etcd would not survive that these members leave; empty when it does."""
    gone = {member["id"] for member in leaving}
    staying = [member for member in members if member["id"] not in gone and not member["learner"]]
    healthy = [member for member in staying if member["healthy"]]
    needed = len(staying) // 2 + 1
    if not leaving or len(healthy) >= needed:
        return ""
    names = ", ".join(sorted(member["name"] for member in leaving))
    sick = ", ".join(f"{m['name'] or m['id']} ({m['error']})" for m in staying if not m["healthy"]) or "none"
    return (
        f"taking {names} out would break the quorum of etcd: of {len(members)} members {len(staying)} would stay, "
        f"{len(healthy)} of them healthy, {needed} are needed; not healthy: {sick}. Nothing was changed. "
        "Bring those back first, or take them out first"
    )


def plan(names: t.Sequence[str], nodes: t.Mapping[str, Object], members: list[Object]) -> Plan:
    """The steps in order: no new pods, pods elsewhere, out of etcd, out of the cluster.

    Raises :class:`RemovalError` when etcd would lose its quorum, before any step.
    """
    leaving = members_of(names, nodes, members)
    problem = quorum_problem(members, leaving)
    if problem:
        raise RemovalError(problem)
    result = Plan()
    there = [name for name in names if name in nodes]
    for name in there:
        if not nodes[name].get("spec", {}).get("unschedulable"):
            result.steps.append(Step("cordon", name, f"cordon node {name}"))
    for name in there:
        if is_ready(nodes[name]):
            result.steps.append(Step("drain", name, f"drain node {name}"))
        else:
            result.warnings.append(not_drained(name))
    left = len(members)
    # Those that don't answer first: they can't help any more to agree on the others.
    for member in sorted(leaving, key=lambda member: (member["healthy"], member["name"])):
        left -= 1
        text = f"remove etcd member {member['name'] or member['id']} ({left} stay)"
        result.steps.append(Step("member", member["name"], text, member["id"]))
    result.steps += [Step("node", name, f"delete node {name}") for name in there]
    return result


def is_evicted(pod: Object) -> bool:
    """Whether a drain moves a pod: mirrors of static pods can't be, and pods of DaemonSets belong to their node."""
    metadata = pod["metadata"]
    if MIRROR_ANNOTATION in (metadata.get("annotations") or {}):
        return False
    owners = metadata.get("ownerReferences") or []
    return not any(owner.get("controller") and owner["kind"] == "DaemonSet" for owner in owners)


def pod_name(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _matches(selector: Object | None, labels: t.Mapping[str, str]) -> bool:
    """A label selector as the API has it; an empty one selects everything, none selects nothing."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds[operator]:
            return False
    return True


def budgets_of(pod: Object, budgets: t.Iterable[Object]) -> list[Object]:
    labels = pod["metadata"].get("labels") or {}
    return [
        budget
        for budget in budgets
        if budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
        and _matches(budget["spec"].get("selector"), labels)
    ]


def describe_budget(budget: Object) -> str:
    status = budget.get("status") or {}
    name = f"{budget['metadata']['namespace']}/{budget['metadata']['name']}"
    healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    return f"PodDisruptionBudget {name} needs {wanted} healthy pods and has {healthy}"


def blocked_by(pod: Object, budgets: t.Iterable[Object]) -> list[str]:
    """The budgets that let nobody evict this pod now."""
    matching = budgets_of(pod, budgets)
    return [describe_budget(b) for b in matching if not (b.get("status") or {}).get("disruptionsAllowed")]


def why_there(pod: Object, budgets: t.Iterable[Object], refusal: str) -> str:
    """Why a pod is still on its node."""
    deleted = pod["metadata"].get("deletionTimestamp")
    if deleted:
        return f"{pod_name(pod)}: it is told to end and does not (its grace period ends at {deleted})"
    blocking = blocked_by(pod, budgets)
    return f"{pod_name(pod)}: {'; '.join(blocking) or refusal or 'it was not evicted yet'}"


def choose_anchor(states: list[Object]) -> str:
    """The control plane that takes nodes out of the cluster; empty where there is no cluster to take them out of.

    Each state has ``name``, ``leaving``, ``reached``, ``present`` (it holds a part of a cluster), ``ready`` and
    ``reason``. Raises :class:`RemovalError` where the cluster is there and can't be asked.
    """
    staying = [state for state in states if not state["leaving"]]
    for state in staying:
        if state["ready"]:
            return str(state["name"])
    if any(state["present"] or not state["reached"] for state in staying):
        listed = "; ".join(f"{state['name']}: {state['reason'] or 'no part of a cluster'}" for state in staying)
        raise RemovalError(
            f"none of the control planes that stay is healthy ({listed}): nodes can't be taken out of the cluster. "
            "Nothing was changed. Bring one back first, or take the whole cluster back"
        )
    holding = [str(state["name"]) for state in states if state["leaving"] and state["present"]]
    if holding:
        raise RemovalError(
            f"{', '.join(holding)} holds the cluster alone: the control planes that stay are not part of it yet. "
            "Nothing was changed. Run site.yml first, or take the whole cluster back"
        )
    return ""
