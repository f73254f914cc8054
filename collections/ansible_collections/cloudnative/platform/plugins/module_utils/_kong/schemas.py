# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What `/schemas` says about fields, compiled into a form in which entities are compared. Pure.

The canonical form of an entity has its defaults filled in, sets sorted and without duplicates, references as ids, and
no nulls: an absent field and a null say the same. Two entities are the same when their canonical forms are.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import suggestion

#: Names of fields that hold secrets where the schema does not mark them `encrypted`.
_SECRET_NAMES = ("password", "secret", "token", "private_key", "api_key", "apikey", "secrets")

#: What a shorthand stands for where the schema does not say. (plugin, shorthand) -> field, None for one without effect.
_SHORTHANDS: dict[tuple[str, str], str | None] = {
    ("opentelemetry", "endpoint"): "traces_endpoint",
    ("session", "cookie_lifetime"): "rolling_timeout",
    ("session", "cookie_idletime"): "idling_timeout",
    ("session", "cookie_renew"): None,
    ("session", "cookie_discard"): "stale_ttl",
    ("session", "cookie_samesite"): "cookie_same_site",
    ("session", "cookie_httponly"): "cookie_http_only",
    ("session", "cookie_persistent"): "remember",
}
#: Defaults that each node makes up when it starts, so that they are no wish of anybody: (plugin, field).
_RANDOM_DEFAULTS = {("session", "secret")}


class Field:
    """One field of a schema."""

    __slots__ = ("auto", "default", "element", "record", "required", "secret", "type")

    def __init__(self, name: str, spec: Raw, plugin: str) -> None:
        self.type: str = spec.get("type", "string")
        self.required = bool(spec.get("required"))
        self.auto = bool(spec.get("auto")) or (plugin, name) in _RANDOM_DEFAULTS
        self.secret = bool(spec.get("encrypted")) or name in _SECRET_NAMES
        inner = spec.get("elements") or spec.get("values")
        if self.type == "map" and inner and inner.get("referenceable"):
            # Headers for somebody else's API: that a vault may hold them is how the schema says what they may be.
            self.secret = True
        self.element = Field(name, inner, plugin) if inner else None
        self.record = Record(spec, plugin) if self.type == "record" and "fields" in spec else None
        default = spec.get("default")
        if default is None and self.record and self.required:
            default = {}
        self.default: t.Any = None
        if default not in (None, "") and not self.auto:
            self.default = self.canonical(default, None, "")

    def canonical(self, value: t.Any, problems: list[str] | None, path: str) -> t.Any:
        """The canonical form; `problems` collects fields that nobody knows."""
        if self.record:
            if not isinstance(value, dict):
                return value
            return self.record.canonical(value, problems, path)
        if self.type == "foreign":
            return value.get("id") if isinstance(value, dict) else value
        if self.type in ("array", "set") and isinstance(value, list):
            items = value
            if self.element and self.element.record:
                items = [self.element.canonical(item, problems, path) for item in value]
            return _sorted(items) if self.type == "set" else items
        if self.type == "map" and isinstance(value, dict) and self.element and self.element.record:
            return {key: self.element.canonical(item, problems, path) for key, item in value.items()}
        return value


class Record:
    """The fields of an entity, or of a record inside of one."""

    __slots__ = ("_defaults", "fields", "has_shorthands", "shorthands")

    def __init__(self, schema: Raw, plugin: str = "") -> None:
        self.fields: dict[str, Field] = {}
        for item in schema.get("fields") or []:
            for name, spec in item.items():
                self.fields[name] = Field(name, spec, plugin)
        self.shorthands: dict[str, tuple[str, ...] | None] = {}
        for item in schema.get("shorthand_fields") or []:
            for name, spec in item.items():
                replaced = ((spec.get("deprecation") or {}).get("replaced_with") or [{}])[0].get("path")
                known = _SHORTHANDS.get((plugin, name))
                self.shorthands[name] = tuple(replaced) if replaced else (known,) if known else None
        inner = [field.record for field in self.fields.values() if field.record is not None]
        self.has_shorthands: bool = bool(self.shorthands) or any(record.has_shorthands for record in inner)
        self._defaults = {name: field.default for name, field in self.fields.items() if field.default is not None}

    def canonical(self, value: Raw, problems: list[str] | None = None, path: str = "", defaults: bool = True) -> Raw:
        """`defaults` is off for what comes from the gateway: it has every field, and a null there is one."""
        out: Raw = {}
        for name, item in value.items():
            field = self.fields.get(name)
            if field is None:
                if problems is not None and name not in self.shorthands:
                    problems.append(f"unknown field {path}{name}{suggestion(name, self.fields)}")
                continue
            if item is None or item == "":
                continue
            if field.record is not None and isinstance(item, dict):
                out[name] = field.record.canonical(item, problems, f"{path}{name}.", defaults)
            elif field.element is None and field.type != "foreign":
                out[name] = item
            else:
                out[name] = field.canonical(item, problems, f"{path}{name}.")
        if defaults:
            for name, default in self._defaults.items():
                if name not in value:
                    out[name] = default
        return out

    def without_shorthands(self, value: Raw, problems: list[str], path: str = "") -> Raw:
        """Old names replaced by those that Kong stores; the two must not say different things."""
        out: Raw = {}
        for name, item in value.items():
            field = self.fields.get(name)
            if field is not None and field.record is not None and isinstance(item, dict):
                item = field.record.without_shorthands(item, problems, f"{path}{name}.")
            out[name] = item
        for name in [name for name in value if name in self.shorthands and name not in self.fields]:
            target = self.shorthands[name]
            given = out.pop(name)
            if target is None or given is None:
                continue
            if name == "cookie_samesite" and given == "off":
                given = "Lax"
            place = out
            for step in target[:-1]:
                place[step] = dict(place.get(step) or {})
                place = place[step]
            if place.get(target[-1]) is None:
                place[target[-1]] = given
            elif place[target[-1]] != given:
                problems.append(
                    f"{path}{name} and {path}{'.'.join(target)} are two names of one setting and differ: "
                    f"keep {path}{'.'.join(target)}"
                )
        return out

    def missing(self, value: Raw, path: str = "") -> t.Iterator[str]:
        """Required fields without a value that neither Kong nor a default gives one."""
        for name, field in self.fields.items():
            item = value.get(name)
            if item is None:
                if field.required and not field.auto and (name in value or field.default is None):
                    yield f"{path}{name}"
            elif field.record is not None and isinstance(item, dict):
                yield from field.record.missing(item, f"{path}{name}.")


def _sorted(items: list[t.Any]) -> list[t.Any]:
    try:
        return sorted(set(items))
    except TypeError:  # a set of records
        unique = {json.dumps(item, sort_keys=True): item for item in items}
        return [unique[key] for key in sorted(unique)]
