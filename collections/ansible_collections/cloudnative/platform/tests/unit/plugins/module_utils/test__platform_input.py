# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Rules, parse_version
from ansible_collections.cloudnative.platform.plugins.module_utils._input_specs import Catalog, Option
from ansible_collections.cloudnative.platform.plugins.module_utils._platform_input import Given, judge, report

RULES = Rules(
    supported_versions=("1.35", "1.36.4", "1.37"),
    known_variables=frozenset({"kubernetes_version", "kubernetes_pod_cidr", "registry_port", "lab_hosts"}),
    variable_prefixes=("kubernetes", "registry", "lab"),
)
GOOD_HOSTS = [
    {"name": "registry1", "groups": ["registry"], "address": "192.0.2.11"},
    {"name": "cp1", "groups": ["kube_control_plane"], "address": "192.0.2.12"},
    {"name": "worker1", "groups": ["kube_node"], "address": "192.0.2.13"},
]
GOOD_SETTINGS = {
    "kubernetes_api_name": "api.lab.internal",
    "kubernetes_api_port": 8443,
    "kubernetes_dns_domain": "cluster.local",
    "kubernetes_node_cidr_mask": 24,
    "kubernetes_pod_cidr": "10.244.0.0/16",
    "kubernetes_service_cidr": "10.96.0.0/16",
    "kubernetes_version": "1.36.4",
    "network_plugin": "calico",
    "registry_metrics_port": 5001,
    "registry_port": 5000,
    "registry_push_metrics_port": 5444,
    "registry_push_port": 5443,
}


def host(name, *groups, **more):
    return {"name": name, "groups": list(groups), **more}


def problems(hosts=None, settings=None, variables=()):
    judgement = judge(GOOD_HOSTS if hosts is None else hosts, {**GOOD_SETTINGS, **(settings or {})}, RULES, variables)
    return [finding.sentence() for finding in judgement.problems]


def warnings(hosts):
    return [finding.sentence() for finding in judge(hosts, GOOD_SETTINGS, RULES).warnings]


