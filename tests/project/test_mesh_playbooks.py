# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the playbooks treat what people write of the mesh."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_caller_that_stands_in_the_variables_twice(tmp_path: Path) -> None:
    """Of a graph in a file the module says so. Of one in a variable nothing is left of the first by then."""
    (tmp_path / "hosts").write_text("[all]\nhost1\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text("kuma_call_graph:\n  calls:\n    web: [api]\n    web: [db]\n")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), "--inventory", str(tmp_path / "hosts"), "--list"],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "duplicate" in done.stderr
    assert "'web'" in done.stderr
