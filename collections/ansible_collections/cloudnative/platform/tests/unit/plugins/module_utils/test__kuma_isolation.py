# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may call whom, below the mesh."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import callgraph, isolation
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Problems
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.network import Collector

SHOP: dict[str, t.Any] = {
    "services": {
        "web": {"namespace": "shop", "service_account": "web", "pod_labels": {"app": "web"}, "ports": [8080]},
        "api": {"namespace": "shop", "service_account": "api", "pod_labels": {"app": "api"}},
        "db": {"namespace": "data", "service_account": "db", "pod_labels": {"app": "db"}, "ports": [5432]},
        "kong": {"namespace": "kong", "service_account": "kong", "pod_labels": {"app": "kong"}, "gateway": True},
        "payments": {"cidrs": ["203.0.113.0/24"], "ports": [443]},
        "office": {"cidrs": ["198.51.100.0/24"], "spiffe_id": "spiffe://office.example/admin"},
        "legacy": {},
    },
    "calls": {"kong": ["web"], "web": ["api"], "api": ["db", "payments"], "office": ["db"]},
}
DNS = {"kubernetes.io/metadata.name": "kube-system"}


def policies(**changes: t.Any) -> dict[str, dict[str, t.Any]]:
    found = isolation.network_policies(callgraph.read({**SHOP, **changes}, "default"))
    by_name = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["spec"] for one in found}
    assert len(by_name) == len(found)
    return by_name


def source(namespace: str, app: str) -> dict[str, t.Any]:
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": {"app": app}},
    }


def test_what_there_is() -> None:
    assert sorted(policies()) == [
        "data/calls-default-deny",
        "data/calls-to-db",
        "shop/calls-default-deny",
        "shop/calls-out-of-api",
        "shop/calls-to-api",
        "shop/calls-to-web",
    ]


@pytest.mark.parametrize(
    ("name", "ingress"),
    [
        ("shop/calls-to-web", [{"from": [source("kong", "kong")], "ports": [{"port": 8080, "protocol": "TCP"}]}]),
        ("shop/calls-to-api", [{"from": [source("shop", "web")]}]),
        (
            "data/calls-to-db",
            [
                {
                    "from": [source("shop", "api"), {"ipBlock": {"cidr": "198.51.100.0/24"}}],
                    "ports": [{"port": 5432, "protocol": "TCP"}],
                }
            ],
        ),
    ],
)
def test_callers_come_in_and_nobody_else(name: str, ingress: list[t.Any]) -> None:
    policy = policies()[name]
    assert policy["ingress"] == ingress
    # What the pod calls is another policy's matter.
    assert policy["policyTypes"] == ["Ingress"]


def test_a_service_that_nobody_calls_lets_nothing_in() -> None:
    assert "ingress" not in policies(calls={})["shop/calls-to-web"]


