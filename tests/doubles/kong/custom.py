# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Kong keeps in Lua functions and thus shows in no `/schemas` answer: shorthands and checks of single types."""

from __future__ import annotations

import json
import re
import ssl
import time
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

from . import netaddr, pem
from .validators import pcre

Problem = Optional[str]
_PERIODS = ("second", "minute", "hour", "day", "month", "year")


# Shorthands


def service_url(value: Any) -> dict:
    """`url` of a service: what it does not name goes back to the default, not to what was stored."""
    parts = urlsplit(value or "")
    try:
        port = parts.port
    except ValueError:
        port = None
    scheme = parts.scheme or {80: "http", 443: "https"}.get(port or 0, "http")
    default_port = 443 if scheme == "https" else 80
    return {"protocol": scheme, "host": parts.hostname, "port": port or default_port, "path": parts.path or None}


def upstream_algorithm(value: Any) -> dict:
    return {"algorithm": value, "hash_on": None} if value in ("least-connections", "latency") else {"algorithm": value}


def upstream_hash_on(value: Any) -> dict:
    if value is None:
        return {"hash_on": "none"}
    return {"hash_on": value, "algorithm": "round-robin" if value == "none" else "consistent-hashing"}


ENTITY_SHORTHANDS: dict[str, list[tuple[str, Callable]]] = {
    "services": [("url", service_url)],
    "upstreams": [("algorithm", upstream_algorithm), ("hash_on", upstream_hash_on)],
}

PLUGIN_SHORTHANDS: dict[str, dict[str, Callable]] = {
    "opentelemetry": {"endpoint": lambda value: {"traces_endpoint": value}},
    "session": {
        "cookie_lifetime": lambda value: {"rolling_timeout": value},
        "cookie_idletime": lambda value: {"idling_timeout": value or 0},
        "cookie_discard": lambda value: {"stale_ttl": value},
        "cookie_samesite": lambda value: {"cookie_same_site": "Lax" if value == "off" else value},
        "cookie_httponly": lambda value: {"cookie_http_only": value},
        "cookie_persistent": lambda value: {"remember": value},
    },
}


# Validators of single fields


def upstream_name(value: str) -> Problem:
    parsed = netaddr.normalize(value)
    if isinstance(parsed, str):
        return f"Invalid name ('{value}'); must be a valid hostname"
    if parsed.type != "name":
        return f"Invalid name ('{value}'); no ip addresses allowed"
    return f"Invalid name ('{value}'); no port allowed" if parsed.port is not None else None


def target(value: str) -> Problem:
    if isinstance(netaddr.normalize(value), str):
        return f"Invalid target ('{value}'); not a valid hostname or ip address"
    return None


def pem_pair(value: dict) -> Problem:
    public, private = value.get("public_key"), value.get("private_key")
    if any(isinstance(text, str) and text.startswith("{vault://") for text in (public, private)):
        return None
    keys = [pem.key(text) if text else None for text in (public, private)]
    if public and keys[0] is None:
        return "could not load public key"
    if private and keys[1] is None:
        return "could not load private key"
    if keys[0] and keys[1] and keys[1].public and keys[0].public != keys[1].public:
        return "public key does not match private key"
    return None


def jwt_public_key(value: str) -> Problem:
    return None if pem.key(value) is not None else "invalid key"


def cors_origin(value: str) -> Problem:
    try:
        pcre(value if value != "*" else "")
    except re.error as error:
        return f"not a valid regex: {error}"
    return None


def oauth2_flows(config: dict) -> Problem:
    flows = ("authorization_code", "implicit_grant", "client_credentials", "password_grant")
    if any(config.get(f"enable_{flow}") for flow in flows):
        return None
    return "at least one of these fields must be true: " + ", ".join(f"enable_{flow}" for flow in flows)


