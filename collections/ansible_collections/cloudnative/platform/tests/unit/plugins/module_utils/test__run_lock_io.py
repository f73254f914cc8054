# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of the lock, with real processes that want it at the same time."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import stat
import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _run_lock_io
from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import HostFileError
from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock import (
    DAMAGED,
    REFUSE,
    TAKE,
    TAKE_OVER,
    Holder,
    Record,
    decide,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock_io import alone, read, remove, write

fork = multiprocessing.get_context("fork")
# Seconds after which a busy machine is a broken one: a contestant that ended early must not be waited for.
PATIENCE = 120


class Module:
    """As much of a module as writing a file asks for."""

    def selinux_enabled(self):
        return False


def take(path, name, replaces=""):
    with alone(path, create=True):
        decision = decide(read(path), Holder(name), int(time.time()), 3600, replaces)
        if decision.action in (TAKE, TAKE_OVER):
            write(Module(), path, decision.record)
    return decision.action


def release(path, name):
    with alone(path, create=False):
        found = read(path)
        if found is not None and found.run == name:
            remove(path)


def race(rounds, contestants, contest):
    """All begin each round at the same moment; what each of them got, by round."""
    barrier = fork.Barrier(contestants)
    answers = fork.Queue()

    def contestant(number):
        for turn in range(rounds):
            barrier.wait(PATIENCE)
            answers.put((turn, contest(turn, number)))

    processes = [fork.Process(target=contestant, args=(number,)) for number in range(contestants)]
    for process in processes:
        process.start()
    found: dict[int, list[str]] = {}
    for _each in range(rounds * contestants):
        turn, answer = answers.get(timeout=PATIENCE)
        found.setdefault(turn, []).append(answer)
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    return [sorted(found[turn]) for turn in range(rounds)]


def test_exactly_one_of_many_gets_a_free_lock(tmp_path):
    results = race(100, 3, lambda turn, number: take(str(tmp_path / f"{turn}/lock.json"), f"run{number}"))
    assert results == [[REFUSE, REFUSE, TAKE]] * 100


def test_exactly_one_of_many_takes_over_from_the_dead(tmp_path):
    for turn in range(50):
        assert take(str(tmp_path / f"{turn}/lock.json"), "dead") == TAKE
    results = race(50, 3, lambda turn, number: take(str(tmp_path / f"{turn}/lock.json"), f"run{number}", "dead"))
    assert results == [[REFUSE, REFUSE, TAKE_OVER]] * 50


def test_lock_that_comes_and_goes_is_never_held_twice(tmp_path):
    """Its directory comes and goes with it, so somebody always waits for one that is removed meanwhile."""
    path, held = str(tmp_path / "state/lock.json"), str(tmp_path / "held")

    def contest(turn, number):
        name = f"run{number}"
        while take(path, name) == REFUSE:
            time.sleep(0)
        # Fails when another one is in here.
        os.close(os.open(held, os.O_CREAT | os.O_EXCL))
        os.unlink(held)
        release(path, name)
        return name

    assert race(40, 3, contest) == [["run0", "run1", "run2"]] * 40
    assert os.listdir(tmp_path) == []


def test_record_is_for_its_owner_only_and_leaves_no_trace(tmp_path):
    path = str(tmp_path / "state/lock.json")
    take(path, "one")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(tmp_path / "state") == ["lock.json"]
    release(path, "another")
    assert read(path).run == "one"
    release(path, "one")
    assert os.listdir(tmp_path) == []
    release(path, "one")
    assert os.listdir(tmp_path) == []


def test_directory_with_other_files_stays(tmp_path):
    path = str(tmp_path / "state/lock.json")
    take(path, "one")
    (tmp_path / "state/files.json").touch()
    release(path, "one")
    assert os.listdir(tmp_path / "state") == ["files.json"]


def test_looking_makes_nothing(tmp_path):
    path = str(tmp_path / "state/lock.json")
    with alone(path, create=False):
        assert read(path) is None
    assert os.listdir(tmp_path) == []


def test_damaged_file_is_held_by_nobody(tmp_path):
    path = tmp_path / "lock.json"
    path.write_bytes(b"\x00\xff")
    assert read(str(path)) == Record(Holder(DAMAGED))
    assert take(str(path), "one") == REFUSE
    assert take(str(path), "one", DAMAGED) == TAKE_OVER


def test_process_that_hangs_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_run_lock_io, "PATIENCE", 0.1)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(HostFileError, match=f"another process has kept {tmp_path} locked"):
        take(str(tmp_path / "lock.json"), "one")
    os.close(descriptor)
    assert take(str(tmp_path / "lock.json"), "one") == TAKE


def test_place_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HostFileError, match=f"cannot use {tmp_path}/file for the lock of the platform: File exists; "):
        take(str(tmp_path / "file/lock.json"), "one")
