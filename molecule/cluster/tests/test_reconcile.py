"""Changed settings reach what runs by the same play: one control plane at a time, and nothing else restarts."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import testinfra
import yaml
from kubectl import KUBECTL

INVENTORY = pathlib.Path(__file__).parents[3] / ".lab/molecule/cluster/inventory/hosts.ini"
LAB = yaml.safe_load((INVENTORY.parent / "group_vars/all/lab.yml").read_text()) if INVENTORY.exists() else {}
CONTROL_PLANES = ("cp1", "cp2", "cp3")
NODES = (*CONTROL_PLANES, "worker1", "worker2")
NAMES = "openssl x509 -noout -ext subjectAltName -in /etc/kubernetes/pki/apiserver.crt"
SERVED = "openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName"

#: one setting of each kind; what the lab sets itself stays
CHANGED = {
    "kubernetes_apiserver_extra_args": {"event-ttl": "2h"},
    "kubernetes_kubelet_config": {**LAB.get("kubernetes_kubelet_config", {}), "maxPods": 100},
    "kubernetes_api_cert_sans": ["k8s.example.com"],
    "kubernetes_audit_policy": {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]},
    "kubernetes_kube_proxy_config": {**LAB.get("kubernetes_kube_proxy_config", {}), "configSyncPeriod": "10m0s"},
    "containerd_log_level": "warn",
    "network_calico_env": {"FELIX_IPTABLESREFRESHINTERVAL": "120"},
}
#: what these restart on a control plane, by the name that running.sh gives it
RESTARTED = {"kube-apiserver", "calico-node", "kube-proxy", "containerd.service", "kubelet.service"}
#: they talk to the API server of their own host only, and end themselves when it is away for longer than their lease
#: (10 s), which a busy machine makes of its restart
FOLLOWERS = {"kube-controller-manager", "kube-scheduler"}

pytestmark = pytest.mark.disruptive


def get_host(name):
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


def short(name):
    """'container kube-proxy-x7k2p/kube-proxy' -> 'kube-proxy', 'unit kubelet.service' -> 'kubelet.service'."""
    return name.split()[1].rpartition("/")[2]


def restarted(before, after):
    return {short(name) for name, run in before.items() if after.get(name) != run}


def recap(output):
    return {
        name: int(changed) for name, changed in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)
    }


def started_at(name):
    """When the API server of a control plane was started, in nanoseconds."""
    listed = json.loads(get_host(name).check_output("crictl ps --name '^kube-apiserver$' --output json"))["containers"]
    return max(int(container["createdAt"]) for container in listed)


@pytest.fixture(scope="module")
def changed(playbook, running):
    """Before and after one run with all of the changes."""
    before = {name: running(get_host(name)) for name in NODES}
    done = playbook("site", f"--extra-vars={json.dumps(CHANGED)}")
    assert done.returncode == 0
    return before, {name: running(get_host(name)) for name in NODES}


def test_exactly_what_the_settings_concern_was_restarted(changed):
    before, after = changed
    for name in CONTROL_PLANES:
        assert restarted(before[name], after[name]) - FOLLOWERS == RESTARTED
    for name in set(NODES) - set(CONTROL_PLANES):
        assert restarted(before[name], after[name]) == RESTARTED - {"kube-apiserver"}


def test_control_planes_were_restarted_one_after_the_other(changed):
    """The next one only begins when the one before it is ready, which an API server never is within two seconds."""
    times = sorted(started_at(name) for name in CONTROL_PLANES)
    assert all(later - earlier > 2e9 for earlier, later in zip(times, times[1:]))


@pytest.mark.parametrize("name", CONTROL_PLANES)
def test_settings_reached_the_control_plane(changed, name):
    host = get_host(name)
    assert "--event-ttl=2h" in host.check_output("tr '\\0' '\\n' </proc/$(pgrep -x kube-apiserver)/cmdline")
    assert "k8s.example.com" in host.check_output(NAMES)
    assert "k8s.example.com" in host.check_output(SERVED)
    assert "level: Metadata" in host.file("/etc/kubernetes/policy/audit.yaml").content_string


@pytest.mark.parametrize("name", NODES)
def test_settings_reached_the_node(changed, name):
    capacity = get_host("cp1").check_output(f"{KUBECTL} get node {name} --output jsonpath='{{.status.capacity.pods}}'")
    assert capacity == "100"
    assert 'level = "warn"' in get_host(name).file("/etc/containerd/config.toml").content_string


def test_settings_are_there_for_nodes_to_come(changed):
    host = get_host("cp1")
    stored = host.check_output(
        f"{KUBECTL} --namespace kube-system get configmap kubeadm-config kubelet-config --output yaml"
    )
    assert "event-ttl" in stored
    assert "maxPods: 100" in stored


def test_a_setting_that_does_not_work_is_set_back_and_stops_the_rollout(changed, playbook, running):
    before = {name: running(get_host(name)) for name in NODES}
    settings = {**CHANGED, "kubernetes_apiserver_extra_args": {"event-ttl": "2h", "no-such-flag": "1"}}
    done = playbook("site", f"--extra-vars={json.dumps(settings)}")
    assert done.returncode == 2
    assert "unknown flag: --no-such-flag" in done.stdout
    assert "the old ones are back, and it runs" in done.stdout
    assert "nothing was changed on cp2: cp1 does not run with these settings and was set back" in done.stdout
    after = {name: running(get_host(name)) for name in NODES}
    assert restarted(before["cp1"], after["cp1"]) - FOLLOWERS == {"kube-apiserver"}
    for name in NODES[1:]:
        assert restarted(before[name], after[name]) == set()


def test_settings_that_are_taken_out_are_taken_out(changed, playbook):
    done = playbook("site")
    assert done.returncode == 0
    for name in CONTROL_PLANES:
        host = get_host(name)
        assert "event-ttl" not in host.check_output("tr '\\0' '\\n' </proc/$(pgrep -x kube-apiserver)/cmdline")
        assert "k8s.example.com" not in host.check_output(SERVED)
        assert "level: RequestResponse" in host.file("/etc/kubernetes/policy/audit.yaml").content_string
    for name in NODES:
        assert 'level = "warn"' not in get_host(name).file("/etc/containerd/config.toml").content_string
    calico = get_host("cp1").check_output(f"{KUBECTL} --namespace kube-system get daemonset calico-node --output yaml")
    assert "FELIX_IPTABLESREFRESHINTERVAL" not in calico
    capacity = get_host("cp1").check_output(
        f"{KUBECTL} get nodes --output jsonpath='{{.items[*].status.capacity.pods}}'"
    )
    assert set(capacity.split()) == {"110"}
    again = playbook("site")
    assert again.returncode == 0
    assert set(recap(again.stdout)) >= set(NODES)
    assert set(recap(again.stdout).values()) == {0}
