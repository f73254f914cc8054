# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, abandoned, host_lock


def holder(path, then):
    """A process that holds the lock and says so."""
    code = textwrap.dedent(
        f"""
        import subprocess, time
        from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import host_lock
        with host_lock("kubeadm_node", path={str(path)!r}):
            child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
            print(child.pid, flush=True)
            {then}
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_the_second_one_waits_for_the_first(tmp_path):
    path, order = str(tmp_path / "lock"), []

    def second():
        with host_lock("second", path=path):
            order.append("second")

    with host_lock("first", path=path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_who_waits_too_long_is_told_for_whom(tmp_path):
    process, child = holder(tmp_path / "lock", "time.sleep(60)")
    try:
        with (
            pytest.raises(HostLockError, match=rf"kubeadm_node, process {process.pid}, since 2.*waited 0.2 s"),
            host_lock("oci_files", timeout=0.2, path=str(tmp_path / "lock")),
        ):
            pass
    finally:
        process.kill()
        process.wait()
        os.kill(child, signal.SIGKILL)


def test_a_holder_that_is_killed_leaves_nothing_behind(tmp_path):
    process, child = holder(tmp_path / "lock", "time.sleep(60)")
    process.kill()
    process.wait()
    try:
        # What it started lives on, without the lock.
        os.kill(child, 0)
        with host_lock("oci_files", timeout=0, path=str(tmp_path / "lock")):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_an_error_lets_go_of_it(tmp_path):
    path = str(tmp_path / "lock")
    with pytest.raises(ValueError, match="no"), host_lock("first", path=path):
        raise ValueError("no")
    with host_lock("second", timeout=0, path=path):
        pass
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_abandoned():
    reader, writer = os.pipe()
    assert not abandoned(writer)
    os.close(reader)
    assert abandoned(writer)
    os.close(writer)
    with open(os.devnull, "w") as stream:
        assert not abandoned(stream.fileno())


def test_who_waits_for_a_run_that_has_gone_gives_up(tmp_path):
    path = str(tmp_path / "lock")
    code = (
        "from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import host_lock\n"
        f"with host_lock('second', path={path!r}): open({str(tmp_path / 'did')!r}, 'w')"
    )
    with host_lock("first", path=path):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        time.sleep(0.5)
        assert process.poll() is None
        process.stdout.close()
        assert "was ended while it waited" in process.stderr.read()
        assert process.wait(5) == 1
        process.stderr.close()
    assert not (tmp_path / "did").exists()
