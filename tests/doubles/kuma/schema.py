# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema engine: defaults, validation in the words of the control plane, and what Go's structs keep of a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from . import data_files
from .golang import DecodeError, format_duration, parse_duration

_DATA = data_files.load("schemas")
_DEFS: dict[str, dict] = _DATA["defs"]
KINDS: dict[str, dict] = _DATA["kinds"]
_UNSIGNED = {"uint16": 2**16, "uint32": 2**32, "uint64": 2**64}


def resolve(schema: dict) -> dict:
    return _DEFS[schema["ref"]] if "ref" in schema else schema


def whole(kind: str) -> dict:
    """The schema of a whole body, as the control plane checks it before anything else."""
    text = {"type": "string"}
    properties = {
        "type": {"type": "string", "enum": [kind]},
        "mesh": text,
        "name": text,
        "labels": {"type": "object", "additionalProperties": text},
        "spec": KINDS[kind],
    }
    return {"type": "object", "properties": properties, "required": ["name", "spec", "type"]}


def default(value: Any, schema: dict) -> None:
    """Fill in the defaults of the schema, in place."""
    schema = resolve(schema)
    if isinstance(value, dict):
        for name, field in schema.get("properties", {}).items():
            field = resolve(field)
            if "default" in field and value.get(name) is None:
                value[name] = field["default"]
            if name in value:
                default(value[name], field)
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            default(item, schema["items"])


def violations(value: Any, schema: dict, path: str = "") -> Iterator[str]:
    """Sentences like "spec.to[0].default in body must be of type object"."""
    schema = resolve(schema)
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if not isinstance(value, (int, str)) or isinstance(value, bool):
            yield f'{path} in body must be of type integer,string: "{_type(value)}"'
        return
    if wanted and not _is(value, wanted):
        yield f'{path} in body must be of type {wanted}: "{_type(value)}"'
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} in body should be one of [{' '.join(map(str, schema['enum']))}]"
        return
    if isinstance(value, dict):
        yield from _object(value, schema, path)
    elif isinstance(value, list):
        if "minItems" in schema and len(value) < schema["minItems"]:
            yield f"{path} in body should have at least {schema['minItems']} items"
        if "maxItems" in schema and len(value) > schema["maxItems"]:
            yield f"{path} in body should have at most {schema['maxItems']} items"
        for number, item in enumerate(value):
            yield from violations(item, schema.get("items", {}), f"{path}[{number}]")
    elif isinstance(value, str):
        yield from _string(value, schema, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if "minimum" in schema and value < schema["minimum"]:
            yield f"{path} in body should be greater than or equal to {schema['minimum']}"
        if "maximum" in schema and value > schema["maximum"]:
            yield f"{path} in body should be less than or equal to {schema['maximum']}"


def _object(value: dict, schema: dict, path: str) -> Iterator[str]:
    for name in schema.get("required", []):
        if name not in value:
            yield f"{path}.{name} in body is required"
    properties = schema.get("properties", {})
    for name, item in sorted(value.items()):
        field = properties.get(name) or schema.get("additionalProperties")
        if isinstance(field, dict):
            yield from violations(item, field, f"{path}.{name}" if path else name)


def _string(value: str, schema: dict, path: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield f"{path} in body should be at least {schema['minLength']} chars long"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{path} in body should be at most {schema['maxLength']} chars long"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path} in body should match '{schema['pattern']}'"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _is(value: Any, wanted: str) -> bool:
    if wanted == "integer":
        return not isinstance(value, bool) and isinstance(value, (int, float)) and value == int(value)
    return _type(value) == wanted


def keep(value: Any, schema: dict, path: str = "spec", struct: str = "") -> Any:
    """What the struct of this place keeps: known fields, durations in Go's form, values that are always printed."""
    schema = resolve(schema)
    how = schema.get("go")
    if how == "duration":
        return format_duration(parse_duration(value))
    if how in _UNSIGNED and not 0 <= value < _UNSIGNED[how]:
        raise DecodeError(f"json: cannot unmarshal number {value} into Go struct field {struct}.{path} of type {how}")
    if isinstance(value, list):
        return [keep(item, schema.get("items", {}), path, struct) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    known, zero, omitted = schema["properties"], schema.get("zero", {}), schema.get("omit", ())
    out = {}
    for name, field in known.items():
        item = value.get(name)
        if item is None:
            if name not in zero:
                continue
            item = zero[name]
        elif name in omitted and not item:
            continue
        out[name] = keep(item, field, f"{path}.{name}", schema.get("struct", "")) if item is not None else None
    return out
