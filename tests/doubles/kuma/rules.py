# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the spec kinds: data/rules.json says where, the checks say what.

A rule is `[path, check, argument, ...]`. A path like `to[].default.http` is below `spec` and names every place it fits;
`a[].b => c[].b` shows the field under another name, as Kuma does in places. A check that ends in `!` keeps the rules
after it from looking below a place where it failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import data_files
from .checks import CHECKS, Context
from .errors import Violation
from .target_ref import target_ref

_RULES: dict[str, dict] = data_files.load("rules")


def places(value: Any, path: list[str], at: str = "", indices: tuple[int, ...] = ()) -> Iterator[tuple]:
    """(value, its path, the indices in it) of every place that a path names."""
    if value is None:
        return
    if not path:
        yield value, at, indices
        return
    step, rest = path[0], path[1:]
    name = step.removesuffix("[]")
    value = value.get(name) if isinstance(value, dict) else None
    at = f"{at}.{name}" if at else name
    if not step.endswith("[]"):
        yield from places(value, rest, at, indices)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, rest, f"{at}[{number}]", (*indices, number))


def violations(kind: str, name: str, spec: dict) -> list[Violation]:
    rules = _RULES[kind]
    found: list[Violation] = []
    if len(name) > rules.get("name_length", len(name)):
        found.append(("name", f"must not be longer than {rules['name_length']} characters"))
    top = spec.get("targetRef")
    inbound = bool(spec.get("rules"))
    if top is not None and "top" in rules:
        problems = target_ref(top, rules["top"], gateway_tags=rules.get("tags", False), inbound=inbound)
        found += [(f"spec.targetRef{field}", reason) for field, reason in problems]
    context = Context(spec, (top or {}).get("kind", "Mesh"))
    stopped: list[str] = []
    for where, check, *arguments in rules["checks"]:
        path, _, shown = where.partition(" => ")
        for value, at, indices in places(spec, path.split(".") if path else []):
            if any(at.startswith(prefix) for prefix in stopped):
                continue
            field = fill(shown, indices) if shown else at
            for below, reason in CHECKS[check.rstrip("!")](context, value, *arguments):
                found.append((f"spec.{field}{below}" if field else f"spec{below}", reason))
                if check.endswith("!"):
                    stopped.append(f"{at}{below}".lstrip("."))
    return found


def fill(shown: str, indices: tuple[int, ...]) -> str:
    for number in indices:
        shown = shown.replace("[]", f"[{number}]", 1)
    return shown
