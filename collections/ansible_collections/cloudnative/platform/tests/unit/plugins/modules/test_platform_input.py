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


SPECS = "argument_specs: {main: {options: {kubernetes_version: {type: str}}}}"


def write_role(directory: pathlib.Path, specs: str = SPECS, defaults: str = "") -> str:
    for name, text in (("meta/argument_specs.yml", specs), ("defaults/main.yml", defaults)):
        path = directory / "kubernetes" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    return str(directory)


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
    arguments = {"hosts": HOSTS, "roles_path": write_role(tmp_path), "_ansible_check_mode": check_mode}
    result, code = run({**arguments, "variables": ["kubernetes_verison", "kubernetes_extra", "ansible_host"]})
    assert code == 1
    assert [problem["value"] for problem in result["problems"]] == ["kubernetes_verison"]
    assert [finding["value"] for finding in result["unwise"]] == ["kubernetes_extra"]
    result, code = run({**arguments, "variables": ["kubernetes_extra"], "known_variables": ["kubernetes_extra"]})
    assert (code, result["problems"], result["unwise"]) == (0, [], [])


def test_defaults_of_roles_are_judged_but_templates_are_not(tmp_path):
    text = 'kubernetes_pod_cidr: 10.244.0.0/16\nkubernetes_version: "{{ x }}"\nkubernetes_other: 1\n'
    arguments = {"hosts": HOSTS, "roles_path": write_role(tmp_path, defaults=text), "supported_versions": ["1.36"]}
    assert run(arguments)[1] == 0
    result, code = run({**arguments, "settings": {"kubernetes_service_cidr": "10.244.0.0/20"}})
    assert code == 1
    assert "overlaps kubernetes_pod_cidr 10.244.0.0/16" in result["msg"]


def test_unreadable_role_is_named(tmp_path):
    result, code = run({"hosts": HOSTS, "roles_path": write_role(tmp_path, specs="{")})
    assert code == 1
    assert "kubernetes/meta/argument_specs.yml" in result["msg"]
    assert "Traceback" not in result["msg"]


def test_directory_without_roles_is_named(tmp_path):
    result, code = run({"hosts": HOSTS, "roles_path": str(tmp_path)})
    assert code == 1
    assert str(tmp_path) in result["msg"]
