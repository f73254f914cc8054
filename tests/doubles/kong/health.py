"""Health of targets: what operators set by hand, and what active checks over TCP or HTTP find."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, Any, Optional

from . import arguments, netaddr
from .http_server import Request

if TYPE_CHECKING:
    from .admin import Admin, Result
    from .node import Node


class Health:
    def __init__(self, node: Node) -> None:
        self.node = node
        # (upstream id, target) -> what was set by hand since active checks are on.
        self.manual: dict[tuple[str, str], bool] = {}

    def put(self, admin: Admin, upstream: dict, rest: list[str]) -> Result:
        """PUT .../targets/{target}[/{address}]/(un)healthy"""
        target = admin.target(upstream, rest[0])
        if self.node.dbless and not self.checked(upstream):
            return 400, {"message": f"no healthchecker found for {upstream['name']}"}
        self.manual[upstream["id"], target["target"]] = rest[-1] == "healthy"
        return 204, None

    @staticmethod
    def checked(upstream: dict) -> bool:
        """Whether any check, active or passive, can change the health of a target."""
        checks = upstream["healthchecks"]
        active = checks["active"]
        if (active["healthy"]["interval"] or 0) > 0 or (active["unhealthy"]["interval"] or 0) > 0:
            return True
        passive = checks["passive"]
        counters = [passive["healthy"]["successes"]]
        counters += [passive["unhealthy"][name] for name in ("tcp_failures", "timeouts", "http_failures")]
        return any((counter or 0) > 0 for counter in counters)

    def healthy(self, upstream: dict, target: dict) -> bool:
        manual = self.manual.get((upstream["id"], target["target"]))
        if manual is not None:
            return manual
        active = upstream["healthchecks"]["active"]
        if (active["unhealthy"]["interval"] or 0) <= 0:
            return True
        return _probe(target["target"], active)

    def state(self, upstream: dict, target: dict) -> str:
        if not self.checked(upstream):
            manual = self.manual.get((upstream["id"], target["target"]))
            return "HEALTHCHECKS_OFF" if manual is None else ("HEALTHY" if manual else "UNHEALTHY")
        return "HEALTHY" if self.healthy(upstream, target) else "UNHEALTHY"

    def details(self, upstream: dict, target: dict) -> tuple[str, dict[str, Any]]:
        """One target as the balancer sees it."""
        state = self.state(upstream, target)
        parsed = netaddr.normalize(target["target"])
        assert isinstance(parsed, netaddr.Host)
        host, port = netaddr.format_host(parsed._replace(port=None)), parsed.port
        available = target["weight"] if state != "UNHEALTHY" else 0
        weight = {"total": target["weight"], "available": available, "unavailable": target["weight"] - available}
        address = {"ip": parsed.host, "port": port, "weight": target["weight"], "health": state}
        data = {"host": host, "port": port, "dns": "A", "nodeWeight": target["weight"], "weight": weight}
        return state, {**data, "addresses": [address]}

    def upstream(self, admin: Admin, key: str, raw: str, request: Request) -> Result:
        from .admin import listing, next_link

        entity = admin.catalog.entities["upstreams"]
        row = admin.parent(entity, key, request.method)
        query = arguments.query(request)
        targets = admin.store.tables["targets"]
        ids = targets.by_parent["upstream"].get(row["id"], [])
        if query.get("balancer_health") == "1":
            details = [self.details(row, targets.rows[i])[1] for i in ids]
            total = sum(item["weight"]["total"] for item in details)
            available = sum(item["weight"]["available"] for item in details)
            weight = {"total": total, "available": available, "unavailable": total - available}
            state = {"healthy": available > 0, "weight": weight, "hosts": details}
            body = {"health": "HEALTHY" if available else "UNHEALTHY", "id": row["id"], "details": state}
            if not self.checked(row):
                body["health"] = "HEALTHCHECKS_OFF"
            return 200, {"data": body, "next": None, "node_id": self.node.node_id}
        rows, offset = admin.target_page(ids, query)
        shown = []
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
    seen: Optional[tuple[float, bool]] = _PROBES.get(key)
    if seen is not None and time.monotonic() - seen[0] < interval:
        return seen[1]
    result = _ask(target, active)
    _PROBES[key] = (time.monotonic(), result)
    return result


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


