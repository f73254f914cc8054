# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The dashboard of the service mesh. Pure.

Names of series are those of Kuma 2.14: of its control plane (pkg/xds/metrics, pkg/util/xds/stats_callbacks.go,
pkg/metrics) and of Envoy as MeshMetric serves it, job names and labels those of Kuma's own dashboards. A call is
counted where it arrives, at the proxy's way to its own application.
"""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.panels import (
    GREEN,
    RED,
    YELLOW,
    Dashboard,
    Variable,
    among,
    graph,
    p99,
    per_second,
    stat,
)

UID = "platform-mesh"
DATAPLANES = 'job="kuma-dataplanes"'
MESH = Variable("mesh", "Mesh", f"envoy_server_uptime{{{DATAPLANES}}}", "mesh")
WORKLOAD = Variable("workload", "Workload", f"envoy_server_uptime{{{DATAPLANES}}}", "kuma_workload")
#: From a proxy to its application, by either of the two ways in which Kuma names that.
ARRIVED = 'envoy_cluster_name=~"localhost_.*|self_inbound_.*"'
HOUR = 3600


def mesh() -> Dashboard:
    q = among('job="kuma-control-plane"')
    chosen = f'{DATAPLANES},mesh=~"$mesh",kuma_workload=~"$workload"'
    proxies, arrived = among(chosen), among(f"{chosen},{ARRIVED}")
    expiry = proxies("envoy_listener_ssl_certificate_expiration_unix_time_seconds{} > 0")
    # Requests over HTTP and connections over TCP, which Envoy counts apart.
    denied = proxies("increase(envoy_http_rbac_denied{}[5m]) or increase(envoy_rbac_denied{}[5m])")
    denials = proxies(
        "sum by (kuma_workload) (rate(envoy_http_rbac_denied{}[$__rate_interval])"
        " or rate(envoy_rbac_denied{}[$__rate_interval]))"
    )
    health = [
        stat("Control planes up", q("sum(up{}) / count(up{})"), "percentunit", [(0, RED), (1, GREEN)]),
        stat("Proxies connected", q("sum(xds_streams_active{})")),
        stat("Proxies that lost it", proxies("sum(1 - envoy_control_plane_connected_state{})"), steps=[(1, YELLOW)]),
        stat("Calls denied in 5 minutes", f"sum({denied}) or vector(0)", steps=[(1, YELLOW)]),
        stat("Next certificate ends", f"min({expiry}) - time()", "s", [(0, RED), (HOUR, YELLOW), (3 * HOUR, GREEN)]),
        stat("Changes rejected in an hour", _rejected(), steps=[(1, YELLOW)]),
    ]
    answers = arrived(per_second("envoy_cluster_upstream_rq_xx{}", "kuma_workload", "envoy_response_code_class"))
    latency = arrived(p99("envoy_cluster_upstream_rq_time_bucket{}", "kuma_workload"))
    bytes_moved = {
        "{{kuma_workload}} in": arrived(per_second("envoy_cluster_upstream_cx_tx_bytes_total{}", "kuma_workload")),
        "{{kuma_workload}} out": arrived(per_second("envoy_cluster_upstream_cx_rx_bytes_total{}", "kuma_workload")),
    }
    calls = [
        graph("Calls that arrive", answers, "{{kuma_workload}} {{envoy_response_code_class}}xx", "reqps", stacked=True),
        graph("99 of 100 calls take less than", latency, "{{kuma_workload}}", "ms"),
        graph("Calls denied", denials, "{{kuma_workload}}", "reqps"),
        graph("Bytes", bytes_moved, unit="Bps"),
    ]
    left = f"min by (kuma_workload) ({expiry}) - time()"
    identity = [
        graph("Time until certificates end", left, "{{kuma_workload}}", "s"),
        graph(
            "Proxies that wait for a certificate, authorities that are left alone",
            {
                "{{instance}} proxies": q("cert_generation_backoff{}"),
                "{{instance}}": q("cert_generation_circuit_open{}"),
            },
        ),
    ]
    confirmations = q(per_second("xds_requests_received{}", "confirmation"))
    work = [
        graph("Configurations made", q(per_second("xds_generation_count{}", "result")), "{{result}}", "ops"),
        graph("99 of 100 are made within", q(p99("xds_generation_bucket{}", "proxy_type")), "{{proxy_type}}", "ms"),
        graph("Configurations taken (ACK) and rejected (NACK)", confirmations, "{{confirmation}}", "ops"),
        graph("99 of 100 arrive within", q(p99("xds_delivery_bucket{}")), "all", "ms"),
        graph("Work on the store", q(per_second("store_count{}", "operation")), "{{operation}}", "ops"),
        graph("Memory", q("process_resident_memory_bytes{}"), "{{instance}}", "bytes"),
    ]
    rows = [("Health", health), ("Calls", calls), ("Identity", identity), ("Control plane", work)]
    text = "Who calls whom, with whose certificate, and what the control plane does about it."
    return Dashboard(UID, "Platform / Mesh", text, rows, (MESH, WORKLOAD))


def _rejected() -> str:
    series = 'xds_requests_received{job="kuma-control-plane",confirmation="NACK"}'
    return f"sum(increase({series}[1h])) or vector(0)"
