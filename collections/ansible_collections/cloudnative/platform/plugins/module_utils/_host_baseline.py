# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a host had before host_prepare changed it for the first time, so that it can be given back. Pure."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from dataclasses import dataclass, field

BASELINE_FILE = "/var/lib/cloudnative/host-baseline.json"


# Parameters that the kubelet, kube-proxy and network plugins set by themselves. What they were is noted with the first
# change that is made to a host, and given back only with everything else.
CHANGED_BY_OTHERS = (
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.panic",
    "kernel.panic_on_oops",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
)
# What network plugins mount where nothing is mounted yet.
MOUNTED_BY_OTHERS = ("/sys/fs/bpf",)


class BaselineError(Exception):
    """The record can't be read; the message says what to do."""


@dataclass(frozen=True)
class Baseline:
    """Only what was changed is in it. A value is noted once and stays until it is given back."""

    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    others: t.Mapping[str, str] = field(default_factory=dict)  # of CHANGED_BY_OTHERS
    hostname: str | None = None
    hostname_file: str | None = None  # its text; None where there was no file
    swaps: tuple[str, ...] = ()
    root_shared: bool | None = None
    unmounted: tuple[str, ...] = ()  # of MOUNTED_BY_OTHERS

    def with_sysctls(self, values: t.Mapping[str, str]) -> Baseline:
        return dataclasses.replace(self, sysctls={**values, **self.sysctls})

    def without_sysctls(self, keys: t.Container[str]) -> Baseline:
        kept = {key: value for key, value in self.sysctls.items() if key not in keys}
        return dataclasses.replace(self, sysctls=kept)

    def render(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"


def parse(text: str | None) -> Baseline:
    if not text:
        return Baseline()
    try:
        values = json.loads(text)
        return Baseline(**{**values, "swaps": tuple(values["swaps"]), "unmounted": tuple(values.get("unmounted", ()))})
    except (ValueError, TypeError, KeyError) as e:
        raise BaselineError(
            f"{BASELINE_FILE} is damaged ({e}): what this host had before can't be told. "
            "Restore the file from a backup, or delete it: the values stay as they are until the next boot then"
        ) from e
