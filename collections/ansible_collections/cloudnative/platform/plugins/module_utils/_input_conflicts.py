# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Values that are right each for itself but not together.

from __future__ import annotations

import ipaddress
import typing as t
from collections import defaultdict
from dataclasses import dataclass

from ansible_collections.cloudnative.platform.plugins.module_utils import _input_addons as addons
from ansible_collections.cloudnative.platform.plugins.module_utils import _input_mesh_hosts as mesh_hosts
from ansible_collections.cloudnative.platform.plugins.module_utils._input_certificates import judge_authority
from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    Finding,
    as_integer,
    listed,
    parse_address,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._input_forms import is_endpoint
from ansible_collections.cloudnative.platform.plugins.module_utils._input_rules import form_of
from ansible_collections.cloudnative.platform.plugins.module_utils._input_settings import NODE_PORTS, check_ports
from ansible_collections.cloudnative.platform.plugins.module_utils._input_specs import judge_form

# What the registry's own check is about; the role gives the values it is going to use.
REGISTRY = (
    "registry_address",
    "registry_bind_address",
    "registry_ca_key_pem",
    "registry_ca_pem",
    "registry_certificate_days",
    "registry_certificate_renew_days",
    "registry_metrics_address",
    "registry_metrics_port",
    "registry_port",
    "registry_pull_username",
    "registry_push_metrics_port",
    "registry_push_port",
    "registry_push_username",
    "registry_storage_path",
    "registry_upload_parallel",
)
# What a host cannot share with another one of the same kind.
UNIQUE = {
    "host_hostname": "nodes",
    "kubernetes_node_address": "nodes",
    "kubernetes_node_name": "nodes",
    "registry_address": "registries",
}
Values = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Surroundings:
    """What values are judged against besides each other: the time, and how many nodes there are to be."""

    now: int
    nodes: int = 0


def check_registry(values: Values, around: Surroundings) -> list[Finding]:
    findings = judge_authority(values, "registry_ca_pem", "registry_ca_key_pem", around.now)
    pull, push = values.get("registry_pull_username"), values.get("registry_push_username")
    if pull is not None and pull == push:
        findings.append(
            Finding("registry_push_username", push, "is also registry_pull_username", "give the two different names")
        )
    days, renew = (as_integer(values.get(f"registry_certificate_{name}days")) for name in ("", "renew_"))
    if days is not None and renew is not None and renew >= days:
        findings.append(
            Finding(
                "registry_certificate_renew_days",
                renew,
                f"is not less than registry_certificate_days, {days}: every run would issue a certificate",
                f"use a number between 1 and {days - 1}, or a larger registry_certificate_days",
            )
        )
    return findings


def judge_registry(values: Values, now: int) -> list[Finding]:
    """All that the registry's role has to know before it begins, whoever calls it."""
    findings = []
    for name in sorted(set(values) & set(REGISTRY)):
        # Empty is how a pair of PEM says that there is none.
        if values[name] != "" or not name.endswith("_pem"):
            findings += judge_form(form_of(name), values[name], name, hidden=name.endswith("key_pem"))
    broken = {finding.subject for finding in findings}
    rest = {name: value for name, value in values.items() if name not in broken}
    return [*findings, *check_ports(rest), *check_registry(rest, Surroundings(now))]


def check_network_plugin(values: Values, around: Surroundings) -> list[Finding]:
    plugin, pods = values.get("network_plugin"), values.get("kubernetes_pod_cidr")
    findings = []
    own = values.get("network_pod_cidr")
    if own is not None and pods is not None and own != pods:
        remedy = "take it out: the playbooks give the network plugin the network of the cluster"
        findings.append(Finding("network_pod_cidr", own, f"differs from kubernetes_pod_cidr {pods}", remedy))
    try:
        network = ipaddress.ip_network(str(pods), strict=False)
    except ValueError:
        return findings
    if plugin in ("calico", "flannel") and network.version != 4:
        remedy = "use an IPv4 network, or bring your own plugin with network_plugin: none"
        return [
            *findings,
            Finding("kubernetes_pod_cidr", str(pods), f"is not IPv4, {plugin} is set up for IPv4", remedy),
        ]
    block = as_integer(values.get("network_calico_block_size"))
    if plugin == "calico" and block is not None:
        if block < network.prefixlen:
            findings.append(
                Finding(
                    "network_calico_block_size",
                    block,
                    f"is larger than the whole of kubernetes_pod_cidr {pods}",
                    f"use a number between {max(20, network.prefixlen)} and 32",
                )
            )
        elif 2 ** (block - network.prefixlen) < around.nodes:
            findings.append(
                Finding(
                    "network_calico_block_size",
                    block,
                    f"cuts kubernetes_pod_cidr {pods} into fewer blocks than the inventory has nodes ({around.nodes})",
                    f"use {network.prefixlen + (around.nodes - 1).bit_length()} or more, or a larger network",
                )
            )
    return findings


