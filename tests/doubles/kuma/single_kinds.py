# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that only one kind has: load balancing, passthrough, proxy patches."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from .formats import Found, check, is_dns_name, is_ip

_HTTP_LIKE = {"http", "http2", "grpc"}


@check
def hash_policies_once(context: Any, value: dict) -> Found:
    for name in ("ringHash", "maglev"):
        inner = ((value.get("loadBalancer") or {}).get(name) or {}).get("hashPolicies")
        if value.get("hashPolicies") is not None and inner is not None:
            yield f".loadBalancer.{name}.hashPolicies", "hashPolicies already specified in the root level"


@check
def local_cross_zone(context: Any, value: dict) -> Found:
    ref, conf = value.get("targetRef") or {}, value.get("default") or {}
    if ref.get("kind") == "MeshHTTPRoute":
        for name in ("loadBalancer", "localityAwareness"):
            if conf.get(name) is not None:
                reason = "field is not allowed when targetRef.kind is MeshHTTPRoute, only hashPolicies is supported"
                yield f".default.{name}", reason
    local = ref.get("kind") == "MeshService" and (ref.get("sectionName") or ref.get("labels"))
    if local and (conf.get("localityAwareness") or {}).get("crossZone") is not None:
        yield ".default.localityAwareness.crossZone", "must not be set: MeshService traffic is local"


@check
def host_selection(context: Any, value: list) -> Found:
    once = False
    for number, entry in enumerate(value):
        kind = entry.get("predicate")
        if kind == "OmitHostsWithTags" and entry.get("tags") is None:
            yield f"[{number}].tags", "must be defined"
        if kind == "OmitPreviousPriorities":
            if once:
                yield f"[{number}].predicate", f"{kind} must only be specified once"
            if entry.get("updateFrequency", 0) <= 0:
                yield f"[{number}].updateFrequency", "must be defined and greater than zero"
            once = True


@check
def failover_zones(context: Any, value: dict) -> Found:
    kind, zones = value.get("type"), value.get("zones")
    if kind in ("Any", "None") and zones:
        yield "", f"must be empty when type is {kind}"
    if kind in ("AnyExcept", "Only") and not zones:
        yield "", f"must not be empty when type is {kind}"


@check
def passthrough(context: Any, value: list) -> Found:
    seen = set()
    for number, entry in enumerate(value):
        kind, text = entry.get("type"), entry.get("value", "")
        protocol, port = entry.get("protocol", ""), entry.get("port")
        if protocol == "mysql" and port is None:
            yield f"[{number}].port", "port must be defined for Mysql protocol"
        if port is not None and not 0 < port < 65536:
            yield f"[{number}].port", "port must be a valid (1-65535)"
        if port is not None and (port, protocol, text) in seen:
            yield f"[{number}].value", f"value {text} is already defiend for this port and protocol"
        seen.add((port, protocol, text))
        yield from ((f"[{number}]{at}", reason) for at, reason in _passthrough_value(kind, text, protocol, port))


def _passthrough_value(kind: str, text: str, protocol: str, port: int | None) -> Found:
    if kind == "CIDR":
        try:
            if "/" not in text:
                raise ValueError
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            yield ".value", "provided CIDR has incorrect value"
    elif kind == "IP" and not is_ip(text):
        yield ".value", "provided IP has incorrect value"
    elif kind == "Domain":
        if protocol in ("tcp", "mysql"):
            yield ".protocol", f"protocol {protocol} is not supported for a domain"
        if re.match(r"\*[^.]", text):
            yield ".value", "provided DNS has incorrect value, partial wildcard is currently not supported"
        if port is None and text.startswith("*") and protocol in _HTTP_LIKE:
            yield ".port", "wildcard domains doesn't work for all ports and layer 7 protocol"
        bare = text.removeprefix("*.")
        if not bare.startswith("*") and not is_dns_name(bare):
            yield ".value", "provided DNS has incorrect value"


_MODIFICATIONS = ("cluster", "listener", "virtualHost", "networkFilter", "httpFilter")


@check
def modification(context: Any, value: dict) -> Found:
    present = [name for name in _MODIFICATIONS if value.get(name) is not None]
    if len(present) != 1:
        words = "exactly one modification can be defined at a time. Currently,"
        yield "", f"{words} {len(present)} modifications are defined"
        return
    name, change = present[0], value[present[0]]
    matched = (change.get("match") or {}).get("name") is not None
    if name in ("networkFilter", "httpFilter") and not matched:
        if change.get("operation") in ("AddBefore", "AddAfter"):
            side = change["operation"].removeprefix("Add").lower()
            words = f"You need to pick a filter {side} which this one will be added"
            yield f".{name}.match.name", f"must be defined. {words}"
        elif change.get("operation") == "Patch":
            yield f".{name}.match.name", "must be defined"
    elif change.get("operation") == "Add" and change.get("match") is not None:
        if name != "virtualHost":
            yield f".{name}.match", "must not be defined"
        elif matched:
            yield f".{name}.match.name", "must not be defined"
    operation, patches = change.get("operation"), change.get("jsonPatches")
    has_value = change.get("value") is not None
    if operation == "Patch":
        if has_value and patches:
            yield f".{name}", f"{name} must have only one type defined: value, jsonPatches"
        elif not has_value and not patches:
            yield f".{name}", f"{name} must have exactly one defined: value, jsonPatches"
    elif operation == "Remove":
        if has_value:
            yield f".{name}.value", "must not be defined"
    elif not has_value:
        yield f".{name}.value", "must be defined"
