# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Insights: what the control plane counts."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

from . import identities
from .golang import parse_duration
from .kinds import KINDS
from .node import Node
from .render import resource_kri
from .store import Resource, now

_STATES = ("offline", "online", "partiallyDegraded", "total")
_ENVOY = "1.38.2"


def connected(node: Node, resource: Resource) -> bool:
    if node.online(resource.mesh, resource.name):
        return True
    return node.options.dataplanes_connect and node.is_old(resource)


def insight(node: Node, resource: Resource) -> dict | None:
    """The insight of a Dataplane; None where no proxy ever connected."""
    if resource.kind != "Dataplane" or not connected(node, resource):
        return None
    moment = resource.created
    envoy = {"version": _ENVOY, "kumaDpCompatible": True}
    status: dict[str, Any] = {"lastUpdateTime": moment, "total": {}, "cds": {}, "eds": {}, "lds": {}, "rds": {}}
    subscription = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{node.instance_id}/{resource.mesh}/{resource.name}")),
        "controlPlaneInstanceId": node.instance_id,
        "connectTime": moment,
        "status": status,
        "version": {"kumaDp": {"version": node.options.dataplanes_version, "kumaCpCompatible": True}, "envoy": envoy},
    }
    body: dict[str, Any] = {"subscriptions": [subscription]}
    identity = identities.identity_of(node, resource)
    if identity is not None:
        body["mTLS"] = _certificate(node, identity)
    proxy_type = "gateway" if resource.spec.get("networking", {}).get("gateway") is not None else "dataplane"
    return {**body, "metadata": {"dataplane.proxyType": proxy_type}}


def _certificate(node: Node, identity: Resource) -> dict[str, Any]:
    bundled = (identity.spec.get("provider") or {}).get("bundled") or {}
    expiry = parse_duration((bundled.get("certificateParameters") or {}).get("expiry") or "24h") // 1_000_000_000
    ready = datetime.fromisoformat(identity.modified[:19]).replace(tzinfo=timezone.utc)
    form = "%Y-%m-%dT%H:%M:%SZ"
    return {
        "certificateExpirationTime": (ready + timedelta(seconds=expiry)).strftime(form),
        "lastCertificateRegeneration": ready.strftime(form),
        "certificateRegenerations": 1,
        "issuedBackend": resource_kri(KINDS["MeshIdentity"], identity),
        "supportedBackends": _trusts(node, identity.mesh),
    }


def _trusts(node: Node, mesh: str) -> list[str]:
    return [resource_kri(KINDS["MeshTrust"], one) for one in node.store.list("MeshTrust", mesh)]


def _mtls(node: Node, mesh: str, online: list[Resource]) -> dict[str, Any]:
    issued: dict[str, list[Resource]] = {}
    for proxy in online:
        identity = identities.identity_of(node, proxy)
        if identity is not None:
            issued.setdefault(resource_kri(KINDS["MeshIdentity"], identity), []).append(proxy)
    if not issued:
        return {}
    counts = {name: _count(node, group) for name, group in issued.items()}
    everyone = [proxy for group in issued.values() for proxy in group]
    return {"issuedBackends": counts, "supportedBackends": {one: _count(node, everyone) for one in _trusts(node, mesh)}}


def rows(node: Node, kind: str, mesh: str | None) -> list[dict[str, Any]]:
    """The resources of a read-only type."""
    if kind == "MeshInsight":
        return [mesh_insight(node, one.name) for one in node.store.list("Mesh")] if node.settled else []
    if kind == "ServiceInsight":
        meshes = [one.name for one in node.store.list("Mesh") if mesh in (None, one.name)]
        return [row for name in meshes for row in _services(node, name)]
    return []


def _dataplanes(node: Node, mesh: str) -> list[Resource]:
    return node.store.list("Dataplane", mesh)


def _exclusive(node: Node, mesh: str) -> bool:
    resource = node.store.get("Mesh", "", mesh)
    return resource is not None and resource.spec.get("meshServices", {}).get("mode") == "Exclusive"


def _count(node: Node, proxies: list[Resource]) -> dict[str, int]:
    online = sum(connected(node, one) for one in proxies)
    counts = {"total": len(proxies), "online": online, "offline": len(proxies) - online}
    return {name: value for name, value in counts.items() if value}


def _type(resource: Resource) -> str:
    gateway = resource.spec.get("networking", {}).get("gateway")
    if gateway is None:
        return "standard"
    return "gatewayBuiltin" if gateway.get("type") == "BUILTIN" else "gatewayDelegated"


