# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cloudnative.platform.plugins.module_utils._host_prepare import HostState, Step, Wishes
from ansible_collections.cloudnative.platform.plugins.modules import host_prepare


def wishes(**params):
    result = ArgumentSpecValidator(host_prepare.ARGUMENT_SPEC).validate(params)
    assert result.error_messages == []
    return host_prepare.wishes_from(result.validated_parameters)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, Wishes()),
        ({"sysctls": {"a.b": 1}}, Wishes(sysctls={"a.b": "1"})),
        ({"hosts_entries": {"x": "::1", "y": ["::1"]}}, Wishes(hosts_entries={"x": ["::1"], "y": ["::1"]})),
        ({"hosts_entries": {}}, Wishes(hosts_entries={})),
        ({"swap_enabled": False, "modules": ["overlay"]}, Wishes(swap_enabled=False, modules=("overlay",))),
    ],
)
def test_wishes(params, expected):
    assert wishes(**params) == expected


def test_diff():
    steps = [
        Step("file", "/etc/hosts", "", "new\n"),
        Step("sysctl", "a.b", "", "1"),
        Step("sysctl", "c.d", "", "2"),
        Step("swapoff", "", ""),
    ]
    state = HostState(files={"/etc/hosts": "old\n"}, sysctls={"a.b": "0", "c.d": None})
    assert [(d["before_header"], d["before"], d["after"]) for d in host_prepare.diff_of(steps, state)] == [
        ("/etc/hosts", "old\n", "new\n"),
        ("a.b", "0\n", "1\n"),
        ("c.d", "", "2\n"),
    ]