def check_node_ports(values: Values, _around: Surroundings) -> list[Finding]:
    """containerd's metrics share the addresses of the host with Kubernetes."""
    endpoint = values.get("containerd_metrics_address")
    if not is_endpoint(endpoint):
        return []
    port = int(str(endpoint).rpartition(":")[2])
    taken = dict(NODE_PORTS)
    api_port = as_integer(values.get("kubernetes_api_port"))
    if api_port is not None:
        taken[api_port] = "kubernetes_api_port"
    if port not in taken:
        return []
    problem = f"its port is already taken by {taken[port]} on the same host"
    return [Finding("containerd_metrics_address", endpoint, problem, "use another port")]


def check_verification(values: Values, _around: Surroundings) -> list[Finding]:
    pause, failover = (as_integer(values.get(f"verify_{name}_seconds")) for name in ("pause", "failover"))
    if pause is None or failover is None or failover < pause:
        return []
    problem = f"is not less than verify_pause_seconds, {pause}: the API server would be back by itself"
    return [Finding("verify_failover_seconds", failover, problem, f"use a number between 1 and {pause - 1}")]


def check_lab(values: Values, _around: Surroundings) -> list[Finding]:
    hosts = [host for host in values.get("lab_hosts") or [] if isinstance(host, dict)]
    findings = []
    names = [host.get("name") for host in hosts]
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        findings.append(
            Finding("lab_hosts", name, "is the name of more than one host", "give every host a name of its own")
        )
    try:
        subnet = ipaddress.ip_network(str(values.get("lab_subnet")), strict=False)
    except ValueError:
        return findings
    for number, host in enumerate(hosts):
        address = parse_address(host.get("address") or "")
        if address is not None and address not in subnet:
            problem = f"lies outside of lab_subnet {subnet}"
            findings.append(
                Finding(f"lab_hosts[{number}].address", str(address), problem, "use an address of it, or none")
            )
    return findings


def check_mesh_hosts(values: Values, around: Surroundings) -> list[Finding]:
    return mesh_hosts.check_mesh_hosts(values, around.now)


CHECKS = (
    check_registry,
    check_network_plugin,
    check_node_ports,
    check_verification,
    check_lab,
    addons.check_addons,
    check_mesh_hosts,
)
# Only these are looked at, so that hosts which agree in them are judged once.
NAMES = frozenset(
    {
        *REGISTRY,
        *addons.NAMES,
        *mesh_hosts.NAMES,
        "containerd_metrics_address",
        "kubernetes_api_port",
        "kubernetes_pod_cidr",
        "lab_hosts",
        "lab_subnet",
        "network_calico_block_size",
        "network_plugin",
        "network_pod_cidr",
        "verify_failover_seconds",
        "verify_pause_seconds",
    }
)


def check_conflicts(defaults: Values, of_hosts: t.Mapping[str, Values], around: Surroundings) -> list[Finding]:
    """Each set of values that some hosts have, over the defaults of the roles. A set that nobody changed is right."""
    # In the playbooks the cluster's network takes the place of this default; only one that somebody gave can be wrong.
    defaults = {name: value for name, value in defaults.items() if name != "network_pod_cidr"}
    by_values: dict[str, tuple[dict[str, t.Any], list[str]]] = {}
    for host, values in of_hosts.items():
        own = {name: value for name, value in values.items() if name in NAMES}
        if own:
            by_values.setdefault(repr(sorted(own.items())), (own, []))[1].append(host)
    found: dict[Finding, list[str]] = defaultdict(list)
    for own, hosts in by_values.values():
        effective = {name: value for name, value in {**defaults, **own}.items() if value is not None}
        for check in CHECKS:
            for finding in check(effective, around):
                found[finding] += hosts
    return [at_hosts(finding, hosts, len(of_hosts)) for finding, hosts in found.items()]


def check_unique(
    of_hosts: t.Mapping[str, Values], nodes: t.Collection[str], registries: t.Collection[str]
) -> list[Finding]:
    findings = []
    for name, among in UNIQUE.items():
        hosts_of: dict[str, list[str]] = defaultdict(list)
        for host in registries if among == "registries" else nodes:
            value = of_hosts.get(host, {}).get(name)
            if value:
                hosts_of[str(value)].append(host)
        for value, hosts in hosts_of.items():
            if len(hosts) > 1:
                remedy = "give every host one of its own, in host_vars or as a template"
                findings.append(Finding(name, value, f"is the same for {listed(hosts)}", remedy))
    return findings


def at_hosts(finding: Finding, hosts: t.Sequence[str], total: int) -> Finding:
    """Names the hosts where a finding doesn't hold for all of them."""
    if finding.hosts or len(set(hosts)) >= total:
        return finding
    return Finding(finding.subject, finding.value, finding.problem, finding.remedy, tuple(sorted(set(hosts))))
