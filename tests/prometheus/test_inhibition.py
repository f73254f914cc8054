# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of one thing that is down, one alert reaches people: what Alertmanager leaves of alerts that fire together."""

from __future__ import annotations

import json
import re
import time
import typing as t
import urllib.request
from pathlib import Path

import pytest
import yaml
from test_rules import ALERTS, run

Labels = dict[str, str]

SEVERITY = {alert["alert"]: alert["labels"]["severity"] for alert in ALERTS}


def alert(name: str, **labels: str) -> Labels:
    return {"alertname": name, "severity": SEVERITY[name], **labels}


def call(url: str, body: t.Any = None) -> t.Any:
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        return json.loads(answer.read() or "null")


def left_of(firing: list[Labels], alertmanager: str) -> list[Labels]:
    """What Alertmanager would send of alerts that fire together."""
    for group in (firing, [{"alertname": "Sentinel"}, {"alertname": "Waiting"}]):
        call(f"{alertmanager}/api/v2/alerts", [{"labels": labels} for labels in group])
    deadline = time.monotonic() + 20
    while True:
        # It takes in alerts one after the other: when the last ones are known, all are.
        states = [(one["labels"], one["status"]["inhibitedBy"]) for one in call(f"{alertmanager}/api/v2/alerts")]
        if any(labels["alertname"] == "Waiting" and by for labels, by in states) and len(states) == len(firing) + 2:
            return [labels for labels, by in states if not by and labels["alertname"] != "Sentinel"]
        assert time.monotonic() < deadline, states
        time.sleep(0.1)


def test_alertmanager_reads_the_rules(amtool: str, inhibit_rules: list[dict[str, t.Any]], tmp_path: Path) -> None:
    config = {"route": {"receiver": "none"}, "receivers": [{"name": "none"}], "inhibit_rules": inhibit_rules}
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(config))
    run(amtool, "check-config", tmp_path / "alertmanager.yml")


def test_rules_name_alerts_that_exist(inhibit_rules: list[dict[str, t.Any]]) -> None:
    for rule in inhibit_rules:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            name, operator, value = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]
            if name == "alertname":
                expression = value if "~" in operator else re.escape(value)
                for part in re.split(r"\|(?![^(]*\))", expression):
                    assert any(re.fullmatch(part, known) for known in SEVERITY), f"{matcher}: no alert is {part}"


