# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import struct

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._path_mtu import (
    SMALLEST,
    Search,
    checksum,
    echo_request,
    parse,
)

LOCAL, REMOTE, ROUTER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), bytes([10, 0, 0, 254])


class SimulatedPath:
    """A path that takes packets up to a size. Some of them get lost; a router may say what it takes."""

    def __init__(self, mtu, told=0, loss=0.0):
        self.mtu, self.told, self.loss = mtu, told, loss
        self.random = random.Random(mtu)
        self.rounds = self.packets = 0

    def run(self, search, tries=3):
        while not search.done:
            sizes = search.sizes()
            assert sizes and all(search.passed < size <= search.largest for size in sizes)
            self.rounds += 1
            for _try in range(tries):
                for size in sizes:
                    self.packets += 1
                    if size > self.mtu:
                        search.tell(self.told)
                    elif self.random.random() >= self.loss:
                        search.pass_(size)
            search.fail(sizes)
            if not search.answered:
                return


@pytest.mark.parametrize("largest", [576, 1400, 1500, 9000, 65520])
@pytest.mark.parametrize("narrower", [0, 1, 2, 50, 96, 500, 8424])
@pytest.mark.parametrize("tells", [False, True])
def test_search_finds_the_size_to_the_byte_in_few_rounds(largest, narrower, tells):
    mtu = max(SMALLEST, largest - narrower)
    path = SimulatedPath(mtu, told=mtu if tells and mtu < largest else 0)
    search = Search(largest)
    path.run(search)
    assert search.passed == mtu
    assert path.rounds <= (2 if tells or mtu == largest else 6)
    if mtu == largest:
        assert path.rounds == 1


def test_search_of_an_ordinary_path_takes_two_packets():
    search = Search(1500)
    assert search.sizes() == [SMALLEST, 1500]
    search.pass_(1500)
    assert search.done


@pytest.mark.parametrize("mtu", [1500, 1450, 1404, 577])
def test_search_stands_the_loss_of_packets(mtu):
    search = Search(1500)
    SimulatedPath(mtu, loss=0.1).run(search, tries=4)
    assert search.passed == mtu


def test_search_of_a_silent_peer_ends():
    search = Search(1500)
    path = SimulatedPath(0)
    path.run(search)
    assert (search.answered, path.rounds) == (False, 1)


def test_search_is_not_misled_by_a_router_that_says_less_than_the_path_takes():
    search = Search(1500)
    SimulatedPath(1450, told=1300).run(search)
    assert search.passed == 1450


@pytest.mark.parametrize("told", [0, 68, 1501, 65535])
def test_search_ignores_what_no_router_can_mean(told):
    search = Search(1500)
    search.tell(told)
    assert search.told == 0


def test_a_late_echo_corrects_what_was_taken_for_lost():
    search = Search(1500)
    search.pass_(576)
    search.fail([576, 1500])
    assert search.failed == 1500
    search.pass_(1500)
    assert (search.done, search.passed) == (True, 1500)


def test_checksum_is_the_one_of_rfc_1071():
    data = bytes.fromhex("0001f203f4f5f6f7")
    assert checksum(data) == 0x220D
    assert checksum(data + struct.pack("!H", checksum(data))) == 0
    assert checksum(b"\x01") == checksum(b"\x01\x00")


@pytest.mark.parametrize("size", [28, 576, 1500, 9000])
def test_echo_request_makes_a_packet_of_the_size(size):
    message = echo_request(7, 9, size)
    assert len(message) == size - 20
    assert message[:2] == b"\x08\x00"
    assert checksum(message) == 0


def packet(source, destination, body, options=b""):
    length = 20 + len(options)
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | length // 4, 0, length + len(body), 0, 0, 64, 1, 0, source, destination
    )
    return header + options + body


def reply(identifier, sequence, size):
    return b"\x00" + echo_request(identifier, sequence, size)[1:]


def refusal(code, mtu, refused):
    return struct.pack("!BBHHH", 3, code, 0, 0, mtu) + refused[: 20 + 8]


OURS = packet(LOCAL, REMOTE, echo_request(7, 9, 1500))


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (packet(REMOTE, LOCAL, reply(7, 9, 1500)), (9, True, 1500, 0, 0)),
        (packet(REMOTE, LOCAL, reply(7, 9, 1500), options=bytes(8)), (9, True, 1500, 0, 0)),
        (packet(ROUTER, LOCAL, refusal(4, 1400, OURS)), (9, False, 0, 1400, 4)),
        (packet(ROUTER, LOCAL, refusal(1, 0, OURS)), (9, False, 0, 0, 1)),
        # A router that is older than RFC 1191 says nothing.
        (packet(ROUTER, LOCAL, refusal(4, 0, OURS)), (9, False, 0, 0, 4)),
    ],
)
def test_parse(received, expected):
    assert parse(received, 7) == expected


@pytest.mark.parametrize(
    "received",
    [
        b"",
        packet(REMOTE, LOCAL, b"\x00\x00"),
        packet(REMOTE, LOCAL, reply(8, 9, 576)),
        packet(REMOTE, LOCAL, echo_request(7, 9, 576)),
        packet(ROUTER, LOCAL, refusal(4, 1400, packet(LOCAL, REMOTE, echo_request(8, 9, 1500)))),
        packet(ROUTER, LOCAL, refusal(4, 1400, packet(LOCAL, REMOTE, reply(7, 9, 1500)))),
        packet(ROUTER, LOCAL, refusal(4, 1400, OURS)[:20]),
        packet(ROUTER, LOCAL, refusal(4, 1400, OURS)[:8]),
    ],
)
def test_parse_leaves_alone_what_is_somebody_elses(received):
    assert parse(received, 7) is None
