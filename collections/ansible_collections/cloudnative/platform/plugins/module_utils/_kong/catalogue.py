# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The compiled schemas of one Kong: what fields each kind of entity has, for plugins by their name. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.schemas import Record
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import suggestion

#: What the clock says is no difference.
TIMES = ("created_at", "updated_at")
#: In no schema, or there for the Admin API alone: SNIs are entities of their own, a digest is computed.
_ADDED: dict[str, Raw] = {"keyauth_credentials": {"ttl": {"type": "integer"}}}
_DROPPED = {"certificates": ("snis",), "ca_certificates": ("cert_digest",)}


def schema_names(kinds: t.Iterable[str], plugins: t.Iterable[str], vaults: t.Iterable[str]) -> list[str]:
    """Paths below `/schemas` of all that is needed."""
    names = [*kinds, *(f"plugins/{name}" for name in plugins), *(f"vaults/{name}" for name in vaults)]
    return list(dict.fromkeys(names))


class Catalogue:
    """`raw` holds the answers of `/schemas` by their path below it."""

    def __init__(self, raw: t.Mapping[str, Raw], plugins: t.Iterable[str] = ()) -> None:
        self.raw = raw
        self.plugins = sorted(plugins)
        self._records: dict[tuple[str, str], Record] = {}
        self._auto: dict[tuple[str, str], list[tuple[str, ...]]] = {}

    def record(self, kind: str, fields: t.Mapping[str, t.Any]) -> Record:
        name = str(fields.get("name")) if kind in ("plugins", "vaults") else ""
        found = self._records.get((kind, name))
        if found is None:
            found = self._records[(kind, name)] = Record(self._schema(kind, name), name if kind == "plugins" else "")
        return found

    def _schema(self, kind: str, name: str) -> Raw:
        fields: Raw = {}
        for item in self.raw[kind].get("fields") or []:
            fields.update(item)
        if name:
            for item in (self.raw.get(f"{kind}/{name}") or {}).get("fields") or []:
                fields.update(item)
        fields.update(_ADDED.get(kind, {}))
        for dropped in _DROPPED.get(kind, ()):
            fields.pop(dropped, None)
        return {"fields": [{key: value} for key, value in fields.items()]}

    def knows(self, kind: str, name: str) -> bool:
        return f"{kind}/{name}" in self.raw

    def canonical(self, kind: str, fields: Raw, defaults: bool = True, problems: list[str] | None = None) -> Raw:
        out = self.record(kind, fields).canonical(fields, problems, "", defaults)
        for name in TIMES:
            out.pop(name, None)
        if not out.get("tags"):
            # An empty set and none at all mean the same to a person, though Kong tells them apart.
            out.pop("tags", None)
        return out

    def auto(self, kind: str, fields: Raw) -> list[tuple[str, ...]]:
        """Paths of fields that Kong makes up: nobody changes them by leaving them out."""
        key = (kind, str(fields.get("name")) if kind == "plugins" else "")
        found = self._auto.get(key)
        if found is None:
            paths = _auto(self.record(kind, fields), ())
            found = self._auto[key] = [path for path in paths if path[0] not in ("id", *TIMES)]
        return found

    def plugin_problem(self, name: t.Any) -> str | None:
        if not isinstance(name, str) or not name:
            return "a plugin needs a name"
        if name in self.plugins:
            return None
        return f"this Kong has no plugin {name}{suggestion(name, self.plugins)}"


def _auto(record: Record, path: tuple[str, ...]) -> t.Iterator[tuple[str, ...]]:
    for name, field in record.fields.items():
        if field.auto:
            yield (*path, name)
        elif field.record is not None:
            yield from _auto(field.record, (*path, name))
