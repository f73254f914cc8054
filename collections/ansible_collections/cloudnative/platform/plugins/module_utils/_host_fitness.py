# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether a host can be part of the platform, decided from its facts."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Requirements:
    min_memory_mb: int = 0
    min_disk_mb: int = 0
    disk_path: str = "/var"
    supported_os: tuple[str, ...] = ()
    time_synchronised: bool = False


def judge(required: Requirements, facts: t.Mapping[str, t.Any], free_disk_mb: int) -> list[str]:
    """Pure: why this host can't be part of the platform."""
    problems = []
    if not facts["root"]:
        problems.append("the connection is not root; set ansible_become: true or connect as root")
    if facts["architecture"] not in ("amd64", "arm64"):
        problems.append(f"architecture {facts['architecture']} is not supported; amd64 and arm64 are")
    if required.supported_os and not _os_supported(required.supported_os, facts):
        problems.append(
            f"operating system {facts['os_id']} {facts['os_version']} is not supported; "
            f"supported are {', '.join(required.supported_os)} (host_supported_os)"
        )
    if facts["memory_mb"] < required.min_memory_mb:
        problems.append(
            f"it has {facts['memory_mb']} MiB of memory, {required.min_memory_mb} are needed; "
            "give it more, or lower host_min_memory_mb"
        )
    if free_disk_mb < required.min_disk_mb:
        problems.append(
            f"{required.disk_path} has {free_disk_mb} MiB free, {required.min_disk_mb} are needed; "
            "make room, or lower host_min_disk_mb"
        )
    if required.time_synchronised and facts["time_synchronised"] is False:
        problems.append(
            "its clock is not synchronised; install and start chrony or systemd-timesyncd, "
            "or accept it with host_time_synchronised: false"
        )
    return problems


def _os_supported(supported: t.Iterable[str], facts: t.Mapping[str, t.Any]) -> bool:
    """An entry is an ID of os-release, alone or with the start of a version: `debian`, `debian 12`, `rhel 9`."""
    for entry in supported:
        name, _space, version = entry.partition(" ")
        if name == facts["os_id"] and (not version or f"{facts['os_version']}.".startswith(f"{version}.")):
            return True
    return False
