# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
from ansible_collections.cloudnative.platform.plugins.modules import platform_input

HOSTS = [
    {"name": "registry1", "groups": ["registry"]},
    {"name": "cp1", "groups": ["kube_control_plane"]},
    {"name": "worker1", "groups": ["kube_node"]},
]


def run(arguments):
    """The module as Ansible runs it: a process of its own that reads JSON and prints JSON."""
    done = subprocess.run(
        [sys.executable, "-m", platform_input.__name__],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout), done.returncode


def write_specs(directory: pathlib.Path, text: str) -> str:
    path = directory / "kubernetes" / "meta" / "argument_specs.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_good_input_passes_and_changes_nothing():
    result, code = run({"hosts": HOSTS, "settings": {"kubernetes_version": "1.36.4"}, "supported_versions": ["1.36"]})
    assert (code, result["changed"], result["problems"], result["unwise"]) == (0, False, [], [])


def test_bad_input_fails_with_all_problems_in_the_message():
    result, code = run({"hosts": HOSTS[1:], "settings": {"registry_port": 0}})
    assert code == 1
    assert [problem["subject"] for problem in result["problems"]] == ["group", "registry_port"]
    for number, problem in enumerate(result["problems"], start=1):
        assert f"{number}. {problem['subject']}" in result["msg"]
        assert problem["remedy"] in result["msg"]


def test_unwise_input_passes_with_a_warning():
    result, code = run({"hosts": [*HOSTS, {"name": "cp2", "groups": ["kube_control_plane"]}]})
    assert code == 0
    assert "even number" in result["unwise"][0]["problem"]
    assert any("even number" in str(warning) for warning in result["warnings"])


@pytest.mark.parametrize("check_mode", [False, True])
def test_variables_are_compared_with_the_documented_ones(tmp_path, check_mode):
    path = write_specs(tmp_path, "argument_specs: {main: {options: {kubernetes_version: {type: str}}}}")
    arguments = {"hosts": HOSTS, "argument_specs": [path], "_ansible_check_mode": check_mode}
    result, code = run({**arguments, "variables": ["kubernetes_verison", "kubernetes_extra", "ansible_host"]})
    assert code == 1
    assert [problem["value"] for problem in result["problems"]] == ["kubernetes_extra", "kubernetes_verison"]
    result, code = run({**arguments, "variables": ["kubernetes_extra"], "known_variables": ["kubernetes_extra"]})
    assert (code, result["problems"]) == (0, [])


@pytest.mark.parametrize("text", ["", "a: b", "{", "[]"])
def test_unreadable_argument_specs_are_named(tmp_path, text):
    path = write_specs(tmp_path, text)
    result, code = run({"hosts": HOSTS, "argument_specs": [path]})
    assert code == 1
    assert path in result["msg"]
    assert "Traceback" not in result["msg"]
