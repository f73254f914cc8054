# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few habits of Lua that show in Kong's answers: patterns, %.14g numbers, and pl.pretty's way to write a table."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_CLASSES = {
    "a": "A-Za-z",
    "d": "0-9",
    "l": "a-z",
    "s": r"\s",
    "u": "A-Z",
    "w": "A-Za-z0-9",
    "x": "A-Fa-f0-9",
    "p": r"!-/:-@\[-`{-~",
    "c": r"\x00-\x1f\x7f",
}
_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


@cache
def pattern(lua: str) -> re.Pattern[str]:
    """Translate a Lua pattern (without %b and %f, which no schema uses) into a regular expression."""
    out: list[str] = []
    i, in_set = 0, False
    while i < len(lua):
        char = lua[i]
        if char == "%":
            i += 1
            following = lua[i]
            members = _CLASSES.get(following.lower())
            if members is None:
                out.append(re.escape(following))
            elif in_set:
                out.append(members)
            else:
                out.append(f"[{'^' if following.isupper() else ''}{members}]")
        elif in_set:
            if char == "]":
                in_set = False
                out.append("]")
            else:
                out.append("\\" + char if char in "[\\" or (char == "-" and lua[i + 1] == "]") else char)
        elif char == "[":
            in_set = True
            out.append("[")
            if lua[i + 1] == "^":
                out.append("^")
                i += 1
        elif char == "-":
            out.append("*?")
        elif char == "$" and i == len(lua) - 1:
            out.append(r"\Z")
        elif char in "^.*+?()":
            out.append(char)
        else:
            out.append(re.escape(char))
        i += 1
    return re.compile("".join(out), re.DOTALL)


def matches(value: str, lua: str) -> bool:
    return pattern(lua).search(value) is not None


def number(value: float) -> str:
    """Write a number as Lua's tostring does."""
    if isinstance(value, int) or value == int(value):
        return str(int(value))
    return f"{value:.14g}"


def text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number(value)
    return str(value)


def pretty(value: Any, indent: str = "", level: int = 1) -> str:
    """Write a table as pl.pretty.write does: on one line without an indent, one entry a line with one."""
    if not isinstance(value, (dict, list)):
        if isinstance(value, str):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        return text(value)
    entries: list[str] = []
    if isinstance(value, list):
        entries = [pretty(item, indent, level + 1) for item in value]
    else:
        for key in sorted(value, key=lambda k: (isinstance(k, str), k)):
            item = pretty(value[key], indent, level + 1)
            if isinstance(key, int):
                in_sequence = key == len(entries) + 1
                entries.append(item if in_sequence else f"[{key}]{' = ' if indent else '='}{item}")
            else:
                name = key if _IDENTIFIER.match(key) else f'["{key}"]'
                entries.append(f"{name}{' = ' if indent else '='}{item}")
    if not entries:
        return "{\n" + indent * (level - 1) + "}" if indent else "{}"
    if not indent:
        return "{" + ",".join(entries) + "}"
    pad = "\n" + indent * level
    return "{" + pad + ("," + pad).join(entries) + "\n" + indent * (level - 1) + "}"


def quoted_list(words: list[Any]) -> str:
    return ", ".join(f"({quoted_list(word)})" if isinstance(word, list) else f"'{word}'" for word in words)


def sequences(value: Any) -> Any:
    """Turn error tables keyed by 1..n into lists with holes, which is how cjson writes them."""
    if isinstance(value, dict):
        if value and all(isinstance(key, int) for key in value):
            return [sequences(value[i]) if i in value else None for i in range(1, max(value) + 1)]
        return {key: sequences(item) for key, item in value.items()}
    return [sequences(item) for item in value] if isinstance(value, list) else value


def clone(value: Any) -> Any:
    """Copy plain data; several times faster than copy.deepcopy."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    return [clone(item) for item in value] if isinstance(value, list) else value


def lua_equal(left: Any, right: Any) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def merge_null_aware(first: dict, second: dict) -> dict:
    """Merge two tables; a null of the second does not hide a value of the first."""
    out = dict(first)
    for key, value in second.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge_null_aware(out[key], value)
        elif value is not None or key not in out:
            out[key] = value
    return out
