# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""/metrics in Prometheus' text format: what a node always reports, and the series the prometheus plugin switches on."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .http_server import Response
from .lua import number
from .version import VERSION

if TYPE_CHECKING:
    from .node import Node
    from .proxy_plugins import Context

_KONG_BUCKETS = (1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000)
_UPSTREAM_BUCKETS = (25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10000, 30000, 60000)
_HISTOGRAMS = {
    "kong_kong_latency_ms": ("Latency added by Kong and enabled plugins for each service/route in Kong", _KONG_BUCKETS),
    "kong_request_latency_ms": (
        "Total latency incurred during requests for each service/route in Kong",
        _UPSTREAM_BUCKETS,
    ),
    "kong_upstream_latency_ms": (
        "Latency added by upstream response for each service/route in Kong",
        _UPSTREAM_BUCKETS,
    ),
}
_COUNTERS = {
    "kong_bandwidth_bytes": "Total bandwidth (ingress/egress) throughput in bytes",
    "kong_http_requests_total": "HTTP status codes per consumer/service/route in Kong",
}
_HEALTH = (
    "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, "
    "value is 1 when state is populated."
)
_STATES = ("dns_error", "healthchecks_off", "healthy", "unhealthy")
_UNITS = {"KiB": 1024, "MiB": 1 << 20}
Series = tuple[tuple[str, str], ...]


def _labels(series: Iterable[tuple[str, str]]) -> str:
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in series)
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"


