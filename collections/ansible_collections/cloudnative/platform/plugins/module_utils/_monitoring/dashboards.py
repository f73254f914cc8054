# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the platform's dashboards show: all of them, and those about the whole. Pure.

Each query finds something on a healthy cluster of one control plane and one worker, and on a gateway that is asked for
something now and then, so that an empty panel is a fault;
where good news is an empty answer, it is turned into a zero.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import (
    dashboards_cluster,
    dashboards_gateway,
    dashboards_hosts,
    dashboards_mesh,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.dashboards_hosts import (
    cpu_in_use,
    disk_in_use,
    memory_in_use,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.panels import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Variable,
    among,
    bars,
    graph,
    per_second,
    queries,
    render,
    stat,
)

__all__ = ["dashboards", "queries"]

SLO = Variable("slo", "SLO", "slo:objective:ratio", "slo")
PARTS = "prometheus|alertmanager|prometheus-operator|kube-state-metrics|metrics-server|blackbox-exporter|node-exporter"

BUDGET = [(-100, RED), (0.1, YELLOW), (0.5, GREEN)]
DAY = 86400

#: Of add-ons that are not always there, by the name of their role.
OF_ADDONS: dict[str, t.Callable[[], Dashboard]] = {"kong": dashboards_gateway.gateway, "kuma": dashboards_mesh.mesh}


def dashboards(
    datasource: str, refresh: str, since: str, addons: t.Collection[str] = ()
) -> dict[str, dict[str, t.Any]]:
    """Return all dashboards as Grafana's JSON, by their uid; those of *addons* come after those of every platform."""
    made = (
        _overview(),
        dashboards_hosts.nodes(),
        dashboards_cluster.workloads(),
        dashboards_cluster.control_plane(),
        dashboards_hosts.registry(),
        _monitoring(),
        _slos(),
        *(make() for name, make in OF_ADDONS.items() if name in addons),
    )
    return {dashboard.uid: render(dashboard, datasource, refresh, since) for dashboard in made}


def _share(title: str, series: str) -> Panel:
    """How many of them are well, in red unless all are."""
    return stat(title, f"sum({series}) / count({series})", "percentunit", [(0, RED), (1, GREEN)])


def _overview() -> Dashboard:
    q = among('job="kube-state-metrics"')
    health = [
        stat("Alerts", 'sum(ALERTS{alertstate="firing",severity=~"critical|warning"}) or vector(0)', steps=[(1, RED)]),
        _share("Hosts up", 'up{job="node-exporter"}'),
        _share("Nodes ready", q('kube_node_status_condition{condition="Ready",status="true"}')),
        _share("API servers up", 'up{job="apiserver"}'),
        _share("etcd members up", 'up{job="etcd"}'),
        _share("Probes that succeed", "probe_success"),
        stat("Pods", q('sum(kube_pod_status_phase{phase="Running"})')),
        stat(
            "Pods that do not run",
            q('sum(kube_pod_status_phase{phase=~"Pending|Failed|Unknown"})'),
            steps=[(1, YELLOW)],
        ),
        stat(
            "Next certificate expires",
            'min(probe_ssl_earliest_cert_expiry{job=~"probe-.*"}) - time()',
            "s",
            [(0, RED), (3 * DAY, YELLOW), (21 * DAY, GREEN)],
        ),
        stat("Least error budget", "min(slo:error_budget_remaining:ratio)", "percentunit", BUDGET),
    ]
    use = [
        graph("CPU in use", cpu_in_use(), "{{instance}}", "percentunit", 8, maximum=1),
        graph("Memory in use", memory_in_use(), "{{instance}}", "percentunit", 8, maximum=1),
        graph("Fullest disk", f"max by (instance) ({disk_in_use()})", "{{instance}}", "percentunit", 8, maximum=1),
    ]
    firing = 'count by (alertname, severity) (ALERTS{alertstate="firing"})'
    events = [
        graph("Alerts that fire", firing, "{{alertname}} ({{severity}})", stacked=True),
        graph("Time of probes", "probe_duration_seconds", "{{job}} {{instance}}", "s"),
    ]
    rows = [("Health", health), ("Use", use), ("Events", events)]
    return Dashboard("platform-overview", "Platform / Overview", "Is everything well?", rows)


def _monitoring() -> Dashboard:
    q, alerts = among('job="prometheus"'), among('job="alertmanager"')
    targets = [
        graph("Targets up", "sum by (job) (up)", "{{job}}"),
        graph("Targets down", "sum by (job) (1 - up)", "{{job}}"),
        graph("Samples by job", "sum by (job) (scrape_samples_scraped)", "{{job}}", stacked=True),
        graph("Slowest scrapes", "topk(10, scrape_duration_seconds)", "{{job}} {{instance}}", "s"),
    ]
    stored = {
        "{{instance}} blocks": q("prometheus_tsdb_storage_blocks_bytes{}"),
        "{{instance}} log": q("prometheus_tsdb_wal_storage_size_bytes{}"),
    }
    appended = q(per_second("prometheus_tsdb_head_samples_appended_total{}", "instance"))
    failures = q("sum by (instance) (increase(prometheus_rule_evaluation_failures_total{}[1h]))")
    server = [
        graph("Series", q("prometheus_tsdb_head_series{}"), "{{instance}}", width=8),
        graph("Samples", appended, "{{instance}}", "ops", 8),
        graph("Data on disk", stored, unit="bytes", width=8),
        graph("Slowest rules", q("topk(10, prometheus_rule_group_last_duration_seconds{})"), "{{rule_group}}", "s"),
        graph("Rules that failed within an hour", failures, "{{instance}}"),
    ]
    notifications = {
        "{{integration}}": alerts("sum by (integration) (increase(alertmanager_notifications_total{}[1h]))"),
        "{{integration}} failed": alerts(
            "sum by (integration) (increase(alertmanager_notifications_failed_total{}[1h]))"
        ),
    }
    delivery = [
        graph("Alerts", alerts("sum by (instance, state) (alertmanager_alerts{})"), "{{instance}} {{state}}"),
        graph("Notifications within an hour", notifications),
    ]
    memory = f'process_resident_memory_bytes{{job=~"{PARTS}"}}'
    objects = 'sum by (resource, state) (prometheus_operator_managed_resources{job="prometheus-operator"})'
    parts = [
        graph("Memory", memory, "{{job}} {{instance}}", "bytes", stacked=True),
        graph("Objects of prometheus-operator", objects, "{{resource}} {{state}}"),
    ]
    rows = [("Targets", targets), ("Prometheus", server), ("Alertmanager", delivery), ("Parts", parts)]
    return Dashboard("platform-monitoring", "Platform / Monitoring", "Does the monitoring see everything?", rows)


def _slos() -> Dashboard:
    q = among('slo=~"$slo"')
    remaining = q("slo:error_budget_remaining:ratio{}")
    state = [
        bars("Objective", q("slo:objective:ratio{}"), "{{slo}}", "percentunit", [(0, BLUE)], 8),
        bars("Reached in the period", q("1 - slo:error_ratio:period{}"), "{{slo}}", "percentunit", [(0, BLUE)], 8),
        bars("Error budget that is left", remaining, "{{slo}}", "percentunit", BUDGET, 8),
    ]
    burn = q("slo:error_ratio:1h{} / on (slo) (1 - slo:objective:ratio)")
    course = [
        graph("Error budget that is left", remaining, "{{slo}}", "percentunit"),
        graph("Burn rate of an hour (at 1 the budget lasts just until the end)", burn, "{{slo}}"),
        graph("Errors of 5 minutes", q("slo:error_ratio:5m{}"), "{{slo}}", "percentunit"),
        graph("Events", q("slo:total_events:5m{}"), "{{slo}}"),
    ]
    text = "Service level objectives and what is left of their error budgets."
    return Dashboard("platform-slos", "Platform / SLOs", text, [("State", state), ("Course", course)], (SLO,))
