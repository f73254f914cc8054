# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Durations as Go reads and writes them. Pure."""

from __future__ import annotations

import re
import typing as t

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def nanoseconds(text: t.Any) -> int | None:
    """A duration such as 1h30m or 500ms; None for what is none."""
    if not isinstance(text, str):
        return None
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text[1:] if text[:1] == "+" else text)
    if rest == "0":
        return 0
    total, position = 0, 0
    for part in _PART.finditer(rest):
        if part.start() != position:
            return None
        whole, _point, fraction = part[1].partition(".")
        unit = _UNITS[part[2]]
        total += int(whole or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        position = part.end()
    return sign * total if rest and position == len(rest) else None


def written(value: int) -> str:
    """As the control plane stores it: 5s, 1m0s, 24h0m0s, 500ms."""
    if value == 0:
        return "0s"
    sign, value = ("-", -value) if value < 0 else ("", value)
    if value < 10**9:
        unit, size = next((unit, size) for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)) if value >= size)
        return f"{sign}{_decimal(value, size)}{unit}"
    minutes, rest = divmod(value, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 10**9)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    if not rest:
        return str(whole)
    digits = len(str(size)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0")


def seconds(text: str) -> float | None:
    """Like `nanoseconds`, and with days and weeks, which people write and Go does not read."""
    match = re.fullmatch(r"(\d+)([dw])", text) if isinstance(text, str) else None
    if match:
        return float(int(match[1]) * (86400 if match[2] == "d" else 7 * 86400))
    value = nanoseconds(text)
    return None if value is None else value / 10**9
