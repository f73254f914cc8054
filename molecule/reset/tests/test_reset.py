"""Hosts are taken back, one after the other and in the end all: from the cluster, and to what they were before it."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import testinfra
from waiting import wait_for

PROJECT = pathlib.Path(__file__).parents[3]
LAB = PROJECT / ".lab/molecule/reset"
INVENTORY = LAB / "inventory/hosts.ini"
BUNDLE = pathlib.Path("~/.cache/cloudnative-platform/bundle/bundle.json").expanduser()
PAUSE = next(item["ref"] for item in json.loads(BUNDLE.read_text())["components"] if item["name"] == "pause")
HOSTS = ("registry1", "cp1", "cp2", "cp3", "worker1")
CONFIRM = "reset_confirm=short-lived"
KUBECTL = "/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf --server https://127.0.0.1:6443"
ETCD = "/etc/kubernetes/pki/etcd"


def get_host(name):
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


def command(*variables, options=()):
    extra = [f"--extra-vars={variable}" for variable in variables]
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    return [program, f"--inventory={INVENTORY}", *options, *extra, PROJECT / "playbooks/reset.yml"]


def environment():
    return {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}


def reset(*variables, options=()):
    """The playbook as people run it: exit code and output."""
    done = subprocess.run(
        command(*variables, options=options),
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-12000:], done.stderr[-2000:])
    # Messages are wrapped, and quoted as JSON.
    return done.returncode, re.sub(r"\s+", " ", (done.stdout + done.stderr).replace("\\n", " "))


def kubectl(arguments, document=None):
    text = f"{KUBECTL} {arguments}"
    if document is not None:
        text += f" <<'END'\n{json.dumps(document)}\nEND\n"
    answer = get_host("cp1").run(text)
    assert answer.rc == 0, answer.stderr
    return answer.stdout


def nodes():
    return {item["metadata"]["name"]: item for item in json.loads(kubectl("get nodes --output json"))["items"]}


def members():
    text = get_host("cp1").check_output(
        f"/usr/local/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert={ETCD}/ca.crt "
        f"--cert={ETCD}/healthcheck-client.crt --key={ETCD}/healthcheck-client.key --write-out=json member list"
    )
    return {member["name"] for member in json.loads(text)["members"]}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ((), "reset_hosts is missing"),
        (("reset_hosts=worker1",), "reset_confirm is missing: to take back worker1, give the name of the cluster"),
        (("reset_hosts=worker1", "reset_confirm=kubernetes"), "-e reset_confirm=short-lived"),
        (("reset_hosts=cp1,cp2,cp3", CONFIRM), "3 of 3 control planes would go, and worker1 would stay without any"),
        (("reset_hosts=registry1", CONFIRM), "would have nowhere to pull images from"),
        (("reset_hosts=wroker1", CONFIRM), "did you mean worker1?"),
    ],
)
def test_refused_before_any_host_is_touched(variables, message):
    code, output = reset(*variables)
    assert code != 0
    assert message in output
    assert "Ask each host" not in output


def test_check_mode_says_what_would_go():
    code, output = reset("reset_hosts=cp3", CONFIRM, options=("--check", "--diff"))
    assert code == 0
    for text in (
        "-etcd member cp3",
        "-node cp3",
        "stop kubelet.service",
        "unmount /var/lib/kubelet/pods/",
        "remove user",
    ):
        assert (text in output) is (text != "remove user")
    assert set(nodes()) == {"cp1", "cp2", "cp3", "worker1"}
    assert members() == {"cp1", "cp2", "cp3"}


def test_drain_waits_for_a_budget_and_gives_up_with_its_name():
    labels = {"app": "needed"}
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": "worker1"},
        "containers": [{"name": "pause", "image": PAUSE}],
        "terminationGracePeriodSeconds": 1,
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    kubectl("apply -f -", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "needed"}, "spec": spec})
    budget = {"minAvailable": 1, "selector": {"matchLabels": labels}}
    kubectl(
        "apply -f -",
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "keep"}, "spec": budget},
    )
    kubectl("rollout status deployment/needed --timeout=60s")
    code, output = reset("reset_hosts=worker1", CONFIRM, "reset_drain_timeout=5")
    assert code != 0
    assert "node worker1 was not drained within 5 s" in output
    assert "default/needed-" in output
    assert "PodDisruptionBudget default/keep needs 1 healthy pods and has 1" in output
    assert "worker1 takes pods again" in output
    assert not nodes()["worker1"]["spec"].get("unschedulable")
    assert get_host("worker1").service("kubelet").is_running
    kubectl("delete poddisruptionbudget keep")


def test_quorum_of_etcd_is_not_broken():
    subprocess.run(["podman", "kill", "molecule-reset-cp3"], check=True, capture_output=True)
    code, output = reset("reset_hosts=cp2", CONFIRM)
    assert code != 0
    assert "of 3 members 2 would stay, 1 of them healthy, 2 are needed; not healthy: cp3" in output
    assert members() == {"cp1", "cp2", "cp3"}
    assert "cp2" in nodes()


def test_host_that_is_dead_leaves_the_cluster():
    code, output = reset("reset_hosts=cp3", CONFIRM)
    assert code == 0
    assert "remove etcd member cp3 (2 stay)" in output
    # It was ready as far as the cluster knew when the reset began.
    assert "node cp3 is not ready and can't be drained" in output
    assert "Not reached: cp3." in output
    assert members() == {"cp1", "cp2"}
    assert "cp3" not in nodes()


def test_host_that_is_back_is_taken_back_as_well(left_behind):
    subprocess.run(["podman", "start", "molecule-reset-cp3"], check=True, capture_output=True)

    def has_booted():
        return get_host("cp3").run("systemctl is-system-running --wait").stdout.strip() in ("running", "degraded")

    wait_for(has_booted, 90, "cp3 has booted")
    code, _output = reset("reset_hosts=cp3", CONFIRM)
    assert code == 0
    assert "cp3" not in nodes()
    assert left_behind(get_host("cp3")) == []


def test_control_plane_joins_again_and_the_others_only_learn_of_it(playbook, running):
    others = ("cp1", "cp2", "worker1")
    before = {name: running(get_host(name)) for name in others}
    assert playbook("site").returncode == 0
    assert members() == {"cp1", "cp2", "cp3"}
    assert "cp3" in nodes()
    endpoints = get_host("worker1").file("/etc/kubernetes/api-proxy/haproxy.cfg").content_string
    assert all(name in endpoints for name in ("cp1", "cp2", "cp3"))
    for name in others:
        after = running(get_host(name))
        restarted = {unit.split()[1] for unit, run in before[name].items() if after.get(unit) != run}
        assert restarted <= {"kubelet-csr-approver.service"}


def test_control_plane_and_worker_at_once(left_behind):
    code, output = reset('{"reset_hosts": ["cp2", "worker1"]}', CONFIRM)
    assert code == 0
    assert "cordon node cp2; cordon node worker1" in output
    assert "remove etcd member cp2 (2 stay)" in output
    assert members() == {"cp1", "cp3"}
    assert set(nodes()) == {"cp1", "cp3"}
    assert kubectl("get --raw /readyz") == "ok"
    assert left_behind(get_host("cp2")) == []
    assert left_behind(get_host("worker1")) == []


def test_reset_that_is_killed_is_finished_by_the_next():
    with subprocess.Popen(
        command("reset_hosts=all", CONFIRM), cwd=PROJECT, env=environment(), stdout=subprocess.PIPE, text=True
    ) as killed:
        for line in killed.stdout:
            if "network : Take the pod network back" in line:
                killed.kill()
    code, output = reset("reset_hosts=all", CONFIRM)
    assert code == 0
    assert "Taken back: cp1, cp2, cp3, worker1, registry1." in output


@pytest.mark.parametrize("name", HOSTS)
def test_nothing_is_left(left_behind, name):
    assert left_behind(get_host(name)) == []


def test_second_reset_changes_nothing():
    code, output = reset("reset_hosts=all", CONFIRM)
    assert code == 0
    recap = output.partition("PLAY RECAP")[2]
    assert recap.count("changed=0") == len(HOSTS) + 1
