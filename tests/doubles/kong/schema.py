# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema engine: defaults, shorthands, merging, validation, driven by field definitions as `/schemas` shows them.

None is Kong's null; a key that is not there is Lua's nil. The two differ everywhere in Kong: null stays null, nil
becomes the default.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from typing import Any, Callable, Optional

from . import checks
from .checks import MISSING
from .lua import clone, lua_equal, merge_null_aware, text
from .validators import BY_DESCRIPTION, GENERIC

Setter = Callable[[Any], Optional[dict]]
REQUIRED = "required field missing"


class ShorthandError(Exception):
    """A shorthand field is wrong, or disagrees with the field that replaces it; ends before validation starts."""

    def __init__(self, errors: dict) -> None:
        super().__init__(errors)
        self.errors = errors


def _setter(path: list[str]) -> Setter:
    def set_path(value: Any) -> dict:
        for part in reversed(path):
            value = {part: value}
        return value

    return set_path


def _custom_by_description(field: dict) -> Callable | None:
    description = field.get("description", "")
    if not description.startswith(("A string", "A unique")):
        return None
    return next((function for start, function in BY_DESCRIPTION.items() if description.startswith(start)), None)


class Record:
    """A compiled table of fields with its checks, shorthands and subschemas."""

    def __init__(self, name: str, definition: dict, setters: dict[str, Setter] | None = None) -> None:
        self.name = name
        self.fields: dict[str, dict] = {}
        for entry in definition.get("fields", []):
            for key, field in entry.items():
                self.fields[key] = self.compile(field, f"{name}.{key}")
        self.entity_checks: list[dict] = definition.get("entity_checks") or []
        self.shorthands: list[tuple[str, dict, Setter]] = []
        self.outputs: list[tuple[str, list[str]]] = []
        for entry in definition.get("shorthand_fields", []):
            for key, field in entry.items():
                replaced = (field.get("deprecation") or {}).get("replaced_with")
                if replaced:
                    self.outputs.append((key, replaced[0]["path"]))
                setter = (setters or {}).get(key) or (_setter(replaced[0]["path"]) if replaced else lambda _v: None)
                self.shorthands.append((key, self.compile(field, f"{name}.{key}"), setter))
        self.subschema_key = ""
        self.subschemas: dict[str, Record] = {}
        self.subschema_error = "unknown type: %s"
        # Checks Kong runs after those of the schema: (input, needs) of transformations.
        self.transformations: list[tuple[list[str], list[str]]] = []

    def compile(self, field: dict, name: str) -> dict:
        field = dict(field)
        custom = _custom_by_description(field)
        if custom is not None:
            field["custom_validator"] = custom
        kind = field.get("type")
        if kind == "string":
            field.setdefault("len_min", 1)
        if kind in ("array", "set"):
            field["elements"] = {**self.compile(field["elements"], f"{name}[]"), "required": True}
        elif kind == "map":
            field["keys"] = {**self.compile(field["keys"], f"{name}{{}}"), "required": True}
            field["values"] = {**self.compile(field["values"], f"{name}{{}}"), "required": True}
        elif kind == "record" and not field.get("abstract"):
            field["record"] = Record(name, field)
        return field

    # Access to fields, with those of the subschema an entity chooses.

    def subschema(self, values: dict) -> Record | None:
        key = values.get(self.subschema_key) if self.subschema_key else None
        if isinstance(key, str):
            return self.subschemas.get(key)
        if isinstance(key, list):
            return next((self.subschemas[item] for item in key if item in self.subschemas), None)
        return None

    def each_field(self, values: dict) -> Iterator[tuple[str, dict]]:
        sub = self.subschema(values)
        for key, field in self.fields.items():
            yield key, (sub.fields.get(key, field) if sub else field)

    def _find(self, name: str) -> dict:
        record: Record | None = self
        field: dict = {}
        for part in name.split("."):
            field = record.fields.get(part, {}) if record else {}
            record = field.get("record")
        return field

    def is_referenceable(self, name: str) -> bool:
        return bool(self._find(name).get("referenceable"))

    def field_problem(self, name: str, override: dict, value: Any) -> Any:
        """Validate a value against a field whose rules a check replaces in part."""
        field = {**self._find(name), **override}
        if "elements" in override:
            field["elements"] = {**override["elements"], "required": True}
        return self.problem(field, value)

    # Defaults

    def with_defaults(self, data: dict, context: str) -> dict:
        """Kong's process_auto_fields: expand shorthands and fill in what an insert, upsert or update fills in."""
        data = dict(data)
        if self.shorthands:
            self._expand(data)
        inserting = context in ("insert", "upsert")
        now: float | None = None
        for key, field in self.each_field(data):
            value = data.get(key, MISSING)
            if field.get("auto"):
                if field.get("uuid"):
                    value = str(uuid.uuid4()) if inserting and value is MISSING else value
                elif field["type"] == "string":
                    value = random_string() if inserting and value is MISSING else value
                elif (key == "created_at" and inserting and value in (None, MISSING)) or key == "updated_at":
                    now = now or time.time()
                    value = int(now) if field["type"] == "integer" else round(now, 3)
            value = self._adjust(field, value, context)
            if value is MISSING:
                data.pop(key, None)
            else:
                data[key] = value
        return data

    def _adjust(self, field: dict, value: Any, context: str) -> Any:
        kind = field.get("type")
        if field.get("abstract"):
            return value
        record: Record | None = field.get("record")
        if record is not None:
            if value is not None and (value is not MISSING or (context != "update" and field.get("required"))):
                value = default(field) if value is MISSING else value
                if isinstance(value, list) and not value:
                    value = {}
                if isinstance(value, dict):
                    return record.with_defaults(value, context)
        elif isinstance(value, (dict, list)):
            value = self._adjust_collection(kind, field, value, context)
        if value is MISSING and context != "update":
            return default(field)
        return value

    def _adjust_collection(self, kind: Any, field: dict, value: Any, context: str) -> Any:
        if kind in ("array", "set"):
            if value == {}:
                return []
            if not isinstance(value, list):
                return value
            if kind == "set" and value and not isinstance(value[0], dict):
                value = list(dict.fromkeys(item for item in value if not isinstance(item, (list, dict))))
            return [self._adjust(field["elements"], item, context) for item in value]
        if kind == "map":
            if value == []:
                return {}
            if isinstance(value, dict):
                return {key: self._adjust(field["values"], item, context) for key, item in value.items()}
        return value

    def _expand(self, data: dict) -> None:
        errors: dict = {}
        for key, field, setter in self.shorthands:
            value = data.get(key, MISSING)
            if value is MISSING:
                continue
            problem = self.problem(field, value) or self._disagreement(data, key, value, field)
            if problem:
                errors[key] = problem
                continue
            del data[key]
            deprecated = bool(field.get("deprecation"))
            for target, new in (setter(value) or {}).items():
                old = data.get(target)
                if isinstance(new, dict):
                    merged = merge_null_aware(new, old or {}) if deprecated else {**(old or {}), **new}
                    data[target] = merged
                elif not deprecated or old is None:
                    data[target] = new
        if errors:
            raise ShorthandError(errors)

    @staticmethod
    def _disagreement(data: dict, key: str, value: Any, field: dict) -> str | None:
        if value is None:
            return None
        for replaced in (field.get("deprecation") or {}).get("replaced_with", []):
            new = checks.get_field(data, ".".join(replaced["path"]))
            if new not in (None, MISSING, False) and not lua_equal(new, value):
                return (
                    "both deprecated and new field are used but their values mismatch: "
                    f"{key} = {text(value)} vs {'.'.join(replaced['path'])} = {text(new)}"
                )
        return None

    def shown(self, data: dict) -> dict:
        """A stored entity as Kong returns it: deprecated fields stand next to those that replace them."""
        sub = self.subschema(data)
        config = sub.fields.get("config") if sub else None
        if config is not None and isinstance(data.get("config"), dict):
            return {**data, "config": config["record"].expanded(data["config"])}
        return data

    def expanded(self, data: dict) -> dict:
        data = dict(data)
        for key, field in self.fields.items():
            if field.get("record") is not None and isinstance(data.get(key), dict):
                data[key] = field["record"].expanded(data[key])
        for key, path in self.outputs:
            value = checks.get_field(data, ".".join(path))
            if value is not MISSING:
                data[key] = value
        return data

    def merge(self, top: dict, bottom: dict | None) -> dict:
        bottom = bottom or {}
        output = {**bottom, **top}
        for key, field in self.each_field(bottom):
            value = top.get(key, MISSING)
            if field.get("record") is not None and isinstance(value, dict):
                output[key] = field["record"].merge(value, bottom.get(key))
        return output

    # Validation

    def problem(self, field: dict, value: Any) -> Any:
        """What is wrong with one value: a text, a table of texts, or None."""
        if value is None:
            if "ne" in field and field["ne"] is None:
                return field.get("err") or "value must not be null"
            if field.get("eq") is not None:
                return f"value must be {text(field['eq'])}"
            return REQUIRED if field.get("required") else None
        if "eq" in field and field["eq"] is None:
            return field.get("err") or "value must be null"
        kind = field.get("type")
        problem = self._type_problem(kind, field, value)
        if problem is not None:
            return problem
        if kind == "string" and field.get("referenceable") and value.startswith("{vault://"):
            return None
        for name, validate in GENERIC.items():
            if name in field:
                error = validate(value, field[name], field)
                if error is not None:
                    return field.get("err") or error
        return None

    def _type_problem(self, kind: Any, field: dict, value: Any) -> Any:
        if kind == "string":
            return None if isinstance(value, str) else "expected a string"
        if kind == "boolean":
            return None if isinstance(value, bool) else "expected a boolean"
        if kind in ("integer", "number"):
            numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
            if kind == "integer":
                return None if numeric and value == int(value) else "expected an integer"
            return None if numeric else "expected a number"
        if kind in ("array", "set"):
            if not isinstance(value, list):
                return None if value == {} else f"expected {'an' if kind == 'array' else 'a'} {kind}"
            errors = {i: e for i, e in enumerate((self.problem(field["elements"], v) for v in value), 1) if e}
            return errors or None
        if kind == "map":
            if not isinstance(value, dict):
                return None if value == [] else "expected a map"
            for key, item in value.items():
                problem = self.problem(field["keys"], key) or self.problem(field["values"], item)
                if problem:
                    return problem
            return None
        if kind == "foreign":
            return foreign_problem(field, value)
        if kind == "record" and "record" in field:
            if isinstance(value, list):
                value = dict(enumerate(value, 1))
            if not isinstance(value, dict):
                return "expected a record"
            record: Record = field["record"]
            return record.validate(record.with_defaults(value, "insert")) or None
        return None

    def validate(self, data: dict, full: bool = True, original: dict | None = None, before: dict | None = None) -> dict:
        """All errors of an entity; empty where it is good."""
        if self.subschema_key:
            key = data.get(self.subschema_key)
            if key is None:
                return {self.subschema_key: REQUIRED}
            if self.subschema(data) is None:
                shown = key if isinstance(key, str) else (key[0] if isinstance(key, list) and key else key)
                return {self.subschema_key: self.subschema_error.replace("%s", text(shown))}
        sub = self.subschema(data)
        errors: dict = {}
        for key, value in data.items():
            field = (sub.fields.get(key) if sub else None) or self.fields.get(key)
            problem = "unknown field" if field is None else self.problem(field, value)
            if problem:
                errors[key] = problem
        for key, field in self.each_field({}):
            if field.get("required") and (data.get(key, MISSING) is None or (full and key not in data)):
                errors[key] = REQUIRED
        for record in (self, sub):
            for entry in record.entity_checks if record else []:
                for kind, rule in entry.items():
                    checks.run(_Overlay(self, sub) if record is sub else self, kind, rule, data, full, errors)
        self._check_transformations(data, original, before, errors)
        return errors

    def _check_transformations(self, data: dict, original: Any, before: Any, errors: dict) -> None:
        source = data if original is None else original
        for inputs, needs in self.transformations:
            given = any(checks.is_nonempty(checks.get_field(source, name)) for name in inputs)
            moved = before is not None and any(
                checks.get_field(source, name) != checks.get_field(before, name) for name in needs
            )
            if not given and not moved:
                continue
            for table, names in ((source if moved else data, inputs + needs), (source, inputs)):
                try:
                    checks.mutually_required(table, names)
                except checks.Outcome as outcome:
                    message = f"all or none of these fields must be set: {outcome.detail}"
                    errors.setdefault("@entity", []).append(message)
                    break


