# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._input_rules import (
    RULES_BY_NAME,
    RULES_BY_SUFFIX,
    form_of,
)

PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("registry_port", [1, 65535, "8443"], [0, 65536, "https"]),
        ("x_timeout", [1, 86400], [0, -1, 86401]),
        ("x_days", [1, 3650], [0, 36501]),
        ("x_minutes", [1], [0, 10081]),
        ("x_percent", [0, 100], [-1, 101]),
        ("network_calico_mtu", [0, 1280, 1450, 9216], [1, 1279, 9217]),
        ("network_calico_block_size", [20, 26, 32], [19, 33]),
        ("host_min_memory_mb", [0, 4096], [-1]),
        ("registry_upload_parallel", [1, 64], [0, 65]),
        ("kubernetes_pod_cidr", ["10.244.0.0/16", "fd00::/48"], ["10.244.0.0", "10.244.0.1/16", "x", "127.0.0.0/8"]),
        ("lab_subnet", ["10.99.0.0/24"], ["10.99.0.7/24"]),
        ("kubernetes_node_address", ["192.0.2.1", "fd00::1"], ["cp1", "", "192.0.2.256"]),
        ("registry_address", ["192.0.2.1", "registry.example.org"], ["", "a_b", "https://r", "192.0.2", "r:5000"]),
        ("containerd_metrics_address", ["127.0.0.1:1338", "[::1]:1338", "localhost:1"], ["127.0.0.1", ":1338", "a:0"]),
        ("host_hostname", ["cp1", "cp1.example.org"], ["CP1", "cp_1", "192.0.2.1", "-a"]),
        ("kubernetes_dns_domain", ["cluster.local"], ["cluster..local", "Cluster.local"]),
        (
            "kubernetes_api_cert_sans[]",
            ["192.0.2.1", "api.example.org", "*.example.org", "fd00::1"],
            ["https://a", "a:6443", "a b", "", "*", "10.0.0.0/8"],
        ),
        ("containerd_root", ["/var/lib/containerd"], ["var/lib", "~/x", "/a/../b", ""]),
        ("registry_bundle_path", ["~/bundle", "/srv/bundle"], ["bundle", "./bundle", "~user"]),
        ("verify_report_path", ["/tmp/report", "report"], ["a\nb"]),
        ("lab_cache_path", ["/srv/x/../lab", "~/lab"], ["lab", "/a\nb"]),
        ("registry_storage_path", ["/var/lib/registry", "/srv"], ["data", "/home/x", "/run", "/a b", "/srv/../etc"]),
        (
            "registry_gc_schedule",
            [
                "Sun *-*-* 03:00:00",
                "daily",
                "Mon..Fri *-*-* 22:30",
                "*-*-01 04:00",
                "03:00",
                "*:0/15",
                "Sat,Sun 02:00",
                "2026-01-01 00:00:00 UTC",
                "Mon 10:00 Europe/Berlin",
            ],
            ["", "soon", "Sun 25:00", "03:61", "* * * * *", "0 3 * * 0", "every day"],
        ),
        ("x_interval", ["30s", "5m", "1h30m", 10, "250ms"], ["soon", "0s", "5 m", "-1s"]),
        ("kubernetes_version", ["v1.36.4"], ["latest", "1", "1.36", "v1.36", "1.36.4", "v1.36.4-rc.0", 1.36]),
        ("monitoring_prometheus_replicas", [1, "2"], [0, -1]),
        ("monitoring_endpoints[].url", ["https://shop.example.org/health"], ["shop.example.org", "/health"]),
        ("bundle_debian_mirror", ["http://deb.debian.org/debian"], ["deb.debian.org", "ftp://x", "http://"]),
        ("verify_api_endpoint", ["https://api:8443/readyz", "https://[::1]:8443/x"], ["api:8443", "https://a:x/"]),
        ("registry_pull_username", ["pull", "team.a_b-c"], ["a:b", "a b", ""]),
        ("registry_pull_password", ["p w:d"], ["secret\n", "a\x00"]),
        ("registry_ca_pem", [PEM], ["/etc/ca.crt", PEM.replace("CERTIFICATE", "PRIVATE KEY")]),
        ("registry_ca_key_pem", [PEM.replace("CERTIFICATE", "EC PRIVATE KEY")], ["/etc/ca.key", PEM]),
        ("verify_allowed_digests[]", ["sha256:" + "a" * 64], ["sha256:" + "A" * 64, "a" * 64, "sha256:abc"]),
        (
            "containerd_upstreams[]",
            ["docker.io", "registry.example.org:5000", "192.0.2.1:5000"],
            ["https://docker.io", "docker.io/library", ""],
        ),
        ("host_kernel_modules[]", ["br_netfilter"], ["a b", ""]),
        ("host_supported_os[]", ["debian", "debian 12", "rhel 9.4"], ["Debian 12", "debian twelve", ""]),
        ("host_sysctls", [{"net.ipv4.ip_forward": 1}, {}], [{"a b": 1}, {"a": [1]}, {"a": None}]),
        ("host_entries", [{"api.local": ["127.0.0.1"]}, {"a": "::1"}], [{"a": ["b"]}, {"A_": ["::1"]}, {"a": []}]),
        ("network_calico_env", [{"FELIX_X": "a"}], [{"felix-x": 1}, {"A": {}}]),
        (
            "network_calico_ip_autodetection",
            ["first-found", "kubernetes-internal-ip", "can-reach=192.0.2.1", "interface=eth.*", "cidr=10.0.0.0/8"],
            ["eth0", "interface=", "cidr=10.0.0.1", "can_reach=x"],
        ),
        (
            "network_flannel_resources",
            [{"requests": {"cpu": "50m", "memory": "64Mi"}}, {"limits": {"cpu": 2}}],
            [{"request": {}}, {"limits": 1}, {"limits": {"cpu": "lots"}}, {"limits": {"memory": "64MB"}}],
        ),
        ("lab_name", ["lab", "molecule-host"], ["Lab", "-a", "a_b"]),
        ("kubernetes_cluster_name", ["prod", "prod.eu_1"], ["a b", "-a", ""]),
        ("kubernetes_pod_security_exempt_namespaces[]", ["kube-system"], ["Kube", "a.b", ""]),
        ("kubernetes_control_planes", [["a", "b"]], [["a", "a"]]),
        ("kubernetes_encryption_key", [base64.b64encode(b"k" * 32).decode()], ["secret", "c2hvcnQ=", "%%"]),
    ],
)
def test_forms(name, good, bad):
    form = form_of(name)
    assert form is not None
    assert [value for value in good if form.judge(value)] == []
    assert [value for value in bad if not form.judge(value)] == []
    for value in bad:
        for fault in form.judge(value):
            assert fault.problem
            assert fault.remedy


def test_what_stands_in_the_table_of_names_is_found_by_its_name():
    assert [name for name, form in RULES_BY_NAME.items() if form_of(name) is not form] == []


def test_no_suffix_is_hidden_by_a_shorter_one_before_it():
    seen: list[str] = []
    for suffix, _form in RULES_BY_SUFFIX:
        assert not any(suffix.endswith(earlier) for earlier in seen), suffix
        seen.append(suffix)
    assert form_of("registry_ca_key_pem") is not form_of("registry_ca_pem")


def test_what_no_rule_covers_has_no_form():
    assert form_of("kubernetes_colour") is None