def redirect_uri(value: str) -> Problem:
    parts = urlsplit(value)
    if not parts.netloc or not parts.scheme:
        return f"cannot parse '{value}'"
    return f"fragment not allowed in '{value}'" if parts.fragment else None


def _periods(config: dict, prefix: str) -> Problem:
    for position, lower in enumerate(_PERIODS):
        for upper in _PERIODS[position + 1 :]:
            low, high = config.get(lower), config.get(upper)
            if low is not None and high is not None and high < low:
                return (
                    f"{prefix} for {upper}({float(high):.1f}) cannot be lower than the limit for "
                    f"{lower}({float(low):.1f})"
                )
    return None


def rate_limiting(config: dict) -> Problem:
    problem = _periods(config, "The limit")
    if problem:
        return problem
    rate = config["sync_rate"]
    if config.get("policy") != "redis" and rate != -1:
        return "sync_rate can only be used with the redis policy"
    if config.get("policy") == "redis" and rate != -1 and rate < 0.02:
        return "sync_rate must be greater than 0.02, or -1 to disable"
    return None


def request_termination(config: dict) -> Problem:
    message, kind, body = (config.get(name) for name in ("message", "content_type", "body"))
    if message and (kind or body):
        return "message cannot be used with content_type or body"
    if kind and not body:
        return "content_type requires a body"
    if config.get("echo") and (kind or body):
        return "echo cannot be used with content_type and body"
    return None


# Schema name -> dotted field -> function; "[]" and "{}" stand for elements and values.
FIELD_VALIDATORS: dict[str, dict[str, Callable]] = {
    "upstreams": {"name": upstream_name},
    "targets": {"target": target},
    "keys": {"pem": pem_pair},
    "jwt_secrets": {"rsa_public_key": jwt_public_key},
    "oauth2_credentials": {"redirect_uris[]": redirect_uri},
    "plugins/rate-limiting": {"config": rate_limiting},
    "plugins/request-termination": {"config": request_termination},
    "plugins/cors": {"config.origins[]": cors_origin},
    "plugins/oauth2": {"config": oauth2_flows},
}


# Entity checks


def certificate_matches(cert_field: str, key_field: str, message: str) -> Callable[[dict], Problem]:
    def check(entity: dict) -> Problem:
        cert_text, key_text = entity.get(cert_field), entity.get(key_field)
        if not isinstance(cert_text, str) or not isinstance(key_text, str):
            return None
        cert, key = pem.certificate(cert_text), pem.key(key_text)
        if cert is None or key is None or key.public is None:
            return None
        same = cert.algorithm == key.algorithm and cert.public_key.lstrip(b"\0") == key.public.lstrip(b"\0")
        return None if same else message

    return check


def certificate_kinds(entity: dict) -> Problem:
    texts = [text for text in (entity.get("cert"), entity.get("cert_alt")) if isinstance(text, str)]
    if len(texts) < 2:
        return None
    first, second = (pem.certificate(text) for text in texts)
    if first and second and first.algorithm == second.algorithm:
        return (
            "certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), "
            "the provided certificates were both of the same type"
        )
    return None


def ca_certificate(entity: dict) -> Problem:
    text = entity.get("cert") or ""
    if text.count("-----BEGIN CERTIFICATE-----") > 1:
        return "please submit only one certificate at a time"
    cert = pem.certificate(text)
    if cert is None:
        return None
    if cert.not_after is not None and ssl.cert_time_to_seconds(cert.not_after) < time.time():
        return 'certificate expired, "Not After" time is in the past'
    if cert.is_ca:
        return None
    return 'certificate does not appear to be a CA because it is missing the "CA" basic constraint'


def key_material(entity: dict) -> Problem:
    jwk = entity.get("jwk")
    if isinstance(jwk, str) and not jwk.startswith("{vault://"):
        try:
            decoded = json.loads(jwk)
        except ValueError:
            return "could not json decode jwk string"
        if decoded.get("kid") != entity.get("kid"):
            return "kid in jwk.kid must be equal to keys.kid"
        if decoded.get("kty") not in ("RSA", "EC", "OKP"):
            return "could not load JWK, likely not a valid key"
    return None


