# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import node


def test_telling_lines_say_each_thing_once():
    journal = "\n".join(
        [
            'E1122 17:52:27.1 360 run.go:70] "Failed to create sandbox" pod="a"',
            *(f'E1122 17:52:28.{i} 360 kubelet.go:3516] "node not registered yet {i}"' for i in range(50)),
            "I1122 17:52:29.1 360 x.go:1] started",
        ]
    )
    assert node.telling_lines(journal, 12) == [
        '"Failed to create sandbox" pod="a"',
        '"node not registered yet 49"',
        "started",
    ]


def test_telling_lines_are_bounded():
    assert len(node.telling_lines("\n".join(f"message {chr(97 + i)}" for i in range(20)), 5)) == 5


def test_write_private_is_root_only_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "directory" / "secret"
    node.write_private(str(path), "text")
    assert path.read_text() == "text"
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(path.parent).st_mode & 0o777 == 0o700
    assert os.listdir(path.parent) == ["secret"]


def test_run_reports_what_is_not_installed():
    status, _output, error = node.run(["cloudnative-no-such-command"])
    assert (status, error) == (127, "cloudnative-no-such-command is not installed")


def test_run_ends_what_takes_too_long():
    status, _output, error = node.run(["sleep", "5"], timeout=0.1)
    assert status == 124
    assert "did not end" in error
