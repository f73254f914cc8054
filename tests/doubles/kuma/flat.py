# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flat kinds: which fields their protobuf messages keep, and their validators."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from .errors import Violation
from .formats import is_dns_name, is_ip
from .golang import DecodeError, quote
from .target_ref import tags

_MESSAGES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "protos.json").read_text(encoding="utf-8")
)
_PROTOCOLS = ("grpc", "http", "http2", "kafka", "tcp")
_BACKENDS = ("MeshExternalService", "MeshMultiZoneService", "MeshService")
_PROMETHEUS = {"path": "/metrics", "port": 5670, "tags": {"kuma.io/service": "dataplane-metrics"}, "tls": {}}


def message_of(kind: str) -> str:
    return "Secret" if kind == "GlobalSecret" else kind


def keep(kind: str, body: dict) -> dict:
    """The fields of a body that the message of a kind has, without those that are zero."""
    if message_of(kind) == "Secret":
        return {"data": body["data"]} if _base64(body.get("data") or "") else {}
    return _message(body, message_of(kind))


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
        return {key: _value(entry, kind[4:]) for key, entry in sorted(item.items())}
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
        return _mesh(value)
    if kind == "Dataplane":
        return _dataplane(value)
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


def _mesh(value: dict) -> list[Violation]:
    found: list[Violation] = []
    for section, enabled, what in (
        ("mtls", "enabledBackend", "has to be set to one of the backends in the mesh"),
        ("logging", "defaultBackend", "has to be set to one of the logging backend in mesh"),
        ("tracing", "defaultBackend", "has to be set to one of the tracing backend in mesh"),
        ("metrics", "enabledBackend", "has to be set to one of the backends in the mesh"),
    ):
        part = value.get(section, {})
        backends = part.get("backends", [])
        if section == "mtls" and len(backends) > 1:
            found.append(("mtls.backends", "cannot have more than 1 backends"))
        names: list[str] = []
        for number, backend in enumerate(backends):
            name = backend.get("name", "")
            if name in names:
                reason = f'"{name}" name is already used for another backend'
                found.append((f"{section}.backends[{number}].name", reason))
            if section == "metrics" and backend.get("type") != "prometheus":
                reason = 'unknown backend type. Available backends: "prometheus"'
                found.append((f"metrics.backends[{number}].type", reason))
            names.append(name)
        if part.get(enabled) and part[enabled] not in names:
            found.append((f"{section}.{enabled}", what))
    constraints = value.get("constraints", {}).get("dataplaneProxy", {})
    for name in ("requirements", "restrictions"):
        for number, entry in enumerate(constraints.get(name, [])):
            at = f"constraints.dataplaneProxy.{name}[{number}].tags"
            problems = tags(entry.get("tags", {}), selector=True, at_least_one=True)
            found += [(f"{at}{key}", reason) for key, reason in problems]
    if value.get("routing", {}).get("zoneEgress") and not value.get("mtls", {}).get("enabledBackend"):
        found.append(("mtls", "has to be set when zoneEgress enabled"))
    return found


def _port(at: str, port: int) -> list[Violation]:
    return [] if 0 < port < 65536 else [(at, "port must be in the range [1, 65535]")]


def _address(at: str, address: str) -> list[Violation]:
    if not address:
        return [(at, "address can't be empty")]
    found = [(at, "must not be 0.0.0.0 or ::")] if address in ("0.0.0.0", "::") else []
    if not is_ip(address) and not is_dns_name(address):
        found.append((at, "address has to be valid IP address or domain name"))
    return found


def _dataplane(value: dict) -> list[Violation]:
    net = value.get("networking")
    if net is None:
        return [("networking", "must be defined")]
    found: list[Violation] = []
    gateway = net.get("gateway")
    if gateway is not None:
        builtin = gateway.get("type") == "BUILTIN"
        what = "builtin" if builtin else "delegated"
        for name in ("inbound", *(["outbound"] if builtin else []), "listeners"):
            if net.get(name):
                found.append((f"networking.{name}", f"{name} cannot be defined for {what} gateways"))
        problems = tags(gateway.get("tags", {}), service=bool(gateway.get("tags")))
        found += [(f"networking.gateway.tags{at}", reason) for at, reason in problems]
    found += _address("networking.address", net.get("address", ""))
    for number, inbound in enumerate(net.get("inbound", [])):
        found += _inbound(f"networking.inbound[{number}]", inbound)
    for number, outbound in enumerate(net.get("outbound", [])):
        found += _outbound(f"networking.outbound[{number}]", outbound)
    for number, listener in enumerate(net.get("listeners", [])):
        at = f"networking.listeners[{number}]"
        if not listener.get("type"):
            found.append((f"{at}.type", "type must be ZoneIngress or ZoneEgress"))
        found += _address(f"{at}.address", listener.get("address", ""))
        found += _port(f"{at}.port", listener.get("port", 0))
    return found


def _inbound(at: str, inbound: dict) -> list[Violation]:
    found = _port(f"{at}.port", inbound.get("port", 0))
    if inbound.get("servicePort"):
        found += _port(f"{at}.servicePort", inbound["servicePort"])
    for name in ("serviceAddress", "address"):
        if inbound.get(name) and not is_ip(inbound[name]):
            found.append((f"{at}.{name}", f"{name} has to be valid IP address"))
    values = inbound.get("tags", {})
    allowed = f"Allowed values: {', '.join(_PROTOCOLS)}"
    protocol = values.get("kuma.io/protocol")
    if protocol is not None and protocol not in _PROTOCOLS:
        reason = f'tag "kuma.io/protocol" has an invalid value "{protocol}". {allowed}'
        found.append((f'{at}.tags["kuma.io/protocol"]', reason))
    found += [(f"{at}.tags{key}", reason) for key, reason in tags(values)]
    if inbound.get("protocol") and inbound["protocol"] not in _PROTOCOLS:
        found.append((f"{at}.protocol", f'has an invalid value "{inbound["protocol"]}". {allowed}'))
    if values and "kuma.io/service" not in values:
        found.append((f'{at}.tags["kuma.io/service"]', "tag has to exist"))
    return found


def _outbound(at: str, outbound: dict) -> list[Violation]:
    found = _port(f"{at}.port", outbound.get("port", 0))
    if outbound.get("address") and not is_ip(outbound["address"]):
        found.append((f"{at}.address", "address has to be valid IP address"))
    ref, values = outbound.get("backendRef"), outbound.get("tags", {})
    if ref is not None:
        if ref.get("kind") not in _BACKENDS:
            found.append((f"{at}.backendRef.kind", f"invalid value. Available values are: {','.join(_BACKENDS)}"))
        if not ref.get("name") and not ref.get("labels"):
            found.append((f"{at}.backendRef", "either 'name' or 'labels' should be specified"))
        if ref.get("kind") != "MeshExternalService":
            found += _port(f"{at}.backendRef.port", ref.get("port", 0))
        if values:
            found.append((f"{at}.backendRef", "both backendRef and tags/service cannot be defined"))
    elif not values:
        found.append((f"{at}.tags", 'mandatory tag "kuma.io/service" is missing'))
    else:
        found += [(f"{at}.tags{key}", reason) for key, reason in tags(values, service=True)]
    return found
