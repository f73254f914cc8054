# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which hosts of an inventory are taken back, and whether they may be, before any of them is asked. Pure."""

from __future__ import annotations

import difflib
import json
import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Inventory:
    control_planes: list[str]
    workers: list[str]
    registries: list[str]
    groups: t.Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def nodes(self) -> list[str]:
        return list(dict.fromkeys(self.control_planes + self.workers))

    @property
    def hosts(self) -> list[str]:
        return list(dict.fromkeys(self.nodes + self.registries))


@dataclass(frozen=True)
class Targets:
    hosts: list[str]
    nodes: list[str]
    registries: list[str]
    whole: bool  # all nodes: there is no cluster left to take any of them out of
    problems: list[str]


def names_in(value: t.Any) -> list[str]:
    """Names as people give them: a list, or text with commas, or JSON in a text (-e key=value)."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    return list(dict.fromkeys(str(name) for name in value or []))


def choose(value: t.Any, confirm: t.Any, cluster_name: str, inventory: Inventory, limit: str = "") -> Targets:
    problems = []
    try:
        names = names_in(value)
    except (ValueError, TypeError):
        names, problems = [], [f"reset_hosts {value!r} is neither a name nor a list of names"]
    asked: list[str] = []
    for name in names:
        found = [name] if name in inventory.hosts else inventory.hosts if name == "all" else inventory.groups.get(name)
        if found is None:
            known = [*inventory.hosts, *inventory.groups]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(inventory.hosts)}"
            problems.append(f"reset_hosts names {name}, which is no host of the inventory; {hint}")
        asked += [host for host in found or [] if host in inventory.hosts]
    hosts = [host for host in inventory.hosts if host in asked]
    if not names and not problems:
        problems.append("reset_hosts is missing: name hosts, e.g. -e reset_hosts=worker2, or all for every host")
    if limit:
        problems.append(f"--limit {limit} would hide hosts that must be asked; name hosts with reset_hosts instead")
    nodes = [node for node in inventory.nodes if node in hosts]
    registries = [host for host in inventory.registries if host in hosts]
    staying = [node for node in inventory.nodes if node not in hosts]
    problems += _last_ones(nodes, registries, staying, inventory)
    if str(confirm or "") != cluster_name:
        what = f"is {str(confirm)!r}" if confirm else "is missing"
        listed = ", ".join(hosts) or "hosts"
        remedy = f"give the name of the cluster, -e reset_confirm={cluster_name}"
        problems.append(f"reset_confirm {what}: to take back {listed}, {remedy}")
    return Targets(hosts, nodes, registries, not staying, problems)


def _last_ones(nodes: list[str], registries: list[str], staying: list[str], inventory: Inventory) -> t.Iterator[str]:
    stay = ", ".join(staying)
    control_planes = [node for node in nodes if node in inventory.control_planes]
    if staying and control_planes and len(control_planes) == len(inventory.control_planes):
        count = f"{len(control_planes)} of {len(inventory.control_planes)}"
        yield (
            f"{', '.join(control_planes)}: {count} control planes would go, and {stay} would stay without any; "
            "take the whole cluster back (reset_hosts=all), or add a control plane first"
        )
    if staying and registries and len(registries) == len(inventory.registries):
        count = f"{len(registries)} of {len(inventory.registries)}"
        yield (
            f"{', '.join(registries)}: {count} registries would go, and {stay} would have nowhere to pull images from; "
            "take all hosts back (reset_hosts=all), or add a registry first"
        )
