"""What decides about kills, and what judges a cluster after one."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone

import pytest

import kill_health
import kills
from kill_schedule import CHANGES, DISKS, EXPECTED, PHASES, TOPOLOGIES, VICTIMS, family, hosts_of, schedule
from process_sampler import Sampler

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=timezone.utc)


# -- schedule -------------------------------------------------------------------------------------------------------


def test_a_seed_says_it_all_and_more_kills_begin_with_the_same_ones():
    assert schedule("a", 20) == schedule("a", 20)
    assert schedule("a", 20)[:4] == schedule("a", 4)
    assert schedule("a", 20) != schedule("b", 20)


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
def test_twenty_kills_meet_everything(seed):
    plan = schedule(seed, 20)
    assert [kill.number for kill in plan] == list(range(1, 21))
    assert [kill.phase for kill in plan] == [PHASES[number % len(PHASES)] for number in range(20)]
    for phase, victims in VICTIMS.items():
        assert {kill.victim for kill in plan if kill.phase == phase} == set(victims)


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
def test_each_kill_can_be_done(seed):
    disks = {disk.directory: disk for disk in DISKS}
    for kill in schedule(seed, 40):
        names = [name for name, _group in TOPOLOGIES[kill.topology]]
        assert kill.host in names or kill.victim == "ansible"
        assert 0 <= kill.moment < 1
        assert (kill.phase == "reconcile") == bool(kill.change)
        assert (kill.victim == "disk") == bool(kill.disk)
        if kill.victim == "containerd":
            assert kill.host in hosts_of(kill.topology, "kube")
        if kill.victim.startswith("registry"):
            assert kill.host == "registry1"
        if kill.disk:
            assert kill.host in hosts_of(kill.topology, disks[kill.disk].group)
            low, high = disks[kill.disk].sizes
            assert low <= kill.amount <= high
        assert (kill.topology, kill.phase) in EXPECTED


def test_a_reconcile_takes_the_hosts_of_the_installation_before_it():
    topology = ""
    for kill in schedule("a", 40):
        if kill.phase == "reconcile":
            assert kill.topology == topology
        topology = kill.topology


def test_changes_can_be_limited():
    changes = {kill.change for kill in schedule("a", 40, ["sysctl", "registry-name"])}
    assert changes == {"", "sysctl", "registry-name"}
    assert {kill.change for kill in schedule("a", 200)} == {"", *(change.name for change in CHANGES)}


def test_family():
    parents = {2: 1, 3: 2, 4: 3, 5: 1, 6: 4}
    assert family(2, parents) == {2, 3, 4, 6}
    assert family(5, parents) == {5}


def test_a_family_is_killed_with_what_left_its_process_group():
    process = subprocess.Popen(["sh", "-c", "setsid sleep 61 & wait"], start_new_session=True)
    deadline = time.monotonic() + 5
    children: list[int] = []
    while not children and time.monotonic() < deadline:
        text = subprocess.run(["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True).stdout
        children = [int(word) for word in text.split()]
    kills.kill_family(process.pid)
    assert process.wait() == -signal.SIGKILL
    time.sleep(0.1)
    # Whoever inherits it may not have asked for it yet.
    state = pathlib.Path(f"/proc/{children[0]}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("disk", DISKS, ids=lambda disk: disk.directory)
def test_proofs_and_errors_are_patterns(disk):
    assert disk.sizes[0] < disk.sizes[1]
    for change in CHANGES:
        subprocess.run(["sh", "-n", "-c", change.proof], check=True)


# -- health ---------------------------------------------------------------------------------------------------------


def node(name, ready="True"):
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def answer(nodes=(), members=(), tokens=()):
    return "\n".join(json.dumps(part) for part in ({"items": list(nodes)}, {"members": list(members)}, list(tokens)))


JOIN = ["cloudnative.platform join", "2026-11-25T12:20:00Z"]
INIT = ["cloudnative.platform init", "2026-11-25T12:10:00Z"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(answer([node("cp1"), node("w1")], [{"name": "cp1"}], [JOIN, INIT]), [], id="healthy"),
        pytest.param(
            answer([node("cp1"), node("x")], [{"name": "cp1"}]),
            ["node w1 is missing", "node x is there but not in the inventory"],
            id="nodes",
        ),
        pytest.param(
            answer([node("cp1"), node("w1", "Unknown")], [{"name": "cp1"}]), ["node w1 is not ready"], id="not ready"
        ),
        pytest.param(
            answer([node("cp1"), node("w1")], [{"name": "cp1"}, {"name": "cp2", "isLearner": True}]),
            ["etcd still has the learner cp2"],
            id="learner",
        ),
        pytest.param(
            answer([node("cp1"), node("w1")], [{"name": "cp1"}, {"ID": 7}]),
            ["etcd's voters are cp1, one that never started, not cp1"],
            id="a member that never started",
        ),
        pytest.param(
            answer([node("cp1"), node("w1")], [{"name": "cp1"}], [JOIN, JOIN]),
            ["there are 2 bootstrap tokens 'cloudnative.platform join', one is enough"],
            id="tokens",
        ),
        pytest.param(
            answer([node("cp1"), node("w1")], [{"name": "cp1"}], [["x", "2026-11-26T12:00:00Z"]]),
            ["the bootstrap token 'x' lives until 2026-11-26T12:00:00Z"],
            id="a token for a day",
        ),
        pytest.param("refused", ["the control plane does not answer as it should: refused"], id="no answer"),
    ],
)
def test_problems(said, expected):
    assert kill_health.problems(said, ["cp1", "w1"], ["cp1"], NOW) == expected


# -- what a run prints ----------------------------------------------------------------------------------------------


def test_a_run_tells_which_hosts_it_changed(tmp_path):
    log = tmp_path / "log"
    recap = "{}   : ok=5    changed={}    unreachable=0    failed=0\n"
    log.write_text("PLAY RECAP ***\n" + recap.format("cp1", 2) + recap.format("w1", 0))
    assert kills.Run(log).changed == {"cp1": 2}


def test_the_sampler_sees_command_lines_and_environments():
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", "secret-on-the-line"]
    process = subprocess.Popen(command, env={"HIDDEN": "secret-in-the-environment"}, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        with Sampler(interval=0.05) as sampler:
            deadline = time.monotonic() + 30
            while sampler.rounds < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()
    assert any(b"secret-on-the-line" in line for line in sampler.command_lines)
    assert any(b"secret-in-the-environment" in text for _name, text in sampler.environments)
    assert b"secret-in-the-environment" not in b"\n".join(sampler.command_lines)
