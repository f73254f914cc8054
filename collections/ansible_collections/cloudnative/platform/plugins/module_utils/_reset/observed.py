# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a kernel says about mounts, processes, interfaces and routes, as plain data. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    name: str
    command: str = ""
    inner: bool = False  # in a process namespace below that of the host


@dataclass(frozen=True)
class Link:
    name: str
    master: str = ""


@dataclass(frozen=True)
class Route:
    destination: str
    kind: str = "unicast"
    device: str = ""


def parse_mounts(mountinfo: str) -> list[str]:
    """Mount points of /proc/self/mountinfo, in the order in which they were mounted."""
    points = []
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if len(fields) > 4:
            points.append(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4]))
    return points


def below(path: str, top: str) -> bool:
    return path.startswith(top.rstrip("/") + "/")


def parse_process(pid: int, stat: str, command: str, inner: bool = False) -> Process:
    """One process, of its /proc/PID/stat and cmdline; the name stands in parentheses and may itself hold some."""
    start, end = stat.index("("), stat.rindex(")")
    parent = int(stat[end + 2 :].split()[1])
    return Process(pid, parent, stat[start + 1 : end], command.replace("\0", " ").strip(), inner)


def is_shim(process: Process, socket: str) -> bool:
    # The kernel cuts names at 15 characters. A containerd within a container (kind) has its socket at the same path.
    return not process.inner and process.name.startswith("containerd-shim") and f" -address {socket}" in process.command


def container_processes(processes: t.Iterable[Process], socket: str) -> tuple[list[Process], list[Process]]:
    """The shims of a containerd, and all that runs below them."""
    processes = list(processes)
    children: dict[int, list[Process]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process)
    shims = [process for process in processes if is_shim(process, socket)]
    found: list[Process] = []
    todo = list(shims)
    while todo:
        for child in children.get(todo.pop().pid, []):
            if not is_shim(child, socket):
                found.append(child)
                todo.append(child)
    return shims, found


def parse_links(text: str) -> list[Link]:
    """Output of `ip -json link show`."""
    return [Link(str(link["ifname"]), str(link.get("master") or "")) for link in json.loads(text or "[]")]


def parse_routes(text: str) -> list[Route]:
    """Output of `ip -json route show`."""
    return [
        Route(str(route["dst"]), str(route.get("type") or "unicast"), str(route.get("dev") or ""))
        for route in json.loads(text or "[]")
    ]


def leads_into(route: Route, networks: t.Iterable[str]) -> bool:
    """Whether all that a route is for lies in one of the networks."""
    try:
        destination = ipaddress.ip_network(route.destination, strict=False)
    except ValueError:
        return False  # "default"
    for text in networks:
        network = ipaddress.ip_network(text, strict=False)
        if network.version == destination.version and destination.subnet_of(network):  # type: ignore[arg-type]
            return True
    return False
