"""The pod network, seen from outside: by requests between pods, by hosts and by the API."""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
import testinfra
from waiting import wait_for

PROJECT = pathlib.Path(__file__).parents[3]
INVENTORY = PROJECT / ".lab/molecule/network/inventory/hosts.ini"
BUNDLE = pathlib.Path("~/.cache/cloudnative-platform/bundle/bundle.json").expanduser()
COMPONENTS = {item["name"]: item for item in json.loads(BUNDLE.read_text())["components"]}
POD_NETWORK = ipaddress.ip_network("10.244.0.0/16")
NODES = ("cp1", "worker1")
NAMESPACE = "network-test"
KUBECTL = "/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf"


def get_host(name):
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


def kubectl(arguments, document=None):
    command = f"{KUBECTL} {arguments}"
    if document is not None:
        command += f" <<'END'\n{json.dumps(document)}\nEND\n"
    return get_host("cp1").run(command)


def read(arguments):
    answer = kubectl(f"{arguments} -o json")
    assert answer.rc == 0, answer.stderr
    return json.loads(answer.stdout)


def run_role(*options):
    """The role on the standing cluster, as a user runs it after changing a variable."""
    command = [
        str(pathlib.Path(sys.executable).parent / "ansible-playbook"),
        f"--inventory={INVENTORY}",
        str(PROJECT / "molecule/network/change.yml"),
        f"--extra-vars=bundle_json={BUNDLE}",
        *options,
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=environment)


def server(node, name="on"):
    image = COMPONENTS["agnhost"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-{node}", "namespace": NAMESPACE, "labels": {"app": "server", "node": node}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
            "containers": [
                {
                    "name": "server",
                    "image": f"{image['ref'].rpartition(':')[0]}@{image['digest']}",
                    "args": ["netexec", "--http-port=8080"],
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
                }
            ],
        },
    }


@pytest.fixture(scope="module")
def pods():
    """A server on each node and a Service for each; their addresses by node."""
    services = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"on-{node}", "namespace": NAMESPACE},
            "spec": {"selector": {"node": node}, "ports": [{"port": 80, "targetPort": 8080}]},
        }
        for node in NODES
    ]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    objects = [namespace, *services, *(server(node) for node in NODES)]
    kubectl("apply -f -", {"apiVersion": "v1", "kind": "List", "items": objects})
    ready = kubectl(f"wait -n {NAMESPACE} pod --all --for=condition=Ready --timeout=120s")
    assert ready.rc == 0, kubectl(f"describe pods -n {NAMESPACE}").stdout
    yield {node: read(f"get pod -n {NAMESPACE} on-{node}")["status"]["podIP"] for node in NODES}
    kubectl(f"delete namespace {NAMESPACE} --wait=true")


def ask(node, url):
    """An HTTP request made by the pod on a node."""
    command = f"exec -n {NAMESPACE} on-{node} -- /agnhost connect --timeout=3s {url}"
    return kubectl(command)


def wait_until_reached(node, url):
    """An address that was just given is known to every node a moment later."""
    wait_for(lambda: ask(node, url).rc == 0, 20, lambda: f"{url} reached from {node}: {ask(node, url).stderr}")


def test_addresses_come_from_the_nodes_own_part_of_the_pod_network(pods):
    for node, address in pods.items():
        own = ipaddress.ip_network(read(f"get node {node}")["spec"]["podCIDR"])
        assert own.subnet_of(POD_NETWORK)
        assert ipaddress.ip_address(address) in own


@pytest.mark.parametrize("source", NODES)
@pytest.mark.parametrize("target", NODES)
def test_pods_reach_pods(pods, source, target):
    wait_until_reached(source, f"{pods[target]}:8080")


@pytest.mark.parametrize("source", NODES)
@pytest.mark.parametrize("target", NODES)
def test_pods_reach_services_by_name_and_their_own_too(pods, source, target):
    """Through cluster DNS, a Service address and, where source is target, back to the pod itself."""
    wait_until_reached(source, f"on-{target}.{NAMESPACE}.svc.cluster.local:80")


@pytest.mark.parametrize("node", NODES)
def test_hosts_reach_pods(pods, node):
    for address in pods.values():
        assert get_host(node).check_output("curl -sf -m 5 http://%s:8080/hostname", address).startswith("on-")