def test_good_input_has_no_findings():
    judgement = judge(GOOD_HOSTS, GOOD_SETTINGS, RULES, ["kubernetes_version", "lab_hosts", "ansible_user", "my_own"])
    assert (judgement.problems, judgement.warnings) == ([], [])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # networks
        (
            {"kubernetes_service_cidr": "10.244.128.0/20"},
            "kubernetes_service_cidr '10.244.128.0/20': overlaps kubernetes_pod_cidr 10.244.0.0/16; "
            "choose two networks that share no address",
        ),
        (
            {"kubernetes_pod_cidr": "10.244.0.0/33"},
            "kubernetes_pod_cidr '10.244.0.0/33': is not a valid network; write it like 10.244.0.0/16",
        ),
        (
            {"kubernetes_pod_cidr": "10.244.0.0"},
            "kubernetes_pod_cidr '10.244.0.0': has no prefix length; write it like 10.244.0.0/16",
        ),
        (
            {"kubernetes_pod_cidr": "10.244.3.7/16"},
            "kubernetes_pod_cidr '10.244.3.7/16': has host bits set; did you mean 10.244.0.0/16?",
        ),
        ({"kubernetes_pod_cidr": 10}, "kubernetes_pod_cidr 10: is not a network; write it like 10.244.0.0/16"),
        ({"kubernetes_pod_cidr": ""}, "kubernetes_pod_cidr '': is not a network; write it like 10.244.0.0/16"),
        (
            {"kubernetes_pod_cidr": "127.0.0.0/16"},
            "kubernetes_pod_cidr '127.0.0.0/16': covers loopback addresses; take a private range, e.g. 10.244.0.0/16",
        ),
        (
            {"kubernetes_service_cidr": "224.0.0.0/16"},
            "kubernetes_service_cidr '224.0.0.0/16': covers multicast addresses; "
            "take a private range, e.g. 10.244.0.0/16",
        ),
        (
            {"kubernetes_pod_cidr": "0.0.0.0/0"},
            "kubernetes_pod_cidr '0.0.0.0/0': covers all addresses; take a private range, e.g. 10.244.0.0/16",
        ),
        (
            {"kubernetes_pod_cidr": "10.244.0.0/16,fd00::/48"},
            "kubernetes_pod_cidr '10.244.0.0/16,fd00::/48': names several networks, dual-stack is not supported; "
            "give one network",
        ),
        (
            {"kubernetes_pod_cidr": "fd00::/56", "kubernetes_node_cidr_mask": 64},
            "kubernetes_service_cidr '10.96.0.0/16': is IPv4, kubernetes_pod_cidr fd00::/56 is IPv6; "
            "use one address family for both",
        ),
        (
            {"kubernetes_service_cidr": "10.0.0.0/9"},
            "kubernetes_service_cidr '10.0.0.0/9': is too large; use a prefix of /12 or longer",
        ),
        (
            {"kubernetes_service_cidr": "10.96.0.0/29"},
            "kubernetes_service_cidr '10.96.0.0/29': is too small; use a prefix of /28 or shorter",
        ),
        (
            {"kubernetes_pod_cidr": "10.244.0.0/24"},
            "kubernetes_node_cidr_mask 24: does not cut kubernetes_pod_cidr 10.244.0.0/24 into networks of nodes; "
            "use a number between 25 and 30",
        ),
        (
            {"kubernetes_node_cidr_mask": "many"},
            "kubernetes_node_cidr_mask 'many': does not cut kubernetes_pod_cidr 10.244.0.0/16 into networks of nodes; "
            "use a number between 17 and 30",
        ),
        (
            {
                "kubernetes_pod_cidr": "10.0.0.0/8",
                "kubernetes_service_cidr": "172.20.0.0/16",
                "kubernetes_node_cidr_mask": 26,
            },
            "kubernetes_pod_cidr '10.0.0.0/8': is too large for nodes of /26; use a prefix of /10 or longer",
        ),
        # version
        (
            {"kubernetes_version": "1.34.2"},
            "kubernetes_version '1.34.2': is not supported; supported: 1.35, 1.36.4, 1.37",
        ),
        (
            {"kubernetes_version": "v1.36.5"},
            "kubernetes_version 'v1.36.5': is not supported; supported: 1.35, 1.36.4, 1.37",
        ),
        (
            {"kubernetes_version": 1.36},
            "kubernetes_version 1.36: is not text, YAML took it for a number; "
            'write it in quotes like "v1.36.4" (supported: 1.35, 1.36.4, 1.37)',
        ),
        (
            {"kubernetes_version": "latest"},
            "kubernetes_version 'latest': is not a version; "
            'write it in quotes like "v1.36.4" (supported: 1.35, 1.36.4, 1.37)',
        ),
        # choices and names
        (
            {"network_plugin": "callico"},
            "network_plugin 'callico': is not a known network plugin; did you mean calico? "
            "known: calico, flannel, none",
        ),
        ({"network_plugin": "x"}, "network_plugin 'x': is not a known network plugin; known: calico, flannel, none"),
        (
            {"kubernetes_api_name": "API_server"},
            "kubernetes_api_name 'API_server': is not a DNS name; "
            "use lower-case letters, digits, '-' and '.', e.g. api.example.org",
        ),
        (
            {"kubernetes_api_name": "192.0.2.1"},
            "kubernetes_api_name '192.0.2.1': is not a DNS name; "
            "use lower-case letters, digits, '-' and '.', e.g. api.example.org",
        ),
        (
            {"kubernetes_api_name": "cp1"},
            "kubernetes_api_name 'cp1': is also the name or address of host cp1; choose a name no host has",
        ),
        (
            {"kubernetes_dns_domain": "cluster..local"},
            "kubernetes_dns_domain 'cluster..local': is not a DNS name; "
            "use lower-case letters, digits, '-' and '.', e.g. api.example.org",
        ),
        # ports
        ({"registry_port": 0}, "registry_port 0: is not a port; use a number between 1 and 65535"),
        ({"registry_port": "https"}, "registry_port 'https': is not a port; use a number between 1 and 65535"),
        ({"registry_port": True}, "registry_port True: is not a port; use a number between 1 and 65535"),
        (
            {"monitoring_node_exporter_port": 5000, "registry_port": 5000},
            "registry_port 5000: is already taken by monitoring_node_exporter_port on the same host; use another port",
        ),
        (
            {"monitoring_node_exporter_port": 10250},
            "monitoring_node_exporter_port 10250: is already taken by kubelet on the same host; use another port",
        ),
        (
            {"monitoring_observer_port": 9093, "monitoring_observer_alertmanager_port": 9093},
            "monitoring_observer_port 9093: is already taken by monitoring_observer_alertmanager_port on the same "
            "host; use another port",
        ),
        (
            {"registry_port": "5001"},
            "registry_port '5001': is already taken by registry_metrics_port on the same host; use another port",
        ),
        (
            {"kubernetes_api_port": 6443},
            "kubernetes_api_port 6443: is already taken by the API server on the same host; use another port",
        ),
        (
            {"kubernetes_api_port": 10250},
            "kubernetes_api_port 10250: is already taken by kubelet on the same host; use another port",
        ),
        (
            {"kubernetes_api_port": 30443},
            "kubernetes_api_port 30443: lies in the range of NodePort services 30000-32767; use another port",
        ),
        # unknown
        (
            {"kubernetes_pod_cdir": "10.1.0.0/16"},
            "settings 'kubernetes_pod_cdir': is not a known setting; did you mean kubernetes_pod_cidr?",
        ),
    ],
)
def test_settings(settings, expected):
    assert problems(settings=settings) == [expected]


