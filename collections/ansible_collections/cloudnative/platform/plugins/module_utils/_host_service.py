# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a service needs on a host, planned as a whole: users, files, units, and their order."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    FilePlan,
    Found,
    Wanted,
    diff_of,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import plan as plan_file
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import (
    ADMIN_UNIT_DIR,
    ENABLED_STATES,
    SystemdError,
    UnitState,
    install_section,
    unit_file_of,
)


@dataclass(frozen=True)
class User:
    name: str
    group: str
    home: str = "/nonexistent"
    shell: str = "/usr/sbin/nologin"
    system: bool = True


@dataclass(frozen=True)
class Unit:
    name: str
    state: str = "started"  # started, stopped, present, absent
    enabled: bool | None = None
    watch: tuple[str, ...] | None = None
    reload_on: tuple[str, ...] = ()
    wait: t.Mapping[str, t.Any] | None = None


@dataclass(frozen=True)
class Desired:
    users: tuple[User, ...] = ()
    files: tuple[Wanted, ...] = ()  # directories first
    units: tuple[Unit, ...] = ()


@dataclass(frozen=True)
class Observed:
    users: frozenset[str] = frozenset()  # names that exist
    groups: frozenset[str] = frozenset()
    files: t.Mapping[str, Found] = field(default_factory=dict)  # also watched paths that no file of the call writes
    units: t.Mapping[str, UnitState] = field(default_factory=dict)


@dataclass(frozen=True)
class Action:
    """One step. `kind` is the verb; `text` is the sentence for people."""

    kind: str
    target: str
    text: str
    file: FilePlan | None = None
    user: User | None = None
    newer: tuple[str, ...] = ()  # watched paths that are newer than the running unit


# How a unit is before and after an action, as the diff tells it.
UNIT_CHANGES = {
    "enable": ("{enabled}", "enabled"),
    "disable": ("{enabled}", "disabled"),
    "reenable": ("", "enabled again, its [Install] section changes"),
    "start": ("{runs}", "started"),
    "stop": ("{runs}", "stopped"),
    "restart": ("", "restarted"),
    "reload": ("", "reloaded"),
}


@dataclass(frozen=True)
class Plan:
    actions: tuple[Action, ...]
    diff: tuple[dict[str, str], ...]

    def targets(self, kind: str) -> list[str]:
        return [action.target for action in self.actions if action.kind == kind]


def belongs_to(path: str, unit: str) -> bool:
    """Whether a path is the unit's own file or drop-in; an instance belongs to its template too."""
    owner = unit_file_of(path)
    if owner is None:
        return False
    name, _at, rest = unit.partition("@")
    return owner == unit or (bool(rest) and owner == f"{name}@.{rest.rpartition('.')[2]}")


def watched_paths(unit: Unit, files: t.Iterable[Wanted]) -> tuple[str, ...]:
    """Paths whose change restarts a unit: its own unit file and drop-ins always, and what it watches.

    Without `watch` a service watches all files of the call that aren't unit files and that don't reload it. Timers,
    sockets and the like read no configuration: they watch their own unit file only.
    """
    files = [wanted for wanted in files if wanted.absent or wanted.content is not None]
    own = [wanted.path for wanted in files if belongs_to(wanted.path, unit.name)]
    if unit.watch is not None:
        rest = list(unit.watch)
    elif unit.name.endswith(".service"):
        rest = [f.path for f in files if unit_file_of(f.path) is None and f.path not in unit.reload_on]
    else:
        rest = []
    return tuple(dict.fromkeys(own + rest))


def leftovers(unit: Unit, state: UnitState) -> list[Wanted]:
    """Files that go with a unit that should be absent. A package's unit file stays: it belongs to the package."""
    paths = [path for path in (state.fragment, *state.drop_ins) if path.startswith(f"{ADMIN_UNIT_DIR}/")]
    return [Wanted(path=path, mode=0, absent=True) for path in paths if belongs_to(path, unit.name)]


def plan(desired: Desired, observed: Observed) -> Plan:
    """Pure: the steps, in order, that bring the host from `observed` to `desired`."""
    file_plans = [plan_file(wanted, observed.files.get(wanted.path, Found())) for wanted in desired.files]
    file_plans = [file_plan for file_plan in file_plans if file_plan.needed]
    changing = {p.wanted.path for p in file_plans if p.content or p.remove}
    actions = [
        *_plan_users(desired, observed),
        *_plan_stops(desired, observed),
        *(Action("file", p.wanted.path, p.text, file=p) for p in file_plans),
        *_plan_daemon_reload(desired, observed, changing),
        *_plan_boot(desired, observed, changing),
        *_plan_runs(desired, observed, changing),
    ]
    diff = [diff_of(p, observed.files.get(p.wanted.path, Found())) for p in file_plans]
    diff.append(account_diff(actions))
    diff += [unit_diff(unit, _state(observed, unit), actions) for unit in desired.units]
    return Plan(tuple(actions), tuple(entry for entry in diff if entry["before"] != entry["after"]))


def account_diff(actions: t.Iterable[Action]) -> dict[str, str]:
    new = "".join(f"{action.kind} {action.target}\n" for action in actions if action.kind in ("group", "user"))
    return {"before_header": "users and groups", "after_header": "users and groups", "before": "", "after": new}