def test_a_locked_namespace_leaves_what_every_pod_needs() -> None:
    policy = policies()["shop/calls-default-deny"]
    assert (policy["podSelector"], policy["policyTypes"]) == ({}, ["Ingress", "Egress"])
    inspected, measured = policy["ingress"]
    assert inspected["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kuma-system"}}}]
    assert inspected["ports"] == [{"port": 9901, "protocol": "TCP"}]
    assert measured["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert measured["ports"] == [{"port": 5670, "protocol": "TCP"}]
    names, control_plane, pods = policy["egress"]
    assert names["to"] == [
        {"namespaceSelector": {"matchLabels": DNS}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    ]
    assert [(one["port"], one["protocol"]) for one in names["ports"]] == [(53, "UDP"), (53, "TCP")]
    assert control_plane["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == "kuma-system"
    assert control_plane["ports"] == [{"port": 5678, "protocol": "TCP"}]
    (expression,) = pods["to"][0]["namespaceSelector"]["matchExpressions"]
    assert expression["values"] == ["data", "kong", "shop"]


def test_settings_of_the_network() -> None:
    network = {
        "dns_namespace": "dns",
        "control_plane_namespace": "mesh",
        "monitoring_namespace": "eyes",
        "metrics_ports": [],
        "telemetry_ports": [4317],
    }
    policy = policies(network=network)["shop/calls-default-deny"]
    names = [
        one["to"][0]["namespaceSelector"].get("matchLabels", {}).get("kubernetes.io/metadata.name")
        for one in policy["egress"]
    ]
    assert (len(policy["ingress"]), names) == (1, ["dns", "mesh", None, "eyes"])
    assert policy["egress"][3]["ports"] == [{"port": 4317, "protocol": "TCP"}]


def test_who_calls_outside_gets_out_there_only() -> None:
    policy = policies()["shop/calls-out-of-api"]
    assert (policy["podSelector"], policy["policyTypes"]) == ({"matchLabels": {"app": "api"}}, ["Egress"])
    assert policy["egress"] == [
        {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
    ]


def test_the_namespace_of_a_gateway_is_left_alone() -> None:
    """Nobody calls it in the graph, and everybody does from outside."""
    assert not [name for name in policies() if name.startswith("kong/")]


def test_a_gateway_in_a_locked_namespace_stays_open() -> None:
    services = {**SHOP["services"], "kong": {**SHOP["services"]["kong"], "namespace": "shop"}}
    policy = policies(services=services)["shop/calls-to-kong"]
    assert policy["podSelector"] == {"matchLabels": {"app": "kong"}}
    assert (policy["ingress"], policy["egress"]) == ([{}], [{}])


NEEDED = [("kuma-system", 9901), ("monitoring", 5670)]


def test_without_default_deny_those_who_are_needed_still_come_in() -> None:
    """A policy that selects a pod denies all that it does not name, and no other one names Prometheus then."""
    found = policies(network={"default_deny": False})
    assert sorted(found) == ["data/calls-to-db", "shop/calls-to-api", "shop/calls-to-web"]
    callers = {"data/calls-to-db": 1, "shop/calls-to-api": 1, "shop/calls-to-web": 1}
    for name, policy in found.items():
        needed = policy["ingress"][callers[name] :]
        labels = [one["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for one in needed]
        assert list(zip(labels, [one["ports"][0]["port"] for one in needed])) == NEEDED
        assert policy["policyTypes"] == ["Ingress"]


def test_without_default_deny_nobody_else_calls_what_nobody_calls() -> None:
    policy = policies(network={"default_deny": False}, calls={})["shop/calls-to-web"]
    assert [one["ports"][0]["port"] for one in policy["ingress"]] == [port for _namespace, port in NEEDED]


def test_policies_of_two_meshes_are_not_one_object() -> None:
    assert sorted(policies(mesh="shop")) == [
        "data/calls-default-deny-shop",
        "data/calls-to-db-shop",
        "shop/calls-default-deny-shop",
        "shop/calls-out-of-api-shop",
        "shop/calls-to-api-shop",
        "shop/calls-to-web-shop",
    ]


def telemetry(address: str, **network: t.Any) -> list[tuple[t.Any, list[int]]]:
    """Where pods get besides names, their control plane and each other."""
    graph = callgraph.read({**SHOP, "network": network}, "default")
    found = isolation.network_policies(graph, Collector(address, 4317))
    egress = next(one for one in found if one["metadata"]["name"] == "calls-default-deny")["spec"]["egress"]
    places = [one["to"][0] for one in egress[3:]]
    return [
        (
            one.get("ipBlock", {}).get("cidr")
            or one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            [port["port"] for port in rule["ports"]],
        )
        for one, rule in zip(places, egress[3:])
    ]


@pytest.mark.parametrize(
    ("address", "network", "expected"),
    [
        ("collector.monitoring.svc", {}, [("monitoring", [4317])]),
        ("collector.tracing.svc.cluster.local", {}, [("tracing", [4317])]),
        ("collector-0.collector.tracing.svc.cluster.local.", {}, [("tracing", [4317])]),
        ("collector.tracing", {}, [("tracing", [4317])]),
        ("collector.monitoring", {"telemetry_ports": [4318]}, [("monitoring", [4318, 4317])]),
        ("collector.monitoring", {"telemetry_ports": [4317]}, [("monitoring", [4317])]),
        ("collector.eyes", {"telemetry_ports": [4318]}, [("monitoring", [4318]), ("eyes", [4317])]),
        ("192.0.2.9", {}, [("192.0.2.9/32", [4317])]),
        ("fd00::9", {}, [("fd00::9/128", [4317])]),
        # Policies are for what leaves the pod, and pods of the graph's namespaces are reached anyway.
        ("127.0.0.1", {}, []),
        ("collector", {}, []),
    ],
)
def test_telemetry_gets_out(address: str, network: dict[str, t.Any], expected: list[t.Any]) -> None:
    assert telemetry(address, **network) == expected


def test_a_collector_that_no_policy_can_name() -> None:
    collector = Collector("otel.example.org", 4317)
    with pytest.raises(Problems, match=r"otel\.example\.org is a name outside of the cluster, .* give its address"):
        isolation.network_policies(callgraph.read(SHOP, "default"), collector)
    open_to_all = callgraph.read({**SHOP, "network": {"default_deny": False}}, "default")
    assert isolation.network_policies(open_to_all, collector)
    services = {**SHOP["services"], "otel": {"cidrs": ["192.0.2.0/24"], "ports": [4317]}}
    described = {**SHOP, "services": services, "calls": {**SHOP["calls"], "web": ["api", "otel"]}}
    assert isolation.network_policies(callgraph.read(described, "default"), collector)


def test_one_line_changes_one_policy() -> None:
    before, after = policies(), policies(calls={**SHOP["calls"], "web": ["api", "db"]})
    assert before.keys() == after.keys()
    assert [name for name in after if before[name] != after[name]] == ["data/calls-to-db"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"calls": {"legacy": ["api"]}}, "legacy calls api, so a NetworkPolicy needs to know where its pods are"),
        (
            {"services": {**SHOP["services"], "job": {"namespace": "shop", "service_account": "job"}}},
            "job is in namespace shop, where what no NetworkPolicy allows is denied: give it pod_labels",
        ),
    ],
)
def test_what_would_be_locked_out(changes: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(Problems, match=problem):
        policies(**changes)
