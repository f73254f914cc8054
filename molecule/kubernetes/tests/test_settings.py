"""What the scenario sets reaches the running components."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.groups("kube_control_plane", once=True)


@pytest.fixture
def get(host):
    def run(what):
        return json.loads(
            host.check_output(f"kubectl --kubeconfig /etc/kubernetes/admin.conf get {what} --output json")
        )

    return run


def test_pods_and_services_have_the_wanted_networks(host, get):
    assert get("service kubernetes")["spec"]["clusterIP"] == "10.101.0.1"
    pods = get("pods --namespace kube-system --selector k8s-app=kube-dns")["items"]
    assert pods
    assert {pod["status"]["podIP"].split(".")[1] for pod in pods} == {"100"}


def test_further_names_are_in_the_certificate(host):
    text = host.check_output("openssl x509 -in /etc/kubernetes/pki/apiserver.crt -noout -ext subjectAltName")
    for name in ("DNS:k8s.example.com", "IP Address:192.0.2.1", "DNS:api.kubernetes.internal"):
        assert name in text


def test_flags_reach_the_api_server(host):
    assert "--goaway-chance=0.001" in host.check_output("ps -ww -o args= -C kube-apiserver")


def test_nodes_have_their_labels(get):
    assert {node["metadata"]["labels"].get("example.com/pool") for node in get("nodes")["items"]} == {"small"}


def test_kube_proxy_runs_in_the_wanted_mode(host):
    assert host.check_output("curl --silent --fail http://127.0.0.1:10249/proxyMode") == "iptables"
