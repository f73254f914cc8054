# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.filter.host_failure import host_failure

SEE = "See stdout/stderr for the exact error"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        # ansible-core 2.21
        (
            {
                "msg": "The module interpreter '/usr/bin/python3' was not found.",
                "module_stderr": "/bin/sh: 1: …",
                "rc": 127,
            },
            "there is no Python",
        ),
        (
            {"msg": "Task failed: Premature end of stream waiting for become success.\n>>> Standard Output\n…"},
            "the user may not become root",
        ),
        # ansible-core 2.16
        (
            {
                "msg": f"The module failed to execute correctly, you probably need to set the interpreter.\n{SEE}",
                "module_stderr": "/bin/sh: 1: /usr/bin/python: not found\n",
                "rc": 127,
            },
            "there is no Python",
        ),
        (
            {"msg": f"MODULE FAILURE\n{SEE}", "module_stderr": "pyenv: python3.12: command not found\n", "rc": 127},
            "there is no Python",
        ),
        ({"msg": f"MODULE FAILURE\n{SEE}", "module_stderr": "/bin/sh: 1: sudo: not found\n"}, "is not installed"),
        ({"msg": f"MODULE FAILURE\n{SEE}", "module_stderr": "bash: sudo: command not found\n"}, "is not installed"),
        ({"msg": "Missing sudo password"}, "becoming root needs a password"),
        ({"msg": "Incorrect sudo password"}, "becoming root needs a password"),
        ({"msg": f"MODULE FAILURE\n{SEE}", "module_stderr": "sudo: a password is required\n"}, "needs a password"),
        (
            {"msg": f"MODULE FAILURE\n{SEE}", "module_stderr": "bob is not in the sudoers file.\n"},
            "the user may not become root",
        ),
        (
            {"msg": "ansible-core requires a minimum of Python version 3.9. Current version: 3.6.8"},
            "Python is too old",
        ),
        (
            {"msg": "MODULE FAILURE", "module_stderr": "SyntaxError: future feature annotations is not defined"},
            "Python is too old",
        ),
    ],
)
def test_known_causes(result, expected):
    message = host_failure(result)
    assert message.startswith("This host cannot be used: ")
    assert expected in message
    assert "; " in message


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "registry_port 0 is not a port"}, "registry_port 0 is not a port"),
        ({"msg": "Could not find file /usr/bin/python3.conf"}, "Could not find file /usr/bin/python3.conf"),
        ({}, "the task failed without a message"),
    ],
)
def test_other_failures_keep_their_message(result, expected):
    assert host_failure(result) == expected
