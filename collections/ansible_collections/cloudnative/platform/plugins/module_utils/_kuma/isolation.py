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

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.callgraph import PREFIX, Graph, Service
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Problems, Raw

DEFAULT_DENY = "calls-default-deny"
OUTSIDE = "calls-out-of-"
#: Where proxies fetch their configuration and certificates.
XDS_PORT = 5678
#: Where the control plane looks into proxies, for its inspection and for what it shows of them.
ADMIN_PORT = 9901
DNS_PODS = {"k8s-app": "kube-dns"}


def network_policies(graph: Graph) -> list[Raw]:
    """For the services whose pods are known; who calls one from elsewhere is refused."""
    pods = {name: one for name, one in sorted(graph.services.items()) if one.namespace and one.pod_labels}
    closed = {name: one for name, one in pods.items() if not one.gateway}
    locked = sorted({str(one.namespace) for one in closed.values()}) if graph.network.default_deny else []
    problems = [*_unknown_pods(graph, locked), *_unknown_callers(graph, closed)]
    if problems:
        raise Problems(problems)
    found = [_default_deny(graph, namespace) for namespace in locked]
    for name, service in pods.items():
        if not service.gateway:
            found.append(_let_in(graph, service))
            outside = [one for one in graph.services.values() if one.cidrs and name in graph.callers.get(one.name, [])]
            if outside and service.namespace in locked:
                found.append(_let_out(service, outside))
        elif service.namespace in locked:
            rules = {"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}
            found.append(_policy(f"{PREFIX}{name}", service, rules))
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


def _default_deny(graph: Graph, namespace: str) -> Raw:
    network = graph.network
    inside = sorted({one.namespace for one in graph.services.values() if one.namespace})
    egress: list[Raw] = [
        {
            "to": [{**_in(network.dns_namespace), "podSelector": {"matchLabels": DNS_PODS}}],
            "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
        },
        {"to": [_in(network.control_plane_namespace)], "ports": _ports([XDS_PORT])},
        {"to": [_in(*inside)]},
    ]
    if network.telemetry_ports:
        egress.append({"to": [_in(network.monitoring_namespace)], "ports": _ports(network.telemetry_ports)})
    ingress: list[Raw] = [{"from": [_in(network.control_plane_namespace)], "ports": _ports([ADMIN_PORT])}]
    if network.metrics_ports:
        ingress.append({"from": [_in(network.monitoring_namespace)], "ports": _ports(network.metrics_ports)})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": DEFAULT_DENY, "namespace": namespace},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def _let_in(graph: Graph, service: Service) -> Raw:
    """Its callers; of a service that nobody calls, nothing."""
    sources: list[Raw] = []
    for caller in (graph.services[one] for one in graph.callers.get(service.name, [])):
        if caller.cidrs:
            sources += _blocks(caller)
        else:
            sources.append({**_in(str(caller.namespace)), "podSelector": {"matchLabels": caller.pod_labels}})
    rule: Raw = {"from": sources}
    if service.ports:
        rule["ports"] = _ports(service.ports)
    # No empty list: it would mean the same, but the server leaves it out, and it would be written anew with every run.
    rules: Raw = {"policyTypes": ["Ingress"], **({"ingress": [rule]} if sources else {})}
    return _policy(f"{PREFIX}{service.name}", service, rules)


def _let_out(service: Service, outside: t.Iterable[Service]) -> Raw:
    rules = []
    for one in outside:
        rule: Raw = {"to": _blocks(one)}
        if one.ports:
            rule["ports"] = _ports(one.ports)
        rules.append(rule)
    return _policy(f"{OUTSIDE}{service.name}", service, {"policyTypes": ["Egress"], "egress": rules})


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
