# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs plays with roles on the controller, for what roles make of their settings."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PYTHON = {"ansible_python_interpreter": sys.executable}


def play(directory: Path, plays: list[dict[str, t.Any]], variables: dict[str, t.Any], *arguments: str) -> str:
    done = attempt(directory, plays, variables, *arguments)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def attempt(
    directory: Path, plays: list[dict[str, t.Any]], variables: dict[str, t.Any], *arguments: str
) -> subprocess.CompletedProcess[str]:
    common = {"hosts": "localhost", "gather_facts": False}
    (directory / "play.yml").write_text(yaml.safe_dump([{**common, **one} for one in plays]))
    (directory / "variables.yml").write_text(yaml.safe_dump({**PYTHON, **variables}))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "--inventory=localhost,", "--connection=local"]
    return subprocess.run(
        [*command, "--extra-vars", f"@{directory}/variables.yml", *arguments, str(directory / "play.yml")],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
