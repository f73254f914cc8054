"""The lock of a platform: what a second run says, and who may have it after a run ended, was killed or lost it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import testinfra

ROOT = pathlib.Path(__file__).parents[3]
INVENTORY = ROOT / ".lab/molecule/registry/inventory/hosts.ini"
PLAYBOOK = ROOT / "molecule/registry/lock.yml"
# Another ansible-core: the path of its ansible-playbook.
ANSIBLE_PLAYBOOK = os.environ.get("ANSIBLE_PLAYBOOK") or str(pathlib.Path(sys.executable).with_name("ansible-playbook"))
RECORD = "/var/lib/cloudnative/run-lock.json"
FOREIGN = {
    "run": "0123456789abcdef",
    "user": "alice",
    "host": "controller-2",
    "pid": 4711,
    "start": "1",
    "boot_id": "another",
    "pid_namespace": "pid:[1]",
    "playbook": "site.yml",
    "job": "",
}


def registry(name):
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


def records():
    """What stands on the registry hosts, by host."""
    found = {}
    for name in ("registry1", "registry2"):
        file = registry(name).file(RECORD)
        if file.exists:
            assert (file.mode, file.user) == (0o600, "root")
            found[name] = json.loads(file.content_string)
    return found


def put_record(expires_in):
    """Leave the lock of a run of another controller on all registry hosts."""
    now = time.time()
    times = {"since": now - 600, "renewed": now - 300, "expires": now + expires_in}
    text = {key: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value)) for key, value in times.items()}
    content = json.dumps({**FOREIGN, **text})
    for name in ("registry1", "registry2"):
        command = f"mkdir -p {RECORD.rpartition('/')[0]}; umask 077; printf %s '{content}' >{RECORD}"
        registry(name).run_expect([0], command)


class Run:
    """One ansible-playbook."""

    def __init__(self, signals, *args, playbook=PLAYBOOK):
        self.signals = signals
        signals.mkdir()
        # What molecule sets is for its own playbooks.
        env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        # Neither colours nor the width of a screen belong to what is compared.
        env.update(ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1", COLUMNS="2000")
        command = [ANSIBLE_PLAYBOOK, "-i", str(INVENTORY), *args, "-e", f"signals={signals}", str(playbook)]
        self.started = time.monotonic()
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, **pipes)

    def begun(self):
        deadline = time.monotonic() + 60
        while not (self.signals / "begun").exists():
            assert self.process.poll() is None and time.monotonic() < deadline, self.process.communicate()[0]
            time.sleep(0.1)
        return self

    def go_on(self):
        (self.signals / "go").touch()
        return self

    def end(self, code=0):
        output, _nothing = self.process.communicate(timeout=120)
        assert self.process.returncode == code, output
        return output.replace("\n", " ")


def remove_records():
    for name in ("registry1", "registry2"):
        registry(name).run_expect([0], f"rm -f {RECORD}")


@pytest.fixture
def run(tmp_path):
    """Starts runs; none of them is there when the test is over, nor is their lock."""
    runs = []
    remove_records()

    def start(*args, **kwargs):
        runs.append(Run(tmp_path / f"run{len(runs)}", *args, **kwargs))
        return runs[-1]

    yield start
    for each in runs:
        each.go_on()
        with contextlib.suppress(ProcessLookupError):
            each.process.kill()
        each.process.wait()
    remove_records()


def test_second_run_stops_at_once_and_the_first_goes_on(run):
    first = run().begun()
    held = records()
    assert set(held) == {"registry1", "registry2"}
    assert held["registry1"]["pid"] == first.process.pid

    second = run()
    said = second.end(2)
    assert time.monotonic() - second.started < 15
    assert f"Another run holds the lock of this platform: lock.yml by {held['registry1']['user']} on " in said
    since = held["registry1"]["since"].replace("T", " ").replace("Z", " UTC")
    assert f"(pid {first.process.pid}), since {since} (" in said
    assert "platform_lock_break=true" in said
    assert not (second.signals / "begun").exists()
    assert records() == held

    dry = run("--check").go_on()
    said = dry.end()
    assert "registry1: another run holds the lock of this platform" in said.replace("  ", " ")
    assert records() == held

    assert "WARNING" not in first.go_on().end()
    assert records() == {}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        pytest.param(["-e", "ending=false"], 2, id="failed"),
        pytest.param(["-e", "ending=false", "-e", "ending_hosts=registry"], 2, id="failed on the registry hosts"),
        pytest.param(["-e", "ending_hosts=gone"], 4, id="no host can be reached"),
        pytest.param(["--tags", "none"], 0, id="tags"),
    ],
)
def test_lock_is_given_back_however_the_run_ends(run, tmp_path, args, code):
    more = tmp_path / "more.ini"
    more.write_text("gone ansible_host=127.0.0.1 ansible_port=1\n")
    said = run("-i", str(more), *args).go_on().end(code)
    assert "was not given back" not in said
    assert records() == {}


def test_killed_run_is_followed_at_once(run):
    first = run().begun()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert set(records()) == {"registry1", "registry2"}
    said = run().go_on().end()
    assert f"(pid {first.process.pid})" in said and "its process is gone" in said
    assert records() == {}


def test_lock_of_another_controller_expires(run):
    put_record(expires_in=300)
    assert "site.yml by alice on controller-2 (pid 4711)" in run().go_on().end(2)
    assert records()["registry2"]["run"] == FOREIGN["run"]
    put_record(expires_in=-1)
    assert "it had expired" in run().go_on().end()
    assert records() == {}


def test_run_whose_lock_was_broken_stops_at_its_next_renewal(run):
    first = run().begun()
    second = run("-e", "platform_lock_break=true").begun()
    assert records()["registry1"]["pid"] == second.process.pid
    said = first.go_on().end(2)
    assert "Another run took the lock of this platform away from this one: lock.yml by " in said
    assert f"(pid {second.process.pid})" in said
    assert {record["pid"] for record in records().values()} == {second.process.pid}
    assert "took the lock of the platform from lock.yml by" in second.go_on().end()
    assert records() == {}


def test_lost_registry_host_keeps_nobody_from_running(run, tmp_path):
    lost = tmp_path / "lost.ini"
    lost.write_text("[registry]\nregistry1 ansible_port=1\n")
    first = run("-i", str(lost)).begun()
    assert set(records()) == {"registry2"}
    # It is up again for the second run, which gets its lock and has to give it back.
    assert "Another run holds the lock" in run().end(2)
    assert set(records()) == {"registry2"}
    first.go_on().end()
    assert records() == {}


def test_lock_can_be_looked_at_and_removed_by_hand(run):
    unlock = ROOT / "playbooks/unlock.yml"
    assert "The lock of this platform is free" in run(playbook=unlock).end()
    put_record(expires_in=300)
    assert "is held by site.yml by alice on controller-2 (pid 4711), since " in run(playbook=unlock).end()
    assert set(records()) == {"registry1", "registry2"}
    said = run("-e", "platform_lock_break=true", playbook=unlock).end()
    assert "Removed the lock of site.yml by alice" in said and "changed=1" in said
    assert records() == {}
