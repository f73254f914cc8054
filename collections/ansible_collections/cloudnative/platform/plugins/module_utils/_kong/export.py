# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Today's configuration as a document that, applied again, changes nothing. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import masks
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import TIMES, Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import (
    CREDENTIALS,
    KINDS,
    Raw,
    by_level,
    reference_of,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed, owned

#: Whose id matters to others: CA certificates are referred to by it, and a password's hash contains its consumer's.
_WITH_ID = {"certificates", "ca_certificates"}
#: Where an entity stands in the nested form; what has several references, only where one of them is set.
_INSIDE = {
    "routes": ("service",),
    "targets": ("upstream",),
    "snis": ("certificate",),
    "keys": ("set",),
    "plugins": ("route", "service", "consumer"),
    **dict.fromkeys(CREDENTIALS, ("consumer",)),
}


def document(
    observed: Observed, catalogue: Catalogue, owner_tags: t.Sequence[str] = (), with_secrets: bool = True
) -> Raw:
    """Nested, references by name, without what is the default anyway."""
    content: Raw = {"_format_version": "3.0"}
    if any(owned(item, owner_tags) for item in observed.lists["basicauth_credentials"]):
        content["_transform"] = False
    hashed = {item["consumer"]["id"] for item in observed.lists["basicauth_credentials"]}
    made: dict[tuple[str, str], Raw] = {}
    for kind in by_level():
        for item in sorted(observed.lists[kind.name], key=lambda one: _order(kind.name, one)):
            if not owned(item, owner_tags):
                continue
            entity = _entity(kind.name, item, observed, catalogue, with_secrets, item["id"] in hashed)
            made[(kind.name, item["id"])] = entity
            _place(content, kind.name, entity, item, made)
    return content


def _order(kind: str, item: Raw) -> tuple[str, ...]:
    names = ("name", "username", "custom_id", "prefix", "target", "group", "kid")
    return (*(str(item.get(name) or "") for name in names), item["id"])


def _place(content: Raw, kind: str, entity: Raw, item: Raw, made: dict[tuple[str, str], Raw]) -> None:
    given = [field for field in KINDS[kind].foreign if item.get(field)]
    for field in _INSIDE.get(kind, ()):
        outer = KINDS[kind].foreign[field]
        parent = made.get((outer, (item.get(field) or {}).get("id", "")))
        # A plugin of a route and a consumer stands by itself: the form has no place for two parents.
        if parent is not None and len(given) == 1 and field == reference_of(outer):
            del entity[field]
            parent.setdefault(kind, []).append(entity)
            return
    content.setdefault(kind, []).append(entity)


def _entity(kind: str, item: Raw, observed: Observed, catalogue: Catalogue, with_secrets: bool, hashed: bool) -> Raw:
    record = catalogue.record(kind, item)
    entity = without_defaults(item, record)
    for name in TIMES:
        entity.pop(name, None)
    if not entity.get("tags"):
        entity.pop("tags", None)
    named = any(entity.get(key[0]) for key in KINDS[kind].keys if key[0] not in KINDS[kind].foreign)
    if (named or kind in ("targets", "acls", "plugins")) and kind not in _WITH_ID and not hashed:
        entity.pop("id", None)
    if kind == "services":
        for name in ("protocol", "host", "port", "path"):
            if item.get(name) is not None:
                entity[name] = item[name]
    for field, outer in KINDS[kind].foreign.items():
        if item.get(field):
            other = observed.by_id[outer].get(item[field]["id"]) or {}
            entity[field] = other.get("name") or other.get("username") or item[field]["id"]
    return entity if with_secrets else masks.masked(kind, entity, None, "", catalogue)


def without_defaults(item: Raw, record: t.Any) -> Raw:
    """What a document has to say: no nulls, unless a null is not the default, and no defaults."""
    out: Raw = {}
    for name, value in item.items():
        field = record.fields.get(name)
        if field is None:
            continue
        if value is None or value == "":
            if field.default is not None and not field.required:
                out[name] = None
            continue
        if field.record is not None and isinstance(value, dict):
            inner = without_defaults(value, field.record)
            # A record's own default need not be what the defaults of its fields make.
            if field.canonical(value, None, "") != field.default:
                out[name] = inner
        elif field.default is None or field.canonical(value, None, "") != field.default:
            out[name] = value
    return out
