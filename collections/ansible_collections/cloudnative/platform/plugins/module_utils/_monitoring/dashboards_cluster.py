# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Dashboards about the cluster: what runs in it, and what makes it one. Pure."""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.panels import (
    Dashboard,
    Variable,
    among,
    graph,
    p99,
    per_second,
)

NAMESPACE = Variable("namespace", "Namespace", 'kube_namespace_status_phase{job="kube-state-metrics"}', "namespace")
CONTROL_PLANE = "apiserver|etcd|kube-scheduler|kube-controller-manager"


def workloads() -> Dashboard:
    q = among('job="kube-state-metrics",namespace=~"$namespace"')
    used = among('job="kubelet",namespace=~"$namespace"')
    restarts = q("sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{}[1h]))")
    deployments = q("kube_deployment_spec_replicas{} - kube_deployment_status_replicas_available")
    stateful_sets = q("kube_statefulset_replicas{} - kube_statefulset_status_replicas_ready")
    daemon_sets = q("kube_daemonset_status_desired_number_scheduled{} - kube_daemonset_status_number_available")
    pods = [
        graph("Pods", q("sum by (phase) (kube_pod_status_phase{})"), "{{phase}}", stacked=True),
        graph("Restarts within an hour", f"topk(10, {restarts})", "{{namespace}}/{{pod}}"),
        graph("Deployments: pods missing", deployments, "{{namespace}}/{{deployment}}", width=8),
        graph("StatefulSets: pods missing", stateful_sets, "{{namespace}}/{{statefulset}}", width=8),
        graph("DaemonSets: pods missing", daemon_sets, "{{namespace}}/{{daemonset}}", width=8),
    ]
    cpu, memory = (
        'container_cpu_usage_seconds_total{container!=""}',
        'container_memory_working_set_bytes{container!=""}',
    )
    busiest = used(f"topk(10, {per_second(cpu, 'namespace', 'pod')})")
    largest = used(f"topk(10, sum by (namespace, pod) ({memory}))")
    network = {
        "{{namespace}} in": used(per_second("container_network_receive_bytes_total{}", "namespace")),
        "{{namespace}} out": used(per_second("container_network_transmit_bytes_total{}", "namespace")),
    }
    requested = among('job="kube-state-metrics",resource=~"cpu|memory"')(
        "sum by (node, resource) (kube_pod_container_resource_requests{})"
        " / sum by (node, resource) (kube_node_status_allocatable{})"
    )
    use = [
        graph("CPU by namespace", used(per_second(cpu, "namespace")), "{{namespace}}", stacked=True),
        graph("Memory by namespace", used(f"sum by (namespace) ({memory})"), "{{namespace}}", "bytes", stacked=True),
        graph("CPU of the ten busiest pods", busiest, "{{namespace}}/{{pod}}"),
        graph("Memory of the ten largest pods", largest, "{{namespace}}/{{pod}}", "bytes"),
        graph("Network by namespace", network, unit="Bps"),
        graph("Requested of what nodes have", requested, "{{node}} {{resource}}", "percentunit"),
    ]
    text = "What runs in the cluster, and what it takes."
    rows = [("Pods", pods), ("Use", use)]
    return Dashboard("platform-workloads", "Platform / Workloads", text, rows, (NAMESPACE,))


def control_plane() -> Dashboard:
    servers, api, etcd = among(f'job=~"{CONTROL_PLANE}"'), among('job="apiserver"'), among('job="etcd"')
    requests = per_second("apiserver_request_total{}")
    errors = per_second('apiserver_request_total{code=~"5.."}')
    latency = api(p99("apiserver_request_sli_duration_seconds_bucket{}", "verb"))
    in_flight = api("sum by (request_kind) (apiserver_current_inflight_requests{})")
    objects = api("topk(10, max by (group, resource) (apiserver_resource_objects{}))")
    interface = [
        graph("Servers up", servers("sum by (job) (up{})"), "{{job}}"),
        graph("Memory", servers("process_resident_memory_bytes{}"), "{{job}} {{instance}}", "bytes"),
        graph("Requests", api(per_second("apiserver_request_total{}", "verb")), "{{verb}}", "reqps", stacked=True),
        graph("Requests that fail", api(f"({errors} or 0 * {requests}) / {requests}"), "errors", "percentunit"),
        graph("99 of 100 requests take less than", latency, "{{verb}}", "s"),
        graph("Requests in flight", in_flight, "{{request_kind}}"),
        graph("Objects", objects, "{{resource}}"),
        graph("APIs that are unavailable", api("sum(aggregator_unavailable_apiservice{})"), "unavailable"),
    ]
    changes = etcd("increase(etcd_server_leader_changes_seen_total{}[1h])")
    proposals = etcd(per_second("etcd_server_proposals_committed_total{}", "instance"))
    database = {
        "{{instance}} on disk": etcd("etcd_mvcc_db_total_size_in_bytes{}"),
        "{{instance}} in use": etcd("etcd_mvcc_db_total_size_in_use_in_bytes{}"),
    }
    writes = {
        "{{instance}} log": etcd(p99("etcd_disk_wal_fsync_duration_seconds_bucket{}", "instance")),
        "{{instance}} database": etcd(p99("etcd_disk_backend_commit_duration_seconds_bucket{}", "instance")),
    }
    sent = etcd(per_second("etcd_network_client_grpc_sent_bytes_total{}", "instance"))
    store = [
        graph("Leader", etcd("etcd_server_is_leader{}"), "{{instance}}", width=8, maximum=1),
        graph("Changes of the leader within an hour", changes, "{{instance}}", width=8),
        graph("Proposals", proposals, "{{instance}}", "ops", 8),
        graph("Database", database, unit="bytes", width=8),
        graph("99 of 100 writes to disk take less than", writes, unit="s", width=8),
        graph("Sent to clients", sent, "{{instance}}", "Bps", 8),
    ]
    waiting = 'sum by (queue) (scheduler_pending_pods{job="kube-scheduler"})'
    attempts = per_second('scheduler_schedule_attempts_total{job="kube-scheduler"}', "result")
    work = 'topk(10, sum by (name) (workqueue_depth{job="kube-controller-manager"}))'
    controllers = [
        graph("Pods that wait for the scheduler", waiting, "{{queue}}", width=8),
        graph("Scheduling", attempts, "{{result}}", "ops", 8),
        graph("Work that waits for controllers", work, "{{name}}", width=8),
    ]
    kubelet, dns = among('job="kubelet"'), among('job="coredns"')
    looks = kubelet(p99("kubelet_pleg_relist_duration_seconds_bucket{}", "instance"))
    expiry = kubelet("kubelet_certificate_manager_client_ttl_seconds{}")
    answers = dns(per_second("coredns_dns_responses_total{}", "rcode"))
    speed = dns(p99("coredns_dns_request_duration_seconds_bucket{}", "instance"))
    nodes = [
        graph("Pods by kubelet", kubelet("kubelet_running_pods{}"), "{{instance}}", width=8),
        graph("99 of 100 looks at the containers take less than", looks, "{{instance}}", "s", 8),
        graph("Kubelets' certificates expire", expiry, "{{instance}}", "s", 8),
        graph("Answers of CoreDNS", answers, "{{rcode}}", "reqps"),
        graph("99 of 100 answers of CoreDNS take less than", speed, "{{instance}}", "s"),
    ]
    rows = [("API", interface), ("etcd", store), ("Scheduler and controllers", controllers), ("Nodes and names", nodes)]
    text = "The API, etcd and what works by them."
    return Dashboard("platform-control-plane", "Platform / Control plane", text, rows)
