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
        Step("module", "vxlan", "load kernel module vxlan"),
        Step("hostname", "new", "", "new"),
    ]
    state = HostState("old", files={"/etc/hosts": "old\n"}, sysctls={"a.b": "0\t1", "c.d": None}, swaps=("/dev/x",))
    assert [(d["before_header"], d["before"], d["after"]) for d in host_prepare.diff_of(steps, state)] == [
        ("/etc/hosts", "old\n", "new\n"),
        (
            "running kernel",
            "a.b = 0 1\nswap on /dev/x\nhostname old\n",
            "a.b = 1\nc.d = 2\nload kernel module vxlan\nhostname new\n",
        ),
    ]


def test_diff_of_files_leaves_the_kernel_out():
    assert len(host_prepare.diff_of([Step("file", "/etc/hosts", "", "new\n")], HostState())) == 1
