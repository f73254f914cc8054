# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Nodes without a database: one canonical document for all of them, given to those that do not have it."""

from __future__ import annotations

import hashlib
import json
import re
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, NodeError, Refused
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.document import Document, Entity
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KINDS, KongError, Raw, by_level
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.writes import reasons

#: What a node reports that has no entities; it never becomes ready then.
EMPTY_HASH = "0" * 32
#: A node reports the new hash some milliseconds after it took the document.
SETTLE_TIMEOUT = 10.0
# YAML, as which Kong may read it, knows more line ends than JSON does, and refuses some characters raw.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def render(document: Document) -> str:
    """The canonical text of a settled document: flat, sorted, ids given, so that each node makes the same of it. Pure.

    Flat, because Kong refuses nested SNIs next to basic-auth credentials; ids, because it would make up others for some
    kinds on every load. The same wish gives the same bytes, and so the same hash.
    """
    content: Raw = {"_format_version": "3.0"}
    if not document.transform:
        content["_transform"] = False
    wanted = document.by_kind()
    for kind in by_level():
        items = [_item(kind.name, entity.body) for entity in wanted[kind.name]]
        if items:
            content[kind.name] = sorted(items, key=lambda item: item["id"])
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _item(kind: str, body: Raw) -> Raw:
    item = dict(body)
    for field in KINDS[kind].foreign:
        if isinstance(item.get(field), dict):
            item[field] = item[field]["id"]
    return item


def expected_hash(text: str, empty: bool) -> str:
    return EMPTY_HASH if empty else hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def current_hash(admin: Admin) -> str:
    return str(admin.get("/status").get("configuration_hash") or "")


def push(admin: Admin, text: str, wanted_hash: str, document: Document) -> None:
    """Gives one node the document and waits until it says so.

    Raises `NodeError` where the node is the reason, and another `KongError` where the document is.
    """
    try:
        admin.request("POST", "/config?check_hash=1&flatten_errors=1", {"config": text})
    except Refused as e:
        if e.status == 413:
            raise NodeError(
                f"{admin.name}: the configuration does not fit, raise Kong's lmdb_map_size: {e.message}"
            ) from e
        if e.status != 400:
            raise
        raise KongError(f"{admin.name} refuses the configuration: {_refusal(admin, e, text, document)}") from e
    ends = time.monotonic() + SETTLE_TIMEOUT
    while True:
        found = current_hash(admin)
        if found == wanted_hash:
            return
        if time.monotonic() > ends:
            raise NodeError(
                f"{admin.name} took the configuration but reports hash {found} instead of {wanted_hash}: does "
                "something else, an ingress controller for example, configure it as well?"
            )
        time.sleep(0.1)


def _refusal(admin: Admin, error: Refused, text: str, document: Document) -> str:
    found = flattened(error.body, document)
    if not found:
        # A reference that leads nowhere is lost in the flattened errors; the plain answer has it.
        try:
            admin.request("POST", "/config", {"config": text})
        except Refused as e:
            if e.status != 400:
                raise
            found = reasons(e.body) if e.body.get("fields") else [e.message]
        else:
            raise NodeError(f"{admin.name} first refused the configuration and then took it: run again")
    return "; ".join(found)


def flattened(body: Raw, document: Document) -> list[str]:
    """Kong's flattened errors by the place in the user's own document. Pure."""
    items = body.get("flattened_errors")
    found = []
    by_id = {entity.id: entity for entity in document.entities}
    for item in items if isinstance(items, list) else []:
        entity = by_id.get(item.get("entity_id")) or _by_name(item, document.entities)
        name = item.get("entity_name") or item.get("entity_id")
        label = entity.label if entity else f"{item.get('entity_type')} {name}"
        for error in item.get("errors") or []:
            field = f"{error['field']}: " if error.get("field") else ""
            found.append(f"{label}: {field}{error.get('message')}")
    fields = body.get("fields")
    return found + (reasons(body) if fields and not found else [])


def _by_name(item: Raw, entities: t.Sequence[Entity]) -> Entity | None:
    """An entity that Kong describes without its id: of its type, with all that Kong says of it."""
    described = item.get("entity") or {}
    for entity in entities:
        if _type(entity.kind) == item.get("entity_type") and described:
            body = _item(entity.kind, entity.body)
            if all(body.get(name) == value for name, value in described.items() if not isinstance(value, (dict, list))):
                return entity
    return None


def _type(kind: str) -> str:
    return kind[:-3] + "y" if kind.endswith("ies") else kind[:-1]
