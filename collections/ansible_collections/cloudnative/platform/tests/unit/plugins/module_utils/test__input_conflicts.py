# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._input_conflicts import (
    Surroundings,
    check_conflicts,
    check_unique,
    judge_registry,
)

AROUND = Surroundings(now=1_800_000_000, nodes=5)
DEFAULTS = {
    "containerd_metrics_address": "127.0.0.1:1338",
    "kubernetes_api_port": 8443,
    "kubernetes_pod_cidr": "10.244.0.0/16",
    "lab_subnet": "10.99.0.0/24",
    "network_calico_block_size": 26,
    "network_plugin": "calico",
    "network_pod_cidr": "10.244.0.0/16",
    "registry_ca_key_pem": "",
    "registry_ca_pem": "",
    "registry_certificate_days": 365,
    "registry_certificate_renew_days": 30,
    "registry_pull_username": "pull",
    "registry_push_username": "push",
    "verify_failover_seconds": 15,
    "verify_pause_seconds": 45,
}
HOSTS = ("c1", "w1")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"registry_certificate_days": "60"}, []),
        (
            {"registry_certificate_days": 30},
            [
                "registry_certificate_renew_days 30: is not less than registry_certificate_days, 30: every run would "
                "issue a certificate; use a number between 1 and 29, or a larger registry_certificate_days"
            ],
        ),
        (
            {"registry_push_username": "pull"},
            ["registry_push_username 'pull': is also registry_pull_username; give the two different names"],
        ),
        (
            {"registry_ca_key_pem": "x"},
            ["registry_ca_key_pem: is given without registry_ca_pem; they belong together, give both or none"],
        ),
        ({"network_pod_cidr": "10.244.0.0/16"}, []),
        ({"kubernetes_pod_cidr": "10.100.0.0/16"}, []),
        (
            {"network_pod_cidr": "10.1.0.0/16"},
            [
                "network_pod_cidr '10.1.0.0/16': differs from kubernetes_pod_cidr 10.244.0.0/16; "
                "take it out: the playbooks give the network plugin the network of the cluster"
            ],
        ),
        ({"kubernetes_pod_cidr": "fd00::/48", "network_plugin": "none"}, []),
        (
            {"kubernetes_pod_cidr": "fd00::/48"},
            [
                "kubernetes_pod_cidr 'fd00::/48': is not IPv4, calico is set up for IPv4; "
                "use an IPv4 network, or bring your own plugin with network_plugin: none"
            ],
        ),
        (
            {"kubernetes_pod_cidr": "10.244.0.0/24", "network_calico_block_size": 22},
            [
                "network_calico_block_size 22: is larger than the whole of kubernetes_pod_cidr 10.244.0.0/24; "
                "use a number between 24 and 32"
            ],
        ),
        (
            {"kubernetes_pod_cidr": "10.244.0.0/24"},
            [
                "network_calico_block_size 26: cuts kubernetes_pod_cidr 10.244.0.0/24 into fewer blocks than the "
                "inventory has nodes (5); use 27 or more, or a larger network"
            ],
        ),
        ({"kubernetes_pod_cidr": "10.244.0.0/24", "network_plugin": "flannel"}, []),
        (
            {"containerd_metrics_address": "127.0.0.1:8443"},
            [
                "containerd_metrics_address '127.0.0.1:8443': its port is already taken by kubernetes_api_port on the "
                "same host; use another port"
            ],
        ),
        (
            {"containerd_metrics_address": "0.0.0.0:10250"},
            [
                "containerd_metrics_address '0.0.0.0:10250': its port is already taken by kubelet on the same host; "
                "use another port"
            ],
        ),
        (
            {"verify_failover_seconds": 45},
            [
                "verify_failover_seconds 45: is not less than verify_pause_seconds, 45: the API server would be back "
                "by itself; use a number between 1 and 44"
            ],
        ),
        (
            {"lab_hosts": [{"name": "a", "address": "10.1.0.1"}, {"name": "a", "address": "10.99.0.12"}]},
            [
                "lab_hosts 'a': is the name of more than one host; give every host a name of its own",
                "lab_hosts[0].address '10.1.0.1': lies outside of lab_subnet 10.99.0.0/24; "
                "use an address of it, or none",
            ],
        ),
    ],
)
def test_conflicts(values, expected):
    found = check_conflicts(DEFAULTS, dict.fromkeys(HOSTS, values), AROUND)
    assert [finding.sentence() for finding in found] == expected


def test_hosts_with_a_conflict_are_named_where_others_have_none():
    found = check_conflicts(DEFAULTS, {"c1": {}, "w1": {"registry_push_username": "pull"}}, AROUND)
    assert found[0].sentence().startswith("registry_push_username 'pull' (on w1): is also")


def test_equal_values_are_judged_once(monkeypatch):
    from ansible_collections.cloudnative.platform.plugins.module_utils import _input_conflicts

    calls = []
    monkeypatch.setattr(_input_conflicts, "CHECKS", (lambda values, around: calls.append(values) or [],))
    check_conflicts(DEFAULTS, {f"w{n}": {"network_plugin": "calico", "other": n} for n in range(50)}, AROUND)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("name", "nodes", "registries", "words"),
    [
        ("kubernetes_node_name", ["c1", "w1"], [], "is the same for c1, w1"),
        ("kubernetes_node_address", ["c1", "w1"], [], "is the same for c1, w1"),
        ("host_hostname", ["c1", "w1"], [], "is the same for c1, w1"),
        ("registry_address", [], ["c1", "w1"], "is the same for c1, w1"),
        # There is one registry, and everybody may know its address.
        ("registry_address", ["w1"], ["c1"], None),
    ],
)
def test_what_no_two_hosts_may_share(name, nodes, registries, words):
    found = check_unique({host: {name: "same"} for host in HOSTS}, nodes, registries)
    assert [finding.problem for finding in found] == ([words] if words else [])
    assert check_unique({host: {name: host} for host in HOSTS}, nodes, registries) == []
    assert check_unique({host: {name: None} for host in HOSTS}, nodes, registries) == []


def test_the_registry_judges_itself_by_the_same_rules():
    values = {
        **{name: value for name, value in DEFAULTS.items() if name.startswith("registry_")},
        "registry_address": "192.0.2.1",
        "registry_storage_path": "/home/x",
        "registry_port": 5000,
        "registry_push_port": "5000",
        "registry_upload_parallel": 0,
    }
    assert [finding.subject for finding in judge_registry(values, AROUND.now)] == [
        "registry_storage_path",
        "registry_upload_parallel",
        "registry_push_port",
    ]
