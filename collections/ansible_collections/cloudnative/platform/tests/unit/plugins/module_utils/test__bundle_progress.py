# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.progress import (
    Progress,
    terminal_of_ansible,
)


def test_progress_says_what_is_running(tmp_path: pathlib.Path) -> None:
    path, terminal = tmp_path / "progress.log", tmp_path / "tty"
    terminal.write_text("")
    progress = Progress(str(path), 2, terminal=str(terminal), heartbeat=0.05)
    progress.start("kubelet", "building from source")
    time.sleep(0.2)
    progress.finish("kubelet", "v1 from source")
    progress.close()
    lines = path.read_text().splitlines()
    assert lines[0] == "bundle 0:00 [0/2] kubelet: building from source"
    assert any("... kubelet building from source 0:00" in line for line in lines)
    assert lines[-1] == "bundle 0:00 [1/2] kubelet: v1 from source (0:00)"
    assert terminal.read_text() == path.read_text()


PLAYBOOK = ["/usr/bin/python3", "/usr/bin/ansible-playbook", "site.yml"]
MODULE = ["/usr/bin/python3"]


@pytest.mark.parametrize(
    ("ancestors", "terminal"),
    [
        ([(MODULE, "pipe:[1]"), (PLAYBOOK, "/dev/pts/3"), (["bash"], "/dev/pts/3")], "/dev/pts/3"),
        ([(MODULE, "pipe:[1]"), (["sh"], "pipe:[1]"), (PLAYBOOK, "/dev/null"), (PLAYBOOK, "/dev/pts/3")], "/dev/pts/3"),
        ([(MODULE, "pipe:[1]"), (PLAYBOOK, "pipe:[2]"), (["make", "up"], "/dev/pts/3")], None),
        ([(MODULE, "pipe:[1]"), (["bash"], "/dev/pts/3")], None),
        ([(MODULE, "pipe:[1]")], None),
    ],
    ids=["playbook", "worker", "pipeline", "no playbook", "no ancestors"],
)
def test_the_terminal_is_that_of_the_playbook(
    tmp_path: pathlib.Path, ancestors: list[tuple[list[str], str]], terminal: str | None
) -> None:
    pids = [os.getpid(), *range(10**7, 10**7 + len(ancestors) - 1)]
    for number, (words, output) in enumerate(ancestors):
        process = tmp_path / str(pids[number])
        (process / "fd").mkdir(parents=True)
        (process / "fd" / "1").symlink_to(output)
        (process / "cmdline").write_text("\0".join(words) + "\0")
        above = pids[number + 1] if number + 1 < len(pids) else 1
        (process / "stat").write_text(f"{pids[number]} (odd) name) S {above} 1 1 0")
    assert terminal_of_ansible(str(tmp_path)) == terminal
