# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Path MTU to many peers at once, by ICMP echo requests that must not be fragmented.

Standard library only (Python >= 3.9). Needs the right to open raw sockets, which root has.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import select
import selectors
import socket
import struct
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._path_mtu import (
    FRAGMENTATION_NEEDED,
    ROUTER_ANSWERS,
    Answer,
    Search,
    echo_request,
    parse,
)

# Of <linux/in.h>, <linux/icmp.h>, <linux/rtnetlink.h> and <linux/sockios.h>; Python has names for none of them.
IP_MTU_DISCOVER, IP_MTU, PROBE = 10, 14, 3
SOL_RAW, ICMP_FILTER = 255, 1
GET_ROUTE, NETLINK_ERROR, DESTINATION, OUTGOING_INTERFACE = 26, 2, 1, 4
SIOCGIFMTU = 0x8921

# A round waits this long for echoes, and then as long again for those of a second and third try: networks lose packets.
WAIT = 0.25
TRIES = 3
TCP_WAIT = 1.0


class NoRoute(Exception):
    """The kernel knows no way to an address."""


class Peer(t.NamedTuple):
    name: str
    address: str
    port: int


@dataclass
class Path:
    """The way to one peer, as far as it is known."""

    peer: Peer
    interface: str = ""
    interface_mtu: int = 0
    search: Search = field(default_factory=lambda: Search(0))
    tcp_mtu: int = 0
    error: str = ""
    tried: dict[int, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {
            "name": self.peer.name,
            "address": self.peer.address,
            "interface": self.interface,
            "interface_mtu": self.interface_mtu,
        }
        if self.search.answered:
            mtu = self.search.passed
            # Larger packets don't arrive and nobody says so, or says what is not true.
            silent = mtu not in (self.interface_mtu, self.search.told)
            return {**found, "path_mtu": mtu, "black_hole": silent, "by": "icmp"}
        if self.tcp_mtu:
            return {**found, "path_mtu": self.tcp_mtu, "black_hole": False, "by": "tcp", "error": self.error}
        return {**found, "error": self.error}


def route_to(address: str) -> tuple[str, int]:
    """The interface that packets to an address leave by, and its MTU. Asks the kernel and sends nothing."""
    destination = struct.pack("=HH4s", 8, DESTINATION, socket.inet_aton(address))
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0) + destination
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as stream:
        stream.settimeout(2)
        stream.bind((0, 0))
        stream.send(struct.pack("=IHHII", 16 + len(body), GET_ROUTE, 1, 1, 0) + body)
        answer = stream.recv(4096)
    kind = struct.unpack("=IHHII", answer[:16])[1]
    if kind == NETLINK_ERROR:
        raise NoRoute(f"no route to {address} ({os.strerror(-struct.unpack('=i', answer[16:20])[0])})")
    at = 28
    while at + 4 <= len(answer):
        length, attribute = struct.unpack("=HH", answer[at : at + 4])
        if attribute == OUTGOING_INTERFACE:
            name = socket.if_indextoname(struct.unpack("=I", answer[at + 4 : at + 8])[0])
            return name, interface_mtu(name)
        at += max(4, (length + 3) & ~3)
    raise NoRoute(f"no route to {address}")


