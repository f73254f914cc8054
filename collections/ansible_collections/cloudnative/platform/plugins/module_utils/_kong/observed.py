# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a gateway has, so that an entity is found by its id or by what names it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KINDS, Raw, name_of, singular
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.rewrites import target

Key = tuple[t.Any, ...]


def key_of(kind: str, key: tuple[str, ...], fields: t.Mapping[str, t.Any]) -> Key | None:
    """The values of a unique key, None when the entity has none. A reference that is not there is a value, too."""
    values: list[t.Any] = []
    for name in key:
        value = fields.get(name)
        if name in KINDS[kind].foreign:
            value = value.get("id") if isinstance(value, dict) else value
        elif value in (None, ""):
            return None
        elif name == "target":
            value = target(str(value))
        elif name == "cert":
            value = "".join(str(value).split())
        values.append(value)
    return tuple(values)


class Observed:
    """The entities of a gateway by kind."""

    def __init__(self, lists: t.Mapping[str, list[Raw]]) -> None:
        self.lists: dict[str, list[Raw]] = {kind: list(lists.get(kind) or []) for kind in KINDS}
        self.by_id: dict[str, dict[str, Raw]] = {
            kind: {item["id"]: item for item in items} for kind, items in self.lists.items()
        }
        self._keys: dict[tuple[str, tuple[str, ...]], dict[Key, Raw]] = {}

    def by_key(self, kind: str, key: tuple[str, ...]) -> dict[Key, Raw]:
        found = self._keys.get((kind, key))
        if found is None:
            found = self._keys[(kind, key)] = {}
            for item in self.lists[kind]:
                values = key_of(kind, key, item)
                if values is not None:
                    found[values] = item
        return found

    def named(self, kind: str, name: t.Any) -> Raw | None:
        """By id, or by the first of its names, as Kong itself resolves a reference."""
        found = self.by_id[kind].get(name)
        for key in KINDS[kind].keys[:1]:
            found = found or self.by_key(kind, key).get((name,))
        return found

    def name(self, kind: str, identifier: t.Any) -> str:
        item = self.by_id[kind].get(identifier)
        return name_of(kind, item, self.name) if item else str(identifier)

    def label(self, kind: str, item: Raw) -> str:
        return f"{singular(kind)} {name_of(kind, item, self.name)}"

    def referring(self) -> dict[str, list[tuple[str, str, Raw]]]:
        """Who refers to an id: (kind, field, entity) of each. Computed anew: ask once."""
        found: dict[str, list[tuple[str, str, Raw]]] = {}
        for kind, items in self.lists.items():
            for field in KINDS[kind].foreign:
                for item in items:
                    reference = item.get(field)
                    if reference:
                        found.setdefault(reference["id"], []).append((kind, field, item))
        for item in self.lists["services"]:
            for identifier in item.get("ca_certificates") or []:
                found.setdefault(identifier, []).append(("services", "ca_certificates", item))
        return found


def owned(item: Raw, owner_tags: t.Sequence[str]) -> bool:
    tags = item.get("tags") or []
    return all(tag in tags for tag in owner_tags)
