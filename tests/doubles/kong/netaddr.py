# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts, addresses and ports as kong.tools.ip reads and writes them."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

_V4 = re.compile(r"^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::(\d+))?\Z")
_NAME = re.compile(r"^[0-9A-Za-z\-._]+\Z")
INVALID_PORT = "invalid port number"


class Host(NamedTuple):
    type: str
    host: str
    port: int | None


def _port(port: str | None) -> int | str | None:
    if port is None:
        return None
    return int(port) if int(port) <= 65535 else INVALID_PORT


def _ipv4(address: str) -> Host | str:
    match = _V4.match(address)
    if not match or any(int(part) > 255 for part in match.groups()[:4]):
        return f"invalid ipv4 address: {address}"
    port = _port(match.group(5))
    return port if isinstance(port, str) else Host("ipv4", ".".join(str(int(p)) for p in match.groups()[:4]), port)


def _ipv6(address: str) -> Host | str:
    bare, port = address, None
    match = re.match(r"^\[(.*)\](?::(\d+))?\Z", address)
    if match:
        bare, port = match.groups()
    elif address.startswith("["):
        return "invalid ipv6 address"
    try:
        expanded = ipaddress.IPv6Address(bare).exploded
    except ValueError:
        return f"invalid ipv6 address: {address}"
    number = _port(port)
    return number if isinstance(number, str) else Host("ipv6", expanded, number)


def _name(address: str) -> Host | str:
    match = re.search(r":(\d+)\Z", address)
    name, port = address, None
    if match:
        name, port = address[: match.start()], match.group(1)
    number = _port(port)
    if isinstance(number, str):
        return number
    segments = name.split(".")
    if (
        not _NAME.match(name)
        or any(segment.endswith("-") for segment in segments)
        or any(segment == "" for segment in segments[:-1])
    ):
        return f"invalid hostname: {address}"
    return Host("name", name, number)


def normalize(address: str) -> Host | str:
    """Read a host with an optional port; the answer of a failure is its reason."""
    if address.count(":") > 1:
        return _ipv6(address)
    if re.match(r"^[\d.]+\Z", address.replace(":", "")):
        return _ipv4(address)
    return _name(address)


def format_host(host: Host, default_port: int | None = None) -> str:
    name = f"[{host.host}]" if host.type == "ipv6" else host.host
    port = default_port if host.port is None else host.port
    return name if port is None else f"{name}:{port}"


def is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def is_ip_or_cidr(value: str) -> bool:
    if is_ip(value):
        return True
    address, slash, prefix = value.partition("/")
    if not slash or not is_ip(address) or not re.match(r"^(0|[1-9]\d{0,2})\Z", prefix):
        return False
    return int(prefix) <= (128 if ":" in address else 32)
