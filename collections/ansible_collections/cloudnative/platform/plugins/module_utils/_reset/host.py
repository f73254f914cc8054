# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The half of host_reset that touches the host: state read, steps done."""

from __future__ import annotations

import fnmatch
import glob
import grp
import os
import pwd
import signal
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import read_text
from ansible_collections.cloudnative.platform.plugins.module_utils._reset import firewall, observed, trees
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.plan import (
    Action,
    Asked,
    Firewall,
    Observed,
    ResetError,
    unit_files,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import Systemd

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

CGROUPS = "/sys/fs/cgroup"
NAMESPACES = "/run/netns"
TIMER_STAMPS = "/var/lib/systemd/timers"
#: seconds that containers get to end by themselves, and that the kernel gets to let go of what was killed
GRACE_SECONDS = 10
SETTLE_SECONDS = 15


class Host:
    """Observe and change one host. Every change goes through `apply`."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._systemd = Systemd(module)

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(self, asked: Asked) -> Observed:
        units = self._systemd.show([*asked.units, *asked.slices])
        points = trees.mounts()
        stamps = [f"{TIMER_STAMPS}/stamp-{name}" for name in asked.units if name.endswith(".timer")]
        files = unit_files(asked, Observed(units=units))
        directories = {os.path.dirname(path) for path in files if path.endswith(".conf")}
        return Observed(
            units=units,
            stamps=tuple(path for path in stamps if os.path.lexists(path)),
            processes=tuple(self._container_processes(asked.containers)) if asked.containers else (),
            cgroups=tuple(path for name in asked.slices for path in _cgroups(name)),
            mounts=tuple(points),
            namespaces=tuple(_matching(NAMESPACES, asked.namespaces)),
            links=tuple(observed.parse_links(self._ip("link", "show"))) if asked.interfaces else (),
            routes=tuple(self._routes(asked.networks)),
            nft_tables=tuple(name for name in self._nft_tables(asked) if name in asked.nft_tables),
            firewalls=tuple(self._firewalls(asked)),
            sets=tuple(name for name in self._sets(asked) if name.startswith(asked.sets)),
            trees={path: trees.look(path, points) for path in (*asked.paths, *asked.empty_directories, *directories)},
            users=tuple(name for name in asked.users if _is_service_user(name)),
            groups=tuple(name for name in asked.users if _is_service_group(name)),
        )

    def _container_processes(self, socket: str) -> list[observed.Process]:
        shims, rest = observed.container_processes(_processes(), socket)
        return shims + rest

    def _ip(self, *arguments: str) -> str:
        # A host without the program never had a pod network.
        return self._output("ip", "-json", *arguments) if self._module.get_bin_path("ip") else ""

    def _routes(self, networks: t.Sequence[str]) -> t.Iterator[observed.Route]:
        for version in sorted({"-6" if ":" in network else "-4" for network in networks}):
            yield from observed.parse_routes(self._ip(version, "route", "show"))

    def _nft_tables(self, asked: Asked) -> list[str]:
        if not (asked.nft_tables or asked.chains) or self._module.get_bin_path("nft") is None:
            return []
        return firewall.parse_nft_tables(self._output("nft", "list", "tables"))

    def _firewalls(self, asked: Asked) -> t.Iterator[Firewall]:
        if not asked.chains:
            return
        tables = self._nft_tables(asked)
        for family, name in (("ip", "iptables"), ("ip6", "ip6tables")):
            variants = [f"{name}-nft"] if self._module.get_bin_path(f"{name}-nft-save") else [name]
            # Asking the older one for its tables would make the kernel load it.
            if read_text(f"/proc/net/{family}_tables_names").strip():
                variants.append(f"{name}-legacy")
            for variant in variants:
                if self._module.get_bin_path(f"{variant}-save") is None:
                    continue
                text = self._output(f"{variant}-save")
                changes = firewall.plan_tables(text, asked.chains, asked.rule_comments)
                blank = [
                    f"{family} {change.table}"
                    for change in changes
                    if not variant.endswith("-legacy") and self._blank(family, change, tables)
                ]
                yield Firewall(f"{variant}-restore", family, tuple(changes), tuple(blank))

    def _blank(self, family: str, change: firewall.Change, tables: t.Sequence[str]) -> bool:
        name = f"{family} {change.table}"
        if not change.blank or name not in tables or change.table not in firewall.BUILT_IN_TABLES:
            return False
        return firewall.holds_only_chains(self._output("nft", "list", "table", *name.split()), change.chains)

    def _sets(self, asked: Asked) -> list[str]:
        if not asked.sets or self._module.get_bin_path("ipset") is None:
            return []
        code, out, _err = self._module.run_command(["ipset", "list", "-name"])
        # It fails where the kernel has no sets at all; then there is none of ours.
        return out.split() if code == 0 else []

    # -- changing ---------------------------------------------------------------------------------------------------

    def apply(self, action: Action) -> None:
        try:
            self._apply(action)
        except OSError as e:
            raise ResetError(f"cannot {action.text}: {e.strerror} ({e.filename or action.target})") from e

    def _apply(self, action: Action) -> None:
        if action.kind in ("stop", "disable", "reset-failed"):
            self._systemd.change(action.kind, action.target)
        elif action.kind == "daemon-reload":
            self._systemd.change("daemon-reload")
        elif action.kind == "processes":
            self._end_containers(action.target)
        elif action.kind == "slice":
            self._remove_slice(action.target)
        elif action.kind == "unmount":
            self._unmount(action.target)
        elif action.kind == "namespace":
            self._remove_namespace(action.target)
        elif action.kind in ("interface", "route", "nft", "rules", "set"):
            self._change_network(action)
        elif action.kind == "file":
            _unlink(action.target)
        elif action.kind == "tree":
            trees.remove_tree(action.target)
        elif action.kind == "volume":
            trees.empty_volume(action.target)
        elif action.kind == "plain":
            trees.make_plain(action.target)
        elif action.kind == "directory":
            os.rmdir(action.target)
        elif action.kind == "user":
            self._output("userdel", action.target)
        elif action.kind == "group" and _is_service_group(action.target):
            # userdel takes the group of the same name along.
            self._output("groupdel", action.target)

    def _end_containers(self, socket: str) -> None:
        """What runs in containers is asked to end, then killed; shims last, they keep the rest together."""
        _shims, rest = observed.container_processes(_processes(), socket)
        _signal(rest, signal.SIGTERM)
        self._gone(lambda: observed.container_processes(_processes(), socket)[1], GRACE_SECONDS)
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            shims, rest = observed.container_processes(_processes(), socket)
            if not shims and not rest:
                return
            _signal(rest or shims, signal.SIGKILL)
            if time.monotonic() > deadline:
                names = ", ".join(f"{process.name} ({process.pid})" for process in (rest or shims))
                raise ResetError(f"{names} did not end when killed: the kernel holds them (state D in ps); reboot")
            time.sleep(0.1)

    def _gone(self, what: t.Callable[[], t.Sequence[t.Any]], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while what():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _remove_slice(self, name: str) -> None:
        if self._systemd.show([name])[name].running:
            self._systemd.change("stop", name)
        for top in _cgroups(name):
            # From below: a control group goes when it has none below and no process in it.
            for directory, _names, _files in os.walk(top, topdown=False):
                if os.path.isdir(directory):
                    os.rmdir(directory)

    def _unmount(self, point: str) -> None:
        """What was killed a moment ago may hold a mount for a moment longer."""
        said = ""
        deadline = time.monotonic() + SETTLE_SECONDS
        while point in trees.mounts():
            code, out, err = self._module.run_command(["umount", point])
            said = err.strip() or out.strip()
            if code == 0:
                return
            if time.monotonic() > deadline:
                raise ResetError(f"cannot unmount {point}: {said}; end what uses it (fuser -vm {point}), run again")
            time.sleep(0.3)

    def _remove_namespace(self, path: str) -> None:
        while path in trees.mounts():
            self._output("umount", path)
        _unlink(path)

    def _change_network(self, action: Action) -> None:
        if action.kind == "interface":
            # The other end of a pair goes with the namespace that it was in.
            if os.path.exists(f"/sys/class/net/{action.target}"):
                code, out, err = self._module.run_command(["ip", "link", "delete", action.target])
                if code != 0 and os.path.exists(f"/sys/class/net/{action.target}"):
                    raise ResetError(f"cannot {action.text}: {err.strip() or out.strip()}")
        elif action.kind == "route":
            route = t.cast(observed.Route, action.detail)
            version = "-6" if ":" in route.destination else "-4"
            if route in observed.parse_routes(self._ip(version, "route", "show")):
                self._output("ip", version, "route", "delete", route.kind, route.destination)
        elif action.kind == "nft":
            self._output("nft", "delete", "table", *action.target.split())
        elif action.kind == "rules":
            restore, change = action.detail
            self._output(restore, "--noflush", "--wait", "10", data=change.script())
        else:
            self._output("ipset", "destroy", action.target)

    def _output(self, *command: str, data: str | None = None) -> str:
        code, out, err = self._module.run_command(list(command), data=data)
        if code != 0:
            raise ResetError(f"`{' '.join(command)}` failed: {err.strip() or out.strip()}")
        return str(out)


def _unlink(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)


def _processes() -> list[observed.Process]:
    found = []
    own = os.readlink("/proc/self/ns/pid")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stream:
                stat = stream.read()
            with open(f"/proc/{entry}/cmdline", encoding="utf-8", errors="replace") as stream:
                command = stream.read()
            inner = os.readlink(f"/proc/{entry}/ns/pid") != own
            found.append(observed.parse_process(int(entry), stat, command, inner))
        except (OSError, ValueError):
            # It ended meanwhile.
            continue
    return found


def _signal(processes: t.Iterable[observed.Process], number: int) -> None:
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue


def _cgroups(name: str) -> list[str]:
    """In the one hierarchy of version 2, or in each of version 1."""
    return sorted(path for path in (*glob.glob(f"{CGROUPS}/{name}"), *glob.glob(f"{CGROUPS}/*/{name}")))


def _matching(directory: str, patterns: t.Sequence[str]) -> list[str]:
    if not patterns or not os.path.isdir(directory):
        return []
    names = sorted(os.listdir(directory))
    return [f"{directory}/{name}" for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)]


def _is_service_user(name: str) -> bool:
    """As host_service makes users; another one of that name is somebody else's."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return False
    return user.pw_uid < 1000 and user.pw_shell.endswith("/nologin") and user.pw_dir == "/nonexistent"


def _is_service_group(name: str) -> bool:
    try:
        group = grp.getgrnam(name)
    except KeyError:
        return False
    return group.gr_gid < 1000 and not group.gr_mem
