# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who a run is and whether another one is alive, of real processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from ansible import context

from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock import DAMAGED, Holder, Record
from ansible_collections.cloudnative.platform.plugins.plugin_utils import _run_lock
from ansible_collections.cloudnative.platform.plugins.plugin_utils._run_lock import is_dead, this_run

fork = multiprocessing.get_context("fork")


@pytest.fixture
def other():
    """A process that lives until it is told otherwise, and what it would write about itself."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = replace(this_run({}), run="other", pid=process.pid, start=_run_lock._process(process.pid)[1])
    yield process, Record(holder)
    process.kill()
    process.communicate()


def test_workers_are_the_run_that_they_belong_to():
    answers = fork.SimpleQueue()
    for _each in range(2):
        worker = fork.Process(target=lambda: answers.put(this_run({})))
        worker.start()
        worker.join()
    mine = this_run({})
    assert mine.pid == os.getpid()
    assert [answers.get(), answers.get()] == [mine, mine]


def test_two_processes_are_two_runs():
    code = f"from {this_run.__module__} import this_run; print(this_run({{}}).run)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = {subprocess.check_output([sys.executable, "-c", code], env=env, text=True) for _each in range(2)}
    assert len(runs) == 2


def test_playbook_is_the_one_that_was_started(monkeypatch):
    monkeypatch.setattr(context, "CLIARGS", {"args": ("playbooks/site.yml", "/x/other.yml")})
    assert this_run({}).playbook == "site.yml, other.yml"


@pytest.mark.parametrize(
    ("variables", "sudo_user", "user", "job"),
    [
        ({}, "", "me", ""),
        ({}, "me", "me", ""),
        ({}, "alice", "alice (as me)", ""),
        ({"awx_job_id": 17, "awx_user_name": "bob"}, "alice", "bob", "AWX job 17"),
        ({"tower_job_id": 17, "tower_job_template_name": "Deploy"}, "", "me", "AWX job 17 of template Deploy"),
    ],
)
def test_person_and_job(monkeypatch, variables, sudo_user, user, job):
    monkeypatch.setattr("getpass.getuser", lambda: "me")
    monkeypatch.setenv("SUDO_USER", sudo_user)
    run = this_run(variables)
    assert (run.user, run.job) == (user, job)


def test_running_process_is_alive(other):
    assert not is_dead(other[1], this_run({}))


def test_killed_process_is_dead_before_and_after_it_is_reaped(other):
    process, record = other
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert _run_lock._process(process.pid)[0] == "Z"
    assert is_dead(record, this_run({}))
    process.communicate()
    assert is_dead(record, this_run({}))


def test_another_process_of_the_same_number_is_not_the_run(other):
    _process, record = other
    earlier = replace(record, holder=replace(record.holder, start="1"))
    assert is_dead(earlier, this_run({}))


def test_process_whose_start_is_hidden_counts_as_alive(other, monkeypatch):
    monkeypatch.setattr(_run_lock, "_process", lambda pid: ("", ""))
    assert not is_dead(other[1], this_run({}))


def test_process_of_another_user_counts_as_alive(other, monkeypatch):
    def refuse(pid, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert not is_dead(other[1], this_run({}))


@pytest.mark.parametrize("change", [{"boot_id": "another"}, {"pid_namespace": "pid:[1]"}, {"boot_id": ""}])
def test_nothing_is_certain_of_another_controller(other, change):
    process, record = other
    process.kill()
    process.communicate()
    assert not is_dead(replace(record, holder=replace(record.holder, **change)), this_run({}))


def test_damaged_record_is_not_dead():
    assert not is_dead(Record(Holder(DAMAGED)), this_run({}))


def test_run_of_a_system_without_proc_is_told_by_its_process(monkeypatch, tmp_path):
    monkeypatch.setattr(_run_lock, "_PROC", str(tmp_path))
    run = this_run({})
    assert (run.boot_id, run.pid_namespace, run.start) == ("", "", "")
    assert run.run == this_run({}).run and run.pid == os.getpid()
    assert not is_dead(Record(replace(run, pid=2**22 + 1)), run)
