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

# Groups whose hosts have something of ours.
GROUPS = ("kube_control_plane", "kube_node", "registry", "kong", "kuma_control_plane", "kuma_dataplane")


@dataclass(frozen=True)
class Inventory:
    control_planes: list[str] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    registries: list[str] = field(default_factory=list)
    gateways: list[str] = field(default_factory=list)
    mesh_control_planes: list[str] = field(default_factory=list)
    mesh_data_planes: list[str] = field(default_factory=list)
    groups: t.Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def nodes(self) -> list[str]:
        return list(dict.fromkeys(self.control_planes + self.workers))

    @property
    def mesh(self) -> list[str]:
        return list(dict.fromkeys(self.mesh_data_planes + self.mesh_control_planes))

    @property
    def hosts(self) -> list[str]:
        """In the order in which they are taken back: each before what it depends on."""
        return list(dict.fromkeys(self.mesh + self.gateways + self.nodes + self.registries))


@dataclass(frozen=True)
class Targets:
    hosts: list[str]
    # A host may be in several of these. One with data planes and a control plane of the mesh is among the latter only:
    # what is taken back there are its data planes, then its control plane.
    mesh_data_planes: list[str]
    mesh_control_planes: list[str]
    gateways: list[str]
    nodes: list[str]
    registries: list[str]
    staying: list[str]
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
        found = _hosts_of(name, inventory)
        asked += found
        if not found:
            problems.append(_why_no_host(name, inventory))
    hosts = [host for host in inventory.hosts if host in asked]
    if not names and not problems:
        problems.append("reset_hosts is missing: name hosts, e.g. -e reset_hosts=worker2, or all for every host")
    if limit:
        problems.append(f"--limit {limit} would hide hosts that must be asked; name hosts with reset_hosts instead")
    problems += [*_last_ones(hosts, inventory), *_mesh(hosts, inventory)]
    if str(confirm or "") != cluster_name:
        what = f"is {str(confirm)!r}" if confirm else "is missing"
        listed = ", ".join(hosts) or "hosts"
        remedy = f"give the name of the cluster, -e reset_confirm={cluster_name}"
        problems.append(f"reset_confirm {what}: to take back {listed}, {remedy}")
    mesh_control_planes = _going(inventory.mesh_control_planes, hosts)
    return Targets(
        hosts=hosts,
        mesh_data_planes=_staying(_going(inventory.mesh_data_planes, hosts), mesh_control_planes),
        mesh_control_planes=mesh_control_planes,
        gateways=_going(inventory.gateways, hosts),
        nodes=_going(inventory.nodes, hosts),
        registries=_going(inventory.registries, hosts),
        staying=_staying(inventory.hosts, hosts),
        whole=not _staying(inventory.nodes, hosts),
        problems=problems,
    )


def _going(members: list[str], hosts: list[str]) -> list[str]:
    return [host for host in members if host in hosts]


def _staying(members: list[str], hosts: list[str]) -> list[str]:
    return [host for host in members if host not in hosts]


def _hosts_of(name: str, inventory: Inventory) -> list[str]:
    if name in inventory.hosts:
        return [name]
    if name == "all":
        return inventory.hosts
    return _going(inventory.groups.get(name, []), inventory.hosts)


def _why_no_host(name: str, inventory: Inventory) -> str:
    groups = f"none of the groups {', '.join(GROUPS)}"
    if name == "all":
        return f"reset_hosts is all, and {groups} has a host in the inventory"
    if name in inventory.groups:
        return f"reset_hosts names the group {name}, whose hosts are in {groups}"
    if name in inventory.groups.get("all", []):
        return f"reset_hosts names {name}, which is in {groups}"
    near = difflib.get_close_matches(name, [*inventory.hosts, *inventory.groups], n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(inventory.hosts)}"
    return f"reset_hosts names {name}, which is no host of the inventory; {hint}"


def _last_ones(hosts: list[str], inventory: Inventory) -> t.Iterator[str]:
    staying = _staying(inventory.nodes, hosts)
    control_planes = _going(inventory.control_planes, hosts)
    if staying and control_planes == inventory.control_planes != []:
        yield (
            f"{_all_of(control_planes)} control planes would go, and {', '.join(staying)} would stay without any; "
            "take the whole cluster back (reset_hosts=all), or add a control plane first"
        )
    # What the mesh runs on hosts comes from there as well, and a run that finds no registry renews no token.
    pulling = list(dict.fromkeys(staying + _staying(inventory.mesh, hosts)))
    registries = _going(inventory.registries, hosts)
    if pulling and registries == inventory.registries != []:
        what = "images" if staying else "the programs of the mesh"
        yield (
            f"{_all_of(registries)} registries would go, and {', '.join(pulling)} would have nowhere to pull {what} "
            "from; take all hosts back (reset_hosts=all), or add a registry first"
        )


def _mesh(hosts: list[str], inventory: Inventory) -> t.Iterator[str]:
    going, staying = (pick(inventory.mesh_control_planes, hosts) for pick in (_going, _staying))
    data_planes = _staying(inventory.mesh_data_planes, hosts)
    if going and data_planes and not staying:
        yield (
            f"{_all_of(going)} control planes of the mesh would go, and the data planes on {', '.join(data_planes)} "
            "would stay without any; take these hosts back as well (reset_hosts=kuma_control_plane,kuma_dataplane), "
            "or add a control plane first"
        )
    # What it keeps is nowhere else: without it there is a new authority, and nobody has the rights of an administrator.
    elif going and staying and going[0] == inventory.mesh_control_planes[0]:
        yield (
            f"{going[0]} keeps the certificate authority and the tokens of the mesh, and {', '.join(staying)} would "
            f"stay without them; copy /etc/kuma from it, or from its backup, to {staying[0]}, make {staying[0]} the "
            "first of the group kuma_control_plane, and run this again"
        )


def _all_of(going: list[str]) -> str:
    return f"{', '.join(going)}: {len(going)} of {len(going)}"
