# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inbounds and outbounds of a proxy, and the policies that each of them has.

As recorded for policies of a whole mesh and of some proxies of it. Where several policies of a kind meet, their parts
are listed one after the other; a control plane merges them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import identities
from .errors import Refused
from .kinds import KINDS, Kind
from .node import Node
from .render import display_name, resource_kri
from .selection import selected_by_policy
from .store import Resource

# Kinds in the order in which they were listed; those that were not recorded stand around them.
_ORDER = (
    *("MeshLoadBalancingStrategy", "MeshAccessLog", "MeshTrace", "MeshFaultInjection", "MeshRateLimit", "MeshTimeout"),
    *("MeshTrafficPermission", "MeshCircuitBreaker", "MeshHealthCheck", "MeshRetry", "MeshMetric", "MeshPassthrough"),
    *("MeshTLS", "MeshProxyPatch"),
)
_SERVICES = ("MeshService", "MeshExternalService", "MeshMultiZoneService")


def layout(node: Node, proxy: Resource) -> dict[str, Any]:
    kind = KINDS["Dataplane"]
    return {
        "inbounds": [
            {
                "kri": resource_kri(kind, proxy, _section(one)),
                "port": one["port"],
                "protocol": one.get("protocol") or one.get("tags", {}).get("kuma.io/protocol", "tcp"),
                "proxyResourceName": f"self_inbound_dp_{_section(one)}",
            }
            for one in _inbounds(proxy)
        ],
        "kri": resource_kri(kind, proxy),
        "labels": proxy.labels,
        "listeners": [],
        "outbounds": [
            {
                "kri": name,
                "port": port["port"],
                "protocol": port.get("appProtocol", "tcp"),
                "proxyResourceName": name,
            }
            for name, _service, port in _outbounds(node, proxy)
        ],
        "spiffeId": identities.spiffe_id(node, proxy),
    }


def of_proxy(node: Node, proxy: Resource) -> dict[str, Any]:
    """Only what is no matter of one inbound or outbound."""
    found = [
        (kind, policy, policy.spec["default"]) for kind, policy in _policies(node, proxy) if "default" in policy.spec
    ]
    return {"policies": [_entry(kind, policy, conf=conf) for kind, policy, conf in found]}


def of_inbound(node: Node, proxy: Resource, wanted: str) -> dict[str, Any]:
    sections = {resource_kri(KINDS["Dataplane"], proxy, _section(one)): _section(one) for one in _inbounds(proxy)}
    section = sections.get(wanted)
    if section is None:
        raise Refused(404, "Could not retrieve a resource", "Not found")
    found = []
    for kind, policy in _policies(node, proxy):
        if (policy.spec.get("targetRef") or {}).get("sectionName") not in (None, section):
            continue
        name = resource_kri(kind, policy)
        rules = [*(policy.spec.get("from") or []), *(policy.spec.get("rules") or [])]
        parts = [{"conf": one["default"], "kri": name, **_matches(one)} for one in rules if "default" in one]
        if parts:
            found.append(_entry(kind, policy, rules=parts))
    return {"policies": _joined(found, "rules")}


def of_outbound(node: Node, proxy: Resource, wanted: str) -> dict[str, Any]:
    service, port = next(((one, port) for name, one, port in _outbounds(node, proxy) if name == wanted), (None, {}))
    if service is None:
        raise Refused(404, "Could not retrieve a resource", "Not found")
    found = []
    for kind, policy in _policies(node, proxy):
        targets = [one for one in policy.spec.get("to") or [] if _meant(one.get("targetRef") or {}, service, port)]
        confs = [one["default"] for one in targets if "default" in one]
        if confs:
            found.append(_entry(kind, policy, conf=confs))
    return {"policies": _joined(found, "conf")}


def _section(port: dict[str, Any]) -> str:
    return str(port.get("name") or port["port"])


def _inbounds(proxy: Resource) -> list[dict[str, Any]]:
    return proxy.spec.get("networking", {}).get("inbound", [])


def _outbounds(node: Node, proxy: Resource) -> Iterator[tuple[str, Resource, dict[str, Any]]]:
    """Those that the Dataplane names, in its order; every port of every service of the mesh where it names none."""
    every = [
        (resource_kri(KINDS[kind], service, _section(port)), service, port)
        for kind in _SERVICES
        for service in node.store.list(kind, proxy.mesh)
        for port in service.spec.get("ports") or [service.spec.get("match") or {}]
        if "port" in port
    ]
    named = proxy.spec.get("networking", {}).get("outbound")
    if not named:
        yield from every
        return
    for one in named:
        ref = one.get("backendRef") or {}
        yield from (found for found in every if ref.get("port") == found[2]["port"] and _meant(ref, *found[1:]))


def _meant(ref: dict[str, Any], service: Resource, port: dict[str, Any]) -> bool:
    if ref.get("kind") == "Mesh":
        return True
    if ref.get("kind") != service.kind or ref.get("sectionName") not in (None, _section(port)):
        return False
    if ref.get("name"):
        return ref["name"] in (service.name, display_name(service))
    wanted = ref.get("labels") or {}
    return bool(wanted) and all(service.labels.get(name) == value for name, value in wanted.items())


def _policies(node: Node, proxy: Resource) -> Iterator[tuple[Kind, Resource]]:
    for name in _ORDER:
        for policy in node.store.list(name, proxy.mesh):
            if policy.labels.get("kuma.io/effect") != "shadow" and selected_by_policy(policy, proxy):
                yield KINDS[name], policy


def _matches(rule: dict[str, Any]) -> dict[str, Any]:
    return {"matches": rule["matches"]} if rule.get("matches") else {}


def _entry(kind: Kind, policy: Resource, **more: Any) -> dict[str, Any]:
    return {"kind": kind.name, "origins": [{"kri": resource_kri(kind, policy)}], **more}


def _joined(found: list[dict[str, Any]], parts: str) -> list[dict[str, Any]]:
    """One entry of a kind."""
    out: dict[str, dict[str, Any]] = {}
    for entry in found:
        one = out.setdefault(entry["kind"], {"kind": entry["kind"], "origins": [], parts: []})
        one["origins"] += entry["origins"]
        one[parts] += entry[parts]
    return list(out.values())
