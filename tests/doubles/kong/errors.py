# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kong's error objects: code, name, message, fields, and the HTTP status each code is sent with."""

from __future__ import annotations

from typing import Any

from .lua import pretty, sequences

STATUS = {1: 400, 2: 400, 3: 400, 4: 400, 5: 409, 6: 404, 7: 400, 9: 400, 10: 400, 11: 400, 12: 405, 13: 400, 14: 400}
STATUS[19] = 400


class KongError(Exception):
    """One of Kong's coded errors, as its Admin API sends it."""

    def __init__(self, code: int, name: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.code, self.name, self.message, self.extra = code, name, message, extra

    @property
    def status(self) -> int:
        return STATUS[self.code]

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "name": self.name, "message": self.message, **sequences(self.extra)}


class Answer(Exception):
    """An answer that is not one of the coded errors and ends the request at once."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def not_found(message: str = "Not found") -> Answer:
    return Answer(404, {"message": message})


def unexpected() -> Answer:
    return Answer(500, {"message": "An unexpected error occurred"})


def _summary(singular: str, plural: str, errors: dict[Any, Any], joined: list[str]) -> str:
    text = "; ".join(joined)
    return f"{singular} ({text})" if len(joined) == 1 else f"{len(joined)} {plural} ({text})"


def _sorted(errors: dict[Any, Any]) -> list[Any]:
    return sorted(errors, key=lambda key: (isinstance(key, str), key))


def schema_violation(errors: dict[Any, Any]) -> KongError:
    joined = list(errors.get("@entity", []))
    for field in _sorted(errors):
        if field == "@entity":
            continue
        problem = errors[field]
        if isinstance(problem, dict):
            for sub in _sorted(problem):
                value = problem[sub]
                joined.append(f"{field}.{sub}: {pretty(value, '  ') if isinstance(value, (dict, list)) else value}")
        else:
            joined.append(f"{field}: {problem}")
    message = _summary("schema violation", "schema violations", errors, joined)
    return KongError(2, "schema violation", message, fields=errors)


def primary_key_violation(key: dict[str, Any]) -> KongError:
    return KongError(3, "primary key violation", f"primary key violation on key '{pretty(key)}'", fields=key)


def invalid_primary_key(key: dict[str, Any]) -> KongError:
    return KongError(1, "invalid primary key", f"invalid primary key: '{pretty(key)}'", fields=key)


def foreign_key_violation(field: str, key: dict[str, Any], parent: str) -> KongError:
    message = f"the foreign key '{pretty(key)}' does not reference an existing '{parent}' entity."
    return KongError(4, "foreign key violation", message, fields={field: key})


def restricted(parent: str, child: str) -> KongError:
    message = f"an existing '{child}' entity references this '{parent}' entity"
    return KongError(4, "foreign key violation", message, fields={"@referenced_by": child})


def foreign_keys_unresolved(errors: dict[str, dict[str, Any]]) -> KongError:
    joined: list[str] = []
    fields: dict[str, dict[str, str]] = {}
    for field in sorted(errors):
        fields[field] = {}
        for sub, (value, parent) in sorted(errors[field].items()):
            problem = (
                f"the foreign key cannot be resolved with '{pretty({sub: value})}' for an existing '{parent}' entity"
            )
            fields[field][sub] = problem
            joined.append(f"{field}.{sub}: {problem}")
    message = _summary("foreign key unresolved", "foreign keys unresolved", errors, joined)
    return KongError(13, "foreign keys unresolved", message, fields=fields)


def unique_violation(key: dict[str, Any]) -> KongError:
    return KongError(5, "unique constraint violation", f"UNIQUE violation detected on '{pretty(key)}'", fields=key)


def absent(key: dict[str, Any], primary: bool) -> KongError:
    kind = "with primary key " if primary else "with "
    return KongError(6, "not found", f"could not find the entity {kind}'{pretty(key)}'", fields=key)


def invalid_offset(offset: str) -> KongError:
    return KongError(7, "invalid offset", f"'{offset}' is not a valid offset: bad json encoding")


def invalid_size(problem: str) -> KongError:
    return KongError(9, "invalid size", problem)


def invalid_unique(field: str, problem: str) -> KongError:
    return KongError(10, f"invalid unique {field}", problem)


def invalid_options(errors: dict[str, Any]) -> KongError:
    joined = [f"{name}: {errors[name]}" for name in sorted(errors)]
    return KongError(
        11, "invalid options", _summary("invalid option", "option violations", errors, joined), options=errors
    )


def unsupported(method: str, entity: str, by: str | None) -> KongError:
    named = f" by '{by}'" if by else ""
    message = f"cannot {method} '{entity}' entities{named} when not using a database"
    return KongError(12, "operation unsupported", message)


def declarative(errors: dict[Any, Any]) -> KongError:
    message = f"declarative config is invalid: {pretty(errors)}"
    return KongError(14, "invalid declarative configuration", message, fields=errors)


def referenced_by_others(message: str) -> KongError:
    return KongError(19, "referenced by others", message)
