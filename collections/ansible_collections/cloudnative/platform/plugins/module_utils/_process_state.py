# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Finds a process by its name and says whether it is stopped."""

from __future__ import annotations

import os
import typing as t


def parse_stat(text: str) -> tuple[str, str]:
    """Name and state letter of /proc/PID/stat; the name stands in parentheses and may itself hold some."""
    start, end = text.index("("), text.rindex(")")
    return text[start + 1 : end], text[end + 2 : end + 3]


def is_stopped(state: str) -> bool:
    """T is stopped by a signal; t, stopped by a debugger, is somebody else's business."""
    return state == "T"


def processes(name: str, root: str = "/proc") -> dict[int, str]:
    """Process id → state letter of all processes of that name."""
    found = {}
    for entry in os.listdir(root):
        if not entry.isdigit():
            continue
        try:
            with open(os.path.join(root, entry, "stat"), encoding="utf-8", errors="replace") as stream:
                command, state = parse_stat(stream.read())
        except (OSError, ValueError):
            # It ended meanwhile.
            continue
        if command == name:
            found[int(entry)] = state
    return found


def plan(wanted: str, found: t.Mapping[int, str]) -> list[int]:
    """Processes that need a signal to be as wanted."""
    return sorted(pid for pid, state in found.items() if is_stopped(state) != (wanted == "paused"))
