# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The declarative format: nested or flat entities, deterministic ids, references by name, uniqueness."""

from __future__ import annotations

import json
import uuid
from typing import Any

from .entities import Catalog, Entity
from .lua import clone
from .schema import Record
from .validators import UUID

Rows = dict[str, dict[str, dict]]
_NAMESPACE = uuid.UUID("fd02801f-0957-4a15-a55a-c8d9606f30b5")
_VERSIONS = ("1.1", "2.1", "3.0")


class Invalid(Exception):
    """The configuration is refused; the errors are keyed like the configuration."""

    def __init__(self, errors: dict) -> None:
        super().__init__(errors)
        self.errors = errors


def _id(entity: str, key: str) -> str:
    return str(uuid.uuid5(uuid.uuid5(_NAMESPACE, entity), key))


def _array(record: Record) -> dict:
    return {"type": "array", "elements": {"type": "record", "record": record, "required": True}}


class Format:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.known = catalog.entities
        # With foreign keys left out or as names, and with the foreign keys themselves.
        self.plain = self._root(full=False)
        self.full = self._root(full=True)

    # Schemas

    def _root(self, full: bool) -> Record:
        root = Record("declarative_config", {})
        root.fields = {
            "_format_version": {"type": "string", "required": True, "one_of": list(_VERSIONS)},
            "_transform": {"type": "boolean", "default": True},
            **self._extra(),
        }
        for name, entity in self.known.items():
            root.fields[name] = _array(self._record(entity, full, nested=False))
        return root

    @staticmethod
    def _extra() -> dict[str, dict]:
        return {"_comment": {"type": "string"}, "_ignore": {"type": "array", "elements": {"type": "any"}}}

    def _record(self, entity: Entity, full: bool, nested: bool) -> Record:
        record = Record(entity.name, {})
        record.__dict__.update(entity.record.__dict__)
        record.fields = {**entity.record.fields, **self._extra()}
        if entity.ttl:
            record.fields["ttl"] = {"type": "number"}
        if not full:
            for name in entity.foreign:
                field = record.fields[name]
                if nested:
                    record.fields[name] = {**field, "eq": None, "default": None, "required": False}
                else:
                    # The name or id of the other entity.
                    record.fields[name] = {**field, "type": "string", "len_min": 1, "target": None}
        for child, _name, _cascade in self.catalog.children(entity.name):
            record.fields[child.name] = _array(self._record(child, full, nested=True))
        return record

    # Reading a configuration

    def read(self, config: dict) -> tuple[Rows, dict]:
        """Validate and flatten; the answer is entity -> id -> row, and what the format says about itself."""
        config.setdefault("_transform", True)
        first = self.plain.validate(self.plain.with_defaults(config, "insert"))
        if first:
            copy = clone(config)
            self._populate_ids(copy)
            second = self.full.validate(self.full.with_defaults(copy, "insert"))
            if second:
                raise Invalid(_merge(second, _null_errors(first)))
        self._generate_ids(config)
        processed = self.plain.with_defaults(config, "insert")
        by_id, by_key = self._references(processed)
        meta = {key: value for key, value in processed.items() if key.startswith("_")}
        return self._flatten(by_id, by_key), meta

    @staticmethod
    def _items(table: dict, name: str) -> list:
        items = table.get(name)
        return items if isinstance(items, list) else []

    def _id_key(self, entity: Entity, item: dict, parent_id: str | None, child_key: str) -> str | None:
        """What the id of an entity without one is made of; None where Kong makes it up."""
        fields = entity.record.fields
        if entity.cache_key:
            parts = [entity.name, "*"]
            for name in entity.cache_key:
                if fields[name].get("auto"):
                    return None
                value = item.get(name, ...)
                if isinstance(value, str):
                    parts.append(value)
                elif value is ...:
                    if name == child_key:
                        if parent_id is None:
                            return None
                        parts.append(parent_id)
                    elif fields[name].get("required"):
                        return None
                    else:
                        parts.append("")
            return ":".join(parts)
        if entity.endpoint_key and item.get(entity.endpoint_key) is not None:
            return str(item[entity.endpoint_key])
        return None

    def _children(self, parent: Entity | None) -> list[tuple[Entity, str]]:
        if parent is None:
            return [(entity, "") for entity in self.known.values()]
        children = [(child, name) for child, name, _cascade in self.catalog.children(parent.name)]
        # Certificates have a field `snis` of their own; Kong passes over the nested entities of that name.
        return [(child, name) for child, name in children if child.name not in parent.record.fields]

    def _generate_ids(self, table: dict, parent: Entity | None = None) -> None:
        for entity, child_key in self._children(parent):
            for item in self._items(table, entity.name):
                if "id" not in item:
                    key = self._id_key(entity, item, table.get("id"), child_key)
                    if key is not None:
                        item["id"] = _id(entity.name, key)
                self._generate_ids(item, entity)

    def _populate_ids(self, config: dict) -> None:
        """Ids for a second validation: every entity gets one, and names become foreign keys where they are known."""
        found: dict[str, list[dict]] = {}

        def visit(table: dict, parent: Entity | None) -> None:
            for entity, child_key in self._children(parent):
                for item in self._items(table, entity.name):
                    if not isinstance(item, dict):
                        continue
                    if not item.get("id"):
                        key = self._id_key(entity, item, table.get("id"), child_key)
                        item["id"] = _id(entity.name, key) if key is not None else str(uuid.uuid4())
                    visit(item, entity)
                    found.setdefault(entity.name, []).append(item)
                    if parent is not None and not item.get(child_key):
                        item[child_key] = {"id": table["id"]}

        visit(config, None)
        names: dict[str, dict[str, str]] = {}
        for name, items in found.items():
            endpoint_key = self.known[name].endpoint_key
            names[name] = {}
            for item in items:
                names[name][str(item["id"])] = item["id"]
                if endpoint_key and isinstance(item.get(endpoint_key), str):
                    names[name][item[endpoint_key]] = item["id"]
        for name, items in found.items():
            for item in items:
                for foreign, (parent_name, _cascade) in self.known[name].foreign.items():
                    value = item.get(foreign)
                    if isinstance(value, str) and value in names.get(parent_name, {}):
                        item[foreign] = {"id": names[parent_name][value]}

    def _references(self, config: dict) -> tuple[Rows, dict[str, dict[str, dict]]]:
        by_id: Rows = {}
        by_key: dict[str, dict[str, dict]] = {}
        expected: list[tuple[str, str, str, Any, Any]] = []
        errors: dict = {}

        def visit(table: dict, parent: Entity | None, parent_at: int | None) -> None:
            if parent is None:
                listed = [(entity, "") for entity in self.known.values()]
            else:
                listed = [(child, name) for child, name, _cascade in self.catalog.children(parent.name)]
            for entity, child_key in listed:
                for at, item in enumerate(self._items(table, entity.name), 1):
                    visit(item, entity, at)
                    key = item.get(entity.endpoint_key) if entity.unique_endpoint_key else None
                    failed = False
                    if key is not None:
                        if key in by_key.setdefault(entity.name, {}):
                            errors.setdefault(entity.name, {})[at] = _duplicate(entity, str(entity.endpoint_key), key)
                            failed = True
                        else:
                            by_key[entity.name][key] = item
                    rows = by_id.setdefault(entity.name, {})
                    if item["id"] in rows and not failed:
                        place = errors
                        if parent is not None:
                            place = errors.setdefault(parent.name, {}).setdefault(parent_at, {})
                        place.setdefault(entity.name, {})[at] = _duplicate(entity, "primary key", item["id"])
                    else:
                        rows[item["id"]] = item
                    for name, (target, _cascade) in entity.foreign.items():
                        if item.get(name) is not None:
                            expected.append((entity.name, target, name, item[name], key or item["id"] or at))
                    if parent is not None:
                        item[child_key] = {"id": table["id"]}

        visit(config, None, None)
        for name, target, field, value, at in expected:
            wanted = value.get("id", value) if isinstance(value, dict) else value
            if self._found(by_id, by_key, target, wanted) is None:
                shown = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
                message = f"invalid reference '{field}: {shown}' (no such entry in '{target}')"
                errors.setdefault(name, {}).setdefault(at, {})
                place = errors[name][at]
                place[len(place) + 1] = message
        if errors:
            raise Invalid(errors)
        return by_id, by_key

    @staticmethod
    def _found(by_id: Rows, by_key: Rows, target: str, wanted: Any) -> dict | None:
        if not isinstance(wanted, str):
            return None
        return by_key.get(target, {}).get(wanted) or by_id.get(target, {}).get(wanted)

    def _flatten(self, by_id: Rows, by_key: Rows) -> Rows:
        rows: Rows = {}
        errors: dict = {}
        for name, items in by_id.items():
            entity = self.known[name]
            uniques: dict[tuple[str, Any], str] = {}
            for identifier, item in items.items():
                row: dict[str, Any] = {}
                for field in entity.record.fields:
                    value = item.get(field)
                    if field in entity.foreign and isinstance(value, str):
                        target = self._found(by_id, by_key, entity.foreign[field][0], value)
                        value = {"id": target["id"]} if target else None
                    row[field] = value
                for fields in entity.unique:
                    value = row.get(fields[0])
                    if len(fields) > 1 or value is None:
                        continue
                    if (fields[0], value) in uniques:
                        at = row.get(entity.endpoint_key or "id") or identifier
                        errors.setdefault(name, {})[at] = _duplicate(entity, fields[0], value)
                    uniques[fields[0], value] = identifier
                if entity.ttl and item.get("ttl") is not None:
                    row["ttl"] = item["ttl"]
                rows.setdefault(name, {})[identifier] = row
        if errors:
            raise Invalid(errors)
        return rows


def _duplicate(entity: Entity, key: str, value: Any) -> str:
    return f"uniqueness violation: '{entity.name}' entity with {key} set to '{value}' already declared"


def _null_errors(errors: dict) -> dict:
    """Of the errors of a first validation only those about foreign keys that must not be given."""
    kept = {}
    for key, value in errors.items():
        if isinstance(value, dict):
            inner = _null_errors(value)
            if inner:
                kept[key] = inner
        elif value == "value must be null":
            kept[key] = value
    return kept


def _merge(first: dict, second: dict) -> dict:
    out = dict(first)
    for key, value in second.items():
        out[key] = _merge(out[key], value) if isinstance(out.get(key), dict) and isinstance(value, dict) else value
    return out


def is_id(value: Any) -> bool:
    return isinstance(value, str) and UUID.match(value) is not None
