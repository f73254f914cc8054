# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What Kong makes of a value when it stores it, done to a wish before it is compared. Pure.

Kong rewrites some fields on every write. A wish that is compared as it was written would differ from what is stored
for ever, and be written on every run.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import Raw

DEFAULT_TARGET_PORT = 8000
_WITHOUT_HASH = ("least-connections", "latency")
_BALANCING = ("algorithm", "hash_on")
_GRPC = {"grpc", "grpcs"}
_PORTS = {"http": 80, "https": 443}


def rewritten(kind: str, fields: Raw, warnings: list[str]) -> Raw:
    """The fields as Kong will store them; a rewrite that loses what was asked for is a warning."""
    fields = {name: value for name, value in fields.items() if name not in ("updated_at", "cert_digest")}
    tags = fields.get("tags")
    if isinstance(tags, list):
        fields["tags"] = list(dict.fromkeys(tags))
    if kind == "services" and "url" in fields:
        _url(fields)
    elif kind == "upstreams" and all(isinstance(fields.get(name), (str, type(None))) for name in _BALANCING):
        _algorithm(fields, warnings)
    elif kind == "targets" and isinstance(fields.get("target"), str):
        fields["target"] = target(fields["target"])
    elif kind == "routes" and "strip_path" not in fields and _GRPC & set(fields.get("protocols") or ()):
        fields["strip_path"] = False
    elif kind == "keyauth_credentials" and not fields.get("ttl"):
        # A null makes Kong answer 500; zero means none.
        fields.pop("ttl", None)
    return fields


def _url(fields: Raw) -> None:
    """`url` wins over the fields that it stands for, and resets those it says nothing about."""
    given = fields.pop("url")
    if not given:
        return
    url = urlsplit(str(given))
    try:
        port = url.port
    except ValueError:
        port = None
    protocol = url.scheme or {80: "http", 443: "https"}.get(port or 0, "http")
    # As written: urlsplit would put a host name into small letters, Kong does not.
    host = url.netloc.rpartition("@")[2]
    host = host[: host.rindex(":")] if re.search(r":\d*\Z", host) else host
    fields.update(protocol=protocol, host=host, port=port or _PORTS.get(protocol, 80), path=url.path or None)


def _algorithm(fields: Raw, warnings: list[str]) -> None:
    algorithm, hash_on = fields.get("algorithm"), fields.get("hash_on") or "none"
    stored = (algorithm, hash_on)
    if algorithm in _WITHOUT_HASH:
        stored = (algorithm, "none")
    elif hash_on == "none":
        stored = ("round-robin", "none")
    else:
        stored = ("consistent-hashing", hash_on)
    if algorithm not in (None, stored[0]) or hash_on != stored[1]:
        warnings.append(
            f"Kong stores algorithm {stored[0]} with hash_on {stored[1]} for algorithm {algorithm} with "
            f"hash_on {hash_on}; write what is meant"
        )
    fields["algorithm"], fields["hash_on"] = stored


def target(text: str) -> str:
    """A target with its port; IPv6 in brackets, all of its digits written out."""
    bracketed = re.match(r"\[([^]]*)\](?::(\d+))?\Z", text)
    if bracketed or text.count(":") > 1:
        host, port = bracketed.groups() if bracketed else (text, None)
        try:
            address = ipaddress.IPv6Address(host).exploded
        except ValueError:
            return text
        return f"[{address}]:{port or DEFAULT_TARGET_PORT}"
    host, colon, port = text.partition(":")
    return f"{host}:{int(port)}" if colon and port.isdigit() else text if colon else f"{host}:{DEFAULT_TARGET_PORT}"


def password_hash(password: str, consumer_id: str) -> str:
    """How the basic-auth plugin stores a password."""
    return hashlib.sha1((password + consumer_id).encode(), usedforsecurity=False).hexdigest()


def is_password_hash(value: t.Any) -> bool:
    return isinstance(value, str) and bool(re.match(r"[0-9a-f]{40}\Z", value))


def secret_matches(secret: str, stored: str) -> bool:
    """Whether the oauth2 plugin made `stored` of `secret`. It makes PHC strings of PBKDF2."""
    parts = re.match(r"\$pbkdf2-(\w+)\$i=(\d+),l=(\d+)\$([^$]+)\$([^$]+)\Z", stored)
    if not parts:
        return secret == stored
    digest, iterations, length, salt, wanted = parts.groups()
    made = hashlib.pbkdf2_hmac(digest, secret.encode(), _base64(salt), int(iterations), int(length))
    return hmac.compare_digest(made, _base64(wanted))


def _base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
