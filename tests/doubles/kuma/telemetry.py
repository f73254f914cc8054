# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References from observability policies to their backends."""

from __future__ import annotations

from typing import Any

from .node import Node
from .store import Resource


def _refs(policy: Resource) -> list[dict[str, str]]:
    """Labels of every backend that a policy refers to."""
    spec = policy.spec
    entries: list[Any] = [spec, *(spec.get("to") or []), *(spec.get("from") or []), *(spec.get("rules") or [])]
    backends = [one for entry in entries for one in (entry.get("default") or {}).get("backends") or []]
    refs = [(one.get("openTelemetry") or {}).get("backendRef") for one in backends]
    return [ref.get("labels") or {} for ref in refs if ref]


def _matches(labels: dict[str, str], wanted: dict[str, str]) -> bool:
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def policy(node: Node, resource: Resource) -> tuple[dict, dict | None]:
    refs = _refs(resource)
    if not refs:
        return resource.spec, resource.status
    backends = node.store.list("MeshOpenTelemetryBackend", resource.mesh)
    lost = [ref for ref in refs if not any(_matches(one.labels, ref) for one in backends)]
    condition = {"type": "BackendRefsResolved", "status": "True", "reason": "AllBackendRefsResolved"}
    condition["message"] = "All MeshOpenTelemetryBackend references are resolved"
    if lost:
        named = ["labels:" + ",".join(f"{key}={ref[key]}" for key in sorted(ref)) for ref in lost]
        message = f"Unresolved MeshOpenTelemetryBackend references: {', '.join(named)}"
        condition.update(status="False", reason="UnresolvedBackendRefs", message=message)
    return resource.spec, {"conditions": [condition]}


def backend(node: Node, resource: Resource) -> tuple[dict, dict]:
    policies = (node.store.list(kind, resource.mesh) for kind in ("MeshAccessLog", "MeshMetric", "MeshTrace"))
    refs = [ref for group in policies for one in group for ref in _refs(one)]
    used = sum(_matches(resource.labels, ref) for ref in refs)
    condition = {"type": "ReferencedByPolicies", "status": "False", "reason": "NotReferenced"}
    condition["message"] = "Not referenced by any observability policy"
    if used:
        condition.update(status="True", reason="Referenced", message=f"Referenced by {used} policy backend(s)")
    return resource.spec, {"conditions": [condition]}
