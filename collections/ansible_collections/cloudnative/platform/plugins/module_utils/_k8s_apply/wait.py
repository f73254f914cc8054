# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Waits for many objects at once and says what is missing.

The objects of one kind in one namespace are listed once and watched from then on; so are the pods of those that have
pods, because a pod tells first that a rollout can't succeed.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import pods, readiness
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.explain import Explainer
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.pods import Cause, Patience, Trouble
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import (
    Object,
    Readiness,
    Rule,
    State,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.watch import Feed, Place
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, ClientError, Cluster

# An object in so many namespaces is watched in all of them at once.
NAMESPACES = 3
# Nothing may have changed, but what was a trouble may have become a failure.
LOOK_SECONDS = 2.0
POD = Resource("", "v1", "pods", "Pod", namespaced=True)
EVENT = Resource("", "v1", "events", "Event", namespaced=True)
_CLAIM = ("", "PersistentVolumeClaim")


class Target(t.NamedTuple):
    resource: Resource
    name: str
    namespace: str | None
    # Judges instead of the general rule of the kind.
    rule: Rule | None = None
    # The object as it was just now, when that is known.
    seen: Object | None = None
    # It is the object with this uid that is waited for, and for its end.
    ending: str = ""
    # This run left it as it was: what its pods went through before says nothing of this run.
    unchanged: bool = False

    @property
    def label(self) -> str:
        return f"{self.resource.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"

    @property
    def place(self) -> Place:
        return (self.namespace if self.resource.namespaced else None), self.name

    @property
    def has_rule(self) -> bool:
        return bool(self.rule or self.ending) or readiness.has_rule(self.resource.group, self.resource.kind)

    @property
    def has_pods(self) -> bool:
        with_pods = self.resource.kind in pods.WITH_PODS and self.resource.group in ("apps", "batch")
        return with_pods and not self.ending and self.rule is None

    def judge(self, body: Object | None) -> Readiness:
        if self.ending:
            return readiness.ended(body, self.ending)
        if body is not None and self.rule is not None:
            return self.rule(body)
        return readiness.readiness(self.resource.group, self.resource.kind, body)


class _Judged(t.NamedTuple):
    target: Target
    body: Object | None
    verdict: Readiness
    trouble: Trouble | None = None


class Waiter:
    def __init__(self, cluster: Cluster, workers: int = 8, patience: Patience | None = None) -> None:
        self.cluster = cluster
        self.workers = workers
        self.patience = patience or Patience()
        self._feeds: dict[tuple[Resource, str | None], Feed] = {}
        self._aside: dict[tuple[Resource, str | None], Feed | None] = {}
        self._troubles: dict[tuple[t.Any, ...], float] = {}
        self._crashes: dict[tuple[t.Any, ...], int] = {}
        self._hashes: dict[tuple[str, t.Any], str] = {}
        self._classes: list[Object] | None = None
        self._explain = Explainer(cluster)

    def wait(self, targets: t.Iterable[Target], timeout: float, end: str = "ready") -> list[str]:
        """Empty when all got ready in time, else a sentence for each that didn't. A failed one ends the wait."""
        left = [target for target in targets if target.has_rule and not self._is_ready(target)]
        deadline = time.monotonic() + timeout
        self._explain = Explainer(self.cluster)
        changed: queue.SimpleQueue[t.Any] = queue.SimpleQueue()
        try:
            self._open(left)
            while left:
                judged = [self._judge(target) for target in left]
                failed = [one for one in judged if one.verdict.state is State.FAILED]
                if failed:
                    return [self._sentence(one) for one in failed]
                waiting = [one for one in judged if one.verdict.state is State.WAITING]
                rest = deadline - time.monotonic()
                if waiting and rest <= 0:
                    late = f"not {end} after {timeout:.0f} s" if timeout else f"not {end}"
                    return [f"{late}: {self._sentence(one)}" for one in waiting]
                left = [one.target for one in waiting]
                if left:
                    self._follow(left, changed)
                    self._sleep(changed, min(rest, LOOK_SECONDS))
            return []
        finally:
            self._close()

    def _is_ready(self, target: Target) -> bool:
        return target.seen is not None and target.judge(target.seen).state is State.READY

    # -- feeds --------------------------------------------------------------------------------------------------

    def _open(self, targets: list[Target]) -> None:
        """One feed for all objects of a kind in a namespace, each read once, all at the same time."""
        grouped: dict[tuple[Resource, str | None], set[Place]] = {}
        for target in targets:
            grouped.setdefault((target.resource, target.place[0]), set()).add(target.place)
        by_kind: dict[Resource, list[str | None]] = {}
        for resource, namespace in grouped:
            by_kind.setdefault(resource, []).append(namespace)
        for resource, namespaces in by_kind.items():
            if len(namespaces) > NAMESPACES:
                places = set().union(*(grouped[(resource, namespace)] for namespace in namespaces))
                self._feeds[(resource, None)] = Feed(self.cluster, resource, None, places)
            else:
                for namespace in namespaces:
                    places = grouped[(resource, namespace)]
                    self._feeds[(resource, namespace)] = Feed(self.cluster, resource, namespace, places)
        self._read(list(self._feeds.values()))

    def _read(self, feeds: list[Feed]) -> None:
        if feeds:
            with concurrent.futures.ThreadPoolExecutor(min(self.workers, len(feeds))) as pool:
                list(pool.map(Feed.read, feeds))

    def _feed(self, resource: Resource, namespace: str | None) -> Feed | None:
        return self._feeds.get((resource, namespace)) or self._feeds.get((resource, None))

    def _follow(self, targets: list[Target], changed: queue.SimpleQueue[t.Any]) -> None:
        """Watch what is left to wait for, and no more the rest; with workloads their pods too."""
        wanted = {id(self._feed(target.resource, target.place[0])) for target in targets}
        self._open_pods([target for target in targets if target.has_pods], changed)
        for feed in self._feeds.values():
            if id(feed) in wanted:
                feed.follow(changed)
            else:
                feed.stop()
        for aside in self._aside.values():
            if aside:
                aside.follow(changed)

    def _open_pods(self, targets: list[Target], changed: queue.SimpleQueue[t.Any]) -> None:
        namespaces = {target.namespace for target in targets}
        wide = len(namespaces) > NAMESPACES or (POD, None) in self._aside
        for resource, kinds in ((POD, pods.WITH_PODS), (EVENT, pods.WITH_EVENTS)):
            if not any(target.resource.kind in kinds for target in targets):
                continue
            for namespace in {None} if wide else namespaces:
                if (resource, namespace) not in self._aside:
                    self._aside[(resource, namespace)] = self._opened_aside(resource, namespace)
                    # What it has told already is looked at right away.
                    changed.put(None)

    def _opened_aside(self, resource: Resource, namespace: str | None) -> Feed | None:
        """Whoever may not look at pods or events waits without knowing about them."""
        feed = Feed(self.cluster, resource, namespace, selector="reason=FailedCreate" if resource is EVENT else None)
        try:
            feed.read()
        except ApiError:
            return None
        if resource is EVENT:
            # They are of an earlier try, maybe. Those of this one come again.
            feed.objects = {}
        return feed

    @staticmethod
    def _sleep(changed: queue.SimpleQueue[t.Any], seconds: float) -> None:
        """Until something changed, and whatever changes along with it."""
        with contextlib.suppress(queue.Empty):
            found = changed.get(timeout=max(seconds, 0.01))
            while True:
                if isinstance(found, ClientError):
                    raise found
                found = changed.get_nowait()

    def _close(self) -> None:
        feeds = [feed for feed in [*self._feeds.values(), *self._aside.values()] if feed]
        for feed in feeds:
            feed.stop()
        for feed in feeds:
            feed.join()
        self._feeds, self._aside = {}, {}

    # -- judging ------------------------------------------------------------------------------------------------

    def _judge(self, target: Target) -> _Judged:
        feed = self._feed(target.resource, target.place[0])
        body = feed.objects.get(target.place) if feed else None
        if body is None and feed and feed.trouble:
            return _Judged(target, None, Readiness(State.WAITING, feed.trouble))
        verdict = target.judge(body)
        if body is None or verdict.state is not State.WAITING:
            return _Judged(target, body, verdict)
        if (target.resource.group, target.resource.kind) == _CLAIM and target.rule is None:
            return _Judged(target, body, readiness.volume_claim(body, self._waits_for_pod(body)))
        trouble = self._lasting_trouble(target, body) if target.has_pods else None
        if trouble:
            return _Judged(target, body, Readiness(State.FAILED, trouble.message), trouble)
        return _Judged(target, body, verdict)

    def _waits_for_pod(self, claim: Object) -> bool:
        if self._classes is None:
            answer = self.cluster.request("GET", "/apis/storage.k8s.io/v1/storageclasses")
            self._classes = answer.get("items") or []
        return readiness.waits_for_pod(claim, self._classes)

    def _lasting_trouble(self, target: Target, body: Object) -> Trouble | None:
        """A trouble that has lasted longer than it may."""
        if readiness.not_observed(body) and target.resource.kind != "Job":
            return None
        now = time.monotonic()
        kind = target.resource.kind
        found = list(pods.troubles_of_workload(kind, body, self._objects(EVENT, target.namespace)))
        for pod in pods.pods_of(body, self._objects(POD, target.namespace)):
            there = pods.troubles_of(kind, pod, self.patience.restarts)
            if there and pods.is_current(kind, body, pod, self._template_hash(target, body)):
                found += [trouble for trouble in there if not self._is_of_before(target, trouble)]
        keys = {(target.label, *trouble.identity): trouble for trouble in found}
        for key in [one for one in self._troubles if one[0] == target.label and one not in keys]:
            del self._troubles[key]
        for key, trouble in keys.items():
            if now - self._troubles.setdefault(key, now) >= self.patience.seconds(trouble.cause):
                return trouble
        return None

    def _is_of_before(self, target: Target, trouble: Trouble) -> bool:
        """Whether it may be over, as after an outage: the kubelet starts again what crashed, later each time."""
        if not target.unchanged or trouble.cause is not Cause.CRASH:
            return False
        return trouble.restarts <= self._crashes.setdefault((target.label, *trouble.identity), trouble.restarts)

    def _objects(self, resource: Resource, namespace: str | None) -> list[Object]:
        feed = self._aside.get((resource, namespace)) or self._aside.get((resource, None))
        found = list(feed.objects.values()) if feed else []
        return [one for one in found if (one.get("metadata") or {}).get("namespace") == namespace]

    def _template_hash(self, target: Target, body: Object) -> str | None:
        """What the pods of a Deployment's present template carry."""
        if target.resource.kind != "Deployment":
            return None
        key = (target.label, (body.get("metadata") or {}).get("generation"))
        if key not in self._hashes:
            try:
                answer = self.cluster.request("GET", f"/apis/apps/v1/namespaces/{target.namespace}/replicasets")
            except ClientError:  # without it no pod counts as one of the present template
                return None
            found = pods.newest_hash(body, answer.get("items") or [])
            if found is None:
                return None
            self._hashes[key] = found
        return self._hashes[key]

    def _sentence(self, judged: _Judged) -> str:
        target, body, verdict, trouble = judged
        text = f"{target.label}: {verdict.message}"
        if trouble is None:
            details = self._explain(target.resource.kind, target.name, target.namespace, body)
        elif trouble.cause is Cause.CRASH and target.namespace:
            details = self._explain.last_lines(target.namespace, trouble.pod, trouble.container, True)
        else:
            details = []
        return "; ".join([text, *details])
