# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a resource is shown: universal and Kubernetes form, overviews."""

from __future__ import annotations

from typing import Any

from .kinds import KINDS, Kind, kri
from .labels import DISPLAY_NAME, MESH, ZONE
from .store import Resource


def display_name(resource: Resource) -> str:
    return resource.labels.get(DISPLAY_NAME, resource.name)


def resource_kri(kind: Kind, resource: Resource, section: str = "") -> str:
    return kri(kind, resource.mesh, resource.labels.get(ZONE, ""), display_name(resource), section)


def meta(kind: Kind, resource: Resource, type_name: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"type": type_name or kind.name}
    if kind.mesh_scoped:
        body["mesh"] = resource.mesh
    body |= {"name": resource.name, "creationTime": resource.created, "modificationTime": resource.modified}
    if resource.labels:
        body["labels"] = resource.labels
    if kind.short:
        body["kri"] = resource_kri(kind, resource)
    return body


def universal(resource: Resource) -> dict[str, Any]:
    kind = KINDS[resource.kind]
    body = meta(kind, resource)
    if not kind.plugin:
        return {**body, **resource.spec}
    names = snis(resource)
    if names:
        body["snis"] = names
    body["spec"] = resource.spec
    if resource.status is not None:
        body["status"] = resource.status
    return body


def snis(resource: Resource) -> list[dict[str, Any]]:
    mesh, zone = resource.mesh, resource.labels.get(ZONE, "")
    name = display_name(resource)
    if resource.kind == "MeshService":
        ports = resource.spec.get("ports") or []
        start = f"sni.msvc.{mesh}.{zone}.{name}"
    elif resource.kind == "MeshExternalService":
        ports = [{"port": resource.spec["match"].get("port", 0)}]
        start = f"sni.extsvc.{mesh}.{zone}.{name}"
    elif resource.kind == "MeshMultiZoneService":
        ports = resource.spec.get("ports") or []
        start = f"sni.mzsvc.{mesh}.{name}"
    else:
        return []
    return [{"port": one["port"], "sni": f"{start}.{one.get('name') or one['port']}"} for one in ports]


def kubernetes(resource: Resource, namespace: str) -> dict[str, Any]:
    kind = KINDS[resource.kind]
    created = resource.created.partition(".")[0].rstrip("Z") + "Z"
    head: dict[str, Any] = {"name": resource.name}
    if kind.plugin:
        head["namespace"] = namespace or "kuma-system"
    head["creationTimestamp"] = created
    dropped = ("kuma.io/env", "kuma.io/origin", ZONE)
    labels = {name: value for name, value in resource.labels.items() if name not in dropped}
    if kind.mesh_scoped:
        labels.setdefault(MESH, resource.mesh)
    if labels:
        head["labels"] = labels
    return {"kind": kind.name, "apiVersion": "kuma.io/v1alpha1", "metadata": head, "spec": resource.spec}


def overview(resource: Resource, insight: dict | None) -> dict[str, Any]:
    kind = KINDS[resource.kind]
    field = kind.name[0].lower() + kind.name[1:]
    body = {**meta(kind, resource, f"{kind.name}Overview"), field: resource.spec}
    if insight is not None:
        body[f"{field}Insight"] = insight
    return body
