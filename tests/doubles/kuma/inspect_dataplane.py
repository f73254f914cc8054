# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths below one resource: which proxies a policy or service selects, what a proxy has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import inspect_policies
from .errors import Refused, bad_request
from .kinds import Kind
from .node import Node
from .selection import selected_by_policy, selected_by_service
from .store import Resource

Handler = Callable[[Node, Resource, list], Any]
_INSPECT: dict[str, Handler] = {
    "_layout": lambda node, resource, _: inspect_policies.layout(node, resource),
    "_policies": lambda node, resource, _: inspect_policies.of_proxy(node, resource),
    "_inbounds": lambda node, resource, path: inspect_policies.of_inbound(node, resource, path[1]),
    "_outbounds": lambda node, resource, path: inspect_policies.of_outbound(node, resource, path[1]),
}


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
        inspect = _INSPECT.get(path[0] if len(path) in (1, 3) else "")
        return (lambda node, resource, path: _with_mesh_services(inspect, node, resource, path)) if inspect else None
    if text == "_config":
        return _config
    return _admin if text in ("xds", "stats", "clusters") else None


def _references(node: Node, resource: Resource, selects: Callable[[Resource, Resource], bool]) -> dict[str, Any]:
    proxies = [one for one in node.store.list("Dataplane", resource.mesh) if selects(resource, one)]
    items = [{"labels": one.labels, "mesh": one.mesh, "name": one.name, "type": "Dataplane"} for one in proxies]
    return {"items": items, "total": len(items)}


def _hostnames(node: Node, resource: Resource, path: list[str]) -> dict[str, Any]:
    addresses = (resource.status or {}).get("addresses", [])
    items = [{"hostname": one["hostname"], "zones": [{"name": node.options.zone}]} for one in addresses]
    return {"items": items, "total": len(items)}


def _with_mesh_services(inspect: Handler, node: Node, resource: Resource, path: list[str]) -> Any:
    mesh = node.store.get("Mesh", "", resource.mesh)
    if mesh is None or mesh.spec.get("meshServices", {}).get("mode") != "Exclusive":
        raise bad_request(f"bad request: can't use {path[-1]} endpoint without meshService enabled")
    return inspect(node, resource, path)


def _config(node: Node, resource: Resource, path: list[str]) -> Any:
    raise Refused(404, "Failed to fetch dataplane insight", "Not found")


def _admin(node: Node, resource: Resource, path: list[str]) -> Any:
    raise Refused(500, "Could not execute admin operation", "Internal Server Error")