def unit_diff(unit: Unit, state: UnitState, actions: t.Iterable[Action]) -> dict[str, str]:
    """Pure: what happens to a unit, one line for how it starts at boot and one for how it runs."""
    before, after = [], []
    for action in actions:
        if action.target != unit.name or action.kind not in UNIT_CHANGES:
            continue
        now, wanted = UNIT_CHANGES[action.kind]
        before += [f"{now.format(enabled=state.enabled or 'not enabled', runs=state.describe())}\n"] if now else []
        # Why it is restarted or reloaded stands in the sentence.
        reason = action.text.partition(": ")[2] if action.kind in ("restart", "reload") else ""
        after.append(f"{wanted}: {reason}\n" if reason else f"{wanted}\n")
    return {"before_header": unit.name, "after_header": unit.name, "before": "".join(before), "after": "".join(after)}


def _state(observed: Observed, unit: Unit) -> UnitState:
    return observed.units.get(unit.name, UnitState(unit.name))


def _plan_users(desired: Desired, observed: Observed) -> t.Iterator[Action]:
    for user in desired.users:
        if user.group not in observed.groups:
            yield Action("group", user.group, f"create group {user.group}", user=user)
        if user.name not in observed.users:
            yield Action("user", user.name, f"create user {user.name}", user=user)


def _plan_stops(desired: Desired, observed: Observed) -> t.Iterator[Action]:
    # Before any file goes: a unit is stopped by the definition that it was started with.
    for unit in desired.units:
        state = _state(observed, unit)
        if unit.state in ("stopped", "absent") and state.running:
            yield Action("stop", unit.name, f"stop {unit.name}")
        if unit.state == "absent" and state.enabled in ("enabled", "enabled-runtime"):
            yield Action("disable", unit.name, f"disable {unit.name}")


def _plan_daemon_reload(desired: Desired, observed: Observed, changing: set[str]) -> t.Iterator[Action]:
    if any(unit_file_of(path) for path in changing):
        yield Action("daemon-reload", "", "reload systemd's unit files")
    elif any(_state(observed, unit).need_reload for unit in desired.units):
        yield Action("daemon-reload", "", "reload systemd's unit files, they are newer than what systemd has loaded")


def _plan_boot(desired: Desired, observed: Observed, changing: set[str]) -> t.Iterator[Action]:
    for unit in desired.units:
        state = _state(observed, unit)
        if unit.state == "absent" or unit.enabled is None:
            continue
        if unit.enabled and state.enabled.startswith("masked"):
            raise SystemdError(f"{unit.name} is masked on this host; if it may run, do: systemctl unmask {unit.name}")
        if unit.enabled and state.enabled not in ENABLED_STATES:
            yield Action("enable", unit.name, f"enable {unit.name}")
        elif unit.enabled and _install_changes(unit, desired, observed, changing):
            yield Action("reenable", unit.name, f"enable {unit.name} again, its [Install] section changes")
        elif not unit.enabled and state.enabled in ("enabled", "enabled-runtime"):
            yield Action("disable", unit.name, f"disable {unit.name}")


def _install_changes(unit: Unit, desired: Desired, observed: Observed, changing: set[str]) -> bool:
    return any(
        install_section(wanted.content) != install_section(observed.files.get(wanted.path, Found()).content)
        for wanted in desired.files
        if wanted.path in changing and belongs_to(wanted.path, unit.name)
    )


def _plan_runs(desired: Desired, observed: Observed, changing: set[str]) -> t.Iterator[Action]:
    for unit in desired.units:
        state = _state(observed, unit)
        if unit.state not in ("started", "present") or (unit.state == "present" and not state.running):
            continue
        # A unit that is on its way up (or in systemd's pause before it tries again) is waited for, not started again.
        if not state.up and not state.running:
            yield Action("start", unit.name, f"start {unit.name} (it is {state.describe()})")
            continue
        paths = watched_paths(unit, desired.files)
        newer = _newer(paths, observed, state.started_us)
        reasons = [f"{path} changes" for path in paths if path in changing]
        reasons += [f"{path} is newer than the running unit" for path in newer if path not in changing]
        if state.need_reload and not reasons:
            reasons.append("its unit file changed since systemd loaded it")
        if reasons:
            yield Action("restart", unit.name, f"restart {unit.name}: {'; '.join(reasons)}", newer=newer)
            continue
        newer = _newer(unit.reload_on, observed, state.loaded_us)
        reasons = [f"{path} changes" for path in unit.reload_on if path in changing]
        reasons += [f"{path} is newer than the last reload" for path in newer if path not in changing]
        if reasons:
            yield Action("reload", unit.name, f"reload {unit.name}: {'; '.join(reasons)}", newer=newer)


def _newer(paths: t.Iterable[str], observed: Observed, since_us: int | None) -> tuple[str, ...]:
    if since_us is None:
        return ()
    found = ((path, observed.files.get(path)) for path in paths)
    return tuple(path for path, there in found if there is not None and there.exists and there.mtime_us > since_us)


def without_secrets(params: dict[str, t.Any], known: t.Container[str]) -> dict[str, t.Any]:
    """Pure: parameters as they may be shown, right or wrong. `known` are the options of a file."""
    files = params.get("files")
    if files is None:
        return params
    # What is no file as it should be can't be told from a secret one.
    return {**params, "files": [_masked(f, known) for f in files] if isinstance(files, list) else "(not shown)"}


def _masked(file: t.Any, known: t.Container[str]) -> t.Any:
    if not isinstance(file, dict):
        return "(not shown)"
    if file.get("secret") in (None, False):
        return file
    # Also what was misspelled: it may be the content.
    return {key: value if key in known and key != "content" else "(secret)" for key, value in file.items()}
