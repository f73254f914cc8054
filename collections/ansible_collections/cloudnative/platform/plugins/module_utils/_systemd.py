# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""systemd units: read the state of many in one call, and change it."""

from __future__ import annotations

import calendar
import os
import time
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ADMIN_UNIT_DIR = "/etc/systemd/system"
UNIT_DIRS = (
    ADMIN_UNIT_DIR,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Type",
    "RemainAfterExit",
    "Result",
    "ExecMainStatus",
    "NeedDaemonReload",
    "FragmentPath",
    "DropInPaths",
    "ActiveEnterTimestamp",
    "ActiveEnterTimestampMonotonic",
    "StateChangeTimestamp",
    "StateChangeTimestampMonotonic",
)
# Unit file states that need nothing done when a unit should start at boot.
ENABLED_STATES = ("enabled", "alias", "static", "generated", "indirect")
JOURNAL_LINES = 20


class SystemdError(Exception):
    """systemd refused or can't be asked; the message says what it knows."""


@dataclass(frozen=True)
class Clock:
    """Now, on the two clocks systemd stamps with, in microseconds."""

    realtime_us: int
    monotonic_us: int

    @classmethod
    def now(cls) -> Clock:
        return cls(time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)


@dataclass(frozen=True)
class UnitState:
    name: str
    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    enabled: str = ""
    oneshot: bool = False  # runs to its end and is inactive afterwards
    result: str = ""
    exit_status: str = ""
    need_reload: bool = False
    fragment: str = ""
    drop_ins: tuple[str, ...] = ()
    started_us: int | None = None  # when it became active
    loaded_us: int | None = None  # last change of state, which a reload is too

    @property
    def running(self) -> bool:
        return self.active in ("active", "reloading", "activating", "refreshing")

    @property
    def up(self) -> bool:
        """In the state that `started` promises."""
        if self.oneshot:
            # systemd forgets such a unit once it is done; all that can be told later is whether it failed.
            return self.active == "inactive" and self.result in ("", "success")
        return self.active in ("active", "reloading", "refreshing")

    def describe(self) -> str:
        text = f"{self.active} ({self.sub})"
        if self.load != "loaded":
            text += f", {self.load}"
        if self.result and self.result != "success":
            text += f", result {self.result}"
        if self.exit_status not in ("", "0"):
            text += f", exit status {self.exit_status}"
        return text


def parse_timestamp(text: str) -> int | None:
    """Pure: 'Sun 2026-11-22 17:05:18.123456 UTC' in microseconds since the epoch; None where there is none."""
    parts = text.split()
    if len(parts) != 4:
        return None
    whole, _dot, fraction = parts[2].partition(".")
    seconds = calendar.timegm(time.strptime(f"{parts[1]} {whole}", "%Y-%m-%d %H:%M:%S"))
    return seconds * 1_000_000 + int((fraction + "000000")[:6])


def reached_at(realtime_us: int | None, monotonic_us: int, clock: Clock) -> int | None:
    """Pure: when a state was reached, as this host's wall clock tells it now.

    systemd noted the wall clock of that moment. Where the clock was set since (a board that boots in 1970), the
    monotonic clock gives the better answer. The later one is taken: a file that is newer than both is newer for sure.
    """
    if realtime_us is None or not monotonic_us:
        return None
    return max(realtime_us, clock.realtime_us - (clock.monotonic_us - monotonic_us))


def _when(event: str, values: dict[str, str], clock: Clock) -> int | None:
    monotonic = values.get(f"{event}TimestampMonotonic", "0")
    return reached_at(parse_timestamp(values.get(f"{event}Timestamp", "")), int(monotonic or 0), clock)


def parse_show(text: str, names: t.Sequence[str], clock: Clock) -> dict[str, UnitState]:
    """Pure: output of `systemctl show` for `names`, in their order."""
    blocks = [block for block in text.strip().split("\n\n") if block.strip()]
    if len(blocks) != len(names):
        listed = ", ".join(names)
        raise SystemdError(f"systemctl show answered for {len(blocks)} units instead of {len(names)}: {listed}")
    states = {}
    for name, block in zip(names, blocks):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        oneshot = values.get("Type") == "oneshot" and values.get("RemainAfterExit") != "yes"
        states[name] = UnitState(
            name=name,
            load=values.get("LoadState", "not-found"),
            active=values.get("ActiveState", "inactive"),
            sub=values.get("SubState", "dead"),
            enabled=values.get("UnitFileState", ""),
            oneshot=oneshot,
            result=values.get("Result", ""),
            exit_status=values.get("ExecMainStatus", ""),
            need_reload=values.get("NeedDaemonReload") == "yes",
            fragment=values.get("FragmentPath", ""),
            drop_ins=tuple(values.get("DropInPaths", "").split()),
            started_us=None if oneshot else _when("ActiveEnter", values, clock),
            loaded_us=_when("StateChange", values, clock),
        )
    return states


def unit_file_of(path: str) -> str | None:
    """Pure: the unit that a path is the unit file or a drop-in of; None where it is neither."""
    directory, name = os.path.split(path)
    if directory in UNIT_DIRS:
        return name
    above, drop_in_dir = os.path.split(directory)
    if above in UNIT_DIRS and drop_in_dir.endswith(".d") and name.endswith(".conf"):
        return drop_in_dir[: -len(".d")]
    return None


def install_section(content: bytes | None) -> list[str]:
    """Pure: the lines of [Install], which decide what `enable` links."""
    lines: list[str] = []
    inside = False
    for raw in (content or b"").decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if line.startswith("["):
            inside = line == "[Install]"
        elif inside and line and not line.startswith(("#", ";")):
            lines.append(line)
    return lines


class Systemd:
    """systemctl and journalctl of one host."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._systemctl = module.get_bin_path("systemctl")

    def show(self, names: t.Sequence[str]) -> dict[str, UnitState]:
        if not names:
            return {}
        if self._systemctl is None:
            raise SystemdError("systemctl is not on this host; the platform's services need systemd")
        clock = Clock.now()
        command = [self._systemctl, "show", "--no-pager", "--timestamp=us+utc", "--property", ",".join(PROPERTIES)]
        code, out, err = self._run([*command, "--", *names])
        if code != 0:
            raise SystemdError(f"systemctl show {' '.join(names)} failed: {err.strip() or out.strip()}")
        return parse_show(out, names, clock)

    def change(self, verb: str, *names: str) -> None:
        """One verb of systemctl; a failure is told with the state and the journal of the units."""
        code, out, err = self._run([str(self._systemctl), verb, *names])
        if code == 0:
            return
        what = f"systemctl {verb} {' '.join(names)}".strip()
        raise SystemdError(f"{what} failed: {err.strip() or out.strip()}" + "".join(map(self.report, names)))

    def report(self, name: str) -> str:
        """What a person would look up next: state and last journal lines of a unit."""
        state = self.show([name])[name]
        text = f"\n{name} is {state.describe()}"
        journalctl = self._module.get_bin_path("journalctl")
        if journalctl is None:
            return text
        command = [journalctl, "--no-pager", "--output=short-iso", f"--lines={JOURNAL_LINES}", f"--unit={name}"]
        _code, out, _err = self._run(command)
        return f"{text}; its last journal lines:\n{out.strip()}"

    def _run(self, command: list[str]) -> tuple[int, str, str]:
        # Day names in the machine's language would hide the timestamps.
        result: tuple[int, str, str] = self._module.run_command(command, environ_update={"LC_ALL": "C", "LANG": "C"})
        return result
