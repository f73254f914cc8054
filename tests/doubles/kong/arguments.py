# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Request arguments as the Admin API decodes them: query strings, JSON, forms and multipart bodies."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from . import errors
from .http_server import Request, Response
from .schema import Record

_415 = (
    b"<html>\r\n<head><title>415 Unsupported Media Type</title></head>\r\n<body>\r\n"
    b"<center><h1>415 Unsupported Media Type</h1></center>\r\n</body>\r\n</html>\r\n"
)
FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
YAML = ("text/yaml", "application/yaml")


class UnsupportedMediaType(Exception):
    """nginx answers 415 with its own page before Kong decodes anything."""

    @staticmethod
    def response() -> Response:
        return Response(415, _415, [("Content-Type", "text/html; charset=UTF-8")])


def query(request: Request) -> dict[str, str]:
    """Arguments of the URL; of a repeated one the first counts."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        found.setdefault(name, value)
    return found


def media_type(request: Request) -> str:
    return (request.headers.get("content-type") or "").split(";")[0].strip().lower()


def body(request: Request, record: Record | None = None) -> dict[str, Any]:
    """The arguments of a body; forms carry text only, so a schema tells what each of theirs is to be."""
    kind = media_type(request)
    if not kind:
        if request.body:
            raise UnsupportedMediaType
        return {}
    if kind == JSON:
        return _json(request.body)
    if kind == FORM:
        return infer(unflatten(parse_qsl(request.body.decode(), keep_blank_values=True)), record)
    if kind == MULTIPART:
        return infer(unflatten(_multipart(request)), record)
    if kind in YAML and request.path.rstrip("/") == "/config":
        return {}
    raise UnsupportedMediaType


def _json(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw, parse_constant=_refuse)
    except ValueError:
        raise errors.Answer(400, {"message": "Cannot parse JSON body"}) from None
    if not isinstance(value, dict):
        raise errors.unexpected()
    return value


def _refuse(_constant: str) -> None:
    raise ValueError


def _multipart(request: Request) -> list[tuple[str, str]]:
    match = re.search(r'boundary="?([^";]+)', request.headers.get("content-type") or "")
    if not match:
        return []
    fields = []
    for part in request.body.split(b"--" + match.group(1).encode())[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if name:
            fields.append((name.group(1).decode(), value[:-2].decode()))
    return fields


def unflatten(fields: list[tuple[str, str]]) -> dict[str, Any]:
    """`a.b=1&c[]=2&c[]=3` as nested tables."""
    out: dict[str, Any] = {}
    for name, value in fields:
        table: dict[str, Any] = out
        *parents, last = name.split(".")
        for parent in parents:
            table = table.setdefault(parent, {})
        indexed = re.match(r"^(.+?)\[(\d*)\]\Z", last)
        if indexed:
            table.setdefault(indexed.group(1), []).append(value)
        elif last in table:
            earlier = table[last]
            table[last] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            table[last] = value
    return out


def infer(args: dict[str, Any], record: Record | None) -> dict[str, Any]:
    if record is None:
        return args
    sub = record.subschema(args)
    for name, value in args.items():
        field = (sub.fields.get(name) if sub else None) or record.fields.get(name)
        if field is not None:
            args[name] = _infer(value, field)
    if "ttl" in args:
        args["ttl"] = _infer(args["ttl"], {"type": "number"})
    return args


def _infer(value: Any, field: dict) -> Any:
    kind = field.get("type")
    if value == "":
        return None
    if kind in ("number", "integer") and isinstance(value, str):
        try:
            return int(value) if re.match(r"^-?\d+\Z", value) else float(value)
        except ValueError:
            return value
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind in ("array", "set"):
        values = value if isinstance(value, list) else [value]
        return [_infer(item, field["elements"]) for item in values]
    if isinstance(value, dict):
        if kind == "record" and "record" in field:
            return infer(value, field["record"])
        if kind == "map":
            return {key: _infer(item, field["values"]) for key, item in value.items()}
    return value
