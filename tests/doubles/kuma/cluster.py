# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On Kubernetes: the store shows what custom resources the cluster has, read with the pod's own account."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
from pathlib import Path
from typing import Any

from .definitions import CRDS
from .kinds import KINDS
from .labels import MESH
from .node import Node
from .store import Resource

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# For how many seconds an answer stands. Watches would be quicker, and a server of their own.
FRESH = 1.0
_ATTEMPTS = 5


class Cluster:
    """A connection to the API server."""

    def __init__(self, address: str, account: Path = ACCOUNT) -> None:
        self.host, _, port = address.rpartition(":")
        self.port, self.account = int(port), account

    def get(self, path: str) -> dict[str, Any] | None:
        """An object or a list; None where there is none."""
        for _attempt in range(_ATTEMPTS):
            status, body = self._ask(path)
            if status != 429:
                break
            # A kind that was just defined is not ready for a second or so.
            time.sleep(1)
        if status == 404:
            return None
        if status != 200:
            raise OSError(f"GET {path}: {status} {body[:200]!r}")
        return json.loads(body)

    def _ask(self, path: str) -> tuple[int, bytes]:
        context = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        # Read each time: tokens of pods are replaced within the hour.
        token = (self.account / "token").read_text().strip()
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=10, context=context)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def from_environment() -> Cluster:
    return Cluster(f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}")


def resource(kind: str, item: dict[str, Any]) -> Resource:
    """A custom resource as the control plane has it: named with its namespace, in the mesh of its label."""
    metadata = item["metadata"]
    labels = dict(metadata.get("labels") or {})
    name = metadata["name"]
    if CRDS[kind]["namespaced"]:
        name += f".{metadata['namespace']}"
    mesh = (item.get("mesh") or labels.get(MESH) or "default") if KINDS[kind].mesh_scoped else ""
    moment = metadata["creationTimestamp"]
    spec, status = item.get("spec") or {}, item.get("status")
    return Resource(kind, mesh, name, moment, moment, labels, spec, status, time.monotonic())


class Mirror:
    """Brings the store to what the cluster has, when somebody asks and the last look is too old."""

    def __init__(self, node: Node, cluster: Cluster) -> None:
        self.node, self.cluster = node, cluster
        self.looked = 0.0
        self.mutex = threading.Lock()

    def refresh(self) -> None:
        with self.mutex:
            if time.monotonic() - self.looked < FRESH:
                return
            for kind, entry in CRDS.items():
                if kind in KINDS and not KINDS[kind].read_only:
                    self._replace(kind, (self.cluster.get(f"/apis/kuma.io/v1alpha1/{entry['plural']}") or {}))
            self.looked = time.monotonic()

    def _replace(self, kind: str, found: dict[str, Any]) -> None:
        store = self.node.store
        wanted = {(one.mesh, one.name): one for one in (resource(kind, item) for item in found.get("items") or [])}
        for old in store.list(kind):
            # The zone is the control plane's own, and no custom resource of ours.
            if (old.mesh, old.name) not in wanted and kind != "Zone":
                store.delete(kind, old.mesh, old.name)
        for one in wanted.values():
            store.put(one)
