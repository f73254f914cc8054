"""The cluster as a whole: the proof that people run, and what happens when a control plane is lost."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
import testinfra
from kubectl import KUBECTL
from waiting import wait_for

PROJECT = pathlib.Path(__file__).parents[3]
INVENTORY = PROJECT / ".lab/molecule/cluster/inventory/hosts.ini"
CONTROL_PLANES = ("cp1", "cp2", "cp3")
NODES = (*CONTROL_PLANES, "worker1", "worker2")
LOST = "cp2"
CHECKS = {
    "api-servers",
    "nodes",
    "control-plane",
    "workloads",
    "leaders",
    "kubelet-certificates",
    "images",
    "etcd",
    "api-endpoints",
    "api-failover",
    "probe-pods",
    "image-pull",
    "kubelet-logs",
    "pod-network",
    "dns",
    "service",
    "network-policy",
    "cleanup",
}


def get_host(name):
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


def kubectl(host, command):
    return json.loads(host.check_output(f"{KUBECTL} {command} --output json"))


def endpoint_answers(host):
    command = "curl --silent --fail --max-time 2 --cacert /etc/kubernetes/pki/ca.crt"
    return host.run(f"{command} https://api.kubernetes.internal:8443/readyz").stdout == "ok"


def knows_it_is_down(host, since):
    log = host.check_output(f"journalctl --unit kubernetes-api-proxy --since @{since} --output cat")
    return f"Server control-planes/{LOST} is DOWN" in log


@pytest.fixture(scope="module")
def proof(tmp_path_factory, playbook):
    """The playbook as people run it, API servers hanging in turn, and what it wrote."""
    reports = tmp_path_factory.mktemp("reports")
    settings = f"--extra-vars=verify_report_path={reports}", "--extra-vars={verify_disruptive: true}"
    return playbook("verify", *settings), reports


def test_hosts_are_measured(tmp_path, playbook):
    """On hosts that share one machine, its clock, its disk and a bridge; the verdict on the disk is the machine's."""
    report = tmp_path / "measured.json"
    assert playbook("measure_hosts", f"--extra-vars=host_measure_report_path={report}").returncode == 0
    hosts = {name: host["figures"] for name, host in json.loads(report.read_text())["hosts"].items()}
    assert set(hosts) == set(NODES)
    for name, figures in hosts.items():
        (clock,), (bandwidth,) = figures["clock"], figures["bandwidth"]
        assert abs(clock["skew_ms"]) <= clock["uncertainty_ms"] + 50, name
        assert bandwidth["bytes"] > 1e6 and bandwidth["mbytes_per_second"] > 0, name
        paths = {path["name"]: path for path in figures["path_mtu"]}
        assert len(paths) == len(NODES) and set(NODES) - {name} < set(paths), name
        assert {(path["path_mtu"], path["by"], path["black_hole"]) for path in paths.values()} == {
            (1500, "icmp", False)
        }
        assert (figures["fsync"] is not None) == (name in CONTROL_PLANES)
    for name in CONTROL_PLANES:
        assert hosts[name]["fsync"]["directory"] == "/var/lib/etcd"
        assert get_host(name).file("/var/lib/etcd").listdir() == ["member"]


@pytest.mark.disruptive
def test_proof_of_the_whole_cluster(proof):
    done, reports = proof
    assert done.returncode == 0
    report = json.loads((reports / "cluster_verify.json").read_text())
    # None skipped: a cluster of three control planes with calico has everything that can be checked.
    assert {result["name"]: result["status"] for result in report["results"]} == dict.fromkeys(CHECKS, "ok")
    assert report["passed"] is True


@pytest.mark.disruptive
def test_proof_is_written_for_ci_as_well(proof):
    _done, reports = proof
    suite = ElementTree.parse(reports / "cluster_verify.xml").getroot()
    assert {case.get("name") for case in suite} == CHECKS
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")


@pytest.mark.disruptive
def test_proof_leaves_nothing_behind(proof):
    host = get_host("cp1")
    namespaces = {item["metadata"]["name"] for item in kubectl(host, "get namespaces")["items"]}
    assert "cloudnative-verify" not in namespaces
    for name in CONTROL_PLANES:
        timers = get_host(name).check_output("systemctl list-timers --all --no-legend --plain")
        assert "cloudnative-apiserver-resume" not in timers


def test_dns_is_spread_over_nodes():
    pods = kubectl(get_host("cp1"), "get pods --namespace kube-system --selector k8s-app=kube-dns")["items"]
    assert len(pods) > 1
    assert len({pod["spec"]["nodeName"] for pod in pods}) == len(pods)


@pytest.mark.groups("kube_control_plane")
def test_every_control_plane_votes(host):
    directory = "/etc/kubernetes/pki/etcd"
    listed = json.loads(
        host.check_output(
            f"etcdctl --endpoints=https://127.0.0.1:2379 --cacert={directory}/ca.crt "
            f"--cert={directory}/healthcheck-client.crt --key={directory}/healthcheck-client.key "
            "--write-out=json member list"
        )
    )
    voters = {member["name"] for member in listed["members"] if not member.get("isLearner")}
    assert voters == set(CONTROL_PLANES)


@pytest.mark.disruptive
def test_loss_and_return_of_a_control_plane_host():
    """As if somebody pulled the plug: the API is served, takes changes, and the host comes back by itself."""
    container = f"molecule-cluster-{LOST}"
    others = [get_host(name) for name in NODES if name != LOST]
    first = get_host("cp1")
    since = first.check_output("date +%s")
    subprocess.run(["podman", "kill", container], check=True, capture_output=True)
    try:
        for host in others:
            wait_for(lambda host=host: endpoint_answers(host), 60, f"API at {host.backend.get_hostname()}")
            wait_for(lambda host=host: knows_it_is_down(host, since), 60, f"{LOST} down, says {host}")
        # Requests that were on their way to it are lost by then. No other may be.
        assert [endpoint_answers(host) for host in others for _again in range(5)] == [True] * 5 * len(others)
        name = f"verify-{os.getpid()}"
        assert kubectl(first, f"create configmap {name}")["metadata"]["name"] == name
        first.check_output(f"{KUBECTL} delete configmap {name}")
    finally:
        subprocess.run(["podman", "start", container], check=True, capture_output=True)

    def is_ready():
        node = kubectl(first, f"get node {LOST}")
        conditions = {item["type"]: item for item in node["status"]["conditions"]}
        # Its own endpoint answers only once its services are up again: the last known Ready alone says nothing.
        return conditions["Ready"]["status"] == "True" and endpoint_answers(get_host(LOST))

    wait_for(is_ready, 180, f"node {LOST} Ready")
