"""Storage, monitoring and autoscaling, as their users see them."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import pathlib
import re
import threading

import pytest
from waiting import wait_for

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import dashboards

# Of all pods of monitoring and of node exporter on the hosts.
MEMORY_MIB = 900
# Prometheus evaluates a group up to one interval after it was loaded, and a rule that reads another rule's series may
# need a second turn. The longest interval is that of the error budgets, 2m.
EVALUATED_AFTER = 300
DASHBOARDS = dashboards.dashboards("prometheus", "1m", "now-3h")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def test_the_platform_is_verified(playbook):
    """A volume keeps what is written, all targets are up, Watchdog reaches Alertmanager, every node has metrics."""
    done = playbook("verify", "--extra-vars", "verify_disruptive=false")
    assert done.returncode == 0
    assert "targets are up; alerts that fire: none" in done.stdout


def test_no_volume_is_left_by_the_check(cluster):
    claims = {
        claim["metadata"]["namespace"] for claim in cluster.get("persistentvolumeclaims --all-namespaces")["items"]
    }
    assert claims == {"monitoring"}
    # A pod of the provisioner removes the directory after the claim is gone.
    wait_for(lambda: len(cluster.get("persistentvolumes")["items"]) == 2, 60, "the volume of the check is gone")


def test_volume_is_a_directory_of_the_node(cluster, get_host):
    claim = cluster.get("persistentvolumeclaim --namespace monitoring prometheus-platform-db-prometheus-platform-0")
    name = claim["spec"]["volumeName"]
    assert (
        get_host("worker1")
        .file(f"/var/lib/cloudnative/volumes/{name}_monitoring_{claim['metadata']['name']}/prometheus-db")
        .is_directory
    )


def test_pods_of_monitoring_are_restricted(cluster):
    labels = cluster.get("namespace monitoring")["metadata"]["labels"]
    assert RESTRICTED.items() <= labels.items()


def mib(quantity):
    """Of 1234Ki; what comes out even is told in the larger unit, as 210Mi."""
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi|)", quantity).groups()
    return int(number) * 1024 ** (("", "Ki", "Mi", "Gi").index(unit) - 2)


def test_memory_of_monitoring_is_bounded(cluster, get_host):
    pods = json.loads(cluster.run("get --raw /apis/metrics.k8s.io/v1beta1/namespaces/monitoring/pods"))["items"]
    total = sum(mib(container["usage"]["memory"]) for pod in pods for container in pod["containers"])
    for name in ("registry1", "cp1", "worker1"):
        command = "systemctl show --property MemoryCurrent --value node-exporter"
        total += int(get_host(name).check_output(command)) / 2**20
    print(f"monitoring takes {total:.0f} MiB")
    assert len(pods) >= 6
    assert total < MEMORY_MIB


def test_kubectl_top_answers(cluster):
    assert "worker1" in cluster.run("top node")


@pytest.mark.parametrize("uid", sorted(DASHBOARDS))
def test_every_query_of_a_dashboard_returns_data(cluster, uid):
    missing = dashboards.queries(DASHBOARDS[uid])
    assert missing

    def all_answered():
        missing[:] = [query for query in missing if not cluster.query(query)]
        return not missing

    wait_for(all_answered, EVALUATED_AFTER, lambda: f"data for {missing}")


def test_rules_are_loaded_and_good(cluster):
    path = "/api/v1/namespaces/monitoring/services/prometheus:web/proxy/api/v1/rules"

    def rules():
        groups = json.loads(cluster.run(f"get --raw {path}"))["data"]["groups"]
        assert len(groups) > 10
        return [rule for group in groups for rule in group["rules"]]

    def unknown():
        return [rule["name"] for rule in rules() if rule["health"] == "unknown"]

    wait_for(lambda: not unknown(), EVALUATED_AFTER, lambda: f"the first evaluation of {unknown()}")
    assert [f"{rule['name']}: {rule['lastError']}" for rule in rules() if rule["health"] != "ok"] == []


def image(component):
    """Its reference in the bundle, which the registry has been filled from."""
    bundle = json.loads((pathlib.Path("~/.cache/cloudnative-platform/bundle").expanduser() / "bundle.json").read_text())
    return next(one["ref"] for one in bundle["components"] if one["name"] == component)


def test_workload_scales_out_under_load_and_back(cluster):
    """A HorizontalPodAutoscaler on CPU."""
    labels = {"app": "busy"}
    container = {
        "name": "busy",
        "image": image("agnhost"),
        "args": ["netexec", "--http-port=8080"],
        "resources": {"requests": {"cpu": "20m", "memory": "16Mi"}},
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
        },
    }
    at_once = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}
    scaler = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
        "minReplicas": 1,
        "maxReplicas": 3,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 100}},
            }
        ],
        "behavior": {"scaleUp": at_once, "scaleDown": at_once},
    }
    service = {"type": "NodePort", "selector": labels, "ports": [{"port": 8080, "nodePort": 30880}]}
    cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "busy"}, "spec": spec})
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "busy"}, "spec": service})
    cluster.apply(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "busy"},
            "spec": scaler,
        }
    )
    cluster.run("rollout status deployment/busy --timeout=60s")
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            connection = http.client.HTTPConnection("10.98.95.13", 30880, timeout=5)
            try:
                for _number in range(200):
                    connection.request("GET", "/echo?msg=" + "x" * 200)
                    connection.getresponse().read()
            except OSError:
                # A pod that is just starting or ending.
                stop.wait(0.2)
            finally:
                connection.close()

    def replicas():
        return cluster.get("deployment busy")["status"].get("readyReplicas", 0)

    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for _number in range(2):
                pool.submit(ask)
            try:
                wait_for(lambda: replicas() > 1, 120, "a second replica under load")
            finally:
                stop.set()
        wait_for(lambda: replicas() == 1, 180, "one replica again without load")
    finally:
        cluster.run("delete deployment,service,horizontalpodautoscaler busy --wait=false")
