# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The dashboard about the gateway: what is asked, how long it takes, what stands behind it, its nodes. Pure."""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.panels import (
    GREEN,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Variable,
    among,
    graph,
    per_second,
    quantile,
    stat,
)

JOB = 'job="kong"'
SERVICE = Variable("service", "Service", f"kong_http_requests_total{{{JOB}}}", "service")

PERCENTILES = (50, 95, 99)
REQUESTS = "kong_http_requests_total{}"
ERRORS = 'kong_http_requests_total{code=~"5.."}'


def gateway() -> Dashboard:
    chosen, every = among(f'{JOB},service=~"$service"'), among(JOB)
    health = every("max by (upstream, target, state) (kong_upstream_target_health{} == 1)")
    # Of what stands behind services that may have no errors, and of upstreams that may have no targets: a zero.
    all_errors = every(f"({per_second(ERRORS)} or vector(0)) / {per_second(REQUESTS)}")
    numbers = [
        stat("Nodes up", every("sum(up{}) / count(up{})"), "percentunit", [(0, RED), (1, GREEN)]),
        stat("Versions of Kong", every("count(count by (version) (kong_node_info{}))"), steps=[(2, YELLOW)]),
        stat("Requests", every(per_second(REQUESTS)), "reqps"),
        stat("Requests that fail", all_errors, "percentunit", [(0.01, YELLOW), (0.05, RED)]),
        stat("99 of 100 take less than", every(_milliseconds("request", 99)), "ms", [(2000, RED)]),
        stat(
            "Targets without requests",
            every('count(max by (upstream, target) (kong_upstream_target_health{state=~"unhealthy|dns_error"}) > 0)')
            + " or vector(0)",
            steps=[(1, RED)],
        ),
    ]
    by_service = per_second(REQUESTS, "service")
    share = f"({per_second(ERRORS, 'service')} or 0 * {by_service}) / {by_service}"
    requests = [
        graph("Requests by code", chosen(per_second(REQUESTS, "code")), "{{code}}", "reqps", stacked=True),
        graph("Requests by service", chosen(by_service), "{{service}}", "reqps", stacked=True),
        graph("Requests that fail, by service", chosen(share), "{{service}}", "percentunit"),
        graph("Who answers: the service, or the gateway itself", chosen(per_second(REQUESTS, "source")), "{{source}}"),
    ]
    latency = [
        _percentiles("Until the client has its answer", "request"),
        _percentiles("Until the service answers", "upstream"),
        _percentiles("Within the gateway", "kong"),
        graph(
            "99 of 100 requests take less than, by service",
            chosen(_milliseconds("request", 99, "service")),
            "{{service}}",
            "ms",
            24,
        ),
    ]
    bytes_by = per_second("kong_bandwidth_bytes{}", "direction")
    traffic = [
        graph("Bandwidth", chosen(bytes_by), "{{direction}}", "Bps"),
        graph("Bandwidth by service", chosen(per_second("kong_bandwidth_bytes{}", "service")), "{{service}}", "Bps"),
    ]
    upstreams = [
        graph("Targets by state", f"count by (state) ({health})", "{{state}}", stacked=True),
        graph("Targets by upstream", f"count by (upstream, state) ({health})", "{{upstream}} {{state}}"),
    ]
    # Kong has its hash of the configuration in no metric; each node has a series for each target it knows.
    known = every("count by (node, instance) (kong_upstream_target_health{} == 1)")
    connections = every('sum by (node, instance) (kong_nginx_connections_total{state="active"})')
    memory = every("sum by (node, instance) (kong_memory_workers_lua_vms_bytes{})")
    dictionaries = every(
        "topk by (instance) (3, kong_memory_lua_shared_dict_bytes{} / kong_memory_lua_shared_dict_total_bytes)"
    )
    node = "{{node}} {{instance}}"
    nodes = [
        graph("Requests by node", every(per_second(REQUESTS, "node", "instance")), node, "reqps"),
        graph("Targets that a node's configuration has", known, node),
        graph("Version", every("count by (version) (kong_node_info{})"), "{{version}}", stacked=True),
        graph("Open connections", connections, node),
        graph("Memory of Lua", memory, node, "bytes"),
        graph("Fullest shared memory", dictionaries, "{{instance}} {{shared_dict}}", "percentunit", maximum=1),
    ]
    rows = [
        ("Health", numbers),
        ("Requests", requests),
        ("Latency", latency),
        ("Traffic", traffic),
        ("Upstreams", upstreams),
        ("Nodes", nodes),
    ]
    text = "What the gateway is asked, how long it takes, and what stands behind it."
    return Dashboard("platform-gateway", "Platform / Gateway", text, rows, (SERVICE,))


def _milliseconds(what: str, percent: int, *labels: str) -> str:
    return quantile(percent / 100, f"kong_{what}_latency_ms_bucket{{}}", *labels)


def _percentiles(title: str, what: str) -> Panel:
    chosen = among(f'{JOB},service=~"$service"')
    return graph(title, {f"{one} %": chosen(_milliseconds(what, one)) for one in PERCENTILES}, unit="ms", width=8)