class Metrics:
    def __init__(self, node: Node) -> None:
        self.node = node
        self.lock = threading.Lock()
        self.counters: dict[str, dict[Series, float]] = {name: {} for name in _COUNTERS}
        self.observed: dict[str, dict[Series, list[float]]] = {name: {} for name in _HISTOGRAMS}
        # Target health stays in the answer after the plugin that asked for it is gone.
        self.health_seen = False

    def plugin(self) -> dict | None:
        """The prometheus plugin that rules the exposition: the global one, else any."""
        rows = [row for row in self.node.store.tables["plugins"].rows.values() if row["name"] == "prometheus"]
        rows = [row for row in rows if row["enabled"]]
        return min(rows, key=lambda row: bool(row.get("service") or row.get("route")), default=None)

    def observe(self, context: Context, response: Response, source: str, started: float, waited: float | None) -> None:
        plugin = self.plugin()
        if plugin is None:
            return
        config = plugin["config"]
        service = (context.service or {}).get("name") or (context.service or {}).get("id") or ""
        route = context.route.get("name") or context.route["id"]
        consumer = ((context.consumer or {}).get("username") or "") if config["per_consumer"] else ""
        where: Series = (("service", service), ("route", route))
        total = (time.monotonic() - started) * 1000
        with self.lock:
            if config["status_code_metrics"]:
                series: Series = (*where, ("code", str(response.status)), ("source", source), ("workspace", "default"))
                self._add("kong_http_requests_total", (*series, ("consumer", consumer)), 1)
            if config["bandwidth_metrics"]:
                request = context.request
                ingress = (
                    len(request.target) + len(request.body) + sum(len(n) + len(v) for n, v in request.headers.items)
                )
                egress = len(response.body) + sum(len(n) + len(v) for n, v in response.headers.items)
                for direction, size in (("ingress", ingress), ("egress", egress)):
                    series = (*where, ("direction", direction), ("workspace", "default"), ("consumer", consumer))
                    self._add("kong_bandwidth_bytes", series, size)
            if config["latency_metrics"]:
                series = (*where, ("workspace", "default"))
                spent = waited * 1000 if waited is not None else 0.0
                self._note("kong_kong_latency_ms", series, total - spent)
                self._note("kong_request_latency_ms", series, total)
                if waited is not None:
                    self._note("kong_upstream_latency_ms", series, spent)

    def _add(self, name: str, series: Series, amount: float) -> None:
        self.counters[name][series] = self.counters[name].get(series, 0) + amount

    def _note(self, name: str, series: Series, value: float) -> None:
        buckets = _HISTOGRAMS[name][1]
        # Counts by bucket, then the count and the sum of all.
        counts = self.observed[name].setdefault(series, [0.0] * (len(buckets) + 2))
        for position, limit in enumerate(buckets):
            if value <= limit:
                counts[position] += 1
        counts[-2] += 1
        counts[-1] += int(value)

    # Exposition

    def text(self) -> str:
        families: dict[str, tuple[str, str, list[str]]] = {}
        plugin = self.plugin()
        with self.lock:
            if plugin is None:
                for counted in self.counters.values():
                    counted.clear()
                for noted in self.observed.values():
                    noted.clear()
            self._traffic(families)
        if plugin is not None and plugin["config"]["upstream_health_metrics"]:
            self.health_seen = True
        if self.health_seen:
            families["kong_upstream_target_health"] = (_HEALTH, "gauge", self._health())
        self._node(families)
        lines = []
        for name in sorted(families):
            text, kind, series = families[name]
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *(f"{name}{item}" for item in series)]
        return "\n".join(lines) + "\n"

    def _traffic(self, families: dict) -> None:
        for name, text in _COUNTERS.items():
            if self.counters[name]:
                counted = [f"{_labels(s)} {number(v)}" for s, v in sorted(self.counters[name].items())]
                families[name] = (text, "counter", counted)
        for name, (text, buckets) in _HISTOGRAMS.items():
            lines: list[str] = []
            for series, counts in sorted(self.observed[name].items()):
                limits = [str(limit) for limit in buckets]
                for limit, count in zip((*limits, "+Inf"), (*counts[:-2], counts[-2])):
                    lines.append(f"_bucket{_labels((*series, ('le', limit)))} {number(count)}")
                lines.append(f"_count{_labels(series)} {number(counts[-2])}")
                lines.append(f"_sum{_labels(series)} {number(counts[-1])}")
            if lines:
                families[name] = (text, "histogram", lines)

    def _health(self) -> list[str]:
        lines = []
        store = self.node.store
        with store.lock:
            targets = list(store.tables["targets"].rows.values())
        for target in targets:
            upstream = store.tables["upstreams"].rows[target["upstream"]["id"]]
            state = self.node.health.state(upstream, target).lower()
            for name in _STATES:
                address = "" if state == "dns_error" else target["target"]
                where = (("upstream", upstream["name"]), ("target", target["target"]), ("address", address))
                lines.append(f"{_labels((*where, ('state', name), ('subsystem', 'http')))} {int(name == state)}")
        return lines

    def _node(self, families: dict) -> None:
        node = (("node_id", self.node.node_id),)
        total = self.node.count()
        families["kong_datastore_reachable"] = (
            "Datastore reachable from Kong, 0 is unreachable",
            "gauge",
            [" 1"],
        )
        dicts = self.node.data["memory"]["lua_shared_dicts"]
        for name, key, text in (
            ("kong_memory_lua_shared_dict_bytes", "allocated_slabs", "Allocated slabs in bytes in a shared_dict"),
            ("kong_memory_lua_shared_dict_total_bytes", "capacity", "Total capacity in bytes of a shared_dict"),
        ):
            series = []
            for name_of, sizes in sorted(dicts.items()):
                amount, unit = sizes[key].split()
                labels = (*node, ("shared_dict", name_of), ("kong_subsystem", "http"))
                series.append(f"{_labels(labels)} {int(float(amount) * _UNITS[unit])}")
            families[name] = (text, "gauge", series)
        worker = (*node, ("pid", str(os.getpid())), ("kong_subsystem", "http"))
        families["kong_memory_workers_lua_vms_bytes"] = (
            "Allocated bytes in worker Lua VM",
            "gauge",
            [f"{_labels(worker)} 0"],
        )
        states = ("accepted", "active", "handled", "reading", "total", "waiting", "writing")
        series = [f"{_labels((*node, ('subsystem', 'http'), ('state', state)))} {total}" for state in states]
        families["kong_nginx_connections_total"] = ("Number of connections by subsystem", "gauge", series)
        requests = _labels((*node, ("subsystem", "http")))
        families["kong_nginx_requests_total"] = ("Number of requests total", "gauge", [f"{requests} {total}"])
        timers = [f"{_labels((('state', state),))} 0" for state in ("pending", "running")]
        families["kong_nginx_timers"] = ("Number of nginx timers", "gauge", timers)
        info = _labels((*node, ("version", VERSION)))
        families["kong_node_info"] = ("Kong Node metadata information", "gauge", [f"{info} 1"])
