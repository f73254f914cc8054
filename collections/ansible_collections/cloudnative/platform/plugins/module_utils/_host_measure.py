# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What was measured on a host, set against its bounds. Pure: figures in, findings out."""

from __future__ import annotations

import math
import typing as t
from dataclasses import asdict, dataclass

OK, MISSED, UNKNOWN = "ok", "missed", "unknown"
# What vxlan puts around a packet of a pod: Ethernet 14, IPv4 20, UDP 8, vxlan 8.
VXLAN_OVERHEAD = 50
# Waiting this long for a CPU while the disk is measured makes its figure doubtful, although the wait isn't in it.
BUSY_MS = 200
# Names in a sentence; more are counted.
NAMED = 5


@dataclass(frozen=True)
class Bounds:
    """What a figure may be. A bound of 0 is not looked at."""

    max_clock_skew_ms: float = 500
    min_path_mtu: int = 1450
    max_fsync_p99_ms: float = 10
    min_registry_mbytes_per_second: float = 10


@dataclass(frozen=True)
class Finding:
    """One figure of a host: what it is, what it may be, and where it misses that, what follows and what to do."""

    figure: str
    subject: str
    value: str
    bound: str
    verdict: str
    consequence: str = ""
    remedy: str = ""

    def sentence(self) -> str:
        text = f"{self.figure} {self.subject}: {self.value}"
        if self.verdict == MISSED:
            return f"{text}, the bound is {self.bound}. {self.consequence}. What to do: {self.remedy}"
        return f"{text}, {self.bound}" if self.bound and self.verdict == OK else text

    def as_dict(self) -> dict[str, str]:
        return {**asdict(self), "text": self.sentence()}


def percentile(values: t.Sequence[float], share: float) -> float:
    """Pure: by nearest rank, so that it is one of the values."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * share / 100)) - 1]


class Sample(t.NamedTuple):
    """A question for the time: when it was asked by our clock, the whole second that came back, when it came back."""

    sent: float
    second: float
    received: float


def skew(samples: t.Iterable[Sample]) -> tuple[float, float]:
    """Pure: how far our clock is ahead of theirs, and how wrong that may be, both in seconds.

    Their clock stood somewhere in that second at some time between question and answer. Each sample says so of its own
    second; all of them together leave little room, and least when one second ended between two of them.
    """
    low, high = -math.inf, math.inf
    for sample in samples:
        low = max(low, sample.sent - sample.second - 1)
        high = min(high, sample.received - sample.second)
    if low > high:
        raise ValueError("a clock was set while it was being read")
    return (low + high) / 2, (high - low) / 2


def judge(measured: t.Mapping[str, t.Any], bounds: Bounds) -> list[Finding]:
    """Pure: a finding for each figure, what is right and what couldn't be measured included."""
    return [
        *(_clock(entry, bounds) for entry in measured.get("clock") or []),
        *_paths(measured.get("path_mtu") or [], bounds),
        *([_fsync(measured["fsync"], bounds)] if measured.get("fsync") else []),
        *(_bandwidth(entry, bounds) for entry in measured.get("bandwidth") or []),
    ]


def _verdict(missed: bool) -> str:
    return MISSED if missed else OK


def _clock(entry: t.Mapping[str, t.Any], bounds: Bounds) -> Finding:
    figure, subject = "clock", f"against registry {entry['host']}"
    bound = f"at most {bounds.max_clock_skew_ms:g} ms" if bounds.max_clock_skew_ms else ""
    if "error" in entry:
        return Finding(figure, subject, entry["error"], bound, UNKNOWN)
    ahead = entry["skew_ms"]
    # Only what is certain counts: the true difference may be smaller by the uncertainty.
    missed = bool(bounds.max_clock_skew_ms) and abs(ahead) - entry["uncertainty_ms"] > bounds.max_clock_skew_ms
    return Finding(
        figure,
        subject,
        f"{abs(ahead):.0f} ms {'ahead' if ahead >= 0 else 'behind'} (± {entry['uncertainty_ms']:.0f})",
        bound,
        _verdict(missed),
        "Certificates and tokens made on one host are not valid on another yet, or no longer; etcd warns of its peers",
        "let chrony or systemd-timesyncd set the clocks of this host and of the registry, from the same servers",
    )


def _paths(entries: t.Sequence[t.Mapping[str, t.Any]], bounds: Bounds) -> list[Finding]:
    """Paths with the same figures in one finding: fifty good ones are one line, a bad one has its own."""
    groups: dict[tuple[t.Any, ...], list[t.Mapping[str, t.Any]]] = {}
    for entry in entries:
        # An unknown path is named by its own reason, which names the address.
        reason = entry["error"] if "path_mtu" not in entry else ""
        key = (entry.get("path_mtu"), entry.get("black_hole"), entry.get("by"), entry["interface"], reason)
        groups.setdefault(key, []).append(entry)
    return [_path(group, bounds) for group in groups.values()]


