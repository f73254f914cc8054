# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a gateway is and how it is: nodes, counts, health of what is behind it. Changes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import reading
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, Refused, Unreachable
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.dbless import EMPTY_HASH
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.reading import DBLESS, Node

#: What a target is called that is served, from best to worst.
_HEALTH = ("HEALTHY", "HEALTHCHECKS_OFF", "UNKNOWN", "DNS_ERROR", "UNHEALTHY")


def gather(nodes: t.Sequence[Admin], subsets: t.Sequence[str]) -> Raw:
    """Everything about one gateway. A node that does not answer is part of the answer; none at all is an error."""
    found: list[tuple[Admin, Node]] = []
    facts: list[Raw] = []
    for admin in nodes:
        try:
            about = Node(admin.get("/"))
            facts.append(_node(admin, about))
            found.append((admin, about))
        except (Unreachable, Refused) as e:
            facts.append({"name": admin.name, "reachable": False, "problem": str(e)})
    if not found:
        raise KongError("; ".join(fact["problem"] for fact in facts))
    admin, about = found[0]
    if not about.version:
        raise KongError(about.problem(admin.name) or f"{admin.name} names no version")
    result: Raw = {
        "version": about.version,
        "edition": about.edition,
        "mode": about.mode,
        "role": about.role,
        "supported": about.problem(admin.name) is None,
        "router_flavor": about.router,
        "plugins_available": sorted(about.plugins),
        "nodes": facts,
        "in_sync": in_sync(facts),
    }
    if about.role == "control_plane":
        result["data_planes"] = [_data_plane(item) for item in admin.pages("/clustering/data-planes")]
    if "counts" in subsets or "health" in subsets:
        _entities(admin, about, found, subsets, result)
    return result


def _entities(
    admin: Admin, about: Node, found: list[tuple[Admin, Node]], subsets: t.Sequence[str], result: Raw
) -> None:
    kinds = about.kinds() if "counts" in subsets else ["upstreams"]
    lists = reading.entities(admin, kinds, lambda item: "counts" in subsets)
    if "counts" in subsets:
        result["counts"] = {kind: len(items) for kind, items in sorted(lists.items())}
        result["entities"] = sum(result["counts"].values())
    if "health" in subsets:
        names = {item["id"]: item["name"] for item in lists["upstreams"]}
        # A control plane proxies nothing, so it knows nothing of health.
        views = {} if about.role == "control_plane" else {one.name: _health(one, names) for one, _about in found}
        result["upstreams"] = merged(list(names.values()), views)


def _node(admin: Admin, about: Node) -> Raw:
    status = admin.get("/status")
    fact: Raw = {
        "name": admin.name,
        "reachable": True,
        "version": about.version,
        "node_id": about.id,
        "hostname": about.hostname,
        "connections": (status.get("server") or {}).get("connections_active"),
    }
    if about.mode == DBLESS:
        fact["configuration_hash"] = str(status.get("configuration_hash") or "")
        fact["configured"] = fact["configuration_hash"] not in ("", EMPTY_HASH)
    else:
        fact["database_reachable"] = bool((status.get("database") or {}).get("reachable"))
    return fact


def in_sync(facts: t.Sequence[Raw]) -> bool:
    """Whether all nodes answer, run one version and hold one configuration. Pure."""
    marks = {(fact.get("version"), fact.get("configuration_hash")) for fact in facts}
    return all(fact["reachable"] and fact.get("database_reachable", True) for fact in facts) and len(marks) == 1


def _data_plane(item: Raw) -> Raw:
    return {
        "hostname": item.get("hostname"),
        "ip": item.get("ip"),
        "version": item.get("version"),
        "configuration_hash": item.get("config_hash"),
        "sync_status": item.get("sync_status"),
        "last_seen": item.get("last_seen"),
        "certificate_expires": (item.get("cert_details") or {}).get("expiry_timestamp"),
    }


def _health(admin: Admin, names: t.Mapping[str, str]) -> dict[str, list[Raw]]:
    def ask(identifier: str) -> list[Raw]:
        try:
            return admin.pages(f"/upstreams/{identifier}/health")
        except Refused as e:
            if e.status == 404:  # gone since it was listed
                return []
            raise

    return dict(zip(names.values(), admin.each(ask, list(names))))


def merged(upstreams: t.Sequence[str], views: t.Mapping[str, t.Mapping[str, list[Raw]]]) -> list[Raw]:
    """Each upstream's targets with what each node thinks of them. A node has its own opinion. Pure."""
    found = []
    for name in upstreams:
        targets: dict[str, Raw] = {}
        for node, view in views.items():
            for item in view.get(name) or []:
                target = targets.setdefault(item["target"], {"target": item["target"], "weight": item.get("weight")})
                target.setdefault("health", {})[node] = item.get("health") or "UNKNOWN"
        worst = [_worst(target["health"].values()) for target in targets.values()]
        found.append(
            {
                "name": name,
                "targets": [targets[target] for target in sorted(targets)],
                "healthy": sum(health in _HEALTH[:2] for health in worst),
                "unhealthy": sum(health not in _HEALTH[:3] for health in worst),
            }
        )
    return found


def _worst(values: t.Iterable[str]) -> str:
    return max(values, key=lambda value: _HEALTH.index(value) if value in _HEALTH else len(_HEALTH))