@pytest.mark.parametrize(
    "settings",
    [
        {"kubernetes_version": "v1.35.9"},
        {"kubernetes_version": "v1.36.4"},
        {"registry_port": "5000"},
        # A registry host is no cluster node, the same number is no clash.
        {"monitoring_observer_port": 10250},
        {"registry_port": 6443},
        {"kubernetes_pod_cidr": "fd00::/48", "kubernetes_service_cidr": "fd01::/112", "kubernetes_node_cidr_mask": 64},
        {"kubernetes_pod_cidr": None, "kubernetes_service_cidr": None, "registry_port": None},
    ],
)
def test_settings_that_are_fine(settings):
    assert problems(settings=settings) == []


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (
            [host("r1", "registry"), host("w1", "kube_node")],
            "group 'kube_control_plane': has no host, a cluster needs a control plane; put at least one host into it",
        ),
        (
            [host("r1", "registry"), host("c1", "kube_control_planes")],
            "group 'kube_control_plane': has no host, a cluster needs a control plane; "
            "did you mean it by group kube_control_planes (c1)?",
        ),
        (
            [host("c1", "kube_control_plane")],
            "group 'registry': has no host, everything is fetched from the registry; put at least one host into it",
        ),
        (
            [*GOOD_HOSTS, host("c2", "kube_control_plane", "registry")],
            "host 'c2': is in group registry and in kube_control_plane; "
            "the registry must be outside of the cluster it supplies: use a host of its own",
        ),
        (
            [*GOOD_HOSTS, host("w2", "kube_node", "registry")],
            "host 'w2': is in group registry and in kube_node; "
            "the registry must be outside of the cluster it supplies: use a host of its own",
        ),
        (
            [*GOOD_HOSTS, host("cp1", "kube_node")],
            "host 'cp1, cp1': is the name of more than one host; give every host a name of its own",
        ),
        (
            [*GOOD_HOSTS, host("node_1", "kube_node")],
            "host 'node_1': is not a valid host name (RFC 1123); use lower-case letters, digits, '-' and '.', "
            "at most 63 characters between dots, e.g. node-1",
        ),
        (
            [*GOOD_HOSTS, host("n" * 64, "kube_node")],
            f"host '{'n' * 64}': is not a valid host name (RFC 1123); use lower-case letters, digits, '-' and '.', "
            "at most 63 characters between dots",
        ),
        (
            [*GOOD_HOSTS, host("w2", "kube_node", address="192.0.2.13")],
            "ansible_host '192.0.2.13': is the address of w2, worker1; give every host an address of its own",
        ),
        (
            [*GOOD_HOSTS, host("w2", "kube_node", address="10.96.1.1")],
            "host 'w2': its address 10.96.1.1 lies in kubernetes_service_cidr 10.96.0.0/16; "
            "choose another kubernetes_service_cidr, traffic to this host would be lost",
        ),
        (
            [*GOOD_HOSTS, host("w2", "kube_node", address="w2.example.org", facts={"default_ipv4": "10.244.9.9"})],
            "host 'w2': its address 10.244.9.9 lies in kubernetes_pod_cidr 10.244.0.0/16; "
            "choose another kubernetes_pod_cidr, traffic to this host would be lost",
        ),
        (
            [*GOOD_HOSTS, host("w2", "kube_node", subnets=["10.0.0.0/8"])],
            [
                "host 'w2': its subnet 10.0.0.0/8 overlaps kubernetes_pod_cidr 10.244.0.0/16; "
                "choose another kubernetes_pod_cidr, traffic to this host would be lost",
                "host 'w2': its subnet 10.0.0.0/8 overlaps kubernetes_service_cidr 10.96.0.0/16; "
                "choose another kubernetes_service_cidr, traffic to this host would be lost",
            ],
        ),
    ],
)
def test_hosts(hosts, expected):
    assert problems(hosts=hosts) == ([expected] if isinstance(expected, str) else expected)