CASES = {
    "a worker is down": (
        [
            alert("HostDown", instance="w1", node="w1", job="node-exporter"),
            alert("KubernetesNodeNotReady", node="w1", job="kube-state-metrics"),
            alert("KubeletDown", instance="10.0.0.2:10250", node="w1", job="kubelet"),
            alert("TargetDown", instance="10.0.0.2:1338", node="w1", job="containerd"),
            alert("TlsHandshakeFailing", instance="10.0.0.2:10250", node="w1", job="probe-tls"),
            alert("PodStuckTerminating", node="w1", namespace="shop", pod="a"),
        ],
        ["HostDown"],
    ),
    "the only control plane is down": (
        [
            alert("HostDown", instance="cp1", node="cp1"),
            alert("EtcdQuorumLost", instance="10.0.0.1:2381", node="cp1", job="etcd"),
            alert("EtcdMemberDown", instance="10.0.0.1:2381", node="cp1", job="etcd"),
            alert("ApiserverUnreachable", job="probe-api"),
            alert("ApiserverDown", instance="10.0.0.1:6443", node="cp1", job="apiserver"),
            alert("SchedulerDown", job="kube-scheduler"),
            alert("ControllerManagerDown", job="kube-controller-manager"),
            alert("TargetDown", instance="10.0.0.1:10259", node="cp1", job="kube-scheduler"),
            alert("KubernetesNodeNotReady", node="cp1"),
            alert("KubeletDown", node="cp1", instance="10.0.0.1:10250"),
        ],
        ["EtcdQuorumLost"],
    ),
    "one of three control planes is down": (
        [
            alert("HostDown", instance="cp2", node="cp2"),
            alert("EtcdMemberDown", instance="10.0.0.2:2381", node="cp2", job="etcd"),
            alert("ApiserverDown", instance="10.0.0.2:6443", node="cp2", job="apiserver"),
            alert("TargetDown", instance="10.0.0.2:10259", node="cp2", job="kube-scheduler"),
            alert("KubernetesNodeNotReady", node="cp2"),
        ],
        ["HostDown"],
    ),
    "the registry host is down": (
        [
            alert("HostDown", instance="r1", node="r1"),
            alert("RegistryDown", instance="https://r1:5000/v2/", node="r1", job="probe-registry"),
            alert("TargetDown", instance="r1:5001", node="r1", job="registry"),
            alert("SLOErrorBudgetBurn", slo="registry-availability"),
        ],
        ["HostDown"],
    ),
    "two hosts are down, each is said": (
        [alert("HostDown", instance="w1", node="w1"), alert("HostDown", instance="w2", node="w2")],
        ["HostDown", "HostDown"],
    ),
    "a host is down and another's kubelet": (
        [
            alert("HostDown", instance="w1", node="w1"),
            alert("KubeletDown", node="w2", instance="10.0.0.3:10250"),
        ],
        ["HostDown", "KubeletDown"],
    ),
    "a host is down and a deployment elsewhere fails": (
        [
            alert("HostDown", instance="w1", node="w1"),
            alert("DeploymentReplicasMissing", namespace="shop", deployment="a"),
        ],
        ["HostDown", "DeploymentReplicasMissing"],
    ),
    "the registry is down, its host is not": (
        [
            alert("RegistryDown", instance="https://r1:5000/v2/", job="probe-registry"),
            alert("TargetDown", instance="r1:5001", job="registry"),
            alert("TargetDown", instance="10.0.0.4:8080", job="metrics-server"),
        ],
        ["RegistryDown", "TargetDown"],
    ),
    "no control plane of the mesh answers": (
        [
            alert("KumaControlPlaneGone"),
            alert("TargetDown", instance="10.0.0.1:5680", job="kuma-control-plane"),
            alert("KumaDataplaneDisconnected", mesh="default", kuma_workload="web", instance="10.2.0.1:5670"),
            alert("KumaCallsDenied", mesh="default", kuma_workload="web"),
        ],
        ["KumaControlPlaneGone", "KumaCallsDenied"],
    ),
    "certificates of two workloads are not renewed, one of them is about to end": (
        [
            {**alert("KumaWorkloadCertificateExpiring", mesh="default", kuma_workload="web"), "severity": "critical"},
            {**alert("KumaWorkloadCertificateExpiring", mesh="default", kuma_workload="web"), "severity": "warning"},
            {**alert("KumaWorkloadCertificateExpiring", mesh="default", kuma_workload="api"), "severity": "warning"},
        ],
        ["KumaWorkloadCertificateExpiring", "KumaWorkloadCertificateExpiring"],
    ),
    "no pod of the gateway answers": (
        [
            alert("KongGone"),
            alert("TargetDown", instance="10.0.0.4:8100", job="kong"),
            alert("TargetDown", instance="10.0.0.5:8100", job="kong"),
        ],
        ["KongGone"],
    ),
    "an image that cannot be had": (
        [
            alert("ContainerCannotStart", namespace="shop", pod="a", container="app", reason="ImagePullBackOff"),
            alert("PodNotRunning", namespace="shop", pod="a"),
        ],
        ["ContainerCannotStart"],
    ),
    "the whole cluster, seen from outside": (
        [
            alert("ClusterUnreachable", job="probe-api"),
            alert("ClusterPrometheusUnreachable", job="cluster-prometheus"),
        ],
        ["ClusterUnreachable"],
    ),
}


@pytest.mark.parametrize(("firing", "heard"), CASES.values(), ids=CASES.keys())
def test_one_thing_that_is_down_is_said_once(firing: list[Labels], heard: list[str], alertmanager: str) -> None:
    assert sorted(one["alertname"] for one in left_of(firing, alertmanager)) == sorted(heard)


def test_the_worse_of_two_severities_is_said(alertmanager: str) -> None:
    disk = {"alertname": "HostDiskFull", "instance": "w1", "mountpoint": "/", "device": "/dev/vda"}
    firing = [
        {**disk, "severity": "warning"},
        {**disk, "severity": "critical"},
        {**disk, "severity": "warning", "mountpoint": "/srv", "device": "/dev/vdb"},
    ]
    left = left_of(firing, alertmanager)
    assert sorted((one["severity"], one["mountpoint"]) for one in left) == [("critical", "/"), ("warning", "/srv")]
