# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrong input of the role is refused before anything is changed: one host for each mistake, all in one run."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]

PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
CASES = {
    "pathname": ({"registry_ca_pem": "/etc/ca.crt"}, "registry_ca_pem '/etc/ca.crt': is not a certificate in PEM"),
    "elsewhere": ({"registry_hosts": ["other"]}, "it must be a list with this host, elsewhere, in it"),
    "absent": ({"registry_hosts": ["other", "absent"]}, "other, the first of registry_hosts"),
    "homeless": ({"registry_address": ""}, "registry_address '': is neither an IP address nor a DNS name"),
    "collision": ({"registry_push_port": 5000}, "registry_push_port 5000: is already taken by registry_port"),
    "port": ({"registry_port": 70000}, "registry_port 70000: is not a port; use a number between 1 and 65535"),
    "relative": (
        {"registry_storage_path": "data"},
        "registry_storage_path 'data': is not a directory that the registry can use",
    ),
    "hidden": (
        {"registry_storage_path": "/home/registry"},
        "registry_storage_path '/home/registry': is not a directory",
    ),
    "half": ({"registry_ca_pem": PEM}, "registry_ca_pem: is given without registry_ca_key_pem"),
    "colon": ({"registry_pull_username": "a:b"}, "registry_pull_username 'a:b': is not a user name"),
    "twins": ({"registry_pull_username": "push"}, "registry_push_username 'push': is also registry_pull_username"),
    "restless": (
        {"registry_certificate_renew_days": 365},
        "registry_certificate_renew_days 365: is not less than registry_certificate_days",
    ),
    "idle": (
        {"registry_upload_parallel": 0},
        "registry_upload_parallel 0: is out of range; use a number between 1 and 64",
    ),
    "typed": ({"registry_prune": "perhaps"}, "registry_prune"),
}


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """What the run says about each host. In check mode, should it get as far as changing something."""
    path = tmp_path_factory.mktemp("input")
    defaults = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {name: {**defaults, "registry_hosts": [name], **values} for name, (values, _words) in CASES.items()}
    (path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    play = {"hosts": "all", "gather_facts": False, "roles": [{"role": "cloudnative.platform.registry"}]}
    (path / "play.json").write_text(json.dumps([play]))
    done = subprocess.run(
        [
            *[pathlib.Path(sys.executable).with_name("ansible-playbook"), "--check"],
            *["-i", path / "hosts.json", path / "play.json"],
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Keep passwords" not in done.stdout, "a host got past the check of its input"
    lines = [line for line in done.stdout.splitlines() if line.startswith("fatal: [")]
    found = {line.split("[")[1].split("]")[0]: json.loads(line.split("FAILED! => ")[1]) for line in lines}
    return {name: json.dumps(result, ensure_ascii=False).replace('\\"', '"') for name, result in found.items()}


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_named(messages, name):
    assert CASES[name][1] in messages[name]
