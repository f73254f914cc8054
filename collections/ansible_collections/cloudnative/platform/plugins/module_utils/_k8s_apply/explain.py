# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Asks the cluster why an object isn't ready: its pods, their logs, the last events."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import pods
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import Object
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, ClientError, Cluster

LOG_LINES = 10
PROBLEMS = 5


class Explainer:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._lists: dict[tuple[str, str], list[Object]] = {}

    def __call__(self, kind: str, name: str, namespace: str | None, body: Object | None) -> list[str]:
        """What is worth telling of an object that isn't ready."""
        if body is None or not namespace:
            return []
        try:
            return self._details(kind, name, namespace, body)
        except ClientError as e:  # the reason for the wait is worth more than the reason for no reason
            return [f"no details: {e}"]

    def _details(self, kind: str, name: str, namespace: str, body: Object) -> list[str]:
        mine: list[Object] = []
        if kind in pods.WITH_PODS and (body.get("spec") or {}).get("selector"):
            mine = pods.pods_of(body, self._list(namespace, "pods"))
        elif kind == "Pod":
            mine = [body]
        details = pods.pod_problems(mine)[:PROBLEMS]
        names = {name, *(pod["metadata"]["name"] for pod in mine)}
        events = [one for one in self._list(namespace, "events") if _concerns(one, name, names)]
        details += [f"event: {line}" for line in pods.event_lines(events)]
        for pod in mine:
            silent = pods.silent_container(pod)
            if silent:
                return details + self.last_lines(namespace, pod["metadata"]["name"], *silent)
        return details

    def _list(self, namespace: str, plural: str) -> list[Object]:
        """All of a namespace, once for all objects that are explained."""
        key = (namespace, plural)
        if key not in self._lists:
            query = {"fieldSelector": "type=Warning"} if plural == "events" else {}
            answer = self.cluster.request("GET", f"/api/v1/namespaces/{namespace}/{plural}", query)
            self._lists[key] = answer.get("items") or []
        return self._lists[key]

    def last_lines(self, namespace: str, pod: str, container: str, previous: bool) -> list[str]:
        """The end of a container's log; of its last life, if it has had one."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/log"
        query: dict[str, t.Any] = {"container": container, "tailLines": LOG_LINES, "previous": previous}
        try:
            text = self.cluster.request("GET", path, query, accept="*/*", timeout=5)
        except ApiError as e:
            if previous and e.status == 400:  # the container of the last life is gone already
                return self.last_lines(namespace, pod, container, False)
            return [f"no log of {pod}: {e.message or e}"]
        except ClientError as e:
            return [f"no log of {pod}: {e}"]
        lines = str(text).rstrip().splitlines()[-LOG_LINES:]
        return [f"log of {pod}, container {container}: " + " | ".join(lines)] if lines else []


def _concerns(event: Object, owner: str, names: set[str]) -> bool:
    """Events of the object, of its pods, and of a ReplicaSet between them."""
    involved = event.get("involvedObject") or {}
    name = involved.get("name") or ""
    return name in names or (involved.get("kind") == "ReplicaSet" and name.startswith(f"{owner}-"))
