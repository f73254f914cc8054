"""What happens when something is lost, refused, or taken away."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from receiver import Receiver
from waiting import wait_for

pytestmark = pytest.mark.disruptive

LISTEN = ("10.98.95.1", 9195)
CONTAINER = "molecule-addons-cp1"
OWNED = "cloudnative.platform/owner=monitoring"


@pytest.fixture
def receiver():
    server = Receiver(LISTEN)
    yield server
    server.close()


def podman(*arguments):
    subprocess.run(["podman", *arguments], check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"})


def not_ready(cluster):
    pods = cluster.get("pods --all-namespaces")["items"]
    return [
        pod["metadata"]["name"]
        for pod in pods
        if pod["status"]["phase"] != "Succeeded"
        and "True" not in [one["status"] for one in pod["status"].get("conditions", []) if one["type"] == "Ready"]
    ]


def test_lost_control_plane_is_told_from_inside_and_from_outside_and_that_it_is_back(receiver, cluster):
    """The cluster's Prometheus, on the worker, misses etcd; the observer misses the whole API."""
    podman("stop", "--time", "5", CONTAINER)
    try:
        wait_for(lambda: receiver.alerts("ClusterUnreachable", "firing"), 300, "the observer's alert")
        wait_for(lambda: receiver.alerts("EtcdQuorumLost", "firing"), 300, "the alert of the cluster's Prometheus")
    finally:
        podman("start", CONTAINER)
    assert {alert["labels"]["node"] for alert in receiver.alerts("EtcdQuorumLost", "firing")} == {"cp1"}
    assert receiver.authorizations == {"Bearer a-secret-that-came-from-a-file"}
    wait_for(lambda: receiver.alerts("EtcdQuorumLost", "resolved"), 180, "the message that etcd is back")
    wait_for(lambda: receiver.alerts("ClusterUnreachable", "resolved"), 180, "the message that the cluster is back")
    # What ended without the API is started again by its kubelet, later each time.
    wait_for(lambda: not not_ready(cluster), 330, lambda: f"all pods ready again: {not_ready(cluster)}")


def test_rule_that_does_not_parse_is_refused_and_the_others_stay(playbook, cluster):
    bad = {"monitoring_rule_groups": [{"name": "mine", "rules": [{"alert": "Mine", "expr": "sum(rate(foo[5m])"}]}]}
    done = playbook("site", "--extra-vars", json.dumps(bad))
    assert done.returncode != 0
    assert "mine" in done.stdout and "parse error" in done.stdout
    assert cluster.query('ALERTS{alertname="Watchdog"}')


def test_objective_out_of_range_is_refused_before_any_host_is_touched(playbook):
    slos = {"monitoring_slos": [{"name": "shop", "objective": 100, "errors": "a[$window]", "total": "b[$window]"}]}
    done = playbook("site", "--extra-vars", json.dumps(slos))
    assert done.returncode != 0
    assert "shop" in done.stdout and "100" in done.stdout
    assert "Prepare the registry hosts" not in done.stdout


def test_what_was_changed_by_hand_is_reported_and_taken_back(playbook, cluster, get_host):
    cluster.run("--namespace monitoring delete prometheusrule hosts")
    patch = json.dumps({"data": {"blackbox.yml": "{}"}})
    cluster.run(f"--namespace monitoring patch configmap blackbox-exporter --type merge --patch '{patch}'")
    worker = get_host("worker1")
    worker.check_output("systemctl stop node-exporter")
    report = playbook("report_drift")
    assert report.returncode == 2
    for line in (
        "would create PrometheusRule monitoring/hosts",
        "would update ConfigMap monitoring/blackbox-exporter",
        "start node-exporter.service",
    ):
        assert line in report.stdout
    assert "drift: 3 changes" in report.stdout
    assert playbook("site").returncode == 0
    assert cluster.get("prometheusrule --namespace monitoring hosts")["spec"]["groups"]
    assert "modules" in cluster.get("configmap --namespace monitoring blackbox-exporter")["data"]["blackbox.yml"]
    assert worker.service("node-exporter").is_running


def test_monitoring_that_is_taken_away_leaves_nothing(playbook, cluster, get_host):
    done = playbook("site", "--extra-vars", "monitoring_state=absent")
    assert done.returncode == 0
    kinds = cluster.run("api-resources --verbs=list --output=name").split()
    assert not [kind for kind in kinds if kind.endswith("monitoring.coreos.com")]
    left = cluster.run(f"get {','.join(kinds)} --all-namespaces --selector {OWNED} --output=name --ignore-not-found")
    assert left == ""
    assert cluster.get("persistentvolumes")["items"] == []
    for name in ("registry1", "cp1", "worker1"):
        host = get_host(name)
        assert not host.service("node-exporter").exists
        assert not host.user("node-exporter").exists
        assert not host.file("/usr/local/bin/node_exporter").exists
    registry = get_host("registry1")
    assert not registry.file("/etc/observer").exists
    assert not registry.socket("tcp://0.0.0.0:9090").is_listening
