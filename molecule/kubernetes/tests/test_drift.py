"""Hosts and objects are changed behind the platform's back: the report tells exactly that, and a run takes it back."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
import testinfra
from testinfra.utils.ansible_runner import AnsibleRunner

pytestmark = pytest.mark.disruptive

PROJECT = pathlib.Path(__file__).parents[3]
INVENTORY = PROJECT / ".lab/molecule/kubernetes/inventory/hosts.ini"
KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system"
MARK = "changed-behind-our-back"
SCHEDULER, FLAG = "/etc/kubernetes/manifests/kube-scheduler.yaml", "--leader-elect=true"
NO_SPREAD = {"spec": {"template": {"metadata": {"annotations": {"cloudnative.platform/spread": None}}}}}

# What is done to each host. A program is replaced by one of the same size, and given the old time.
CHANGES = {
    "registry1": [
        f"echo '# {MARK}' >> /etc/registry/pull.yml",
        "rm /etc/registry/server.crt",
        "systemctl disable --now registry-gc.timer",
    ],
    "cp1": [
        f"echo '# {MARK}' >> /etc/containerd/config.toml",
        f"echo '# {MARK}' >> /etc/containerd/certs.d/docker.io/hosts.toml",
        f"echo '# {MARK}' >> /etc/kubernetes/api-proxy/haproxy.cfg",
        # In one write: the kubelet would read a file that sed is not done with.
        f"grep -v -- '{FLAG}' {SCHEDULER} > /tmp/scheduler; cat /tmp/scheduler > {SCHEDULER}; rm /tmp/scheduler",
        KUBECTL + """ patch configmap calico-config --type merge --patch '{"data": {"veth_mtu": "1400"}}'""",
        f"{KUBECTL} label node worker1 example.com/pool-",
        f"{KUBECTL} patch deployment coredns --type merge --patch '{json.dumps(NO_SPREAD)}'",
    ],
    "worker1": [
        "sysctl -w net.ipv4.ip_forward=0",
        "sed -i 's/ip_forward = 1/ip_forward = 0/' /etc/sysctl.d/90-cloudnative.conf",
        # A bind mount in a container: written in place.
        "grep -v api.kubernetes.internal /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts; rm /tmp/hosts",
        "systemctl stop kubernetes-api-proxy",
        "cp --preserve=timestamps /usr/local/bin/crictl /tmp/crictl",
        "printf X | dd of=/usr/local/bin/crictl bs=1 seek=1000 conv=notrunc status=none",
        "touch --reference=/tmp/crictl /usr/local/bin/crictl; rm /tmp/crictl",
    ],
}

# What is told of each host, role by role, and what the diff shows of it.
EXPECTED = {
    "registry1": {
        "issue the certificate of registry1: there is no certificate yet": "+issued: there is no certificate yet",
        "create /etc/registry/server.crt (mode 0644)": "+(a certificate that this run would issue)",
        "write /etc/registry/pull.yml": f"-# {MARK}",
        "enable registry-gc.timer": "-disabled",
        "start registry-gc.timer (it is inactive (dead))": "-inactive (dead)",
        "restart registry@push.service: /etc/registry/server.crt changes": "+restarted: /etc/registry",
        "restart registry@pull.service: /etc/registry/server.crt changes; /etc/registry/pull.yml changes": "",
    },
    "cp1": {
        "write /etc/containerd/config.toml": f"-# {MARK}",
        "write /etc/containerd/certs.d/docker.io/hosts.toml": "-(secret content is not shown)",
        "restart containerd.service: /etc/containerd/config.toml changes": "+restarted: /etc/containerd",
        "write /etc/kubernetes/api-proxy/haproxy.cfg": f"-# {MARK}",
        "reload kubernetes-api-proxy.service: /etc/kubernetes/api-proxy/haproxy.cfg changes": "",
        f"restart kube-scheduler: {FLAG} comes": f"+    - {FLAG}",
    },
    "worker1": {
        "set net.ipv4.ip_forward = 1 (it is 0)": "-net.ipv4.ip_forward = 0\n+net.ipv4.ip_forward = 1",
        "change /etc/sysctl.d/90-cloudnative.conf": "-net.ipv4.ip_forward = 0\n+net.ipv4.ip_forward = 1",
        "change /etc/hosts": "+127.0.0.1 api.kubernetes.internal",
        "replace /usr/local/bin/crictl from": "--- /usr/local/bin/crictl\tnow\n+++ /usr/local/bin/crictl\twanted",
        "start kubernetes-api-proxy.service (it is inactive (dead))": "-inactive (dead)\n+started",
    },
    "cluster": {
        "would update ConfigMap kube-system/calico-config": "-  veth_mtu: '1400'",
        "would update Node worker1": "+    example.com/pool: small",
        "would update Deployment kube-system/coredns": "+        cloudnative.platform/spread: over 2 nodes",
    },
}


def get_host(name):
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


def play(playbook, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    done = subprocess.run(
        [
            pathlib.Path(sys.executable).with_name("ansible-playbook"),
            f"--inventory={INVENTORY}",
            *arguments,
            f"playbooks/{playbook}",
        ],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-10000:], done.stderr[-2000:])
    return done


def drift(path, *arguments):
    done = play("report_drift.yml", f"--extra-vars=drift_report_path={path}", *arguments)
    return done, json.loads(path.read_text())


def told(entries):
    return {action: entry["diff"] for entry in entries for action in entry["actions"]}


@pytest.fixture(scope="module")
def drifted(tmp_path_factory):
    """What the report says of the changed hosts."""
    for name, commands in CHANGES.items():
        get_host(name).check_output("set -e; " + "; ".join(commands))
    return drift(tmp_path_factory.mktemp("drift") / "report.json")


@pytest.mark.parametrize("name", EXPECTED)
def test_report_tells_exactly_what_was_changed(drifted, name):
    _done, report = drifted
    found = {host["name"]: host for host in report["hosts"]}.get(name) or report[name]
    actions = told(found["drift"])
    matched = {action: next((key for key in EXPECTED[name] if action.startswith(key)), None) for action in actions}
    assert [action for action, key in matched.items() if key is None] == []
    assert set(EXPECTED[name]) - set(matched.values()) == set()
    for action, key in matched.items():
        assert EXPECTED[name][key] in actions[action], action
    assert found["errors"] == []


def test_drift_is_exit_code_2(drifted):
    done, report = drifted
    assert (done.returncode, report["status"]) == (2, "drift")
    assert report["platform"]["bundle"].startswith("sha256:")
    assert report["totals"]["hosts_with_drift"] == 3


def test_report_holds_no_secret(drifted):
    done, report = drifted
    registry = get_host("registry1")
    secrets = registry.check_output("cat /etc/cloudnative/secrets/*").split()
    secrets += get_host("cp1").check_output("grep -rhoE 'Basic [^\"]+' /etc/containerd/certs.d").split()
    secrets = [secret for secret in secrets if secret != "Basic"]
    assert len(secrets) > 3
    assert [secret for secret in secrets if secret in done.stdout + done.stderr + json.dumps(report)] == []


def test_the_next_run_takes_the_drift_back(drifted):
    assert play("site.yml").returncode == 0


def test_a_host_that_does_not_answer_is_no_drift(tmp_path):
    """Its state is not known; that of the others is, as its address is known without it."""
    address = AnsibleRunner(str(INVENTORY)).get_variables("worker1")["ansible_host"]
    lost = tmp_path / "lost.ini"
    lost.write_text(f"worker1 ansible_host=127.0.0.9 ansible_port=9 kubernetes_node_address={address}\n")
    done, report = drift(tmp_path / "report.json", f"--inventory={lost}")
    assert (done.returncode, report["status"]) == (1, "error")
    assert "Connection refused" in done.stderr
    assert {host["name"]: host["status"] for host in report["hosts"]} == {
        "registry1": "none",
        "cp1": "none",
        "worker1": "error",
    }


def test_wrong_input_is_no_drift(tmp_path):
    done, report = drift(tmp_path / "report.json", "--extra-vars=kubernetes_pod_cidr=10.0.0.1/8")
    assert (done.returncode, report["status"]) == (1, "error")
    assert "kubernetes_pod_cidr" in report["cluster"]["errors"][0]["message"]


def test_a_converged_platform_has_no_drift(tmp_path):
    done, report = drift(tmp_path / "report.json")
    assert (done.returncode, report["status"], report["totals"]["actions"]) == (0, "none", 0)
