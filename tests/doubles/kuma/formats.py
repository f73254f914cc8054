# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of what stands in a value: addresses, SPIFFE ids, templates, certificates, the odd rules of single kinds."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from .golang import RFC1123_SUBDOMAIN, is_subdomain

Found = Iterator[tuple[str, str]]
CHECKS: dict[str, Callable[..., Found]] = {}

_DNS_NAME = re.compile(r"([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62}))(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62}))*\.?\Z")
_ATTRIBUTE = re.compile(r"[a-z](?:[a-z0-9]|[._][a-z0-9])*\Z")
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+\Z")
_SEGMENT = re.compile(r"[a-zA-Z0-9._-]+\Z")
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)
_KEYS = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"}
_TLS = ["TLSAuto", "TLS10", "TLS11", "TLS12", "TLS13"]
_PASSTHROUGH = ["http", "http2", "tls", "tcp", "grpc", "mysql"]
_HTTP_LIKE = {"http", "http2", "grpc"}


def check(function: Callable[..., Found]) -> Callable[..., Found]:
    CHECKS[function.__name__] = function
    return function


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_dns_name(text: str) -> bool:
    return 0 < len(text.replace(".", "")) <= 255 and not is_ip(text) and _DNS_NAME.match(text) is not None


# Identities.


def spiffe_problem(value: str) -> str:
    """What is wrong with a SPIFFE id, in the words of go-spiffe."""
    if not value:
        return "cannot be empty"
    if not value.startswith("spiffe://"):
        return "scheme is missing or invalid"
    domain, slash, path = value[len("spiffe://") :].partition("/")
    if not domain:
        return "trust domain is missing"
    if not _TRUST_DOMAIN.match(domain):
        return "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
    if slash and (not path or path.endswith("/")):
        return "path cannot have a trailing slash"
    for segment in path.split("/") if slash else []:
        if not segment:
            return "path cannot contain empty segments"
        if segment in (".", ".."):
            return "path cannot contain dot segments"
        if not _SEGMENT.match(segment):
            return "path segment characters are limited to letters, numbers, dots, dashes, and underscores"
    return ""


@check
def match(context: Any, value: dict) -> Found:
    if value.get("spiffeID") is not None:
        problem = spiffe_problem(value["spiffeID"].get("value", ""))
        if problem:
            yield ".spiffeID", f"must be a valid Spiffe ID: {problem}"
    if value.get("sni") is not None:
        name = value["sni"].get("value", "")
        if not name:
            yield ".sni.value", "must be set"
        elif not is_subdomain(name):
            yield ".sni.value", RFC1123_SUBDOMAIN


@check
def match_with_type(context: Any, value: dict) -> Found:
    yield from match(context, value)
    if value.get("spiffeID") is None and value.get("sni") is None:
        yield "", "must specify at least one of 'spiffeID' or 'sni'"


def template_problem(text: str) -> str:
    rest = text
    while "{{" in rest:
        rest = rest.partition("{{")[2]
        action, closed, rest = rest.partition("}}")
        if not closed:
            return "couldn't parse template: template: :1: unclosed action"
        if not action.strip():
            return "couldn't parse template: template: :1: missing value for command"
    return ""


@check
def template(context: Any, value: str) -> Found:
    problem = template_problem(value)
    if problem:
        yield "", problem


@check
def hostname_template(context: Any, value: str) -> Found:
    problem = template_problem(value) if value else "must not be empty"
    if problem:
        yield "", problem
        return
    stub = {"Name": "name", "DisplayName": "displayname", "Namespace": "namespace", "Mesh": "mesh", "Zone": "zone"}
    rendered = re.sub(r"{{-?\s*label .*?}}", "label", value)
    for name, shown in stub.items():
        rendered = re.sub(r"{{-?\s*\." + name + r"\s*-?}}", shown, rendered)
    unknown = re.search(r"{{-?\s*\.(\w+)", rendered)
    if unknown:
        at = f'couldn\'t render template with stub values: template: :1:3: executing "" at <.{unknown.group(1)}>:'
        yield "", f"{at} can't evaluate field {unknown.group(1)} in type struct"
    elif not is_subdomain(rendered):
        yield "", f'template renders to "{rendered}" which is not a valid DNS name: {RFC1123_SUBDOMAIN}'


@check
def bundled(context: Any, value: dict) -> Found:
    authority = value.get("ca")
    if (value.get("autogenerate") or {}).get("enabled"):
        if authority is not None:
            yield ".ca", "shouldn't be defined once using autogenerated"
    elif authority is None:
        yield ".ca", "must be defined"
    else:
        for name in ("certificate", "privateKey"):
            if authority.get(name) is None:
                yield f".ca.{name}", "must be defined"


@check
def pem(context: Any, value: str) -> Found:
    block = _PEM.search(value)
    good = block is not None and block.group(1) not in _KEYS
    if good and block is not None:
        try:
            base64.b64decode("".join(block.group(2).split()), validate=True)
        except ValueError:
            good = False
    if not good:
        yield "", "provided certificate has incorrect format"


@check
def tls_version(context: Any, value: dict) -> Found:
    least, most = (value.get(name, "TLSAuto") for name in ("min", "max"))
    if "TLSAuto" not in (least, most) and _TLS.index(least) > _TLS.index(most):
        yield ".min", "min version must be lower than max"


# Addresses.


@check
def host(context: Any, value: str) -> Found:
    if not is_ip(value) and not is_dns_name(value):
        yield "", "address has to be a valid IP or hostname"


@check
def address(context: Any, value: str, reason: str) -> Found:
    name, _, number = value.rpartition(":")
    bare = name.strip("[]") if number.isdigit() else value
    if not (is_ip(bare) or bare == "localhost" or (is_dns_name(bare) and "." in bare)):
        yield "", reason


