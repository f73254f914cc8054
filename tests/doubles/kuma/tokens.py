# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens: issued with the signing keys of the store, checked against them and against the revoked ones."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from . import rsa
from .errors import Refused, Violation, invalid
from .golang import DecodeError, parse_duration
from .store import Store

_TEN_YEARS = 10 * 365 * 86400
# Seconds a token is valid before it was issued, for clocks that differ.
_EARLIER = 5
_TYPES = {"": True, "dataplane": True, "ingress": True, "egress": True}


class Purpose(NamedTuple):
    """Where the signing keys of a kind of token are."""

    kind: str
    # With {mesh}.
    prefix: str
    key: rsa.Key


USER = Purpose("GlobalSecret", "user-token-signing-key", rsa.MADE["user"])
ZONE = Purpose("GlobalSecret", "zone-token-signing-key", rsa.MADE["zone"])
DATAPLANE = Purpose("Secret", "dataplane-token-signing-key-{mesh}", rsa.MADE["dataplane"])


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make_key(store: Store, purpose: Purpose, mesh: str = "") -> None:
    """The first signing key, as the control plane makes it."""
    data = base64.b64encode(purpose.key.pem().encode()).decode()
    store.make(purpose.kind, mesh, f"{purpose.prefix.format(mesh=mesh)}-1", {"data": data})


def _keys(store: Store, purpose: Purpose, mesh: str) -> dict[str, rsa.Key]:
    """Key id -> key."""
    prefix = f"{purpose.prefix.format(mesh=mesh)}-"
    found = {}
    for secret in store.list(purpose.kind, mesh):
        number = secret.name.removeprefix(prefix)
        if secret.name.startswith(prefix) and number.isdigit():
            key = rsa.load(base64.b64decode(secret.spec.get("data", "")).decode("utf-8", "replace"))
            if key is not None:
                found[number] = key
    return found


def issue(store: Store, purpose: Purpose, mesh: str, claims: dict[str, Any], seconds: float) -> str:
    keys = _keys(store, purpose, mesh)
    if not keys:
        name = f"{purpose.prefix.format(mesh=mesh)}-1"
        where = f' in mesh "{mesh}"' if purpose.kind == "Secret" else ""
        words = "If signing key was rotated, regenerate the token"
        detail = f'there is no signing key with KID 1. {purpose.kind} of name "{name}"{where} is not found. {words}'
        raise Refused(404, "Signing Key not found", detail)
    number = max(keys, key=int)
    moment = int(time.time())
    times = {"exp": moment + int(seconds), "nbf": moment - _EARLIER, "iat": moment - _EARLIER}
    body = {**claims, **times, "jti": str(uuid.uuid4())}
    parts = [{"alg": "RS256", "kid": number, "typ": "JWT"}, body]
    text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{text}.{_encode(keys[number].sign(text.encode()))}"


def check_user(store: Store, token: str) -> dict[str, Any] | None:
    """The claims of a valid user token."""
    return _check(store, USER, "", "user-token-revocations", token)


def check_dataplane(store: Store, mesh: str, token: str) -> dict[str, Any] | None:
    """The claims of a valid token of a dataplane of a mesh."""
    return _check(store, DATAPLANE, mesh, f"dataplane-token-revocations-{mesh}", token)


def _check(store: Store, purpose: Purpose, mesh: str, revocations: str, token: str) -> dict[str, Any] | None:
    try:
        head, body, signature = token.split(".")
        header, claims = json.loads(_decode(head)), json.loads(_decode(body))
        key = _keys(store, purpose, mesh).get(header.get("kid", ""))
        if key is None or header.get("alg") != "RS256":
            return None
        if not key.verify(f"{head}.{body}".encode(), _decode(signature)):
            return None
        revoked = _revoked(store, purpose.kind, mesh, revocations)
        if not claims["nbf"] <= time.time() < claims["exp"] or claims["jti"] in revoked:
            return None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return claims


def _revoked(store: Store, kind: str, mesh: str, name: str) -> set[str]:
    secret = store.get(kind, mesh, name)
    if secret is None:
        return set()
    text = base64.b64decode(secret.spec.get("data", "")).decode("utf-8", "replace")
    return {entry.strip() for entry in text.replace("\n", ",").split(",")}


def is_request(body: dict) -> bool:
    """Whether every field is of its type; Kuma says nothing more about one that is not."""
    texts = ("name", "mesh", "type", "workload", "zone", "validFor")
    lists, none = ("scope", "groups"), type(None)
    good = all(isinstance(body.get(name), (str, none)) for name in texts)
    good = good and all(isinstance(body.get(name), (list, none)) for name in lists)
    return good and isinstance(body.get("tags"), (dict, none))


def _seconds(body: dict, found: list[Violation], required: bool = False) -> float:
    text = body.get("validFor") or ""
    if not text:
        if required:
            found.append(("validFor", "cannot be empty"))
        return _TEN_YEARS
    try:
        return parse_duration(text) / 1_000_000_000
    except DecodeError as error:
        found.append(("validFor", f"is invalid: {error}"))
        return 0


def _finish(found: list[Violation]) -> None:
    if found:
        raise invalid(found, "Invalid request")


def dataplane(store: Store, body: dict, allow: Callable[[str], None]) -> str:
    found: list[Violation] = []
    if not body.get("mesh"):
        found.append(("mesh", "cannot be empty"))
    seconds = _seconds(body, found)
    kind = body.get("type") or ""
    if kind not in _TYPES:
        found.append(("type", f"{kind} is not a valid proxy type"))
    _finish(found)
    allow("generate dataplane token")
    claims = {"Name": body.get("name") or "", "Mesh": body["mesh"], "Tags": body.get("tags") or {}, "Type": kind}
    return issue(store, DATAPLANE, body["mesh"], {**claims, "Workload": body.get("workload") or ""}, seconds)


def zone(store: Store, body: dict, allow: Callable[[str], None]) -> str:
    found: list[Violation] = []
    if not body.get("scope"):
        found.append(("scope", "cannot be empty"))
    seconds = _seconds(body, found)
    _finish(found)
    name = body.get("zone") or ""
    allow(f"generate zone token for zone '{name}'")
    return issue(store, ZONE, "", {"Zone": name, "Scope": body["scope"]}, seconds)


def user(store: Store, body: dict, allow: Callable[[str], None]) -> str:
    found: list[Violation] = []
    if not body.get("name"):
        found.append(("name", "cannot be empty"))
    seconds = _seconds(body, found, required=True)
    _finish(found)
    allow("")
    return issue(store, USER, "", {"Name": body["name"], "Groups": body.get("groups")}, seconds)
