# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# How bad input is reported, and the small parsers that the checks share.

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t
from dataclasses import dataclass, field

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# Values under such names never show, whoever set them.
_SECRET_NAME = re.compile(r"passw|secret|token|key|credential|private", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"-----BEGIN |://[^/\s]*@")
_SHOWN_LENGTH = 80
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?\Z")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where, what stands there, why it is wrong and what would be right.

    `hosts` are those that it is wrong for, where that is not all of them. A value of None does not show.
    """

    subject: str
    value: t.Any
    problem: str
    remedy: str
    hosts: tuple[str, ...] = ()

    def sentence(self) -> str:
        shown = "" if self.value is None else f" {self.value!r}"
        where = f" (on {listed(self.hosts)})" if self.hosts else ""
        return f"{self.subject}{shown}{where}: {self.problem}; {self.remedy}"

    def as_dict(self) -> dict[str, t.Any]:
        finding = {"subject": self.subject, "value": self.value, "problem": self.problem, "remedy": self.remedy}
        return {**finding, "hosts": sorted(self.hosts)} if self.hosts else finding


@dataclass(frozen=True)
class Rules:
    """What the caller knows and the checks need: names of groups, what is supported, what variables exist."""

    control_plane_group: str = "kube_control_plane"
    worker_group: str = "kube_node"
    registry_group: str = "registry"
    supported_versions: tuple[str, ...] = ()
    # What the registry holds; empty as long as nobody knows.
    held_version: str = ""
    network_plugins: tuple[str, ...] = ("calico", "flannel", "none")
    architectures: tuple[str, ...] = ("amd64", "arm64")
    known_variables: frozenset[str] = frozenset()
    variable_prefixes: tuple[str, ...] = ()


@dataclass
class Judgement:
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


def is_secret_name(name: str) -> bool:
    return bool(_SECRET_NAME.search(name))


def showable(value: t.Any) -> t.Any:
    """What of a value may stand in a message: nothing that looks like a secret, no whole dictionary, nothing long."""
    if isinstance(value, (bool, int, float)):
        return value
    if not isinstance(value, str) or _SECRET_VALUE.search(value):
        return None
    return value if len(value) <= _SHOWN_LENGTH else f"{value[:_SHOWN_LENGTH]}…"


def close_to(word: str, candidates: t.Iterable[str], cutoff: float = 0.6) -> str:
    """'did you mean …', or an empty text."""
    match = difflib.get_close_matches(word.lower(), list(candidates), n=1, cutoff=cutoff)
    return f"did you mean {match[0]}?" if match else ""


def listed(words: t.Iterable[str]) -> str:
    return ", ".join(sorted(words))


def is_dns_label(text: str) -> bool:
    return len(text) <= 63 and bool(_LABEL.match(text))


def is_dns_name(text: str) -> bool:
    return 0 < len(text) <= 253 and all(is_dns_label(label) for label in text.split("."))


def parse_address(text: t.Any) -> Address | None:
    try:
        return ipaddress.ip_address(str(text).strip("[]"))
    except ValueError:
        return None


def parse_network(name: str, value: t.Any) -> tuple[Network | None, list[Finding]]:
    if not isinstance(value, str) or not value:
        return None, [Finding(name, value, "is not a network", "write it like 10.244.0.0/16")]
    if "," in value:
        return None, [Finding(name, value, "names several networks, dual-stack is not supported", "give one network")]
    if "/" not in value:
        return None, [Finding(name, value, "has no prefix length", f"write it like {value}/16")]
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None, [Finding(name, value, "is not a valid network", "write it like 10.244.0.0/16")]
    reserved = ("loopback", "link_local", "multicast", "unspecified")
    wrong = [kind.replace("_", "-") for kind in reserved if getattr(network, f"is_{kind}")]
    if wrong or network.prefixlen == 0:
        kind = wrong[0] if wrong else "all"
        return None, [Finding(name, value, f"covers {kind} addresses", "take a private range, e.g. 10.244.0.0/16")]
    if str(network.network_address) != value.split("/", maxsplit=1)[0]:
        return network, [Finding(name, value, "has host bits set", f"did you mean {network}?")]
    return network, []


def parse_version(value: t.Any) -> tuple[int, int, int | None] | None:
    match = _VERSION.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3]) if match[3] else None


def as_integer(value: t.Any) -> int | None:
    """Variables given with -e arrive as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdigit() else None
