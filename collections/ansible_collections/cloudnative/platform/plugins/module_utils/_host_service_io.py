# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The half of host_service that touches the host: parameters in, state read, actions done, readiness waited for."""

from __future__ import annotations

import grp
import json
import os
import pwd
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    Wanted,
    Writer,
    observe,
    parse_mode,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_service import (
    Action,
    Desired,
    Observed,
    Unit,
    User,
    leftovers,
    watched_paths,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import Systemd, SystemdError, UnitState
from ansible_collections.cloudnative.platform.plugins.module_utils._wait import probe, target_of

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

DEFAULT_TIMEOUT = 30


class ServiceError(Exception):
    """A step failed; the message says which and why."""


def desired_from(params: t.Mapping[str, t.Any]) -> Desired:
    """Pure: module parameters as the planner's terms."""
    users = [
        User(u["name"], u["group"] or u["name"], u["home"], u["shell"], u["system"]) for u in params["users"] or []
    ]
    directories = [
        Wanted(path=_absolute(d["path"]), mode=parse_mode(d["mode"], d["path"]), owner=d["owner"], group=d["group"])
        for d in params["directories"] or []
    ]
    files = [
        Wanted(
            path=_absolute(f["path"]),
            mode=parse_mode(f["mode"], f["path"]),
            owner=f["owner"],
            group=f["group"],
            content=to_bytes(f["content"]),
            secret=f["secret"],
            absent=f["state"] == "absent",
            validate=f["validate"],
        )
        for f in params["files"] or []
    ]
    seen: set[str] = set()
    for wanted in directories + files:
        if wanted.path in seen:
            raise ServiceError(f"{wanted.path} is listed twice; one path has one content")
        seen.add(wanted.path)
    units = [
        Unit(
            name=u["name"],
            state=u["state"],
            enabled=u["enabled"],
            watch=None if u["watch"] is None else tuple(u["watch"]),
            reload_on=tuple(u["reload_on"] or ()),
            wait=u["wait"],
        )
        for u in params["units"] or []
    ]
    for unit in units:
        if "." not in unit.name:
            raise ServiceError(f'unit "{unit.name}" has no type; write it whole, for example "{unit.name}.service"')
    return Desired(tuple(users), tuple(directories + files), tuple(units))


def to_bytes(content: t.Any) -> bytes:
    """Pure: older releases of ansible-core turn templated text that looks like JSON into objects; turn it back."""
    if content is None:
        return b""
    if isinstance(content, (dict, list)):
        return (json.dumps(content, indent=2) + "\n").encode()
    return str(content).encode()


def _absolute(path: str) -> str:
    if not os.path.isabs(path):
        raise ServiceError(f'"{path}" is not an absolute path')
    return os.path.normpath(path)


class Host:
    """Observe and change one host. Every change goes through `apply`."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._writer = Writer(module)
        self._systemd = Systemd(module)

    def observe(self, desired: Desired) -> tuple[Desired, Observed]:
        """The state of all that is named; also `desired` with the unit files of absent units added to it."""
        units = self._systemd.show([unit.name for unit in desired.units])
        extra = [w for u in desired.units if u.state == "absent" for w in leftovers(u, units[u.name])]
        named = {wanted.path for wanted in desired.files}
        desired = Desired(desired.users, (*desired.files, *(w for w in extra if w.path not in named)), desired.units)
        files = {wanted.path: observe(wanted.path) for wanted in desired.files}
        for unit in desired.units:
            for path in (*watched_paths(unit, desired.files), *unit.reload_on):
                if path not in files:
                    files[path] = observe(path, with_content=False)
        return desired, Observed(
            users=frozenset(u.name for u in desired.users if _user_exists(u.name)),
            groups=frozenset(u.group for u in desired.users if _group_exists(u.group)),
            files=files,
            units=units,
        )

    def apply(self, action: Action) -> None:
        if action.file is not None:
            self._writer.apply(action.file)
        elif action.kind == "group":
            self._add_group(t.cast(User, action.user))
        elif action.kind == "user":
            self._add_user(t.cast(User, action.user))
        elif action.kind == "daemon-reload":
            self._systemd.change("daemon-reload")
        else:
            self._change_unit(action)

    def _change_unit(self, action: Action) -> None:
        now = time.time()
        for path in action.newer:
            # A clock that was set back left a file from the future: it would be newer than every start to come.
            if os.stat(path).st_mtime > now:
                os.utime(path)
        if action.kind in ("start", "restart"):
            # Clears systemd's start limit, which a unit that kept failing has run into.
            state = self._systemd.show([action.target])[action.target]
            if state.active == "failed" or state.sub == "auto-restart":
                self._systemd.change("reset-failed", action.target)
        self._systemd.change(action.kind, action.target)

    def _add_group(self, user: User) -> None:
        self._run(["groupadd", *(["--system"] if user.system else []), user.group], f"create group {user.group}")

    def _add_user(self, user: User) -> None:
        command = ["useradd", *(["--system"] if user.system else []), "--gid", user.group, "--home-dir", user.home]
        self._run([*command, "--no-create-home", "--shell", user.shell, user.name], f"create user {user.name}")

    def _run(self, command: list[str], what: str) -> None:
        code, out, err = self._module.run_command(command)
        if code != 0:
            raise ServiceError(f"cannot {what}: {err.strip() or out.strip()}")

    def wait_until_up(self, unit: Unit) -> None:
        """Until systemd calls the unit active and it answers where `wait` says it does."""
        wait = unit.wait or {}
        timeout = wait.get("timeout") or DEFAULT_TIMEOUT
        deadline = time.monotonic() + timeout
        pause = 0.05
        while True:
            state = self._systemd.show([unit.name])[unit.name]
            reason = _not_up(state) or (probe(wait) if unit.wait else None)
            if reason is None:
                return
            if state.active in ("failed", "inactive") and not state.up:
                raise SystemdError(f"{unit.name} did not stay up{self._systemd.report(unit.name)}")
            if time.monotonic() > deadline:
                where = f" on {target_of(wait)}" if unit.wait else ""
                report = self._systemd.report(unit.name)
                raise SystemdError(f"{unit.name} does not answer{where} within {timeout} s: {reason}{report}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)


def _not_up(state: UnitState) -> str | None:
    return None if state.up else f"it is {state.describe()}"


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
