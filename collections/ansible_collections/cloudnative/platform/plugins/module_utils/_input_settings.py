# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Judges the values of variables: networks, versions, names, ports.

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    Finding,
    Judgement,
    Network,
    Rules,
    as_integer,
    close_to,
    is_dns_name,
    listed,
    parse_address,
    parse_network,
    parse_version,
)

# Limits that kubeadm refuses to cross (cmd/kubeadm/app/constants): better to say so before the first host is changed.
SERVICE_BITS_MAX = 20
SERVICE_ADDRESSES_MIN = 10
NODE_MASK_DIFFERENCE_MAX = 16

# Ports that a cluster node has in use whatever the settings say.
NODE_PORTS = {
    2379: "etcd clients",
    2380: "etcd peers",
    2381: "etcd metrics",
    6443: "the API server",
    10248: "kubelet health",
    10249: "kube-proxy metrics",
    10250: "kubelet",
    10256: "kube-proxy health",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
NODE_PORT_RANGE = range(30000, 32768)

# Settings whose value is judged here. All hosts of a cluster must agree about them.
SETTINGS = (
    "kubernetes_api_name",
    "kubernetes_api_port",
    "kubernetes_dns_domain",
    "kubernetes_node_cidr_mask",
    "kubernetes_pod_cidr",
    "kubernetes_service_cidr",
    "kubernetes_version",
    "monitoring_node_exporter_port",
    "monitoring_observer_alertmanager_port",
    "monitoring_observer_port",
    "network_plugin",
    "registry_metrics_port",
    "registry_port",
    "registry_push_metrics_port",
    "registry_push_port",
)


def agreed(hosts: list[dict[str, t.Any]]) -> tuple[dict[str, t.Any], list[Finding]]:
    """The settings of all hosts as one; a setting that differs between hosts would make two half clusters."""
    settings: dict[str, t.Any] = {}
    findings = []
    for name in SETTINGS:
        values: dict[str, list[str]] = {}
        for host in hosts:
            own = host.get("settings") or {}
            if name in own:
                settings.setdefault(name, own[name])
                values.setdefault(repr(own[name]), []).append(str(host["name"]))
        if len(values) > 1:
            differing = "; ".join(f"{value} on {listed(names)}" for value, names in sorted(values.items()))
            remedy = "set it once for all hosts, in group_vars/all"
            findings.append(Finding(name, None, f"differs between hosts: {differing}", remedy))
    return settings, findings


def check_networks(hosts: list[dict[str, t.Any]], settings: dict[str, t.Any], rules: Rules) -> list[Finding]:
    findings: list[Finding] = []
    networks: dict[str, Network] = {}
    for name in ("kubernetes_pod_cidr", "kubernetes_service_cidr"):
        if settings.get(name) is not None:
            network, wrong = parse_network(name, settings[name])
            findings += wrong
            if network is not None:
                networks[name] = network
    pods, services = networks.get("kubernetes_pod_cidr"), networks.get("kubernetes_service_cidr")
    if pods is not None and services is not None:
        if pods.version != services.version:
            findings.append(
                Finding(
                    "kubernetes_service_cidr",
                    str(services),
                    f"is IPv{services.version}, kubernetes_pod_cidr {pods} is IPv{pods.version}",
                    "use one address family for both",
                )
            )
        elif pods.overlaps(services):
            findings.append(
                Finding(
                    "kubernetes_service_cidr",
                    str(services),
                    f"overlaps kubernetes_pod_cidr {pods}",
                    "choose two networks that share no address",
                )
            )
    findings += check_network_sizes(hosts, settings, rules, pods, services)
    for host in hosts:
        for name, network in networks.items():
            findings += check_host_outside(host, name, network)
    return findings


def check_network_sizes(
    hosts: list[dict[str, t.Any]],
    settings: dict[str, t.Any],
    rules: Rules,
    pods: Network | None,
    services: Network | None,
) -> list[Finding]:
    findings = []
    if services is not None:
        bits = services.max_prefixlen - services.prefixlen
        if bits > SERVICE_BITS_MAX:
            limit = services.max_prefixlen - SERVICE_BITS_MAX
            findings.append(
                Finding("kubernetes_service_cidr", str(services), "is too large", f"use a prefix of /{limit} or longer")
            )
        elif services.num_addresses < SERVICE_ADDRESSES_MIN:
            limit = services.max_prefixlen - 4
            findings.append(
                Finding(
                    "kubernetes_service_cidr", str(services), "is too small", f"use a prefix of /{limit} or shorter"
                )
            )
    if pods is None:
        return findings
    mask = as_integer(settings.get("kubernetes_node_cidr_mask") or (24 if pods.version == 4 else 64))
    if mask is None or not pods.prefixlen < mask <= pods.max_prefixlen - 2:
        findings.append(
            Finding(
                "kubernetes_node_cidr_mask",
                settings.get("kubernetes_node_cidr_mask", mask),
                f"does not cut kubernetes_pod_cidr {pods} into networks of nodes",
                f"use a number between {pods.prefixlen + 1} and {pods.max_prefixlen - 2}",
            )
        )
        return findings
    cluster = (rules.control_plane_group, rules.worker_group)
    nodes = sum(1 for host in hosts if any(group in cluster for group in host.get("groups") or []))
    room = 2 ** (mask - pods.prefixlen)
    if mask - pods.prefixlen > NODE_MASK_DIFFERENCE_MAX:
        findings.append(
            Finding(
                "kubernetes_pod_cidr",
                str(pods),
                f"is too large for nodes of /{mask}",
                f"use a prefix of /{mask - NODE_MASK_DIFFERENCE_MAX} or longer",
            )
        )
    elif room < nodes:
        findings.append(
            Finding(
                "kubernetes_pod_cidr",
                str(pods),
                f"has room for {room} nodes of /{mask}, the inventory has {nodes}",
                f"use a prefix of /{mask - (nodes - 1).bit_length()} or shorter, or a longer kubernetes_node_cidr_mask",
            )
        )
    return findings


def check_host_outside(host: dict[str, t.Any], name: str, network: Network) -> list[Finding]:
    """Neither the host's addresses nor its networks may lie in a range that the cluster gives out itself."""
    findings = []
    facts = host.get("facts") or {}
    remedy = f"choose another {name}, traffic to this host would be lost"
    addresses = {str(value) for value in (host.get("address"), facts.get("default_ipv4")) if value}
    for text in sorted(addresses):
        address = parse_address(text)
        if address is not None and address.version == network.version and address in network:
            findings.append(Finding("host", host["name"], f"its address {address} lies in {name} {network}", remedy))
    for text in host.get("subnets") or []:
        subnet, wrong = parse_network("subnet", text)
        if wrong or subnet is None:
            findings.append(
                Finding("host", host["name"], f"its subnet {text} is not valid", "write it like 192.0.2.0/24")
            )
        elif subnet.version == network.version and subnet.overlaps(network):
            findings.append(Finding("host", host["name"], f"its subnet {subnet} overlaps {name} {network}", remedy))
    return findings


def check_version(settings: dict[str, t.Any], rules: Rules) -> list[Finding]:
    """Kubernetes is installed as the registry holds it: kubeadm asks for images of exactly this version."""
    value = settings.get("kubernetes_version")
    if value is None:
        return []
    if rules.held_version and value != rules.held_version:
        remedy = f"leave it out, or fill the registry with a bundle of Kubernetes {value} first"
        return [Finding("kubernetes_version", value, f"is not what the registry holds, {rules.held_version}", remedy)]
    if not rules.supported_versions:
        return []
    choice = f"supported: {', '.join(rules.supported_versions)}"
    version = parse_version(value)
    if version is None:
        why = "is not text, YAML took it for a number" if isinstance(value, (int, float)) else "is not a version"
        return [Finding("kubernetes_version", value, why, f'write it in quotes like "v1.36.4" ({choice})')]
    for supported in rules.supported_versions:
        known = parse_version(supported)
        if known is not None and known[:2] == version[:2] and (known[2] is None or known[2] == version[2]):
            return []
    return [Finding("kubernetes_version", value, "is not supported", choice)]


def check_choices(hosts: list[dict[str, t.Any]], settings: dict[str, t.Any], rules: Rules) -> list[Finding]:
    findings = []
    plugin = settings.get("network_plugin")
    if plugin is not None and plugin not in rules.network_plugins:
        hint = close_to(str(plugin), rules.network_plugins)
        remedy = f"{hint} known: {listed(rules.network_plugins)}".strip()
        findings.append(Finding("network_plugin", plugin, "is not a known network plugin", remedy))
    for name in ("kubernetes_api_name", "kubernetes_dns_domain"):
        value = settings.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or parse_address(value) is not None or not is_dns_name(value):
            findings.append(
                Finding(
                    name,
                    value,
                    "is not a DNS name",
                    "use lower-case letters, digits, '-' and '.', e.g. api.example.org",
                )
            )
        elif name == "kubernetes_api_name":
            findings += [
                Finding(name, value, f"is also the name or address of host {host['name']}", "choose a name no host has")
                for host in hosts
                if value in (str(host["name"]).lower(), str(host.get("address") or "").lower())
            ]
    return findings


def sides_of(name: str) -> tuple[str, ...]:
    """On which hosts a port is taken. Registry hosts are not cluster nodes, so their ports cannot clash with theirs."""
    if name == "monitoring_node_exporter_port":
        return ("kubernetes", "registry")
    return ("registry",) if name.startswith(("registry_", "monitoring_observer_")) else ("kubernetes",)


def check_ports(settings: dict[str, t.Any]) -> list[Finding]:
    findings = []
    taken: dict[str, dict[int, str]] = {"registry": {}, "kubernetes": dict(NODE_PORTS)}
    for name in sorted(key for key in settings if key.endswith("_port") and settings[key] is not None):
        value = settings[name]
        port = as_integer(value)
        if port is None or not 0 < port < 65536:
            findings.append(Finding(name, value, "is not a port", "use a number between 1 and 65535"))
            continue
        sides = sides_of(name)
        owner = next((taken[side][port] for side in sides if port in taken[side]), None)
        if owner is not None:
            findings.append(Finding(name, value, f"is already taken by {owner} on the same host", "use another port"))
        elif "kubernetes" in sides and port in NODE_PORT_RANGE:
            limits = f"{NODE_PORT_RANGE.start}-{NODE_PORT_RANGE.stop - 1}"
            findings.append(
                Finding(name, value, f"lies in the range of NodePort services {limits}", "use another port")
            )
        for side in sides:
            taken[side].setdefault(port, name)
    return findings


def check_unknown(settings: dict[str, t.Any], variables: t.Iterable[str], rules: Rules) -> Judgement:
    """A misspelt variable is silently ignored by Ansible: the default would be used instead of what was meant."""
    judgement = Judgement()
    for key in sorted(set(settings) - set(SETTINGS)):
        hint = close_to(key, SETTINGS)
        judgement.problems.append(
            Finding("settings", key, "is not a known setting", hint or f"known: {listed(SETTINGS)}")
        )
    if not rules.known_variables:
        return judgement
    prefixes = tuple(f"{prefix}_" for prefix in rules.variable_prefixes)
    for name in sorted(set(variables) - rules.known_variables):
        if not name.startswith(prefixes):
            continue
        # The common prefix alone makes names look alike, so they must be closer than other words.
        hint = close_to(name, rules.known_variables, cutoff=0.85)
        if hint:
            judgement.problems.append(Finding("variable", name, "is not known to any role", hint))
        else:
            # It may belong to someone else: inventories are shared with other collections.
            judgement.warnings.append(Finding("variable", name, "is not known to any role", "it has no effect here"))
    return judgement