def _path(group: t.Sequence[t.Mapping[str, t.Any]], bounds: Bounds) -> Finding:
    entry = group[0]
    interface, full = entry["interface"], entry["interface_mtu"]
    names = [item["name"] for item in group]
    subject = f"to {', '.join(names[:NAMED])}"
    if len(names) > NAMED:
        subject += f" and {len(names) - NAMED} more"
    wanted = max(full, bounds.min_path_mtu)
    bound = f"at least {wanted}"
    if "path_mtu" not in entry:
        return Finding("path MTU", subject, entry["error"], bound if interface else "", UNKNOWN)
    mtu = entry["path_mtu"]
    if entry["black_hole"]:
        return Finding(
            "path MTU",
            subject,
            f"{mtu}, larger packets vanish",
            f"{bound} (MTU of {interface}: {full})",
            MISSED,
            "Connections open and then hang as soon as much is sent: images don't arrive, kubectl logs and pods stall",
            f"set the MTU of {interface} to {mtu} if the network is like that, or repair the way: an equal MTU on all "
            "switches, and no filter for ICMP type 3 code 4 (fragmentation needed)",
        )
    if mtu < full:
        return Finding(
            "path MTU",
            subject,
            str(mtu),
            f"{bound} (MTU of {interface}: {full})",
            MISSED,
            f"Packets of pods are made for the MTU of {interface}, so large ones are fragmented or lost on the way",
            f"set the MTU of {interface} to {mtu}, or that of the pod network (network_calico_mtu: "
            f"{mtu - VXLAN_OVERHEAD}, network_flannel_mtu: {mtu})",
        )
    if entry["by"] == "tcp":
        # What TCP was told. It doesn't know of a hole before it has fallen into it.
        return Finding("path MTU", subject, f"{mtu} as TCP has it, echo requests are not answered", bound, UNKNOWN)
    if mtu < bounds.min_path_mtu:
        return Finding(
            "path MTU",
            subject,
            str(mtu),
            bound,
            MISSED,
            f"{mtu - VXLAN_OVERHEAD} bytes are left for a packet of a pod",
            f"raise the MTU of {interface}, or lower host_min_path_mtu where the network has no more",
        )
    return Finding("path MTU", subject, str(mtu), bound, OK)


def _fsync(entry: t.Mapping[str, t.Any], bounds: Bounds) -> Finding:
    figure, subject = "fsync p99", f"in {entry['directory']}"
    bound = f"at most {bounds.max_fsync_p99_ms:g} ms" if bounds.max_fsync_p99_ms else ""
    if "error" in entry:
        return Finding(figure, subject, entry["error"], bound, UNKNOWN)
    details = f"p50 {entry['p50_ms']:.1f}, max {entry['max_ms']:.1f}, {entry['samples']} writes"
    if entry["cpu_wait_ms"] > BUSY_MS:
        details += f"; the host was busy, {entry['cpu_wait_ms']:.0f} ms without a CPU"
    return Finding(
        figure,
        subject,
        f"{entry['p99_ms']:.1f} ms ({details})",
        bound,
        _verdict(bool(bounds.max_fsync_p99_ms) and entry["p99_ms"] > bounds.max_fsync_p99_ms),
        "etcd waits for its disk with every write: heartbeats are late, leaders change, the API hangs",
        "give etcd a local SSD that little else writes to; no network file system, no spinning disk",
    )


def _bandwidth(entry: t.Mapping[str, t.Any], bounds: Bounds) -> Finding:
    figure, subject = "bandwidth", f"from registry {entry['host']}"
    bound = f"at least {bounds.min_registry_mbytes_per_second:g} MB/s" if bounds.min_registry_mbytes_per_second else ""
    if "error" in entry:
        return Finding(figure, subject, entry["error"], bound, UNKNOWN)
    rate = entry["mbytes_per_second"]
    long = f"takes {1000 / rate:.0f} s" if rate else "never ends"
    return Finding(
        figure,
        subject,
        f"{rate:.1f} MB/s ({entry['bytes'] / 1e6:.1f} MB in {entry['seconds']:.2f} s)",
        bound,
        _verdict(rate < bounds.min_registry_mbytes_per_second),
        f"The first gigabyte of programs and images {long}",
        "look for a slow link or a half-duplex port on the way, or put a registry nearer to this host; the figure is "
        "smaller while many hosts download at once",
    )
