# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Dashboards about hosts: their use, and the registry that runs on some of them. Pure."""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.panels import (
    Dashboard,
    Variable,
    among,
    graph,
    p99,
    per_second,
)

NODE = Variable("node", "Host", 'up{job="node-exporter"}', "instance")

EVERY_HOST = 'job="node-exporter"'
CHOSEN_HOSTS = 'job="node-exporter",instance=~"$node"'
# Not what containers mount, nor what lives in memory. As in the rules of hosts.
DISKS = (
    'fstype!~"tmpfs|ramfs|squashfs|iso9660|fuse.*",mountpoint!~"/run/.+|/var/lib/(kubelet|containerd|containers)/.+"'
)
# Not the host's ends of what pods have.
INTERFACES = 'device!~"lo|veth.*|cali.*|vxlan.*|flannel.*|cni.*|kube-ipvs.*"'


def cpu_in_use(hosts: str = EVERY_HOST) -> str:
    return among(hosts)('1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))')


def memory_in_use(hosts: str = EVERY_HOST) -> str:
    return among(hosts)("1 - node_memory_MemAvailable_bytes{} / node_memory_MemTotal_bytes")


def disk_in_use(hosts: str = EVERY_HOST) -> str:
    return among(f"{hosts},{DISKS}")("1 - node_filesystem_avail_bytes{} / (node_filesystem_size_bytes > 0)")


def nodes() -> Dashboard:
    q, disk, net = (among(f"{CHOSEN_HOSTS}{more}") for more in ("", f",{DISKS}", f",{INTERFACES}"))
    modes = q(per_second('node_cpu_seconds_total{mode!="idle"}', "mode"))
    processor = [
        graph("CPU in use", cpu_in_use(CHOSEN_HOSTS), "{{instance}}", "percentunit", maximum=1),
        graph("CPU by mode", modes, "{{mode}}", stacked=True),
        graph("Load of 5 minutes", q("node_load5{}"), "{{instance}}"),
        graph("Time since boot", q("node_time_seconds{} - node_boot_time_seconds"), "{{instance}}", "s"),
    ]
    memory = [
        graph("Memory in use", memory_in_use(CHOSEN_HOSTS), "{{instance}}", "percentunit", maximum=1),
        graph("Processes killed for memory", q("increase(node_vmstat_oom_kill{}[1h])"), "{{instance}}"),
    ]
    mount = "{{instance}} {{mountpoint}}"
    inodes = disk("1 - node_filesystem_files_free{} / (node_filesystem_files > 0)")
    traffic = {
        "{{instance}} read": q(per_second("node_disk_read_bytes_total{}", "instance")),
        "{{instance}} write": q(per_second("node_disk_written_bytes_total{}", "instance")),
    }
    busy = q("rate(node_disk_io_time_seconds_total{}[$__rate_interval])")
    disks = [
        graph("Disks in use", disk_in_use(CHOSEN_HOSTS), mount, "percentunit", maximum=1),
        graph("Inodes in use", inodes, mount, "percentunit", maximum=1),
        graph("Disk traffic", traffic, unit="Bps"),
        graph("Time that disks are busy", busy, "{{instance}} {{device}}", "percentunit"),
    ]
    bytes_of_network = {
        "{{instance}} in": net(per_second("node_network_receive_bytes_total{}", "instance")),
        "{{instance}} out": net(per_second("node_network_transmit_bytes_total{}", "instance")),
    }
    tracked = q("node_nf_conntrack_entries{} / node_nf_conntrack_entries_limit")
    network = [
        graph("Network traffic", bytes_of_network, unit="Bps"),
        graph("Connections tracked, of what can be", tracked, "{{instance}}", "percentunit"),
    ]
    failed = q('sum by (instance) (node_systemd_unit_state{state="failed"})')
    skew = q("abs(node_time_seconds{} - timestamp(node_time_seconds{}))")
    system = [
        graph("Units of systemd that failed", failed, "{{instance}}"),
        graph("Clock against that of Prometheus", skew, "{{instance}}", "s"),
    ]
    rows = [("CPU", processor), ("Memory", memory), ("Disks", disks), ("Network", network), ("System", system)]
    text = "Every host, those outside the cluster too."
    return Dashboard("platform-nodes", "Platform / Hosts", text, rows, (NODE,))


def registry() -> Dashboard:
    q, probe = among('job="registry"'), among('job="probe-registry"')
    hosts = q('label_replace(max by (node) (up{}), "instance", "$1", "node", "(.+)")')
    requests = "registry_http_requests_total{}"
    health = [
        graph("Probes that succeed", probe("probe_success{}"), "{{instance}}", maximum=1),
        graph("Time of probes", probe("probe_duration_seconds{}"), "{{instance}}", "s"),
    ]
    latency = q(p99("registry_http_request_duration_seconds_bucket{}", "handler"))
    in_flight = q("sum by (handler) (registry_http_in_flight_requests{})")
    sent = q(per_second("registry_http_response_size_bytes_sum{}", "instance"))
    work = [
        graph("Requests by result", q(per_second(requests, "code")), "{{code}}", "reqps", stacked=True),
        graph("Requests by kind", q(per_second(requests, "handler")), "{{handler}}", "reqps", stacked=True),
        graph("99 of 100 requests take less than", latency, "{{handler}}", "s"),
        graph("Requests in flight", in_flight, "{{handler}}"),
        graph("Bytes sent", sent, "{{instance}}", "Bps"),
        graph("Storage", q(per_second("registry_storage_action_seconds_count{}", "action")), "{{action}}", "ops"),
    ]
    disks = f"{disk_in_use()} and on (instance) {hosts}"
    use = [
        graph("Memory", q("process_resident_memory_bytes{}"), "{{instance}}", "bytes"),
        graph("Disks of the hosts", disks, "{{instance}} {{mountpoint}}", "percentunit", maximum=1),
    ]
    rows = [("Health", health), ("Requests", work), ("Use", use)]
    return Dashboard("platform-registry", "Platform / Registry", "What hosts fetch images and files from.", rows)