def test_names_that_differ_in_case_only():
    found = problems(hosts=[*GOOD_HOSTS, host("CP1", "kube_node")])
    assert "host 'CP1': is not a valid host name (RFC 1123)" in found[0]
    assert found[1] == (
        "host 'CP1, cp1': is the name of more than one host (upper and lower case are the same to DNS and to "
        "Kubernetes); give every host a name of its own"
    )


def test_a_network_with_host_bits_is_still_compared():
    found = problems(settings={"kubernetes_service_cidr": "10.244.4.0/20"})
    assert [text.split(": ")[1].split(";")[0] for text in found] == [
        "has host bits set",
        "overlaps kubernetes_pod_cidr 10.244.0.0/16",
    ]


def test_pod_network_too_small_for_the_nodes():
    nodes = [host(f"w{number}", "kube_node") for number in range(8)]
    assert problems(hosts=[*GOOD_HOSTS, *nodes], settings={"kubernetes_pod_cidr": "10.244.0.0/21"}) == [
        "kubernetes_pod_cidr '10.244.0.0/21': has room for 8 nodes of /24, the inventory has 10; "
        "use a prefix of /20 or shorter, or a longer kubernetes_node_cidr_mask"
    ]


def test_two_hosts_behind_one_address_with_their_own_ports_are_fine():
    nodes = [
        host("w2", "kube_node", address="192.0.2.50", port=2201),
        host("w3", "kube_node", address="192.0.2.50", port=2202),
    ]
    assert problems(hosts=[*GOOD_HOSTS, *nodes]) == []


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (
            [*GOOD_HOSTS, host("cp2", "kube_control_plane")],
            "group 'kube_control_plane': has an even number of hosts (2), "
            "etcd survives the loss of no more than with 1; use 1 or 3",
        ),
        (
            GOOD_HOSTS[:2],
            "group 'kube_node': has no host, only control planes can run workloads; put at least one host into it",
        ),
    ],
)
def test_warnings(hosts, expected):
    assert problems(hosts=hosts) == []
    assert warnings(hosts) == ([expected] if expected else [])


def test_misspelt_variable():
    assert problems(variables=["kubernetes_verison", "registry_port", "unrelated_name"]) == [
        "variable 'kubernetes_verison': is not known to any role; did you mean kubernetes_version?"
    ]


def test_variable_of_someone_else():
    found = judge(GOOD_HOSTS, GOOD_SETTINGS, RULES, ["registry_enabled", "kubernetes_dashboard_users"])
    assert found.problems == []
    assert [finding.sentence() for finding in found.warnings] == [
        "variable 'kubernetes_dashboard_users': is not known to any role; it has no effect here",
        "variable 'registry_enabled': is not known to any role; it has no effect here",
    ]


