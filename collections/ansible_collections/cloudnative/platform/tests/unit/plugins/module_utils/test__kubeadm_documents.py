# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import documents

CLUSTER = {
    "name": "kubernetes",
    "version": "v1.36.4",
    "api_name": "api.kubernetes.internal",
    "api_port": 8443,
    "dns_domain": "cluster.local",
    "pod_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/16",
    "kube_proxy_mode": "nftables",
    "coredns_tag": "v1.14.7",
    "metrics_address": "127.0.0.1",
}
NODE = {
    "name": "cp1",
    "role": "control_plane",
    "address": "192.0.2.11",
    "cri_socket": "unix:///run/containerd/containerd.sock",
    "taints": None,
}
POLICY = {"/etc/kubernetes/policy/audit.yaml": "rules: []\n"}
MATERIAL = {"token": "abcdef.0123456789abcdef", "certificate_key": "ff" * 32, "ca_cert_hash": "sha256:00"}


@pytest.mark.parametrize(
    ("base", "override", "merged"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
    ],
)
def test_merge(base, override, merged):
    assert documents.merge(base, override) == merged


@pytest.mark.parametrize(
    ("base", "override", "flags"),
    [
        ({"b": "1", "a": "2"}, {}, [("a", "2"), ("b", "1")]),
        ({"a": "1"}, {"a": None}, []),
        ({}, {"a": True, "b": 5}, [("a", "true"), ("b", "5")]),
        ({}, {"a": ["x", "y"]}, [("a", "x"), ("a", "y")]),
    ],
)
def test_extra_args(base, override, flags):
    assert [(item["name"], item["value"]) for item in documents.extra_args(base, override)] == flags


def arguments(configuration, component):
    return {item["name"]: item["value"] for item in configuration[component]["extraArgs"]}


def test_cluster_configuration_protects_secrets_and_writes_an_audit_log():
    flags = arguments(documents.cluster_configuration(CLUSTER), "apiServer")
    assert flags["encryption-provider-config"] == documents.ENCRYPTION_FILE
    assert flags["audit-policy-file"].startswith(documents.POLICY_DIR)
    assert flags["admission-control-config-file"].startswith(documents.POLICY_DIR)


def test_cluster_configuration_is_the_same_on_every_node():
    """Nothing of a node may stand in it, or growing a cluster would change it."""
    text = json.dumps(documents.cluster_configuration(CLUSTER))
    assert NODE["name"] not in text
    assert NODE["address"] not in text


def test_certificate_names_are_kept_once_and_in_order():
    configuration = documents.cluster_configuration({**CLUSTER, "cert_sans": ["k8s.example.com", "localhost"]})
    assert configuration["apiServer"]["certSANs"] == [
        "127.0.0.1",
        "localhost",
        "api.kubernetes.internal",
        "k8s.example.com",
    ]


@pytest.mark.parametrize(("allowed", "fails"), [(True, False), (False, True)])
def test_cgroup_v1_is_accepted_only_where_it_is_allowed(allowed, fails):
    assert documents.kubelet_configuration({**CLUSTER, "cgroup_v1": allowed})["failCgroupV1"] is fails


def test_kubelet_settings_of_the_user_win():
    merged = documents.kubelet_configuration({**CLUSTER, "kubelet_config": {"maxPods": 50, "seccompDefault": None}})
    assert merged["maxPods"] == 50
    assert "seccompDefault" not in merged


@pytest.mark.parametrize(("role", "has_control_plane"), [("control_plane", True), ("worker", False)])
def test_join_documents(role, has_control_plane):
    (document,) = documents.join_documents(CLUSTER, {**NODE, "role": role}, MATERIAL, ["SystemVerification"], POLICY)
    assert ("controlPlane" in document) is has_control_plane
    assert document["discovery"]["bootstrapToken"]["apiServerEndpoint"] == "api.kubernetes.internal:8443"
    assert document["nodeRegistration"]["ignorePreflightErrors"] == ["SystemVerification"]


def test_taints_reach_the_registration():
    node = {**NODE, "taints": []}
    registration = documents.node_registration(node, [])
    assert registration["taints"] == []
    assert documents.node_registration(NODE, []).get("taints") is None


@pytest.mark.parametrize(("role", "patched"), [("control_plane", True), ("worker", False)])
def test_manifests_are_tied_to_what_the_api_server_reads(role, patched):
    (document,) = documents.join_documents(CLUSTER, {**NODE, "role": role}, MATERIAL, [], POLICY)
    assert ("patches" in document) is patched
    patch = documents.apiserver_patch(POLICY)
    assert patch != documents.apiserver_patch({**POLICY, "/etc/kubernetes/policy/audit.yaml": "rules: [x]\n"})


def test_render_is_a_yaml_stream():
    text = documents.render(documents.init_documents(CLUSTER, NODE, [], POLICY, "abcdef.0123456789abcdef"))
    kinds = [document["kind"] for document in yaml.safe_load_all(text)]
    assert kinds == ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]


def test_encryption_reads_what_was_written_before():
    (document,) = yaml.safe_load_all(documents.encryption_configuration("key1", "c2VjcmV0"))
    providers = document["resources"][0]["providers"]
    assert providers[0]["secretbox"]["keys"] == [{"name": "key1", "secret": "c2VjcmV0"}]
    assert providers[-1] == {"identity": {}}


def test_bootstrap_token_secret():
    secret = documents.bootstrap_token_secret("abcdef.0123456789abcdef", "2026-01-01T00:00:00Z", "join")
    assert secret["metadata"]["name"] == "bootstrap-token-abcdef"
    assert secret["stringData"]["token-secret"] == "0123456789abcdef"