@check
def file_path(context: Any, value: str, reason: str) -> Found:
    if not re.match(r"(/[^/\x00]*)+/?\Z|[a-zA-Z]:\\", value):
        yield "", reason


@check
def url(context: Any, value: str) -> Found:
    if not value:
        yield "", "must not be empty"
        return
    parts = urlsplit(value if "://" in value else f"//{value}")
    name = parts.hostname or ""
    if not (is_ip(name) or name == "localhost" or (is_dns_name(name) and "." in name)):
        yield "", "must be a valid url"


@check
def datadog_url(context: Any, value: str) -> Found:
    parts = urlsplit(value)
    if not parts.scheme and not value.startswith("/"):
        yield "", "must be a valid url"
        return
    if parts.scheme != "http":
        yield "", "scheme must be http"
    try:
        number = parts.port
    except ValueError:
        number = 0
    if number is None:
        yield "", "port must be defined"
    elif not number:
        yield "", "port must be a valid (1-65535)"
    for name, part in (("path", parts.path), ("query", parts.query), ("fragment", parts.fragment)):
        if part:
            yield "", f"{name} must not be defined"


@check
def otel(context: Any, value: dict, port: bool = False) -> Found:
    endpoint, ref = value.get("endpoint", ""), value.get("backendRef")
    if endpoint and ref is not None:
        yield "", "openTelemetry must have only one type defined: endpoint, backendRef"
    elif not endpoint and ref is None:
        yield "", "openTelemetry must have exactly one defined: endpoint, backendRef"
    elif ref is not None:
        if not ref.get("labels"):
            yield ".backendRef", "backendRef must have exactly one defined: labels"
    elif re.search("[/?#]", endpoint):
        yield ".endpoint", "must be in host:port format, not a URL"
    elif port and not re.search(r"[^:]*:[^:]*\Z|\[.*\]:\d*\Z", endpoint):
        yield ".endpoint", "must be in host:port format"


@check
def otel_attribute(context: Any, value: str) -> Found:
    if not value:
        yield "", "must be defined"
    elif "%" in value:
        yield "", "must be a static OpenTelemetry attribute name; placeholders are only supported in values"
    elif value.startswith("otel."):
        yield "", "must not use the reserved OpenTelemetry prefix 'otel.'"
    elif not _ATTRIBUTE.match(value):
        words = "must start with a lowercase letter, use only lowercase letters, digits, '.' or '_', avoid consecutive"
        yield "", f"{words} delimiters, and end with a letter or digit"


@check
def otel_path(context: Any, value: dict) -> Found:
    path = (value.get("endpoint") or {}).get("path")
    if not path:
        return
    if value.get("protocol") in (None, "", "grpc"):
        yield ".endpoint.path", "must not be set when protocol is grpc"
    if not path.startswith("/"):
        yield ".endpoint.path", "must start with /"
    if re.search("[?#]", path):
        yield ".endpoint.path", "must not contain query or fragment"


# HTTP.


@check
def absolute_path(context: Any, value: str) -> Found:
    if not value.startswith("/"):
        yield "", "must be an absolute path"


@check
def route_path(context: Any, value: dict) -> Found:
    path, kind = value.get("value", ""), value.get("type")
    if kind == "PathPrefix" and path != "/" and path.endswith("/"):
        reason = "does not need a trailing slash because only a `/`-separated prefix or an entire path is matched"
        yield "", reason
    if kind in ("PathPrefix", "Exact") and not path.startswith("/"):
        yield "", "must be an absolute path"


@check
def header_match(context: Any, value: dict) -> Found:
    if value.get("type") in ("Present", "Absent") and value.get("value"):
        yield ".value", "must not be defined"


@check
def header_modifier(context: Any, value: dict) -> Found:
    parts = [(name, value.get(name)) for name in ("set", "add", "remove")]
    if all(part is None for _, part in parts):
        yield "", "must have at least one defined: set, add, remove"
    seen = set()
    for name, part in parts:
        for number, entry in enumerate(part or []):
            header = entry if isinstance(entry, str) else entry.get("name")
            if header in seen:
                yield f".{name}[{number}].name", "duplicate header name"
            seen.add(header)


@check
def prefix_rewrite(context: Any, value: dict) -> Found:
    """A replaced prefix needs matches by prefix."""
    prefixes = all((entry.get("path") or {}).get("type") == "PathPrefix" for entry in value.get("matches") or [])
    for number, entry in enumerate((value.get("default") or {}).get("filters") or []):
        for name in ("requestRedirect", "urlRewrite"):
            part = entry.get(name) or {}
            at = f".default.filters[{number}].{name}"
            if not prefixes and (part.get("path") or {}).get("replacePrefixMatch") is not None:
                yield f"{at}.path.replacePrefixMatch", "can only appear if all matches match a path prefix"
            if part.get("hostname") is not None and is_ip(part["hostname"]):
                yield f"{at}.hostname", "cannot be an IP address"
            elif part.get("hostname") is not None and not is_subdomain(part["hostname"]):
                yield f"{at}.hostname", RFC1123_SUBDOMAIN
            if part.get("hostToBackendHostname") and context.top != "MeshGateway":
                yield f"{at}.hostToBackendHostname", "can only be set with MeshGateway"


@check
def bandwidth(context: Any, value: str) -> Found:
    if not value:
        yield "", "must be defined"
    elif not re.match(r"\d*\s?[GMk]+bps\Z", value):
        yield "", "must be in kbps/Mbps/Gbps units"


@check
def selector(context: Any, value: dict) -> Found:
    if value.get("type") == "Regex":
        try:
            re.compile(value.get("match", ""))
        except re.error:
            yield ".match", "invalid regex"


# Single kinds.


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
