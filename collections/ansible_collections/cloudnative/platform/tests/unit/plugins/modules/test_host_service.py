# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import PASS_VARS

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import HostFileError
from ansible_collections.cloudnative.platform.plugins.module_utils._host_service import Unit, User, without_secrets
from ansible_collections.cloudnative.platform.plugins.module_utils._host_service_io import (
    ServiceError,
    desired_from,
    to_bytes,
)
from ansible_collections.cloudnative.platform.plugins.modules import host_service


def validated(**params):
    result = ArgumentSpecValidator(host_service.ARGUMENT_SPEC).validate(params)
    assert result.error_messages == []
    return result.validated_parameters


def errors(**params):
    return " ".join(ArgumentSpecValidator(host_service.ARGUMENT_SPEC).validate(params).error_messages)


def test_defaults():
    desired = desired_from(
        validated(
            users=[{"name": "demo"}],
            directories=[{"path": "/etc/demo/"}],
            files=[{"path": "/etc/demo/a", "content": "x"}, {"path": "/etc/demo/b", "state": "absent"}],
            units=[{"name": "demo.service"}],
        )
    )
    assert desired.users == (User("demo", "demo", "/nonexistent", "/usr/sbin/nologin", True),)
    directory, present, absent = desired.files
    assert (directory.path, directory.mode, directory.content) == ("/etc/demo", 0o755, None)
    assert (present.mode, present.owner, present.group, present.content) == (0o644, "root", "root", b"x")
    assert absent.absent
    assert desired.units == (Unit("demo.service", "started", None, None, (), None),)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text\n", b"text\n"),
        ("", b""),
        (None, b""),
        ("ä", "ä".encode()),
        ({"a": [1]}, b'{\n  "a": [\n    1\n  ]\n}\n'),
        ([], b"[]\n"),
        (5, b"5"),
    ],
)
def test_to_bytes(content, expected):
    assert to_bytes(content) == expected


FILE = {"path": "/a", "content": ""}


@pytest.mark.parametrize(
    ("params", "kind", "message"),
    [
        ({"files": [{**FILE, "path": "a"}]}, ServiceError, '"a" is not an absolute path'),
        ({"files": [FILE, FILE]}, ServiceError, "/a is listed twice"),
        ({"files": [FILE], "directories": [{"path": "/a/"}]}, ServiceError, "/a is listed twice"),
        ({"files": [{**FILE, "mode": "rw"}]}, HostFileError, 'mode "rw" of /a is not an octal mode'),
        ({"units": [{"name": "demo"}]}, ServiceError, 'write it whole, for example "demo.service"'),
    ],
)
def test_wrong_values(params, kind, message):
    with pytest.raises(kind, match=message):
        desired_from(validated(**params))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"files": [{"path": "/a"}]}, "content"),
        ({"units": [{"name": "a.service", "wait": {"timeout": 3}}]}, "following is required: tcp, unix, url"),
        ({"units": [{"name": "a.service", "wait": {"tcp": "a:1", "unix": "/a"}}]}, "mutually exclusive"),
        ({"units": [{"name": "a.service", "state": "restarted"}]}, "started, stopped, present, absent"),
    ],
)
def test_wrong_arguments(params, message):
    assert message in errors(**params)


KNOWN = host_service.ARGUMENT_SPEC["files"]["options"]


@pytest.mark.parametrize("secret", [True, "yes", 1])
def test_secret_content_is_not_in_the_recorded_invocation(secret):
    files = [{"path": "/a", "content": "pw", "secret": secret}, {"path": "/b", "content": "open"}]
    recorded = without_secrets({"files": files, "units": []}, KNOWN)
    assert [item["content"] for item in recorded["files"]] == ["(secret)", "open"]
    assert files[0]["content"] == "pw"


@pytest.mark.parametrize(
    ("params", "recorded"),
    [
        ({}, {}),
        ({"files": None}, {"files": None}),
        ({"files": "pw"}, {"files": "(not shown)"}),
        ({"files": ["pw"]}, {"files": ["(not shown)"]}),
        ({"files": [{"secret": True, "contents": "pw"}]}, {"files": [{"secret": True, "contents": "(secret)"}]}),
    ],
)
def test_recording_shows_no_secret_in_wrong_input(params, recorded):
    assert without_secrets(params, KNOWN) == recorded


def test_module_tells_no_secret(tmp_path):
    """A process of its own, as Ansible runs it, that fails after it has looked at the secret file."""
    arguments = {
        "files": [
            {"path": str(tmp_path / "f"), "content": "hush-hush", "secret": True},
            {"path": "relative", "content": "x"},
        ],
        "_ansible_check_mode": True,
        "_ansible_diff": True,
    }
    # What 2.20 and newer have to be asked for, and what older ones always give.
    if "inject_invocation" in PASS_VARS:
        arguments["_ansible_inject_invocation"] = True
    done = subprocess.run(
        [sys.executable, "-m", host_service.__name__],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(done.stdout)
    assert result["failed"]
    assert result["msg"] == '"relative" is not an absolute path'
    assert "hush-hush" not in done.stdout + done.stderr
