# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`flatten_errors`: errors of a declarative configuration as a list of entities, each with what is wrong with it."""

from __future__ import annotations

from typing import Any

from .declarative_schema import is_id
from .entities import Catalog


def flatten(catalog: Catalog, config: dict, errors: dict) -> list[dict]:
    """Move what belongs to an entity out of `errors` into the answer; what is left stays in `errors`."""
    flattened: list[dict] = []
    for section in sorted(errors, key=str, reverse=True):
        found, entities = errors[section], config.get(section)
        if not isinstance(found, dict) or not isinstance(entities, list):
            continue
        del errors[section]
        for at in sorted(found, key=str, reverse=True):
            if isinstance(at, int) and at <= len(entities) and isinstance(entities[at - 1], dict):
                _entity(catalog, section, entities[at - 1], found[at], flattened)
    return flattened


def _pk(entity: dict) -> dict | None:
    return {"id": entity["id"]} if is_id(entity.get("id")) else None


def _entity(catalog: Catalog, kind: str, entity: dict, errors: Any, flattened: list[dict]) -> None:
    if isinstance(errors, str):
        errors = {"@entity": [errors]}
    if not isinstance(errors, dict) or not errors:
        return
    pk = _pk(entity)
    for name, (parent, _cascade) in catalog.entities[kind].foreign.items():
        value = entity.get(name)
        if isinstance(value, dict):
            entity[name] = _pk(value)
            if entity[name] is None:
                del entity[name]
            _entity(catalog, parent, value, errors.pop(name, None), flattened)
    for child, name, _cascade in catalog.children(kind):
        values = entity.get(child.name)
        if isinstance(values, list):
            del entity[child.name]
            inner = errors.pop(child.name, None)
            for at, item in enumerate(values, 1):
                if isinstance(inner, dict) and isinstance(item, dict):
                    if item.get(name) is None and pk is not None:
                        item[name] = pk
                    _entity(catalog, child.name, item, inner.get(at), flattened)
    listed: list[dict] = []
    _categorize(errors, "", listed)
    if not listed:
        return
    entry: dict[str, Any] = {"entity_type": kind[:-1] if kind.endswith("s") else kind, "entity": entity}
    if isinstance(entity.get("name"), str) and entity["name"]:
        entry["entity_name"] = entity["name"]
    if pk is not None:
        entry["entity_id"] = pk["id"]
    if isinstance(entity.get("tags"), list) and all(isinstance(tag, str) for tag in entity["tags"]):
        entry["entity_tags"] = entity["tags"]
    flattened.append({**entry, "errors": listed})


def _categorize(errors: dict, namespace: str, listed: list[dict]) -> None:
    for field in sorted(errors, key=str, reverse=True):
        problem = errors[field]
        name = f"{namespace}.{field}" if namespace else str(field)
        if field == "@entity":
            listed += [{"type": "entity", "message": message} for message in problem]
        elif isinstance(problem, str):
            listed.append({"type": "field", "field": name, "message": problem})
        elif isinstance(problem, dict):
            _categorize(problem, name, listed)
        elif isinstance(problem, list):
            listed += [{"type": "field", "field": name, "message": message} for message in problem]
