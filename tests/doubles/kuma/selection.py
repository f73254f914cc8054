# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which proxies a policy or a service selects."""

from __future__ import annotations

from typing import Any

from .store import Resource


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
