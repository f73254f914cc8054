# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare an answer with a recorded one: equal, but for what a server makes up, which is matched by shape.

Times are bound: a recorded time that comes again must be the same time again, and two recorded times must not become
one. That is how a replay sees that a write bumps modificationTime and leaves creationTime alone.
"""

from __future__ import annotations

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z\Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
# How the recording shortened what is long, secret or both.
_CUT = re.compile(r"(?P<start>.*)\.\.\.\((?P<length>\d+) chars\)\Z", re.DOTALL)
_MORE = re.compile(r"\.\.\. (\d+) more\Z")
_PEM = "-----BEGIN "
# Fields that belong to the machine or the run; any text will do.
_MACHINE = {"hostname", "instanceId", "clusterId", "controlPlaneInstanceId", "createdAt"}


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


class Comparison:
    def __init__(self, times: dict[str, str] | None = None) -> None:
        self.times = times if times is not None else {}
        self.problems: list[str] = []

    def fail(self, at: str, recorded: Any, actual: Any) -> None:
        self.problems.append(f"{at or 'body'}: recorded {short(recorded)}, got {short(actual)}")

    def value(self, recorded: Any, actual: Any, at: str = "") -> None:
        if isinstance(recorded, str) and isinstance(actual, str):
            self.text(recorded, actual, at)
        elif isinstance(recorded, dict) and isinstance(actual, dict):
            self.object(recorded, actual, at)
        elif isinstance(recorded, list) and isinstance(actual, list):
            self.list(recorded, actual, at)
        elif type(recorded) is not type(actual) or recorded != actual:
            self.fail(at, recorded, actual)

    def object(self, recorded: dict, actual: dict, at: str) -> None:
        for name in sorted(recorded.keys() | actual.keys()):
            here = f"{at}.{name}" if at else name
            if name not in actual:
                self.problems.append(f"{here}: missing, recorded {short(recorded[name])}")
            elif name not in recorded:
                self.problems.append(f"{here}: not recorded, got {short(actual[name])}")
            elif name in _MACHINE and isinstance(actual[name], str) and "." not in str(recorded[name])[:-1]:
                continue
            else:
                self.value(recorded[name], actual[name], here)

    def list(self, recorded: list, actual: list, at: str) -> None:
        length = len(recorded)
        more = _MORE.match(recorded[-1]) if recorded and isinstance(recorded[-1], str) else None
        if more is not None:
            recorded = recorded[:-1]
            length = len(recorded) + int(more.group(1))
        if length != len(actual):
            self.fail(f"{at} (length)", length, len(actual))
        for number, (ours, theirs) in enumerate(zip(recorded, actual)):
            self.value(ours, theirs, f"{at}[{number}]")

    def text(self, recorded: str, actual: str, at: str) -> None:
        cut = _CUT.match(recorded)
        if cut is not None:
            start, length = cut.group("start")[:12], int(cut.group("length"))
            if not actual.startswith(start) or not 0.5 * length <= len(actual) <= 1.5 * length:
                self.fail(at, recorded, actual)
        elif TIME.match(recorded):
            self.time(recorded, actual, at)
        elif UUID.match(recorded):
            if not UUID.match(actual):
                self.fail(at, recorded, actual)
        elif recorded.startswith(_PEM):
            if actual.split("\n")[0] != recorded.split("\n")[0]:
                self.fail(at, recorded, actual)
        elif recorded != actual:
            self.fail(at, recorded, actual)

    def time(self, recorded: str, actual: str, at: str) -> None:
        if not TIME.match(actual):
            self.fail(at, recorded, actual)
            return
        if not at.endswith(("creationTime", "modificationTime")):
            return
        field = at.rpartition(".")[2]
        key = f"{field} {recorded}"
        known, fresh = self.times.get(key), f"{field} {actual}" not in self.times.values()
        if known is None and not fresh and field == "modificationTime":
            self.problems.append(f"{at}: the same time as before, where the recording shows a new one: {actual}")
        elif known is not None and known != f"{field} {actual}":
            self.problems.append(f"{at}: {actual}, where the recording shows the one that was {known}")
        self.times[key] = f"{field} {actual}"
