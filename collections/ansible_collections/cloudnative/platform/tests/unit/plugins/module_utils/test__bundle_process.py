# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import process
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError

COLLECTIONS = pathlib.Path(process.__file__).parents[6]
BUILD = """
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import process
process.end_with_reader()
process.run(["sh", "-c", "echo $$ > {pid}; exec sleep 60"], "{log}")
"""


def test_output_is_returned_and_errors_are_kept(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "logs" / "x.log"
    assert process.run(["sh", "-c", "echo said; echo aside >&2"], str(log)) == "said\n"
    assert log.read_text() == "sh -c echo said; echo aside >&2\naside\n"


@pytest.mark.parametrize(("script", "message"), [("echo why >&2; exit 3", "exit code 3\n.*why"), ("exit 1", "code 1")])
def test_a_failure_says_its_last_words_and_where_the_rest_is(tmp_path: pathlib.Path, script: str, message: str) -> None:
    with pytest.raises(BundleError, match=f"(?s){message}.*log: {tmp_path}/x.log"):
        process.run(["sh", "-c", script], str(tmp_path / "x.log"))


def test_a_build_ends_with_who_waits_for_it(tmp_path: pathlib.Path) -> None:
    pid = tmp_path / "pid"
    code = BUILD.format(pid=pid, log=tmp_path / "log")
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as build:
        assert build.stdout is not None
        deadline = time.monotonic() + 30
        while not (pid.exists() and pid.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert build.poll() is None
        build.stdout.close()
        assert build.wait(timeout=30) == 1
    while pathlib.Path(f"/proc/{pid.read_text().strip()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
