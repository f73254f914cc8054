# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which entities are so alike that Kong, asked about one of them, has answered for all. Pure.

Asking about each of thousands of routes costs as much as writing them. Most of them differ in nothing but a name, a
host name, a path or a number within its bounds, of a plainness that no validator minds. Such values are left out of an
entity's shape; everything else is part of it, and so is which fields are there. What is not plain stands in the shape
as it is, so such an entity is asked about itself.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import Raw

_LABEL = r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}\Z")
_TAG = re.compile(r"[ -+\--.0-~]{1,100}\Z")
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_PATH = re.compile(r"(/[A-Za-z0-9_-]+)+\Z")
_TARGET = re.compile(rf"({_LABEL}(\.{_LABEL})*|{_OCTET}(\.{_OCTET}){{3}}):[1-9][0-9]{{0,3}}\Z")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_TEXT = re.compile(r"[!-~]{1,200}\Z")

Plain = t.Callable[[t.Any], bool]


def _text(pattern: re.Pattern[str]) -> Plain:
    return lambda value: isinstance(value, str) and bool(pattern.match(value))


def _each(pattern: re.Pattern[str]) -> Plain:
    one = _text(pattern)
    return lambda value: isinstance(value, list) and bool(value) and all(one(item) for item in value)


def _between(low: int, high: int) -> Plain:
    # True is an int to Python, but not to Kong.
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


_REFERENCE: Plain = lambda value: isinstance(value, dict) and list(value) == ["id"]  # noqa: E731
_SECONDS = _between(1, 2147483646)
_COMMON: dict[str, Plain] = {"id": _text(_ID), "created_at": lambda value: True, "tags": _each(_TAG)}
#: Fields by kind, and when a value of theirs is plain.
_FIELDS: dict[str, dict[str, Plain]] = {
    "services": {
        "name": _text(_NAME),
        "host": _text(_HOST),
        "path": _text(_PATH),
        "port": _between(1, 65535),
        "retries": _between(0, 32767),
        "connect_timeout": _SECONDS,
        "read_timeout": _SECONDS,
        "write_timeout": _SECONDS,
    },
    "routes": {"name": _text(_NAME), "hosts": _each(_HOST), "paths": _each(_PATH), "service": _REFERENCE},
    "upstreams": {"name": _text(_HOST), "slots": _between(10, 65536)},
    "targets": {"target": _text(_TARGET), "weight": _between(0, 65535), "upstream": _REFERENCE},
    "consumers": {"username": _text(_NAME), "custom_id": _text(_NAME)},
    "keyauth_credentials": {"key": _text(_TEXT), "consumer": _REFERENCE},
    "acls": {"group": _text(_NAME), "consumer": _REFERENCE},
    "plugins": {"service": _REFERENCE, "route": _REFERENCE, "consumer": _REFERENCE},
}


def shape(kind: str, body: Raw) -> str:
    """Equal for entities of which Kong takes either all or none."""
    plain = _FIELDS.get(kind, {})
    rest = {}
    for name, value in body.items():
        check = plain.get(name) or _COMMON.get(name)
        rest[name] = "…" if check is not None and check(value) else [value]
    return f"{kind} {json.dumps(rest, sort_keys=True)}"


T = t.TypeVar("T")


def representatives(items: t.Iterable[T], of: t.Callable[[T], tuple[str, Raw]]) -> list[T]:
    """One item of each shape, the first."""
    found: dict[str, T] = {}
    for item in items:
        found.setdefault(shape(*of(item)), item)
    return list(found.values())
