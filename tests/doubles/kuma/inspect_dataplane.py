# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths below one resource: which proxies a policy or service selects, what a proxy would be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import Refused, bad_request
from .kinds import Kind
from .node import Node
from .store import Resource

Handler = Callable[[Node, Resource, list], Any]


def find(kind: Kind, path: list[str]) -> Handler | None:
    text = "/".join(path)
    if kind.policy and kind.plugin and text == "_resources/dataplanes":
        return lambda node, resource, _: _references(node, resource, selected_by_policy)
    if kind.name == "MeshService" and text in ("_resources/dataplanes", "_dataplanes"):
        return lambda node, resource, _: _references(node, resource, selected_by_service)
    if kind.name in ("MeshService", "MeshExternalService", "MeshMultiZoneService") and text == "_hostnames":
        return _hostnames
    if kind.name != "Dataplane":
        return None
    if path[-1] == "_policies" or text == "_layout":
        return _needs_mesh_services
    if text == "_config":
        return _config
    return _admin if text in ("xds", "stats", "clusters") else None


def _references(node: Node, resource: Resource, selects: Callable[[Resource, Resource], bool]) -> dict[str, Any]:
    proxies = [one for one in node.store.list("Dataplane", resource.mesh) if selects(resource, one)]
    items = [{"labels": one.labels, "mesh": one.mesh, "name": one.name, "type": "Dataplane"} for one in proxies]
    return {"items": items, "total": len(items)}


def _contains(labels: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())


def tags(proxy: Resource) -> list[dict[str, str]]:
    return [one.get("tags", {}) for one in proxy.spec.get("networking", {}).get("inbound", [])]


def selected_by_policy(policy: Resource, proxy: Resource) -> bool:
    ref = policy.spec.get("targetRef") or {"kind": "Mesh"}
    kind = ref["kind"]
    gateway = proxy.spec.get("networking", {}).get("gateway") is not None
    if ref.get("proxyTypes") and ("Gateway" if gateway else "Sidecar") not in ref["proxyTypes"]:
        return False
    if kind == "Mesh":
        return True
    if kind == "Dataplane":
        return ref["name"] == proxy.name if ref.get("name") else _contains(proxy.labels, ref.get("labels") or {})
    wanted = dict(ref.get("tags") or {})
    if kind in ("MeshService", "MeshServiceSubset") and ref.get("name"):
        wanted["kuma.io/service"] = ref["name"]
    return kind in ("MeshSubset", "MeshService", "MeshServiceSubset") and any(
        _contains(one, wanted) for one in tags(proxy)
    )


def selected_by_service(service: Resource, proxy: Resource) -> bool:
    selector = service.spec.get("selector", {})
    if selector.get("dataplaneTags"):
        return any(_contains(one, selector["dataplaneTags"]) for one in tags(proxy))
    if selector.get("dataplaneLabels"):
        return _contains(proxy.labels, selector["dataplaneLabels"].get("matchLabels") or {})
    return bool(selector.get("dataplaneRef")) and selector["dataplaneRef"].get("name") == proxy.name


def _hostnames(node: Node, resource: Resource, path: list[str]) -> dict[str, Any]:
    addresses = (resource.status or {}).get("addresses", [])
    items = [{"hostname": one["hostname"], "zones": [{"name": node.options.zone}]} for one in addresses]
    return {"items": items, "total": len(items)}


def _needs_mesh_services(node: Node, resource: Resource, path: list[str]) -> Any:
    mesh = node.store.get("Mesh", "", resource.mesh)
    if mesh is None or mesh.spec.get("meshServices", {}).get("mode") != "Exclusive":
        raise bad_request(f"bad request: can't use {path[-1]} endpoint without meshService enabled")
    raise Refused(501, "Not part of the double", "the double computes no proxy configuration")


def _config(node: Node, resource: Resource, path: list[str]) -> Any:
    raise Refused(404, "Failed to fetch dataplane insight", "Not found")


def _admin(node: Node, resource: Resource, path: list[str]) -> Any:
    raise Refused(500, "Could not execute admin operation", "Internal Server Error")