def interface_mtu(name: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
        found = fcntl.ioctl(stream, SIOCGIFMTU, struct.pack("16sI", name.encode(), 0) + bytes(12))
    return int(struct.unpack("16sI", found[:20])[1])


class Prober:
    """One raw socket for all paths. Echo requests carry a number, by which answers find their path and size."""

    def __init__(self, paths: t.Sequence[Path], seconds: float) -> None:
        self._paths = paths
        self._deadline = time.monotonic() + seconds
        self._identifier = struct.unpack("=H", os.urandom(2))[0]
        self._numbers = itertools.count()
        self._sent: dict[int, tuple[Path, int]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.setblocking(False)
        # Probe: never fragmented, and not kept small by what the kernel has learnt of this path before.
        self._socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PROBE)
        # Echo replies and refusals only.
        self._socket.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", ~(1 << 0 | 1 << 3) & 0xFFFFFFFF))

    def close(self) -> None:
        self._socket.close()

    def run(self) -> None:
        open_paths = [path for path in self._paths if not path.error]
        while open_paths and time.monotonic() < self._deadline:
            for path in open_paths:
                path.tried = dict.fromkeys(path.search.sizes(), 0)
            for _try in range(TRIES):
                for path in open_paths:
                    for size in path.tried:
                        self._send(path, size)
                self._listen(open_paths)
            for path in open_paths:
                path.search.fail(path.tried)
                if not path.search.answered and not path.error:
                    path.error = f"{path.peer.address} does not answer ICMP echo requests"
            open_paths = [path for path in open_paths if not path.error and not path.search.done]

    def _send(self, path: Path, size: int) -> None:
        if path.error or path.search.passed >= size or path.search.done:
            return
        if 0 < path.search.told < size and path.tried[size]:
            # A router refused this size: asking again tells nothing new.
            return
        path.tried[size] += 1
        sequence = next(self._numbers) & 0xFFFF
        self._sent[sequence] = (path, size)
        try:
            self._socket.sendto(echo_request(self._identifier, sequence, size), (path.peer.address, 0))
        except OSError as e:
            # Too long for the kernel or no room for it now: it wasn't sent, so it doesn't come back.
            if e.errno not in (errno.EMSGSIZE, errno.ENOBUFS, errno.EAGAIN):
                path.error = f"{path.peer.address} cannot be reached: {e.strerror or e}"
        self._receive()

    def _listen(self, paths: t.Sequence[Path]) -> None:
        until = time.monotonic() + WAIT
        while any(self._waits(path) for path in paths):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                return
            self._receive()

    def _waits(self, path: Path) -> bool:
        return not path.error and any(
            size > path.search.passed and not 0 < path.search.told < size for size in path.tried
        )

    def _receive(self) -> None:
        while True:
            try:
                packet, sender = self._socket.recvfrom(65535)
            except BlockingIOError:
                return
            answer = parse(packet, self._identifier)
            if answer is not None and answer.sequence in self._sent:
                self._take(answer, sender[0])

    def _take(self, answer: Answer, sender: str) -> None:
        path, size = self._sent[answer.sequence]
        if answer.echoed:
            if sender == path.peer.address and answer.size == size:
                path.search.pass_(size)
        elif answer.code == FRAGMENTATION_NEEDED:
            path.search.tell(answer.mtu)
        elif not path.search.answered:
            what = ROUTER_ANSWERS.get(answer.code, f"destination, code {answer.code}")
            path.error = f"{path.peer.address} cannot be reached: {sender} answers that it is unreachable ({what})"


def ask_tcp(paths: t.Sequence[Path]) -> None:
    """What the kernel knows of the path after a connection to a port: less than a probe, better than nothing."""
    if not paths:
        return
    deadline = time.monotonic() + TCP_WAIT
    with selectors.DefaultSelector() as waiting:
        try:
            for path in paths:
                stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                stream.setblocking(False)
                waiting.register(stream, selectors.EVENT_WRITE, path)
                code = stream.connect_ex((path.peer.address, path.peer.port))
                if code not in (0, errno.EINPROGRESS):
                    waiting.unregister(stream)
                    stream.close()
            while waiting.get_map() and time.monotonic() < deadline:
                for key, _events in waiting.select(max(0.0, deadline - time.monotonic())):
                    stream = t.cast(socket.socket, key.fileobj)
                    waiting.unregister(stream)
                    if stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                        key.data.tcp_mtu = stream.getsockopt(socket.IPPROTO_IP, IP_MTU)
                    stream.close()
        finally:
            for key in list((waiting.get_map() or {}).values()):
                t.cast(socket.socket, key.fileobj).close()


def measure_paths(peers: t.Sequence[Peer], seconds: float = 4.0) -> list[dict[str, t.Any]]:
    """Path MTU to each peer that isn't this host itself."""
    paths = []
    for peer in peers:
        path = Path(peer)
        try:
            address = socket.getaddrinfo(peer.address, None, socket.AF_INET, socket.SOCK_RAW)[0][4][0]
            path.peer = peer._replace(address=str(address))
            path.interface, path.interface_mtu = route_to(path.peer.address)
            path.search = Search(path.interface_mtu)
        except socket.gaierror as e:
            path.error = f"{peer.address} has no IPv4 address ({e.strerror})"
        except NoRoute as e:
            path.error = str(e)
        if path.interface != "lo":
            paths.append(path)
    try:
        prober = Prober(paths, seconds)
    except OSError as e:
        for path in paths:
            path.error = path.error or f"no raw socket for ICMP can be had ({e.strerror}): run as root"
    else:
        try:
            prober.run()
        finally:
            prober.close()
    ask_tcp([path for path in paths if path.interface and not path.search.answered])
    return [path.as_dict() for path in paths]
