# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether an entity is as it is wished, and what has to be sent to make it so. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import rewrites
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.document import Entity
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import Raw


def differing(entity: Entity, observed: Raw, catalogue: Catalogue, transform: bool = True) -> list[str]:
    """Names of the fields that differ, those of a record with their path."""
    wanted = entity.canonical if entity.canonical is not None else catalogue.canonical(entity.kind, entity.body)
    found = catalogue.canonical(entity.kind, observed, defaults=False)
    for path in catalogue.auto(entity.kind, entity.body):
        _keep(wanted, found, path)
    if wanted == found:
        return []
    if entity.kind == "basicauth_credentials" and _same_password(entity, observed, transform):
        wanted["password"] = found["password"]
    elif entity.kind == "oauth2_credentials" and wanted.get("hash_secret") and found.get("hash_secret"):
        if rewrites.secret_matches(str(wanted.get("client_secret")), str(found.get("client_secret"))):
            wanted["client_secret"] = found["client_secret"]
    elif entity.kind == "keyauth_credentials" and wanted.get("ttl") and found.get("ttl", -1) >= 0:
        # Kong says how many seconds are left.
        if found["ttl"] <= wanted["ttl"]:
            wanted["ttl"] = found["ttl"]
    elif entity.kind in ("ca_certificates", "certificates"):
        for name in ("cert", "key", "cert_alt", "key_alt"):
            if _lines(wanted.get(name)) == _lines(found.get(name)) and name in found:
                wanted[name] = found[name]
    return list(paths(wanted, found))


def _same_password(entity: Entity, observed: Raw, transform: bool) -> bool:
    """The stored hash contains the id of the consumer, so a credential that moves is another one."""
    password, stored = str(entity.body.get("password")), observed.get("password")
    if not transform:
        return password == stored
    consumer = (entity.body.get("consumer") or {}).get("id", "")
    return rewrites.password_hash(password, consumer) == stored


def _lines(text: t.Any) -> list[str]:
    """PEM by its lines: a line end more or another kind of line end is the same certificate."""
    return str(text).split()


def _keep(wanted: Raw, found: Raw, path: tuple[str, ...]) -> None:
    """A value that Kong made up stays, unless the document gives one."""
    value: t.Any = found
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    if value is None:
        return
    for step in path[:-1]:
        # Records are shared between forms of an entity, and defaults between entities: what is changed is copied.
        wanted[step] = dict(wanted.get(step) or {})
        wanted = wanted[step]
    if wanted.get(path[-1]) is None:
        wanted[path[-1]] = value


def paths(wanted: Raw, found: Raw, prefix: str = "") -> t.Iterator[str]:
    for name in sorted({*wanted, *found}):
        left, right = wanted.get(name), found.get(name)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict):
            yield from paths(left, right, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def completed(entity: Entity, observed: Raw | None, catalogue: Catalogue) -> Raw:
    """What is sent: the wish, and what a PUT would otherwise make anew."""
    body = dict(entity.body)
    if observed is None:
        return body
    if "created_at" in observed:
        body.setdefault("created_at", observed["created_at"])
    for path in catalogue.auto(entity.kind, body):
        _keep(body, observed, path)
    if entity.kind == "keyauth_credentials" and body.get("ttl") and (observed.get("ttl") or 0) > 0:
        # Another change does not make a key live longer.
        body["ttl"] = min(body["ttl"], observed["ttl"])
    return body
