# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flat kinds: which fields their protobuf messages keep, and their validators."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from . import data_files, dataplane_rules, mesh_rules
from .errors import Violation
from .golang import DecodeError, quote
from .target_ref import tags

_MESSAGES: dict[str, dict[str, Any]] = data_files.load("protos")
_PROMETHEUS = {"path": "/metrics", "port": 5670, "tags": {"kuma.io/service": "dataplane-metrics"}, "tls": {}}


def message_of(kind: str) -> str:
    return "Secret" if kind == "GlobalSecret" else kind


def keep(kind: str, body: dict) -> dict:
    """The fields of a body that the message of a kind has, without those that are zero."""
    if message_of(kind) == "Secret":
        return {"data": body["data"]} if _base64(body.get("data") or "") else {}
    return _message(body, message_of(kind))


def check_meta(body: dict) -> None:
    """The types of what every resource has; the spec kinds have a schema for it."""
    for name in ("type", "mesh", "name"):
        if not isinstance(body.get(name) or "", str):
            field = f"Go struct field ResourceMeta.{name} of type string"
            raise DecodeError(f"json: cannot unmarshal {_json(body[name])} into {field}")
    labels = body.get("labels") or {}
    if not isinstance(labels, dict):
        field = "Go struct field ResourceMeta.labels of type map[string]string"
        raise DecodeError(f"json: cannot unmarshal {_json(labels)} into {field}")
    for value in labels.values():
        if not isinstance(value, str):
            field = "Go struct field ResourceMeta.labels of type string"
            raise DecodeError(f"json: cannot unmarshal {_json(value)} into {field}")


def _message(value: dict, message: str) -> dict:
    out = {}
    for name, kind in _MESSAGES.get(message, {}).items():
        item = value.get(name)
        if item is None:
            continue
        if isinstance(kind, list):
            if not isinstance(item, list):
                raise DecodeError(f"json: cannot unmarshal {_json(item)} into Go value of type []json.RawMessage")
            item = [_value(entry, kind[0]) for entry in item]
        else:
            item = _value(item, kind)
        wrapped = isinstance(kind, str) and (kind.endswith("Value") or kind in ("Struct", "Duration") or kind[0] == "#")
        if wrapped or item not in ("", 0, False, [], {}, None):
            out[name] = item
    return out


def _value(item: Any, kind: str) -> Any:
    if kind.startswith("#"):
        if not isinstance(item, dict):
            raise DecodeError(f"json: cannot unmarshal {_json(item)} into Go value of type map[string]json.RawMessage")
        return _message(item, kind[1:])
    if kind.startswith("map:"):
        if not isinstance(item, dict):
            raise DecodeError(f"json: cannot unmarshal {_json(item)} into Go value of type map[string]json.RawMessage")
        empty = "" if kind == "map:string" else None
        return {key: _value(empty if entry is None else entry, kind[4:]) for key, entry in sorted(item.items())}
    if kind.startswith("enum:"):
        values, _, name = kind[5:].partition("@")
        names = values.split("|")
        if item not in names:
            raise DecodeError(f"unknown value {quote(json.dumps(item))} for enum kuma.mesh.v1alpha1.{name}")
        return "" if item == names[0] else item
    if kind == "string" and not isinstance(item, str):
        raise DecodeError(f"json: cannot unmarshal {_json(item)} into Go value of type string")
    if kind in ("uint32", "UInt32Value"):
        if isinstance(item, str) and item.isdigit():
            return int(item)
        if isinstance(item, bool) or not isinstance(item, int):
            raise DecodeError(f"json: cannot unmarshal {_json(item)} into Go value of type uint32")
        if item < 0:
            raise DecodeError(f"json: cannot unmarshal number {item} into Go value of type uint32")
    if kind in ("bool", "BoolValue") and not isinstance(item, bool):
        raise DecodeError(f"json: cannot unmarshal {_json(item)} into Go value of type bool")
    return item


def _json(item: Any) -> str:
    if isinstance(item, bool):
        return "bool"
    if isinstance(item, (int, float)):
        return "number"
    return "string" if isinstance(item, str) else "array" if isinstance(item, list) else "object"


def _base64(text: str) -> bytes:
    if not isinstance(text, str):
        raise DecodeError(f"json: cannot unmarshal {_json(text)} into Go value of type string")
    wrong = re.search(r"[^A-Za-z0-9+/=\r\n]", text)
    if wrong is None:
        try:
            return base64.b64decode(text, validate=False)
        except ValueError:
            raise DecodeError(f"illegal base64 data at input byte {len(text) - len(text) % 4}") from None
    raise DecodeError(f"illegal base64 data at input byte {wrong.start()}")


def violations(kind: str, value: dict) -> list[Violation]:
    if kind == "Mesh":
        return mesh_rules.violations(value)
    if kind == "Dataplane":
        return dataplane_rules.violations(value)
    fields = _MESSAGES.get(message_of(kind), {})
    selectors = [name for name in ("sources", "destinations", "selectors") if name in fields]
    found: list[Violation] = []
    for name in selectors:
        if not value.get(name):
            found.append((name, "must have at least one element"))
        for number, entry in enumerate(value.get(name, [])):
            at = f"{name}[{number}].match"
            found += [(f"{at}{key}", reason) for key, reason in tags(entry.get("match", {}), selector=True)]
    return found


def complete(kind: str, value: dict) -> dict:
    """What the control plane fills in."""
    if kind == "Mesh":
        for backend in value.get("metrics", {}).get("backends", []):
            if backend.get("type") == "prometheus":
                backend["conf"] = {**_PROMETHEUS, **backend.get("conf", {})}
    return value
