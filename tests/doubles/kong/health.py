# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health of targets: what operators set by hand, and what active checks over TCP or HTTP find."""

from __future__ import annotations

import http.client
import socket
import time
from typing import TYPE_CHECKING, Any

from . import arguments, netaddr
from .http_server import Request
from .paging import Result, listing, next_link

if TYPE_CHECKING:
    from .admin import Admin
    from .node import Node


class Health:
    def __init__(self, node: Node) -> None:
        self.node = node
        # What was set by hand, by upstream, target and version of the upstream.
        self.manual: dict[tuple[str, str, float], bool] = {}

    def put(self, admin: Admin, upstream: dict, rest: list[str]) -> Result:
        """PUT .../targets/{target}[/{address}]/(un)healthy"""
        target = admin.targets.find(upstream, rest[0])
        if not self.checked(upstream):
            return 400, {"message": f"no healthchecker found for {upstream['name']}"}
        self.manual[self._key(upstream, target)] = rest[-1] == "healthy"
        return 204, None

    @staticmethod
    def _key(upstream: dict, target: dict) -> tuple[str, str, float]:
        # A changed upstream starts anew with what its checks find.
        return upstream["id"], target["target"], upstream["updated_at"]

    @staticmethod
    def checked(upstream: dict) -> bool:
        """Whether any check, active or passive, can change the health of a target; null counts as one, as in Kong."""
        checks = upstream["healthchecks"]
        passive = checks["passive"]["unhealthy"]
        numbers = [checks["active"][kind]["interval"] for kind in ("healthy", "unhealthy")]
        numbers += [passive[name] for name in ("tcp_failures", "timeouts", "http_failures")]
        return any(amount != 0 for amount in numbers)

    def healthy(self, upstream: dict, target: dict) -> bool:
        return self.state(upstream, target) in ("HEALTHY", "HEALTHCHECKS_OFF")

    def state(self, upstream: dict, target: dict) -> str:
        if not _resolves(target["target"]):
            return "DNS_ERROR"
        if not self.checked(upstream):
            return "HEALTHCHECKS_OFF"
        healthy = self.manual.get(self._key(upstream, target))
        if healthy is None:
            active = upstream["healthchecks"]["active"]
            probed = (active["healthy"]["interval"] or 0) > 0 or (active["unhealthy"]["interval"] or 0) > 0
            healthy = _probe(target["target"], active) if probed else True
        return "HEALTHY" if healthy else "UNHEALTHY"

    def details(self, upstream: dict, target: dict) -> tuple[str, dict[str, Any]]:
        """One target as the balancer sees it."""
        state = self.state(upstream, target)
        parsed = netaddr.normalize(target["target"])
        assert isinstance(parsed, netaddr.Host)
        host, port, total = netaddr.format_host(parsed._replace(port=None)), parsed.port, target["weight"]
        data: dict[str, Any] = {"host": host, "port": port, "nodeWeight": total}
        if state == "DNS_ERROR":
            weight = {"total": 0, "available": 0, "unavailable": 0}
            # Lua writes an empty list as an object.
            return state, {**data, "dns": "dns server error: 3 name error", "weight": weight, "addresses": {}}
        available = total if state != "UNHEALTHY" else 0
        weight = {"total": total, "available": available, "unavailable": total - available}
        address = {"ip": host, "port": port, "weight": total, "health": state}
        kind = "AAAA" if parsed.type == "ipv6" else "A"
        return state, {**data, "dns": kind, "weight": weight, "addresses": [address]}

    def known(self, upstream: dict) -> bool:
        """Whether the balancer has heard of the last change of an upstream or its targets."""
        written = self.node.store.balanced_at.get(upstream["id"], float("-inf"))
        return time.monotonic() - written >= self.node.options.router_delay

    @staticmethod
    def _as_host(data: dict[str, Any]) -> dict[str, Any]:
        """The same target in an answer about the balancer: healthy or not instead of a state."""
        addresses = data["addresses"] or []
        shown = [
            {
                **{key: value for key, value in address.items() if key != "health"},
                "healthy": address["health"] != "UNHEALTHY",
            }
            for address in addresses
        ]
        return {**data, "addresses": shown or {}}

    def upstream(self, admin: Admin, key: str, raw: str, request: Request) -> Result:
        entity = admin.catalog.entities["upstreams"]
        row = admin.parent(entity, key, request.method)
        query = arguments.query(request)
        targets = admin.store.tables["targets"]
        ids = targets.by_parent["upstream"].get(row["id"], [])
        if query.get("balancer_health") == "1":
            details = [self._as_host(self.details(row, targets.rows[i])[1]) for i in ids]
            total = sum(item["weight"]["total"] for item in details)
            available = sum(item["weight"]["available"] for item in details)
            weight = {"total": total, "available": available, "unavailable": total - available}
            state = {"healthy": available > 0, "weight": weight, "hosts": details}
            healthy = "HEALTHY" if available else "UNHEALTHY"
            body = {"health": healthy, "balancer_health": healthy, "id": row["id"], "details": state}
            if not self.checked(row):
                body["health"] = "HEALTHCHECKS_OFF"
            return 200, {"data": body, "next": None, "node_id": self.node.node_id}
        rows, offset = admin.targets.page(ids, query)
        shown: list[dict] = []
        if not self.known(row):
            shown, rows = rows, []
        for target in rows:
            state_name, data = self.details(row, target)
            shown.append({**target, "health": state_name, "data": data})
        status, body = listing(shown, offset, next_link(f"/upstreams/{raw}/health", offset))
        return status, {**body, "node_id": self.node.node_id}


_PROBES: dict[tuple[str, str], tuple[float, bool]] = {}


def _probe(target: str, active: dict) -> bool:
    """One active check, remembered for its interval."""
    key = (target, str(active["http_path"]))
    interval = float(active["healthy"]["interval"] or active["unhealthy"]["interval"] or 1)
    seen: tuple[float, bool] | None = _PROBES.get(key)
    if seen is not None and time.monotonic() - seen[0] < interval:
        return seen[1]
    result = _ask(target, active)
    _PROBES[key] = (time.monotonic(), result)
    return result


_RESOLVED: dict[str, tuple[float, bool]] = {}


def _resolves(target: str) -> bool:
    """Whether the host of a target has an address; remembered for a while, as DNS answers are."""
    parsed = netaddr.normalize(target)
    if isinstance(parsed, str) or parsed.type != "name":
        return True
    seen = _RESOLVED.get(parsed.host)
    if seen is not None and time.monotonic() - seen[0] < 30:
        return seen[1]
    try:
        socket.getaddrinfo(parsed.host, parsed.port)
        found = True
    except OSError:
        found = False
    _RESOLVED[parsed.host] = (time.monotonic(), found)
    return found


def _ask(target: str, active: dict) -> bool:
    connection = http.client.HTTPConnection(target, timeout=float(active["timeout"] or 1))
    try:
        connection.connect()
        if active["type"] == "tcp":
            return True
        connection.request("GET", active["http_path"] or "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return status not in (active["unhealthy"]["http_statuses"] or [])