class _Overlay(Record):
    """The fields of a subschema over those of its parent, as checks of the subschema see them."""

    def __init__(self, parent: Record, sub: Record | None) -> None:
        self.fields = {**parent.fields, **(sub.fields if sub else {})}


def foreign_problem(field: dict, value: Any) -> Any:
    """A foreign key must be {id = uuid}; what it holds instead is judged by the schema of the entity it names."""
    target: Record | None = field.get("target")
    if not isinstance(value, dict) or "id" not in value:
        if isinstance(value, dict) and target is not None:
            errors = target.validate(value, full=False)
            if errors:
                return errors
        return {"id": "missing primary key"}
    if target is not None:
        problem = target.problem({**target.fields["id"], "required": True}, value["id"])
        return {"id": problem} if problem else None
    return None


def default(field: dict) -> Any:
    """The value of a field that is not given; MISSING where there is none."""
    if "default" in field:
        value = clone(field["default"])
        if isinstance(value, list):
            # The records of a default list say only what is not their own default.
            elements = field["elements"].get("record")
            return [elements.with_defaults(v, "insert") for v in value] if elements is not None else value
        return value
    if not field.get("required"):
        return None
    if field.get("record") is not None:
        return field["record"].with_defaults({}, "insert")
    return MISSING


def random_string() -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(secrets.choice(alphabet) for _ in range(32))
