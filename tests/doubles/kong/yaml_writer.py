# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write plain data as block YAML the way lyaml does: `~` for null, quotes only where a plain scalar would mislead."""

from __future__ import annotations

import json
import re
from typing import Any

from .lua import number

_PLAIN = re.compile(r"^[A-Za-z/_][\w./@+\-~% ()]*\Z")
_SPECIAL = re.compile(r"^(~|null|true|false|yes|no|on|off|y|n|[-+.]?\d.*)\Z", re.IGNORECASE)


def scalar(value: Any) -> str:
    if value is None:
        return "~"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number(value)
    if "\n" in value:
        return json.dumps(value)
    if re.match(r"^[0-9a-f]{8}-[0-9a-f-]{27}\Z", value) or re.match(r"^\d+(\.\d+){3}(:\d+)?\Z", value):
        return value
    if _PLAIN.match(value) and not _SPECIAL.match(value) and value == value.strip():
        return value
    return "'" + value.replace("'", "''") + "'"


def _lines(value: Any, indent: int) -> list[str]:
    pad = "  " * indent
    lines: list[str] = []
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict) and item:
                lines += [f"{pad}{scalar(key)}:", *_lines(item, indent + 1)]
            elif isinstance(item, list) and item:
                lines += [f"{pad}{scalar(key)}:", *_lines(item, indent)]
            else:
                lines.append(f"{pad}{scalar(key)}: {_empty(item)}")
        return lines
    for item in value:
        if isinstance(item, (dict, list)) and item:
            inner = _lines(item, indent + 1)
            lines += [f"{pad}- {inner[0].lstrip()}", *inner[1:]]
        else:
            lines.append(f"{pad}- {_empty(item)}")
    return lines


def _empty(item: Any) -> str:
    return ("[]" if isinstance(item, list) else "{}") if isinstance(item, (dict, list)) else scalar(item)


def dump(value: dict) -> str:
    return "\n".join(_lines(value, 0)) + "\n"
