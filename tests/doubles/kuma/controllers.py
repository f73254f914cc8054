# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the control plane does in the background, some time after a write: a pass over the store, again and again."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import Any

from . import hostnames, identities, insights, telemetry
from .kinds import KINDS
from .labels import DISPLAY_NAME, ENV, MESH, ORIGIN, ZONE
from .node import Node
from .selection import selected_by_service, tags
from .store import Resource, now

# How often the controllers look.
_INTERVAL = 0.1
_WATCHED = (
    "Dataplane",
    "MeshIdentity",
    "MeshService",
    "MeshExternalService",
    "MeshMultiZoneService",
    "MeshOpenTelemetryBackend",
    "MeshAccessLog",
    "MeshMetric",
    "MeshTrace",
)
_MANAGED = "kuma.io/managed-by"
_GONE = "kuma.io/deletion-grace-period-started-at"


class Controllers:
    def __init__(self, node: Node) -> None:
        self.node, self.store = node, node.store
        self.seen = -1

    def start(self) -> None:
        if not self.node.options.delay:
            with self.store.lock:
                self.node.finish_start()
            self.run_once()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        if self.node.options.delay:
            time.sleep(self.node.options.delay)
            with self.store.lock:
                self.node.finish_start()
        while True:
            try:
                self.run_once()
            except Exception:
                # As in the server: a mistake of the double stands in its log, and the next pass comes.
                traceback.print_exc(file=sys.stderr)
            time.sleep(_INTERVAL)

    def run_once(self) -> None:
        """One pass, if anything was written since the last one or was too young for it."""
        if not self.store.leads() or self.store.revision == self.seen:
            return
        with self.store.lock:
            young = self.step()
            self.seen = -1 if young else self.store.revision

    def step(self) -> bool:
        """Whether there are resources that are too young to be looked at."""
        node = self.node
        for mesh in self.store.list("Mesh"):
            proxies = [one for one in self.store.list("Dataplane", mesh.name) if node.is_old(one)]
            exclusive = mesh.spec.get("meshServices", {}).get("mode") == "Exclusive"
            self.workloads(mesh.name, proxies)
            if exclusive:
                self.generate_services(mesh.name, proxies)
            for kind, change in (
                ("MeshIdentity", lambda one, on=exclusive: identities.status(node, one, on)),
                ("MeshService", lambda one, some=proxies: self.service(one, some)),
                ("MeshExternalService", lambda one: hostnames.external(node, one)),
                ("MeshMultiZoneService", lambda one: hostnames.multizone(node, one)),
                ("MeshOpenTelemetryBackend", lambda one: telemetry.backend(node, one)),
                ("MeshAccessLog", lambda one: telemetry.policy(node, one)),
                ("MeshMetric", lambda one: telemetry.policy(node, one)),
                ("MeshTrace", lambda one: telemetry.policy(node, one)),
            ):
                for resource in self.store.list(kind, mesh.name):
                    if node.is_old(resource):
                        self.update(resource, *change(resource))
        return any(not node.is_old(one) for kind in _WATCHED for one in self.store.list(kind))

    def update(self, resource: Resource, spec: dict, status: dict | None) -> None:
        if spec != resource.spec or status != resource.status:
            self.store.put(resource._replace(spec=spec, status=status, modified=now()))

    def workloads(self, mesh: str, proxies: list[Resource]) -> None:
        """One Workload for each value of the label; gone with its last proxy."""
        groups: dict[str, list[Resource]] = {}
        for proxy in proxies:
            if proxy.labels.get("kuma.io/workload"):
                groups.setdefault(proxy.labels["kuma.io/workload"], []).append(proxy)
        options = self.node.options
        for name, group in groups.items():
            status = {"dataplaneProxies": self.proxies(group, always=True)}
            old = self.store.get("Workload", mesh, name)
            if old is None:
                labels = {ENV: options.environment, _MANAGED: "workload-generator", MESH: mesh, ZONE: options.zone}
                self.store.make("Workload", mesh, name, {}, labels=labels, status=status)
            elif _MANAGED in old.labels:
                self.update(old, old.spec, status)
        for old in self.store.list("Workload", mesh):
            if _MANAGED in old.labels and old.name not in groups:
                self.store.delete("Workload", mesh, old.name)

    def proxies(self, group: list[Resource], always: bool = False) -> dict[str, int]:
        counts = {"connected": sum(insights.connected(self.node, one) for one in group)}
        counts |= {"healthy": sum(not _unhealthy(one) for one in group), "total": len(group)}
        return {name: number for name, number in counts.items() if number or always}

    def generate_services(self, mesh: str, proxies: list[Resource]) -> None:
        """A MeshService for each value of the tag kuma.io/service, unless one of that name was made by hand."""
        ports: dict[str, dict[int, dict]] = {}
        for proxy in proxies:
            for inbound in proxy.spec.get("networking", {}).get("inbound", []):
                service = inbound.get("tags", {}).get("kuma.io/service")
                if service:
                    ports.setdefault(service, {})[inbound["port"]] = _port(inbound)
        options = self.node.options
        base = {ENV: options.environment, _MANAGED: "meshservice-generator", MESH: mesh}
        base |= {ORIGIN: "zone", ZONE: options.zone}
        for name, found in ports.items():
            old = self.store.get("MeshService", mesh, name)
            listed = [found[number] for number in sorted(found)]
            if old is None:
                selector = {"dataplaneTags": {"kuma.io/service": name}}
                spec = {"state": "Unavailable", "selector": selector, "ports": listed}
                labels = dict(sorted({**base, DISPLAY_NAME: name}.items()))
                status = KINDS["MeshService"].status
                made = self.store.make("MeshService", mesh, name, spec, labels=labels, status=status)
                # Nobody waits for what the control plane made itself.
                self.store.put(made._replace(written=float("-inf")))
            elif _MANAGED in old.labels and (old.spec.get("ports") != listed or _GONE in old.labels):
                labels = {key: value for key, value in old.labels.items() if key != _GONE}
                self.store.put(old._replace(spec={**old.spec, "ports": listed}, labels=labels, modified=now()))
        for old in self.store.list("MeshService", mesh):
            if _MANAGED in old.labels and old.name not in ports and _GONE not in old.labels:
                labels = dict(sorted({**old.labels, _GONE: now()}.items()))
                self.store.put(old._replace(labels=labels, modified=now()))

    def service(self, resource: Resource, proxies: list[Resource]) -> tuple[dict, dict]:
        mine = [one for one in proxies if selected_by_service(resource, one)]
        online = [one for one in mine if insights.connected(self.node, one) and not _unhealthy(one)]
        spec: dict[str, Any] = {**resource.spec, "state": "Available" if online else "Unavailable"}
        names = sorted({name for proxy in mine for name in _services(proxy)})
        found = [{"type": "ServiceTag", "value": name} for name in names]
        ids = sorted({one for one in (identities.spiffe_id(self.node, proxy) for proxy in mine) if one})
        found += [{"type": "SpiffeID", "value": one} for one in ids]
        spec.pop("identities", None)
        if found:
            spec["identities"] = found
        status = hostnames.service(self.node, resource)
        status["tls"] = {"status": "Ready" if ids or not mine else "NotReady"}
        status["dataplaneProxies"] = self.proxies(mine)
        return spec, status


def _services(proxy: Resource) -> set[str]:
    """By tag; without one, the workload stands for it."""
    found = {one["kuma.io/service"] for one in tags(proxy) if "kuma.io/service" in one}
    workload = proxy.labels.get("kuma.io/workload")
    return found or ({workload} if workload else set())


def _unhealthy(proxy: Resource) -> bool:
    return any(one.get("state") == "NotReady" for one in proxy.spec.get("networking", {}).get("inbound", []))


def _port(inbound: dict) -> dict[str, Any]:
    port = {"name": inbound.get("name") or str(inbound["port"]), "port": inbound["port"]}
    protocol = inbound.get("protocol") or inbound["tags"].get("kuma.io/protocol") or "tcp"
    return {**port, "targetPort": inbound["port"], "appProtocol": protocol}
