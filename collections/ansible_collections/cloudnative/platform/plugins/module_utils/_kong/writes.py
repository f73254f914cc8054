# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which request makes a change, and what Kong's refusals mean. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KINDS, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.plan import CREATE, DELETE, RELEASE, Change
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.rewrites import is_password_hash

Request = tuple[str, str, t.Optional[Raw]]


def request(change: Change) -> Request:
    """Method, path and body. A PUT by id creates and replaces; the exceptions stand here."""
    path = f"/{KINDS[change.kind].path}/{change.id}"
    if change.kind == "targets":
        # A PUT of a target never creates one, and keeps what it leaves out: so everything is said.
        upstream = ((change.observed if change.action != CREATE else change.body) or {})["upstream"]["id"]
        path = f"/upstreams/{upstream}/targets"
        if change.action == CREATE:
            return "POST", path, change.body
        body = {"weight": 100, "tags": None, **change.body}
        path = f"{path}/{change.id}"
        return ("DELETE", path, None) if change.action == DELETE else ("PUT", path, body)
    if change.action == DELETE:
        return "DELETE", path, None
    if change.action == RELEASE:
        return "PATCH", path, change.body
    body = change.body
    if change.action != CREATE:
        if change.kind == "certificates":
            # A PUT would drop the SNIs that it does not repeat.
            rest = {"tags": None, "cert_alt": None, "key_alt": None}
            return "PATCH", path, {**rest, **_without(body, "id", "created_at")}
        if change.kind == "basicauth_credentials" and _is_stored_hash(change):
            return "PATCH", path, _without(body, "id", "created_at", "password", "consumer")
        if change.kind == "oauth2_credentials" and _is_hashed_secret(change):
            # Sent again, the hash would be hashed.
            return "PATCH", path, _without(body, "id", "created_at", "client_secret", "hash_secret")
    return "PUT", path, body


def validation(change: Change) -> Request:
    """The request that checks an entity without storing it; references must be ids there, and times are not known."""
    return "POST", f"/schemas/{change.kind}/validate", validated(change)


def validated(change: Change) -> Raw:
    return _without(change.body, "created_at", "ttl")


def _is_stored_hash(change: Change) -> bool:
    password = change.body.get("password")
    return is_password_hash(password) and password == (change.observed or {}).get("password")


def _is_hashed_secret(change: Change) -> bool:
    observed = change.observed or {}
    same = change.body.get("client_secret") == observed.get("client_secret")
    return bool(observed.get("hash_secret") and change.body.get("hash_secret") and same)


def _without(body: Raw, *names: str) -> Raw:
    return {name: value for name, value in body.items() if name not in names}


def reasons(body: Raw) -> list[str]:
    """What Kong says is wrong, a field a sentence."""
    found = list(_flatten(body.get("fields"), ""))
    return found or [str(body.get("message") or "no reason given")]


def _flatten(value: t.Any, path: str) -> t.Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flatten(item, path if name == "@entity" else f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            one = isinstance(item, str) and len(value) == 1
            yield from _flatten(item, path if one or not path else f"{path}[{number}]")
    elif value is not None:
        yield f"{path}: {value}" if path else str(value)
