# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A call graph as NetworkPolicies: the same rules once more, below the mesh. Pure.

Each namespace with services of the graph is locked by one policy, which leaves what every pod needs: names, its control
plane, being measured. Who may call whom is decided where a call arrives, so that one line more or less changes one
policy; going out, pods reach each other and nothing else. Kubelets reach their own pods whatever a policy says, so
probes need no rule. The namespaces of gateways, of the control plane and of the monitoring are left alone: what comes
in there comes from anywhere, such as from the API server to webhooks.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.callgraph import PREFIX, Graph
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.network import Collector, Network
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.services import Service

DEFAULT_DENY = "calls-default-deny"
OUTSIDE = "calls-out-of-"
#: Where proxies fetch their configuration and certificates.
XDS_PORT = 5678
#: Where the control plane looks into proxies, for its inspection and for what it shows of them.
ADMIN_PORT = 9901
DNS_PODS = {"k8s-app": "kube-dns"}


def network_policies(graph: Graph, collector: Collector | None = None) -> list[Raw]:
    """For the services whose pods are known; who calls one from elsewhere is refused.

    `collector` is where proxies send what they see, besides what the graph says of the network.
    """
    pods = {name: one for name, one in sorted(graph.services.items()) if one.namespace and one.pod_labels}
    closed = {name: one for name, one in pods.items() if not one.gateway}
    locked = sorted({str(one.namespace) for one in closed.values()}) if graph.network.default_deny else []
    problems = [*_unknown_pods(graph, locked), *_unknown_callers(graph, closed)]
    if locked and collector:
        problems += _unknown_collector(graph, collector)
    if problems:
        raise Problems(problems)
    found = [_default_deny(graph, namespace, collector) for namespace in locked]
    for name, service in pods.items():
        if not service.gateway:
            found.append(_let_in(graph, service))
            outside = [one for one in graph.services.values() if one.cidrs and name in graph.callers.get(one.name, [])]
            if outside and service.namespace in locked:
                found.append(_let_out(graph, service, outside))
        elif service.namespace in locked:
            rules = {"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}
            found.append(_policy(graph.named(f"{PREFIX}{name}"), service, rules))
    return found


def _unknown_pods(graph: Graph, locked: t.Collection[str]) -> t.Iterator[str]:
    for name, service in sorted(graph.services.items()):
        if service.namespace in locked and not service.pod_labels:
            yield (
                f"{name} is in namespace {service.namespace}, where what no NetworkPolicy allows is denied: give it "
                "pod_labels, or set network.default_deny to false"
            )


def _unknown_callers(graph: Graph, closed: t.Iterable[str]) -> t.Iterator[str]:
    for name in closed:
        for caller in (graph.services[one] for one in graph.callers.get(name, [])):
            if not caller.cidrs and not (caller.namespace and caller.pod_labels):
                yield (
                    f"{caller.name} calls {name}, so a NetworkPolicy needs to know where its pods are: give it "
                    "namespace and pod_labels, or cidrs when it is outside of the cluster"
                )


def _unknown_collector(graph: Graph, collector: Collector) -> t.Iterator[str]:
    called = [graph.services[name] for name in graph.callers]
    described = any(one.cidrs and (not one.ports or collector.port in one.ports) for one in called)
    if _whereabouts(collector.address) is None and not described:
        yield (
            f"observability.otlp_endpoint: {collector.address} is a name outside of the cluster, which no "
            "NetworkPolicy can let out: give its address, or write it into the graph as a service with cidrs, ports "
            "and its callers, or set network.default_deny to false"
        )


def _telemetry(network: Network, collector: Collector | None) -> list[Raw]:
    """The way to who takes access logs and traces."""
    ports: dict[str, list[int]] = {}
    if network.telemetry_ports:
        ports[network.monitoring_namespace] = list(network.telemetry_ports)
    blocks: list[Raw] = []
    where = _whereabouts(collector.address) if collector else None
    if collector and isinstance(where, str):
        known = ports.setdefault(where, [])
        known += [collector.port] if collector.port not in known else []
    elif collector and where:
        blocks.append({"to": [where], "ports": _ports([collector.port])})
    return [{"to": [_in(namespace)], "ports": _ports(found)} for namespace, found in ports.items()] + blocks


def _whereabouts(address: str) -> str | Raw | None:
    """The namespace of a Service, a block of addresses, {} for where every pod gets anyway, or None."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        parts = address.lower().rstrip(".").split(".")
        if len(parts) == 1:  # a Service of the pod's own namespace, or localhost
            return {}
        if "svc" in parts[2:]:
            return parts[parts.index("svc", 2) - 1]
        return parts[1] if len(parts) == 2 else None
    return {} if ip.is_loopback else {"ipBlock": {"cidr": f"{ip}/{ip.max_prefixlen}"}}


def _needed(network: Network) -> list[Raw]:
    """Who has to get at every pod, whoever calls it."""
    found: list[Raw] = [{"from": [_in(network.control_plane_namespace)], "ports": _ports([ADMIN_PORT])}]
    if network.metrics_ports:
        found.append({"from": [_in(network.monitoring_namespace)], "ports": _ports(network.metrics_ports)})
    return found


def _default_deny(graph: Graph, namespace: str, collector: Collector | None) -> Raw:
    network = graph.network
    inside = sorted({one.namespace for one in graph.services.values() if one.namespace})
    egress: list[Raw] = [
        {
            "to": [{**_in(network.dns_namespace), "podSelector": {"matchLabels": DNS_PODS}}],
            "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
        },
        {"to": [_in(network.control_plane_namespace)], "ports": _ports([XDS_PORT])},
        {"to": [_in(*inside)]},
        *_telemetry(network, collector),
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": graph.named(DEFAULT_DENY), "namespace": namespace},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": _needed(network),
            "egress": egress,
        },
    }


def _let_in(graph: Graph, service: Service) -> Raw:
    """Its callers; of a service that nobody calls, nothing.

    Selecting its pods denies all else, so where no policy of the namespace lets in who is needed, this one does.
    """
    sources: list[Raw] = []
    for caller in (graph.services[one] for one in graph.callers.get(service.name, [])):
        if caller.cidrs:
            sources += _blocks(caller)
        else:
            sources.append({**_in(str(caller.namespace)), "podSelector": {"matchLabels": caller.pod_labels}})
    calls: Raw = {"from": sources, **({"ports": _ports(service.ports)} if service.ports else {})}
    ingress = ([calls] if sources else []) + ([] if graph.network.default_deny else _needed(graph.network))
    # No empty list: it would mean the same, but the server leaves it out, and it would be written anew with every run.
    rules: Raw = {"policyTypes": ["Ingress"], **({"ingress": ingress} if ingress else {})}
    return _policy(graph.named(f"{PREFIX}{service.name}"), service, rules)


def _let_out(graph: Graph, service: Service, outside: t.Iterable[Service]) -> Raw:
    rules = []
    for one in outside:
        rule: Raw = {"to": _blocks(one)}
        if one.ports:
            rule["ports"] = _ports(one.ports)
        rules.append(rule)
    return _policy(graph.named(f"{OUTSIDE}{service.name}"), service, {"policyTypes": ["Egress"], "egress": rules})


def _policy(name: str, service: Service, rules: Raw) -> Raw:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": service.namespace},
        "spec": {"podSelector": {"matchLabels": service.pod_labels}, **rules},
    }


def _in(*namespaces: str | None) -> Raw:
    label = "kubernetes.io/metadata.name"
    if len(namespaces) == 1:
        return {"namespaceSelector": {"matchLabels": {label: namespaces[0]}}}
    expression = {"key": label, "operator": "In", "values": list(namespaces)}
    return {"namespaceSelector": {"matchExpressions": [expression]}}


def _blocks(service: Service) -> list[Raw]:
    return [{"ipBlock": {"cidr": cidr}} for cidr in service.cidrs]


def _ports(ports: t.Iterable[int]) -> list[Raw]:
    return [{"port": port, "protocol": "TCP"} for port in ports]