def test_settings_of_hosts_must_agree():
    hosts = [{**item, "settings": {"kubernetes_pod_cidr": "10.244.0.0/16"}} for item in GOOD_HOSTS[1:]]
    hosts.append({**GOOD_HOSTS[0], "settings": {"kubernetes_pod_cidr": "10.1.0.0/16", "registry_port": 0}})
    assert [finding.sentence() for finding in judge(hosts, {}, RULES).problems] == [
        "kubernetes_pod_cidr: differs between hosts: '10.1.0.0/16' on registry1; '10.244.0.0/16' on cp1, worker1; "
        "set it once for all hosts, in group_vars/all",
        "registry_port 0: is not a port; use a number between 1 and 65535",
    ]


@pytest.mark.parametrize(
    ("defaults", "of_host", "given", "expected"),
    [
        ("10.96.0.0/16", None, None, []),
        ("10.244.0.0/16", None, None, ["kubernetes_service_cidr"]),
        ("10.244.0.0/16", "10.96.0.0/16", None, []),
        ("10.96.0.0/16", "10.96.0.0/16", "10.244.0.0/16", ["kubernetes_service_cidr"]),
    ],
)
def test_which_value_counts(defaults, of_host, given, expected):
    name = "kubernetes_service_cidr"
    hosts = [{**item, "settings": {name: of_host} if of_host else {}} for item in GOOD_HOSTS]
    settings = {"kubernetes_pod_cidr": "10.244.0.0/16", **({name: given} if given else {})}
    catalog = Catalog({name: Option(name, default=defaults)})
    found = judge(hosts, settings, RULES, catalog=catalog)
    assert [finding.subject for finding in found.problems] == expected


def test_everything_is_reported_at_once():
    found = judge([host("Bad_Name", "kube_node")], {**GOOD_SETTINGS, "registry_port": -1, "network_plugin": "x"}, RULES)
    text = report(found.problems)
    assert text.startswith("The input has 5 problems; no host was changed:\n  1. ")
    for part in ("kube_control_plane", "'registry'", "Bad_Name", "registry_port -1", "network_plugin 'x'"):
        assert part in text


def test_fifty_hosts_are_judged_in_a_blink():
    nodes = [host(f"w{n}", "kube_node", address=f"192.0.2.{n + 50}", facts={"machine_id": str(n)}) for n in range(50)]
    start = time.monotonic()
    assert problems(hosts=[*GOOD_HOSTS, *nodes]) == []
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.36.4", (1, 36, 4)), ("v1.36", (1, 36, None)), ("1", None), ("1.36.4-rc.0", None), (1.36, None), (None, None)],
)
def test_parse_version(text, expected):
    assert parse_version(text) == expected


def test_what_is_wrong_by_itself_is_not_compared():
    catalog = Catalog({"registry_port": Option("registry_port", type="int", default=5000)})
    given = Given({"r1": {"registry_port": "https"}})
    hosts = [{**item, "settings": {"registry_port": "https"}} for item in GOOD_HOSTS]
    found = judge(hosts, {}, RULES, catalog=catalog, given=given)
    assert [finding.problem for finding in found.problems] == ["is text, not a whole number"]


def test_what_is_encrypted_is_not_compared():
    catalog = Catalog(
        {name: Option(name, type="int", default=None) for name in ("registry_port", "registry_push_port")}
    )
    values = {"registry_port": 5443, "registry_push_port": 5443}
    hosts = [{**item, "settings": values} for item in GOOD_HOSTS]
    assert len(judge(hosts, {}, RULES, catalog=catalog, given=Given({"r1": values})).problems) == 1
    given = Given({"r1": values}, encrypted={"registry_push_port"})
    assert judge(hosts, {}, RULES, catalog=catalog, given=given).problems == []


def test_values_that_many_hosts_share_are_judged_once():
    catalog = Catalog({"registry_port": Option("registry_port", type="int", default=5000)})
    given = Given({f"w{number}": {"registry_port": 0 if number else 70000} for number in range(50)})
    found = judge(GOOD_HOSTS, {}, RULES, catalog=catalog, given=given).problems
    assert [(finding.value, len(finding.hosts)) for finding in found] == [(70000, 1), (0, 49)]