@pytest.mark.parametrize("node", NODES)
def test_packets_fit(pods, node):
    """The MTU of pods is that of the tunnel, and the largest packet gets through."""
    host = get_host(node)
    tunnel = json.loads(host.check_output("ip -j link show flannel.1"))[0]["mtu"]
    bridge = json.loads(host.check_output("ip -j link show cni0"))[0]["mtu"]
    assert bridge == tunnel
    other = pods[next(one for one in NODES if one != node)]
    assert host.run("curl -sf -m 5 -o /dev/null 'http://%s:8080/echo?msg=%s'", other, "x" * 6000).rc == 0


def test_policies_are_not_enforced_and_the_role_says_so(pods):
    """flannel doesn't; who relies on the contract must not be told otherwise."""
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": NAMESPACE},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    kubectl("apply -f -", policy)
    time.sleep(3)
    assert ask("cp1", f"{pods['worker1']}:8080").rc == 0
    kubectl(f"delete networkpolicy -n {NAMESPACE} deny")
    result = run_role("-v", "--check")
    assert result.returncode == 0, result.stdout
    assert '"enforces_policy": false' in result.stdout


@pytest.mark.parametrize("node", NODES)
def test_configuration_comes_back_when_it_is_lost(node):
    host = get_host(node)
    path = "/etc/cni/net.d/10-flannel.conflist"
    before = host.file(path).content_string
    host.check_output("rm %s", path)

    wait_for(lambda: host.run("cat %s", path).stdout == before, 60, "the CNI configuration is written again")


def test_images_come_by_digest():
    spec = read("get daemonset -n kube-flannel kube-flannel-ds")["spec"]["template"]["spec"]
    wanted = COMPONENTS["flannel-image"]["digest"]
    assert {one["image"].rpartition("@")[2] for one in spec["containers"]} == {wanted}


def configured_mtu(node):
    return json.loads(get_host(node).file("/etc/cni/net.d/10-flannel.conflist").content_string)["plugins"][0]["mtu"]


def test_changed_setting_is_applied(pods):
    """The MTU of the hosts' network; what goes through the tunnel has 50 bytes less."""
    change = "--extra-vars={network_flannel_mtu: 1300}"
    before = [configured_mtu(node) for node in NODES]
    try:
        predicted = run_role(change, "--check", "-v")
        assert predicted.returncode == 0, predicted.stdout
        assert "would update DaemonSet kube-flannel/kube-flannel-ds" in predicted.stdout
        assert [configured_mtu(node) for node in NODES] == before
        result = run_role(change)
        assert result.returncode == 0, result.stdout
        for node in NODES:
            wait_for(lambda node=node: configured_mtu(node) == 1250, 60, f"the smaller MTU on {node}")
        new = {"apiVersion": "v1", "kind": "List", "items": [server(node, "new") for node in NODES]}
        kubectl("apply -f -", new)
        assert kubectl(f"wait -n {NAMESPACE} pod --all --for=condition=Ready --timeout=60s").rc == 0
        for node in NODES:
            links = json.loads(get_host(node).check_output("ip -j link show master cni0"))
            assert 1250 in {link["mtu"] for link in links}
        wait_until_reached("cp1", f"{pods['worker1']}:8080")
    finally:
        result = run_role()
    assert result.returncode == 0, result.stdout
    for node, mtu in zip(NODES, before):
        wait_for(lambda node=node, mtu=mtu: configured_mtu(node) == mtu, 60, f"the MTU {mtu} again on {node}")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{network_plugin: calico}", "network plugin is flannel (DaemonSet kube-flannel/kube-flannel-ds), not calico"),
        ("{network_pod_cidr: 10.200.0.0/16}", "nodes have ranges outside of pod_cidr 10.200.0.0/16"),
        ("{network_pod_cidr: 10.244.0.1/16}", "host bits set"),
    ],
)
def test_what_would_break_the_network_is_refused(settings, words):
    result = run_role(f"--extra-vars={settings}")
    assert result.returncode != 0
    assert words in result.stdout + result.stderr
    assert "changed=0" in result.stdout
