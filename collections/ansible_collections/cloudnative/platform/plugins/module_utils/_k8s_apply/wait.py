# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Waits for many objects at once and says what is missing."""

from __future__ import annotations

import concurrent.futures
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import readiness
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import Object, Readiness, State
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import (
    ApiError,
    ClientError,
    Cluster,
    Unreachable,
)

INTERVAL = 0.5
_WITH_PODS = frozenset({"Deployment", "DaemonSet", "StatefulSet", "Job"})

Rule = t.Callable[[Object], Readiness]


class Target(t.NamedTuple):
    resource: Resource
    name: str
    namespace: str | None
    # Judges instead of the general rule of the kind.
    rule: Rule | None = None

    @property
    def label(self) -> str:
        return f"{self.resource.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"

    @property
    def has_rule(self) -> bool:
        return self.rule is not None or readiness.has_rule(self.resource.group, self.resource.kind)

    def judge(self, body: Object | None) -> Readiness:
        if body is not None and self.rule is not None:
            return self.rule(body)
        return readiness.readiness(self.resource.group, self.resource.kind, body)


class Waiter:
    def __init__(self, cluster: Cluster, workers: int = 8) -> None:
        self.cluster = cluster
        self.workers = workers

    def wait(self, targets: t.Iterable[Target], timeout: float) -> list[str]:
        """Empty when all got ready in time, else a sentence for each that didn't. A failed one ends the wait."""
        left = [target for target in targets if target.has_rule]
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            while left:
                judged = [(target, *found) for target, found in zip(left, pool.map(self._look, left))]
                failed = [entry for entry in judged if entry[2].state is State.FAILED]
                if failed:
                    return [self._explain(target, body, verdict) for target, body, verdict in failed]
                waiting = [entry for entry in judged if entry[2].state is State.WAITING]
                if waiting and time.monotonic() - started >= timeout:
                    late = f"not ready after {timeout:.0f} s" if timeout else "not ready"
                    return [f"{late}: {self._explain(target, body, verdict)}" for target, body, verdict in waiting]
                left = [target for target, _body, _verdict in waiting]
                if left:
                    time.sleep(INTERVAL)
        return []

    def _look(self, target: Target) -> tuple[Object | None, Readiness]:
        try:
            body = self.cluster.request("GET", target.resource.path(target.name, target.namespace))
        except Unreachable as e:  # an API server that restarts is part of many a rollout
            return None, Readiness(State.WAITING, str(e))
        except ApiError as e:
            if e.status >= 500 or e.status == 429:
                return None, Readiness(State.WAITING, str(e))
            if e.status != 404:
                raise
            body = None
        return body, target.judge(body)

    def _explain(self, target: Target, body: Object | None, verdict: Readiness) -> str:
        text = f"{target.label}: {verdict.message}"
        details: list[str] = []
        if body is not None and target.namespace:
            try:
                details = self._details(target, body)
            except ClientError as e:  # the reason for the wait is worth more than the reason for no reason
                details = [f"no details: {e}"]
        return "; ".join([text, *details])

    def _details(self, target: Target, body: Object) -> list[str]:
        namespace = target.namespace
        pods: list[Object] = []
        selector = ((body.get("spec") or {}).get("selector") or {}).get("matchLabels")
        if target.resource.kind in _WITH_PODS and selector:
            wanted = ",".join(f"{key}={value}" for key, value in selector.items())
            answer = self.cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": wanted})
            pods = answer.get("items") or []
        problems = readiness.pod_problems(pods)
        names = {target.name, *((pod["metadata"]["name"]) for pod in pods)}
        events = self.cluster.request("GET", f"/api/v1/namespaces/{namespace}/events").get("items") or []
        own = [event for event in events if _concerns(event, target.name, names)]
        return [*problems[:5], *(f"event: {line}" for line in readiness.event_lines(own))]


def _concerns(event: Object, owner: str, names: set[str]) -> bool:
    """Events of the object, of its pods, and of a ReplicaSet between them."""
    involved = event.get("involvedObject") or {}
    name = involved.get("name") or ""
    return name in names or (involved.get("kind") == "ReplicaSet" and name.startswith(f"{owner}-"))