def mesh_insight(node: Node, mesh: str) -> dict[str, Any]:
    store, proxies = node.store, _dataplanes(node, mesh)
    counts = Counter(one.kind for one in store.of_mesh(mesh))
    policies = {name: {"total": number} for name, number in sorted(counts.items()) if KINDS[name].policy}
    by_type: dict[str, dict] = {"standard": {}, "gateway": {}, "gatewayBuiltin": {}, "gatewayDelegated": {}}
    for name in by_type:
        by_type[name] = _count(node, [one for one in proxies if _type(one).startswith(name)])
    online = [one for one in proxies if connected(node, one)]
    rest = [one for one in proxies if not connected(node, one)]
    versions: dict[str, dict] = {"kumaDp": {}, "envoy": {}}
    for part, version in (("kumaDp", node.options.dataplanes_version), ("envoy", _ENVOY)):
        for name, group in ((version, online), ("unknown", rest)):
            if group:
                versions[part][name] = _count(node, group)
    services = len(_services(node, mesh))
    counted = {"total": services, "internal": services} if services else {}
    resource = store.get("Mesh", "", mesh)
    assert resource is not None
    body = {"type": "MeshInsight", "name": mesh, "creationTime": resource.created}
    body["modificationTime"] = node.moment("MeshInsight", mesh)
    return {
        **body,
        "dataplanes": _count(node, proxies),
        "policies": policies,
        "dpVersions": versions,
        "mTLS": _mtls(node, mesh, online),
        **({} if _exclusive(node, mesh) else {"services": counted}),
        "dataplanesByType": by_type,
        "resources": {name: {"total": number} for name, number in sorted(counts.items())},
    }


def _services(node: Node, mesh: str) -> list[dict[str, Any]]:
    """Without MeshServices, a service is a value of the tag kuma.io/service."""
    if _exclusive(node, mesh):
        return []
    by_name: dict[str, list[Resource]] = {}
    for proxy in _dataplanes(node, mesh):
        networking = proxy.spec.get("networking", {})
        names = {one.get("tags", {}).get("kuma.io/service") for one in networking.get("inbound", [])}
        for name in names - {None}:
            by_name.setdefault(name, []).append(proxy)
    found = []
    for name, proxies in sorted(by_name.items()):
        online = sum(connected(node, one) for one in proxies)
        moment = node.moment("ServiceInsight", f"{mesh}/{name}")
        row: dict[str, Any] = {"type": "ServiceInsight", "mesh": mesh, "name": name, "creationTime": moment}
        status = "offline" if not online else "online" if online == len(proxies) else "partially_degraded"
        row |= {"modificationTime": moment, "status": status, "dataplanes": _count(node, proxies)}
        found.append({**row, "addressPort": f"{name}.mesh:80", "zones": [node.options.zone]})
    return found


def global_insight(node: Node) -> dict[str, Any]:
    store = node.store
    meshes = [one.name for one in store.list("Mesh")] if node.settled else []
    proxies = [one for mesh in meshes for one in _dataplanes(node, mesh)]
    counts = Counter(one.kind for mesh in meshes for one in store.of_mesh(mesh))
    if node.settled:
        counts["HostnameGenerator"] = len(store.list("HostnameGenerator"))
    groups: dict[str, dict[str, int]] = {}
    for name in ("gatewayBuiltin", "gatewayDelegated", "standard"):
        mine = _count(node, [one for one in proxies if _type(one) == name])
        groups[name] = {state: mine.get(state, 0) for state in _STATES}
    internal = [row for mesh in meshes for row in _services(node, mesh)]
    online = sum(row["status"] == "online" for row in internal)
    empty = dict.fromkeys(_STATES, 0)
    services: dict[str, Any] = {"external": {"total": 0}, "gatewayBuiltin": empty, "gatewayDelegated": empty}
    services["internal"] = {**empty, "online": online, "offline": len(internal) - online, "total": len(internal)}
    zones = {name: {"online": 0, "total": 0} for name in ("controlPlanes", "zoneEgresses", "zoneIngresses")}
    return {
        "createdAt": now(),
        "dataplanes": groups,
        "meshes": {"total": len(meshes)},
        "policies": {"total": sum(number for name, number in counts.items() if KINDS[name].policy)},
        "resources": {name: {"total": number} for name, number in sorted(counts.items()) if number},
        "services": services,
        "zones": zones,
    }


def global_insights(node: Node) -> dict[str, Any]:
    names = ("GlobalSecret", "HostnameGenerator", "Mesh", "Zone", "ZoneEgress", "ZoneIngress")
    counts = {name: {"total": len(node.store.list(name))} for name in names}
    return {"type": "GlobalInsights", "creationTime": now(), "resources": counts}


def metrics(node: Node) -> str:
    lines = ["# HELP cp_info Build and role of the control plane.", "# TYPE cp_info gauge"]
    return "\n".join(
        [*lines, f'cp_info{{product="kuma-double",version="{node.options.version}",zone="{node.options.zone}"}} 1', ""]
    )
