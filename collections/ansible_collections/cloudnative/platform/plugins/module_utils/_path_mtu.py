# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The search for the largest packet that passes a path, and the packets it is done with. Pure: nothing is sent here."""

from __future__ import annotations

import struct
import typing as t
from dataclasses import dataclass

# Every IPv4 path takes packets of this size (RFC 791); a peer that doesn't answer even these doesn't answer at all.
SMALLEST = 576
# Sizes tried at once. One round then narrows the search as much as four of a binary one, in the time of a single one.
WIDTH = 15
IP_HEADER, ICMP_HEADER = 20, 8
ECHO_REPLY, UNREACHABLE, ECHO_REQUEST = 0, 3, 8
FRAGMENTATION_NEEDED = 4
ROUTER_ANSWERS = {0: "network", 1: "host", 9: "network, by a filter", 10: "host, by a filter", 13: "host, by a filter"}


@dataclass
class Search:
    """What is known of one path: the largest size that passed, the smallest one above it that didn't."""

    largest: int
    passed: int = 0
    failed: int = 0
    # What a router said when it refused a packet: the path is narrow, but it isn't silent about it.
    told: int = 0

    def __post_init__(self) -> None:
        self.failed = self.failed or self.largest + 1

    @property
    def answered(self) -> bool:
        return self.passed > 0

    @property
    def done(self) -> bool:
        return self.passed + 1 >= self.failed

    def sizes(self) -> list[int]:
        """Sizes to try next: at first a small one and the largest, then some evenly between the bounds."""
        if not self.answered:
            return sorted({min(SMALLEST, self.largest), self.largest})
        gap = self.failed - self.passed
        # A path is as wide as the router says far more often than not: that and one byte more settle it.
        hint = {self.told, self.told + 1} if self.told else set()
        even = {self.passed + gap * step // (WIDTH + 1) for step in range(1, WIDTH + 1)}
        return sorted(size for size in even | hint if self.passed < size < self.failed)

    def pass_(self, size: int) -> None:
        """An echo came back. A late one also corrects what was taken for lost."""
        self.passed = max(self.passed, size)
        if size >= self.failed:
            self.failed = self.largest + 1

    def fail(self, sizes: t.Iterable[int]) -> None:
        """No echo came back of these sizes in time, each tried several times."""
        self.failed = min([self.failed, *(size for size in sizes if size > self.passed)])

    def tell(self, mtu: int) -> None:
        """A router refused a packet and said what it takes; one that says nothing sensible (RFC 1191 §3) is ignored."""
        if SMALLEST <= mtu <= self.largest:
            self.told = min(self.told or mtu, mtu)


def checksum(data: bytes) -> int:
    """Pure: of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(identifier: int, sequence: int, size: int) -> bytes:
    """Pure: an ICMP echo request that makes an IPv4 packet of this size."""
    payload = bytes(size - IP_HEADER - ICMP_HEADER)
    header = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, identifier, sequence)
    return struct.pack("!BBHHH", ECHO_REQUEST, 0, checksum(header + payload), identifier, sequence) + payload


class Answer(t.NamedTuple):
    """What came back for the echo request with this sequence number: an echo, or a router that refused it."""

    sequence: int
    echoed: bool
    size: int = 0
    mtu: int = 0
    code: int = 0


def parse(packet: bytes, identifier: int) -> Answer | None:
    """Pure: the answer in an IPv4 packet, None when it is somebody else's."""
    header = (packet[0] & 0x0F) * 4 if packet else 0
    icmp = packet[header:]
    if len(icmp) < ICMP_HEADER:
        return None
    kind, code, _sum, first, second = struct.unpack("!BBHHH", icmp[:ICMP_HEADER])
    if kind == ECHO_REPLY:
        return Answer(second, True, size=IP_HEADER + len(icmp)) if first == identifier else None
    if kind != UNREACHABLE:
        return None
    # The packet that was refused follows: its header and at least eight bytes of what it carried.
    refused = icmp[ICMP_HEADER:]
    inner = refused[(refused[0] & 0x0F) * 4 :] if refused else b""
    if len(inner) < ICMP_HEADER:
        return None
    inner_kind, _code, _sum, inner_first, sequence = struct.unpack("!BBHHH", inner[:ICMP_HEADER])
    if inner_kind != ECHO_REQUEST or inner_first != identifier:
        return None
    return Answer(sequence, False, mtu=second if code == FRAGMENTATION_NEEDED else 0, code=code)
