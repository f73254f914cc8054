# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._host_facts import (
    gather,
    has_nftables,
    kernel_version,
    may_lower_oom_score,
    memory_mb,
    os_family,
    parse_os_release,
    root_is_shared,
    time_synchronised,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ID=debian\nVERSION_ID="12"\n# comment\n\n', {"ID": "debian", "VERSION_ID": "12"}),
        ("ID='rocky'\nbroken\n", {"ID": "rocky"}),
        ("", {}),
    ],
)
def test_parse_os_release(text, expected):
    assert parse_os_release(text) == expected


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ({"ID": "debian"}, "debian"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "debian"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "redhat"),
        ({"ID": "fedora"}, "redhat"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "suse"),
        ({"ID": "plan9"}, "plan9"),
        ({}, "unknown"),
    ],
)
def test_os_family(release, family):
    assert os_family(release) == family


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.1.0-28-amd64", (6, 1)), ("5.14.0-427.el9.x86_64", (5, 14)), ("6.18", (6, 18)), ("odd", (0, 0))],
)
def test_kernel_version(release, version):
    assert kernel_version(release) == version


@pytest.mark.parametrize(("text", "expected"), [("MemFree: 1 kB\nMemTotal:  2097152 kB\n", 2048), ("", 0)])
def test_memory(text, expected):
    assert memory_mb(text) == expected


@pytest.mark.parametrize(
    ("mountinfo", "shared"),
    [
        ("265 235 0:58 / / rw,relatime shared:698 - overlay overlay rw\n", True),
        ("265 235 0:58 / / rw,relatime - overlay overlay rw\n", False),
        ("265 235 0:58 / / rw,relatime master:1 - overlay overlay rw\n", False),
        ("1 1 0:1 / / rw shared:1 - rootfs rootfs rw\n2 1 0:2 / / rw - ext4 /dev/a rw\n", False),
        ("3 1 0:2 / /var rw shared:1 - ext4 /dev/a rw\n", False),
        ("", False),
    ],
)
def test_root_is_shared(mountinfo, shared):
    assert root_is_shared(mountinfo) is shared


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CapPrm:\t0000000000000000\nCapBnd:\t000001ffffffffff\n", True),
        ("CapPrm:\t000001ffffffffff\nCapBnd:\t000001fffeffffff\n", False),
        ("", True),
    ],
)
def test_may_lower_oom_score(status, expected):
    assert may_lower_oom_score(status) is expected


def test_nftables_needs_a_kernel_that_kube_proxy_can_use():
    assert has_nftables("5.10.0-32-amd64") is False


@pytest.mark.parametrize(
    ("answer", "container", "expected"),
    [(0, False, True), (0, True, True), (5, False, False), (5, True, None), (-1, False, None)],
)
def test_time_synchronised(monkeypatch, answer, container, expected):
    class Libc:
        def adjtimex(self, _buffer):
            return answer

    monkeypatch.setattr("ctypes.CDLL", lambda _name: Libc())
    assert time_synchronised(container) is expected


def test_gather_on_this_machine():
    facts = gather()
    assert sorted(facts) == [
        "architecture",
        "bridge_nf",
        "cgroup_version",
        "container",
        "default_ipv4",
        "hostname",
        "kernel",
        "kubernetes_ca",
        "kubernetes_version",
        "machine_id",
        "memory_mb",
        "nftables",
        "oom_score_lowerable",
        "os_family",
        "os_id",
        "os_version",
        "python",
        "root",
        "time_synchronised",
    ]
    assert facts["cgroup_version"] in (1, 2)
    assert facts["memory_mb"] > 0
