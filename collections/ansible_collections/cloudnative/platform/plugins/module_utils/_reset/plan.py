# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What of the platform is on a host and in which order it goes. Pure."""

from __future__ import annotations

import fnmatch
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._host_service import Unit as ServiceUnit
from ansible_collections.cloudnative.platform.plugins.module_utils._host_service import leftovers
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.firewall import Change
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.observed import (
    Link,
    Process,
    Route,
    below,
    leads_into,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import UnitState

# Directories that every host has and many share. One of them in a list of what is ours is a mistake of the caller.
SHARED_DIRECTORIES = frozenset(
    {
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root"),
        *("/run", "/run/netns", "/run/systemd", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib"),
        *("/usr/libexec", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/sbin"),
        *("/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/run", "/var/spool", "/var/tmp"),
        *("/etc/systemd", "/etc/systemd/system", "/etc/sysctl.d", "/etc/modules-load.d", "/var/lib/systemd"),
    }
)


class ResetError(Exception):
    """Something can't go; the text names it and what to do."""


@dataclass(frozen=True)
class Asked:
    units: tuple[str, ...] = ()
    containers: str = ""  # socket of the containerd whose containers end
    slices: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    nft_tables: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    rule_comments: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    empty_directories: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tree:
    """What is at a path. A volume is a directory that stays and is emptied: a mount, or what a link leads to."""

    kind: str = "absent"  # absent, file, directory, volume
    entries: tuple[str, ...] = ()
    real: str = ""  # where it really is, when it is a link
    plain: bool = True  # owner and mode are those of a new file system


@dataclass(frozen=True)
class Firewall:
    """One way into the packet filter: iptables over nftables or the older one, for one family."""

    restore: str  # program that takes the change
    family: str  # ip, ip6
    changes: tuple[Change, ...] = ()
    blank: tuple[str, ...] = ()  # nft tables that hold nothing once the changes are done


@dataclass(frozen=True)
class Observed:
    units: t.Mapping[str, UnitState] = field(default_factory=dict)
    stamps: tuple[str, ...] = ()  # what systemd notes about timers
    processes: tuple[Process, ...] = ()
    cgroups: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    nft_tables: tuple[str, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    sets: tuple[str, ...] = ()
    trees: t.Mapping[str, Tree] = field(default_factory=dict)
    users: tuple[str, ...] = ()  # those that are as this collection makes them
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Action:
    """One step. `text` is the sentence for people."""

    kind: str
    target: str
    text: str
    detail: t.Any = None


def check(asked: Asked) -> None:
    """Refuse paths that can't be meant."""
    for path in (*asked.paths, *asked.empty_directories):
        if not os.path.isabs(path) or path.startswith("//") or os.path.normpath(path) != path:
            raise ResetError(f'"{path}" is not an absolute path in its shortest form')
    for path in asked.paths:
        if path in SHARED_DIRECTORIES:
            raise ResetError(f"{path} belongs to the whole host; name what is below it")


def plan(asked: Asked, observed: Observed) -> list[Action]:
    """The steps in order: what runs, what is mounted, the network, the files, the users."""
    return [
        *_units(asked, observed),
        *_processes(asked, observed),
        *_mounts(asked, observed),
        *_network(asked, observed),
        *_firewall(observed),
        *_files(asked, observed),
        *_users(observed),
    ]


def _units(asked: Asked, observed: Observed) -> t.Iterator[Action]:
    for name in asked.units:
        state = observed.units.get(name, UnitState(name))
        if state.running or state.active == "deactivating":
            yield Action("stop", name, f"stop {name}")
    for name in asked.units:
        if observed.units.get(name, UnitState(name)).enabled in ("enabled", "enabled-runtime"):
            yield Action("disable", name, f"disable {name}")


def _processes(asked: Asked, observed: Observed) -> t.Iterator[Action]:
    if observed.processes:
        names = ", ".join(sorted({process.name for process in observed.processes}))
        count = len(observed.processes)
        yield Action("processes", asked.containers, f"end {count} processes of containers ({names})")
    for name in asked.slices:
        state = observed.units.get(name, UnitState(name))
        paths = [path for path in observed.cgroups if os.path.basename(path) == name]
        if state.running or paths:
            yield Action("slice", name, f"remove control group {name}", paths)


def _mounts(asked: Asked, observed: Observed) -> t.Iterator[Action]:
    # The last one mounted goes first: it may lie in or over another one.
    tops = [observed.trees.get(path, Tree()).real or path for path in asked.paths]
    for point in reversed(observed.mounts):
        if any(below(point, top) for top in tops):
            yield Action("unmount", point, f"unmount {point}")
    for path in observed.namespaces:
        yield Action("namespace", path, f"remove network namespace {path}")


def _network(asked: Asked, observed: Observed) -> t.Iterator[Action]:
    named = {
        link.name for link in observed.links if any(fnmatch.fnmatchcase(link.name, name) for name in asked.interfaces)
    }
    going = {link.name for link in observed.links if link.name in named or link.master in named}
    for link in observed.links:
        if link.name in going:
            yield Action("interface", link.name, f"remove interface {link.name}")
    for route in observed.routes:
        # A route over an interface that goes, goes with it.
        if route.device not in going and leads_into(route, asked.networks):
            where = f"over {route.device}" if route.device else f"({route.kind})"
            yield Action("route", route.destination, f"remove the route to {route.destination} {where}", route)


def _firewall(observed: Observed) -> t.Iterator[Action]:
    for name in observed.nft_tables:
        yield Action("nft", name, f"remove nft table {name}")
    for firewall in observed.firewalls:
        for change in firewall.changes:
            if change.needed:
                target = f"{change.table} ({firewall.restore.replace('-restore', '')})"
                counts = f"{len(change.chains)} chains and {len(change.rules)} rules that lead to them"
                yield Action("rules", target, f"remove {counts} from table {target}", (firewall.restore, change))
        for name in firewall.blank:
            yield Action("nft", name, f"remove empty nft table {name}")
    for name in observed.sets:
        yield Action("set", name, f"remove ipset {name}")


def unit_files(asked: Asked, observed: Observed) -> list[str]:
    """Unit files and drop-ins under /etc that belong to the units; a package's own stay."""
    paths = [
        wanted.path
        for name in asked.units
        if name in observed.units
        for wanted in leftovers(ServiceUnit(name), observed.units[name])
    ]
    return list(dict.fromkeys(paths))


def _files(asked: Asked, observed: Observed) -> t.Iterator[Action]:
    going: set[str] = set(observed.namespaces)
    files = unit_files(asked, observed)
    for path in (*files, *observed.stamps):
        going.add(path)
        yield Action("file", path, f"remove {path}")
    drop_ins = dict.fromkeys(os.path.dirname(path) for path in files if path.endswith(".conf"))
    yield from _empty_directories(drop_ins, observed, going)
    if files or any(state.need_reload for state in observed.units.values()):
        yield Action("daemon-reload", "", "reload systemd's unit files")
    for name in (*asked.units, *asked.slices):
        if observed.units.get(name, UnitState(name)).active == "failed":
            yield Action("reset-failed", name, f"make systemd forget that {name} failed")
    for path in asked.paths:
        tree = observed.trees.get(path, Tree())
        if tree.kind == "file":
            yield Action("file", path, f"remove {path}")
        elif tree.kind == "directory":
            yield Action("tree", path, f"remove {path} and all below it")
        elif tree.kind == "volume" and tree.entries:
            yield Action("volume", path, f"empty {path}, which is a mount or a link and stays")
        if tree.kind in ("file", "directory"):
            going.add(path)
    yield from _empty_directories(asked.empty_directories, observed, going)


def _empty_directories(paths: t.Iterable[str], observed: Observed, going: set[str]) -> t.Iterator[Action]:
    for path in paths:
        tree = observed.trees.get(path, Tree())
        if not all(f"{path}/{entry}" in going for entry in tree.entries):
            continue
        if tree.kind == "directory":
            going.add(path)
            yield Action("directory", path, f"remove directory {path}, which is empty")
        elif tree.kind == "volume" and not tree.plain:
            yield Action("plain", path, f"give {path}, which is an empty mount or a link and stays, to root")


def _users(observed: Observed) -> t.Iterator[Action]:
    for name in observed.users:
        yield Action("user", name, f"remove user {name}")
    for name in observed.groups:
        yield Action("group", name, f"remove group {name}")


def diff_of(actions: t.Sequence[Action]) -> dict[str, str]:
    """What would go, one line each; nothing is left afterwards."""
    lines = [action.text for action in actions]
    before = "".join(f"{line}\n" for line in lines)
    return {"before_header": "to do", "after_header": "left to do", "before": before, "after": ""}