def proxy_cache(entity: dict) -> Problem:
    if (entity.get("config") or {}).get("strategy") == "memory" and not entity["config"].get("memory", True):
        return "missing memory configuration"
    return None


ENTITY_CHECKS: dict[tuple[str, tuple[str, ...]], Callable[[dict], Problem]] = {
    ("certificates", ("cert", "key")): certificate_matches("cert", "key", "certificate does not match key"),
    ("certificates", ("cert_alt", "key_alt")): certificate_matches(
        "cert_alt", "key_alt", "alternative certificate does not match key"
    ),
    ("certificates", ("cert", "cert_alt")): certificate_kinds,
    ("ca_certificates", ("cert",)): ca_certificate,
    ("keys", ("jwk", "pem", "kid")): key_material,
    ("plugins/proxy-cache", ("config",)): proxy_cache,
}


def _subschema(fields: list[dict], checks: list[dict]) -> dict:
    return {"fields": fields, "entity_checks": checks}


def _must_set(when: str, names: list[str], other: str = "", other_names: list[str] | None = None) -> dict:
    rule: dict[str, Any] = {
        "if_field": "protocols",
        "if_match": {"contains": when},
        "then_at_least_one_of": names,
        "then_err": f"must set one of %s when 'protocols' is '{when}'",
    }
    if other:
        rule["else_match"] = {"contains": other}
        rule["else_then_at_least_one_of"] = other_names
        rule["else_then_err"] = f"must set one of %s when 'protocols' is '{other}'"
    return {"conditional_at_least_one_of": rule}


def _unset(kind: str, name: str, protocols: str) -> dict:
    return {name: {"type": kind, "eq": None, "err": f"cannot set '{name}' when 'protocols' is {protocols}"}}


def _no(names: str, protocols: str) -> list[dict]:
    return [_unset("any", name, protocols) for name in names.split()]


_STREAM = "'tcp', 'tls', 'tls_passthrough' or 'udp'"
_HTTP_ROUTE = _subschema(
    _no("sources destinations", "'http' or 'https'"),
    [
        _must_set(
            "https", ["methods", "hosts", "headers", "paths", "snis"], "http", ["methods", "hosts", "headers", "paths"]
        )
    ],
)
_STREAM_ROUTE = _subschema(
    _no("methods hosts paths headers", _STREAM),
    [
        {
            "conditional_at_least_one_of": {
                "if_field": "protocols",
                "if_match": {"elements": {"type": "string", "one_of": protocols}},
                "then_at_least_one_of": names,
                "then_err": error,
            }
        }
        for protocols, names, error in (
            (
                ["tcp", "tls", "udp"],
                ["sources", "destinations", "snis"],
                "must set one of %s when 'protocols' is 'tcp', 'tls' or 'udp'",
            ),
            (["tls_passthrough"], ["snis"], "must set snis when 'protocols' is 'tls_passthrough'"),
        )
    ],
)
_GRPC_ROUTE = _subschema(
    [
        {
            "strip_path": {
                "type": "boolean",
                "required": True,
                "default": False,
                "ne": True,
                "err": "cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'",
            }
        },
        *_no("methods sources destinations", "'grpc' or 'grpcs'"),
    ],
    [_must_set("grpcs", ["hosts", "headers", "paths", "snis"], "grpc", ["hosts", "headers", "paths"])],
)
ROUTE_SUBSCHEMAS = {
    **dict.fromkeys(("http", "https"), _HTTP_ROUTE),
    **dict.fromkeys(("tcp", "tls", "tls_passthrough", "udp"), _STREAM_ROUTE),
    **dict.fromkeys(("grpc", "grpcs"), _GRPC_ROUTE),
}
