# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The present state of many objects: one list and one watch for all of a kind in a namespace."""

from __future__ import annotations

import queue
import threading
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import Object
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import (
    ApiError,
    ClientError,
    Cluster,
    Stream,
    Unreachable,
)

# The server ends a watch by itself after this time, and says at least once a minute that it is alive.
WATCH_SECONDS = 300
SILENCE_SECONDS = 90.0
# How long after a trouble, or in place of a watch that is not allowed, the list is read again.
PAUSE_SECONDS = 1.0

Place = tuple[t.Optional[str], str]


class Feed:
    """Objects of one kind, in one namespace or in all. Read once by `read()`, kept up to date by `follow()`.

    `names` limits it to these objects: a single one is asked for by its name, and whoever may not list is served by
    asking for one after another.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        namespace: str | None,
        names: t.Collection[Place] | None = None,
        selector: str | None = None,
    ) -> None:
        self.cluster = cluster
        self.resource = resource
        self.namespace = namespace
        self.names = names
        self.selector = selector
        if names is not None and len(names) == 1:
            self.selector = f"metadata.name={next(iter(names))[1]}"
        #: why the last look failed, when it did
        self.trouble = ""
        self.objects: dict[Place, Object] = {}
        self.may_list = True
        self.may_watch = True
        self._version = ""
        self._stream: Stream | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    # -- a look -------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Look once. What passes by itself becomes `trouble`; what doesn't is raised."""
        try:
            self._read()
            self.trouble = ""
        except Unreachable as e:  # an API server that restarts is part of many a rollout
            self.trouble = str(e)
        except ApiError as e:
            if e.status < 500 and e.status != 429:
                raise
            self.trouble = str(e)

    def _read(self) -> None:
        if not self.may_list and self.names is not None:
            self.objects = self._one_by_one(self.names)
            return
        try:
            answer = self.cluster.request(
                "GET", self.resource.path(namespace=self.namespace), {"fieldSelector": self.selector}
            )
        except ApiError as e:
            if e.status == 404:  # its kind is not served yet
                self.objects, self._version = {}, ""
                return
            if e.status != 403 or self.names is None:
                raise
            self.may_list = self.may_watch = False
            self.objects = self._one_by_one(self.names)
            return
        self.objects = {_place(body): body for body in answer.get("items") or [] if self._wants(body)}
        self._version = (answer.get("metadata") or {}).get("resourceVersion") or ""

    def _one_by_one(self, names: t.Collection[Place]) -> dict[Place, Object]:
        found: dict[Place, Object] = {}
        for namespace, name in names:
            try:
                found[(namespace, name)] = self.cluster.request("GET", self.resource.path(name, namespace))
            except ApiError as e:
                if e.status != 404:
                    raise
        return found

    def _wants(self, body: Object) -> bool:
        return self.names is None or _place(body) in self.names

    # -- from then on -------------------------------------------------------------------------------------------

    def follow(self, changed: queue.SimpleQueue[t.Any]) -> None:
        """Keep up to date in a thread of its own; whatever changes is announced in the queue."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, args=(changed,), daemon=True)
            self._thread.start()

    def _follow(self, changed: queue.SimpleQueue[t.Any]) -> None:
        try:
            while not self._ended.is_set():
                if not self._version or not self.may_watch:
                    self._ended.wait(PAUSE_SECONDS)
                    self.read()
                    changed.put(self)
                    continue
                started = time.monotonic()
                if not self._watch(changed):
                    self._version = ""
                elif time.monotonic() - started < PAUSE_SECONDS:
                    # Somebody between here and the server cuts watches short.
                    self._ended.wait(PAUSE_SECONDS)
        except ClientError as e:
            changed.put(e)

    def _watch(self, changed: queue.SimpleQueue[t.Any]) -> bool:
        """Follow one watch; False when what is known has to be read anew."""
        query = {
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": self._version,
            "timeoutSeconds": WATCH_SECONDS,
            "fieldSelector": self.selector,
        }
        try:
            stream = self.cluster.stream(self.resource.path(namespace=self.namespace), query, SILENCE_SECONDS)
            with self._lock:
                self._stream = stream
                if self._ended.is_set():
                    stream.close()
            for event in stream:
                if not self._take(event):
                    return False
                changed.put(self)
        except Unreachable as e:
            self.trouble = str(e)
            return False
        except ApiError as e:
            # Who may list but not watch looks again and again.
            self.may_watch = e.status != 403
            return False
        return True

    def _take(self, event: Object) -> bool:
        body = event.get("object") or {}
        kind = event.get("type")
        if kind == "ERROR":  # 410: the version is too old to go on from
            return False
        self._version = (body.get("metadata") or {}).get("resourceVersion") or self._version
        if kind == "BOOKMARK":
            return True
        if kind == "DELETED":
            self.objects.pop(_place(body), None)
        elif self._wants(body):
            self.objects[_place(body)] = body
        return True

    def stop(self) -> None:
        self._ended.set()
        with self._lock:
            if self._stream:
                self._stream.close()

    def join(self) -> None:
        if self._thread:
            self._thread.join(5)


def _place(body: Object) -> Place:
    metadata = body.get("metadata") or {}
    return metadata.get("namespace"), metadata.get("name") or ""
