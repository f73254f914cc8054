# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Which form the value of a variable has. A new variable of type int, str or path must be covered here: by its name, by
# the end of its name, or by an exemption that says why any value is right. A test asks for that decision.

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import parse_address
from ansible_collections.cloudnative.platform.plugins.module_utils._input_forms import (
    ADDRESS,
    CERTIFICATE_NAME,
    CONTROLLER_PATH,
    DIGEST,
    DNS_LABEL,
    DNS_NAME,
    DURATION,
    ENDPOINT,
    LINE,
    MTU,
    NAME_OR_ADDRESS,
    NETWORK,
    PASSWORD,
    PATH,
    PEM,
    PEM_KEY,
    PERCENT,
    PORT,
    QUANTITY,
    RESOURCES,
    SCHEDULE,
    SECONDS,
    URL,
    USER,
    VERSION,
    Fault,
    Form,
    any_text,
    between,
    each_key,
    judge_addresses_of_name,
    judge_scalar,
    matching,
    no_doubles,
    one_of,
    simple,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._input_kubernetes import (
    AUDIT_POLICY,
    ENCRYPTION_KEY,
    FLAGS,
    LABELS,
    TAINT,
    VOLUME,
)

HOST_NAMES = no_doubles("inventory names of hosts")
HOST_NAME = any_text("names of inventory hosts are judged with the inventory")
COMPONENT = matching(r"[a-z0-9][a-z0-9.-]*", "is not the name of a component", "use a name of the lock file, or all")
UPSTREAM = simple(
    "host of a registry, with its port where it has one",
    lambda v: ENDPOINT.judge(v) == () or NAME_OR_ADDRESS.judge(v) == (),
    "is not the host of a registry",
    "write it like registry.example.org or registry.example.org:5000, without scheme and path",
)
MODULE = matching(r"[A-Za-z0-9_-]+", "is not the name of a kernel module", "write it like br_netfilter")
PACKAGE = matching(r"[A-Za-z0-9][A-Za-z0-9.+_:=~-]*", "is not the name of a package", "write it like haproxy")
SYSTEM = matching(
    r"[a-z0-9._-]+( [0-9][0-9A-Za-z.]*)?",
    "is not an operating system",
    "write ID of /etc/os-release, alone or with the start of VERSION_ID, e.g. debian 12",
)
SYSCTLS = each_key(
    matching(r"[A-Za-z0-9_./-]+", "is not a kernel parameter", "write it like net.ipv4.ip_forward"),
    judge_scalar,
    "kernel parameters",
)
ENTRIES = each_key(DNS_NAME, judge_addresses_of_name, "names with their addresses")
MIRRORS = each_key(None, judge_scalar, "addresses and where they lead instead")
ENVIRONMENT = each_key(
    matching(
        r"[A-Za-z_][A-Za-z0-9_]*", "is not the name of an environment variable", "write it like FELIX_LOGSEVERITY"
    ),
    judge_scalar,
    "environment variables",
)
GROUP = matching(r"[A-Za-z_][A-Za-z0-9_]*", "is not the name of a group", "use letters, digits and '_'")
LAB_NAME = matching(
    r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?",
    "is not the name of a lab",
    "use lower-case letters, digits and '-', e.g. lab",
)
SUITE = matching(r"[a-z][a-z0-9-]*", "is not the name of a distribution release", "write it like bookworm")
CLUSTER_NAME = simple(
    "a name without spaces",
    lambda v: re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", str(v)) is not None,
    "is not the name of a cluster",
    "use letters, digits, '.', '_' and '-', e.g. production",
)
STORAGE_FORBIDDEN = ("home", "root", "run", "tmp", "etc", "usr", "proc", "sys", "dev")
STORAGE_PATH = simple(
    "a directory that a hardened service can have",
    lambda v: (
        re.fullmatch(r"/[^ ]+", str(v)) is not None
        and str(v).split("/")[1] not in STORAGE_FORBIDDEN
        and ".." not in str(v).split("/")
    ),
    "is not a directory that the registry can use",
    "use an absolute path without spaces outside of /home, /root, /run, /tmp and the system's own directories, which "
    "the service has no access to",
)


def _judge_autodetection(value: t.Any) -> t.Sequence[Fault]:
    text = str(value)
    method, equals, argument = text.partition("=")
    if text in ("first-found", "kubernetes-internal-ip"):
        return ()
    if equals and argument and method in ("can-reach", "interface", "skip-interface"):
        return ()
    if equals and method == "cidr" and all(_is_network(part) for part in argument.split(",")):
        return ()
    remedy = (
        "use kubernetes-internal-ip, first-found, can-reach=HOST, interface=REGEX, skip-interface=REGEX or cidr=NETWORK"
    )
    return (Fault("is not a way to find the address of a node", remedy),)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return parse_address(text) is None


KUBECONFIG = any_text("a dictionary or a path; the client says what is wrong with it")
PROMETHEUS_SIZE = matching(r"\d+(B|KB|MB|GB|TB|PB|EB)", "is not a size as Prometheus has it", "use e.g. 8GB")
JUDGED_BY_ALERTMANAGER = any_text("Alertmanager's own format; it says what is wrong with it")
JUDGED_BY_PROMETHEUS = any_text("Prometheus' own format; it says what is wrong with it")
DATABASE = matching(
    r"[A-Za-z_][A-Za-z0-9_-]{0,62}", "is not a name as PostgreSQL has it", "use letters, digits, _ and -"
)
MONITORING_COMPONENTS = (
    "alertmanager",
    "blackbox-exporter",
    "grafana",
    "kube-state-metrics",
    "metrics-server",
    "prometheus",
    "prometheus-operator",
)


def _judge_resources_of(value: t.Any) -> t.Sequence[Fault]:
    if not isinstance(value, t.Mapping):
        return (Fault("is not a dictionary", "write it like {requests: {memory: 64Mi}, limits: {memory: 128Mi}}"),)
    return RESOURCES.judge(value)


RULES_BY_NAME: dict[str, Form] = {
    "bundle_build_jobs": between(1, 64),
    "bundle_components[]": COMPONENT,
    "bundle_jobs": between(1, 128),
    "bundle_refresh[]": COMPONENT,
    "bundle_release_mirrors": MIRRORS,
    "containerd_cni_bin_dirs[]": PATH,
    "containerd_max_concurrent_downloads": between(1, 64),
    "containerd_metrics_address": ENDPOINT,
    "containerd_upstreams[]": UPSTREAM,
    "host_entries": ENTRIES,
    "host_hostname": DNS_NAME,
    "host_kernel_modules[]": MODULE,
    "host_kernel_modules_optional[]": MODULE,
    "host_min_disk_mb": between(0, 10**8, "MiB"),
    "host_min_memory_mb": between(0, 10**8, "MiB"),
    "host_min_path_mtu": between(576, 9216, "bytes; 0 asks for no more than the interface has", also=(0,)),
    "host_packages[]": PACKAGE,
    "host_supported_os[]": SYSTEM,
    "host_sysctls": SYSCTLS,
    "kong_autoscaling_cpu": between(1, 1000, "percent"),
    "kong_autoscaling_max": between(0, 1000, "pods; 0 for no autoscaling"),
    "kong_authority_host": HOST_NAME,
    "kong_component": COMPONENT,
    "kong_configuration_files[]": any_text("a path on the controller; the files are read and judged as a whole"),
    "kong_configuration_prune_max": between(0, 10**6, "entities"),
    "kong_database.ca": PEM,
    "kong_database.host": NAME_OR_ADDRESS,
    "kong_database.name": matching(r"[A-Za-z0-9_.-]+", "is not the name of a database", "write it like kong"),
    "kong_database.port": PORT,
    "kong_database.user": matching(r"[A-Za-z0-9_.-]+", "is not the name of a role", "write it like kong"),
    "kong_hosts": HOST_NAMES,
    "kong_hosts[]": HOST_NAME,
    "kong_load_balancer_class": any_text("a name that the load balancer's maker gave it"),
    "kong_package": any_text("a path or an address, judged with its checksum"),
    "kong_package_checksum": matching(
        r"[0-9a-f]{64}|", "is not a SHA-256 checksum", "use what sha256sum prints, 64 hexadecimal digits"
    ),
    "kong_worker_processes": between(1, 256),
    "kubernetes_api_cert_sans[]": CERTIFICATE_NAME,
    "kubernetes_api_name": DNS_NAME,
    "kubernetes_apiserver_extra_volumes[]": VOLUME,
    "kubernetes_audit_policy": AUDIT_POLICY,
    "kubernetes_cluster_name": CLUSTER_NAME,
    "kubernetes_control_planes": HOST_NAMES,
    "kubernetes_control_planes[]": HOST_NAME,
    "kubernetes_encryption_key": ENCRYPTION_KEY,
    "kubernetes_metrics_address": ADDRESS,
    "kubernetes_node_address": ADDRESS,
    "kubernetes_node_labels": LABELS,
    "kubernetes_node_name": DNS_NAME,
    "kubernetes_node_taints[]": TAINT,
    "kubernetes_nodes": HOST_NAMES,
    "kubernetes_nodes[]": HOST_NAME,
    "kubernetes_pod_security_exempt_namespaces[]": DNS_LABEL,
    "kuma_autoscaling_cpu": between(1, 1000, "percent"),
    "kuma_autoscaling_max": between(0, 1000, "pods; 0 for no autoscaling"),
    "kuma_certificate_days": between(1, 3650, "days"),
    "kuma_certificate_renew_before_days": between(0, 3649, "days"),
    "kuma_component": COMPONENT,
    "kuma_dataplane_concurrency": between(0, 256, "threads; 0 for one a core"),
    "kuma_dataplane_exclude_inbound_ports[]": PORT,
    "kuma_dataplane_exclude_outbound_ports[]": PORT,
    "kuma_dataplane_serial": matching(r"[1-9]\d*%?", "is no number of hosts", "use e.g. 1, or 25%"),
    "kuma_dataplanes[].inbound[].name": DNS_LABEL,
    "kuma_dataplanes[].inbound[].port": PORT,
    "kuma_dataplanes[].inbound[].service_address": ADDRESS,
    "kuma_dataplanes[].mesh": DNS_LABEL,
    "kuma_dataplanes[].outbound[].port": PORT,
    "kuma_dataplanes[].outbound[].service": DNS_NAME,
    "kuma_dataplanes[].workload": DNS_LABEL,
    "kuma_hosts_component": COMPONENT,
    "kuma_hosts_control_planes": HOST_NAMES,
    "kuma_hosts_control_planes[]": HOST_NAME,
    "kuma_hosts_envoy_component": COMPONENT,
    "kuma_hosts_name": DNS_NAME,
    "kuma_hosts_names[]": CERTIFICATE_NAME,
    "kuma_hosts_postgres_database": DATABASE,
    "kuma_hosts_postgres_username": DATABASE,
    "kuma_hosts_zone": DNS_LABEL,
    "kuma_mesh": DNS_LABEL,
    "kuma_mesh_files[]": any_text("a path on the controller; the module says what is wrong with it"),
    "kuma_mesh_prune_max": between(0, 10**6, "resources"),
    "kuma_mesh_resources": any_text("Kuma's own format; the module says what is wrong with it"),
    "kuma_namespaces[]": DNS_LABEL,
    "kuma_network_plugin": any_text("judged with kuma_redirection"),
    "kuma_replicas": between(1, 100),
    "kuma_webhook_timeout": between(1, 30, "seconds"),
    "lab_hosts[].groups[]": GROUP,
    "lab_hosts[].name": DNS_LABEL,
    "lab_name": LAB_NAME,
    "lab_packages[]": PACKAGE,
    "lab_suite": SUITE,
    "network_calico_block_size": between(20, 32),
    "network_calico_env": ENVIRONMENT,
    "network_calico_ip_autodetection": Form("how a node finds its address", _judge_autodetection),
    "monitoring_alertmanager_volume": QUANTITY,
    "monitoring_cluster_name": CLUSTER_NAME,
    "monitoring_control_planes[]": HOST_NAME,
    "monitoring_deadman_url": URL,
    "monitoring_grafana_admin_password": PASSWORD,
    "monitoring_endpoints[].name": DNS_LABEL,
    "monitoring_endpoints[].url": URL,
    "monitoring_group_wait": DURATION,
    "monitoring_kubeconfig": KUBECONFIG,
    "monitoring_nodes[]": HOST_NAME,
    "monitoring_observer_retention": DURATION,
    "monitoring_observer_retention_size": PROMETHEUS_SIZE,
    "monitoring_prometheus_volume": QUANTITY,
    "monitoring_receivers[].name": JUDGED_BY_ALERTMANAGER,
    "monitoring_prometheus_replicas": between(1, 10),
    "monitoring_registries[]": HOST_NAME,
    "monitoring_registry_ports[]": PORT,
    "monitoring_resources": each_key(
        one_of(MONITORING_COMPONENTS, "is no component of monitoring"), _judge_resources_of, "resources by component"
    ),
    "monitoring_retention": DURATION,
    "monitoring_retention_size": PROMETHEUS_SIZE,
    "monitoring_rule_groups[].name": JUDGED_BY_PROMETHEUS,
    "monitoring_storage_class": DNS_NAME,
    "network_kubeconfig": KUBECONFIG,
    "registry_bind_address": ADDRESS,
    "registry_metrics_address": ADDRESS,
    "registry_hosts": HOST_NAMES,
    "registry_hosts[]": HOST_NAME,
    "registry_names[]": CERTIFICATE_NAME,
    "registry_storage_path": STORAGE_PATH,
    "registry_upload_parallel": between(1, 64),
    "storage_class": DNS_NAME,
    "storage_kubeconfig": KUBECONFIG,
    "verify_allowed_digests[]": DIGEST,
    "verify_api_endpoint": URL,
    "verify_control_planes": HOST_NAMES,
    "verify_control_planes[]": HOST_NAME,
    "verify_kubeconfig": KUBECONFIG,
    "verify_nodes": HOST_NAMES,
    # Beside what a person or CI runs, so it may be relative to where that is.
    "verify_report_path": LINE,
    "verify_nodes[]": HOST_NAME,
}

# The first end that fits, so longer ones stand before the shorter ones they end with.
RULES_BY_SUFFIX: tuple[tuple[str, Form], ...] = (
    ("_extra_args", FLAGS),
    ("_resources", RESOURCES),
    ("_port", PORT),
    ("_ms", between(0, 600_000, "milliseconds")),
    ("_per_second", between(0, 10**9)),
    ("_timeout", SECONDS),
    ("_seconds", SECONDS),
    ("_minutes", between(1, 10_080, "minutes")),
    ("_hours", between(1, 8_760, "hours")),
    ("_days", between(1, 36_500, "days")),
    ("_mb", between(0, 10**8, "MiB")),
    ("_mbit", between(0, 10**6, "Mbit/s")),
    ("_mbps", between(0, 10**6, "Mbit/s")),
    ("_percent", PERCENT),
    ("_mtu", MTU),
    ("_block_size", between(20, 32)),
    ("_parallel", between(1, 256)),
    ("_jobs", between(1, 256)),
    ("_retries", between(0, 1_000)),
    ("_keep", between(0, 10_000)),
    ("_replicas", between(0, 1_000)),
    ("_cidr", NETWORK),
    ("_subnet", NETWORK),
    ("_address", NAME_OR_ADDRESS),
    ("_domain", DNS_NAME),
    ("_namespace", DNS_LABEL),
    ("_schedule", SCHEDULE),
    ("_interval", DURATION),
    ("_duration", DURATION),
    ("_ttl", DURATION),
    ("_size", QUANTITY),
    ("_version", VERSION),
    ("_url", URL),
    ("_mirror", URL),
    ("_endpoint", URL),
    ("_username", USER),
    ("_password", PASSWORD),
    ("_token", PASSWORD),
    (".endpoints[]", URL),
    (".name", DNS_NAME),
    (".address", ADDRESS),
    (".username", USER),
    (".password", PASSWORD),
    ("ca_pem", PEM),
    ("_key_pem", PEM_KEY),
    ("_pem", PEM),
    ("_cni_conf_dir", PATH),
    ("_root", PATH),
    ("_dir", PATH),
    ("_directory", PATH),
    ("_path", PATH),
    ("_progress_file", CONTROLLER_PATH),
    ("_file", PATH),
    ("_reason", LINE),
    ("_description", LINE),
)

# Paths on the controller may begin with ~.
CONTROLLER_ROLES = ("bundle_", "lab_", "verify_")
CONTROLLER_PATHS = ("registry_bundle_path", "_report_path")


def form_of(path: str) -> Form | None:
    """The form of a variable, of a key in it (`registry.password`), or of each element of a list (`names[]`)."""
    if path in RULES_BY_NAME:
        return RULES_BY_NAME[path]
    for suffix, form in RULES_BY_SUFFIX:
        if path.endswith(suffix):
            if form is PATH and (path.endswith(CONTROLLER_PATHS) or path.startswith(CONTROLLER_ROLES)):
                return CONTROLLER_PATH
            return form
    return None
