# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Secrets: which fields hold them, and how a difference is shown without them. Pure."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import TIMES, Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.document import MASK
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KINDS, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.plan import CREATE, DELETE, UPDATE, Change
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.schemas import Field, Record

#: Shorter ones would mask harmless words in every output.
_SHORTEST = 4
_NAMES = ("password", "secret", "token", "private", "apikey", "api_key", "client_secret", "authorization")
#: A header with its value, as the transformer plugins have them in lists.
_HEADER = re.compile(
    r"((?:proxy-)?authorization|(?:set-)?cookie|[\w-]*(?:api-?key|token|secret|password))(\s*:\s*)(.+)", re.I
)


def secrets(kind: str, fields: Raw, catalogue: Catalogue | None) -> t.Iterator[str]:
    """Every secret string of one entity."""
    for name in KINDS[kind].secrets:
        yield from _strings(fields.get(name))
    config = fields.get("config")
    if kind == "plugins" and isinstance(config, dict):
        record = _config(fields, catalogue)
        yield from _in_record(config, record) if record else _by_name(config)


def of_document(entities: t.Iterable[t.Any], catalogue: Catalogue | None) -> set[str]:
    found: set[str] = set()
    for entity in entities:
        kind = KINDS[entity.kind]
        if kind.secrets or entity.kind == "plugins":
            found.update(text for text in secrets(entity.kind, entity.fields, catalogue) if len(text) >= _SHORTEST)
    return found


def of_sources(content: t.Any) -> set[str]:
    """Of documents that are not understood yet: whatever has the name of a secret."""
    return {text for text in _by_name(content, whole=("key", "key_alt", "jwk", "pem")) if len(text) >= _SHORTEST}


def masked(kind: str, fields: Raw, other: Raw | None, word: str, catalogue: Catalogue) -> Raw:
    """The fields without secrets; one that the other side has not, or has otherwise, says so."""
    out = dict(fields)
    for name in KINDS[kind].secrets:
        if out.get(name) is not None:
            out[name] = MASK if other is None or other.get(name) == out[name] else f"{MASK[:-1]}, {word} value>"
    record = _config(fields, catalogue) if kind == "plugins" else None
    if record is not None and isinstance(out.get("config"), dict):
        theirs = (other or {}).get("config") if other is not None else None
        out["config"] = _masked(out["config"], theirs, record, word, other is None)
    return out


def difference(change: Change, catalogue: Catalogue) -> dict[str, str]:
    """One entry of a module's `diff`."""
    before, after = change.observed, change.body if change.action in (CREATE, UPDATE) else None
    sides: list[Raw] = []
    for side, other, word in ((before, after, "old"), (after, before, "new")):
        if side is None:
            sides.append({})
            continue
        # The other side's default fills what this one leaves to it.
        shown = catalogue.canonical(change.kind, side, defaults=side is after)
        theirs = None if other is None else catalogue.canonical(change.kind, other, defaults=other is after)
        shown = masked(change.kind, shown, theirs, word, catalogue)
        if change.action == UPDATE:
            changed = {path.split(".")[0] for path in change.fields}
            shown = {name: value for name, value in shown.items() if name in changed}
        sides.append(shown)
    return {
        "before_header": change.label,
        "after_header": f"{change.label}{' (deleted)' if change.action == DELETE else ''}",
        "before": _text(sides[0]),
        "after": _text(sides[1]),
    }


def scrub(text: str, known: t.Iterable[str]) -> str:
    """A message of the gateway without the secrets that it repeats: as words, a short one is part of harmless ones."""
    for secret in sorted(known, key=len, reverse=True):
        edge = r"\b" if len(secret) < _SHORTEST else ""
        text = re.sub(f"{edge}{re.escape(secret)}{edge}", MASK, text)
    return text


def _text(side: Raw) -> str:
    shown = {name: value for name, value in side.items() if name not in TIMES}
    return json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False) + "\n" if shown else ""


def _config(fields: Raw, catalogue: Catalogue | None) -> Record | None:
    if catalogue is None or not catalogue.knows("plugins", str(fields.get("name"))):
        return None
    field: Field | None = catalogue.record("plugins", fields).fields.get("config")
    return field.record if field else None


def _in_record(value: Raw, record: Record) -> t.Iterator[str]:
    for name, item in value.items():
        field = record.fields.get(name)
        if field is None:
            yield from _by_name({name: item})
        elif field.secret or (field.element is not None and field.element.secret):
            yield from _strings(item)
        elif field.record is not None and isinstance(item, dict):
            yield from _in_record(item, field.record)
        elif isinstance(item, list):
            yield from (header[3] for header in map(_header, item) if header)


def _header(item: t.Any) -> re.Match[str] | None:
    return _HEADER.fullmatch(item) if isinstance(item, str) else None


def _hidden(item: t.Any, others: t.Any, word: str, alone: bool) -> t.Any:
    """A header without its value."""
    header = _header(item)
    if header is None or header[3].startswith("{vault://"):
        return item
    same = alone or (isinstance(others, list) and item in others)
    return f"{header[1]}{header[2]}{MASK if same else f'{MASK[:-1]}, {word} value>'}"


def _masked(value: Raw, other: t.Any, record: Record, word: str, alone: bool) -> Raw:
    out = {}
    for name, item in value.items():
        field = record.fields.get(name)
        theirs = other.get(name) if isinstance(other, dict) else None
        if item is None or field is None:
            out[name] = item
        elif field.secret or (field.element is not None and field.element.secret):
            out[name] = MASK if alone or theirs == item else f"{MASK[:-1]}, {word} value>"
        elif field.record is not None and isinstance(item, dict):
            out[name] = _masked(item, theirs, field.record, word, alone)
        elif isinstance(item, list):
            out[name] = [_hidden(one, theirs, word, alone) for one in item]
        else:
            out[name] = item
    return out


def _by_name(value: t.Any, secret: bool = False, whole: tuple[str, ...] = ()) -> t.Iterator[str]:
    """Without a schema: whatever a name says is a secret."""
    if isinstance(value, dict):
        for name, item in value.items():
            named = name in whole or any(part in str(name).lower() for part in _NAMES)
            yield from _by_name(item, secret or named, whole)
    elif isinstance(value, list):
        for item in value:
            yield from _by_name(item, secret, whole)
    elif secret and isinstance(value, str):
        yield value


def _strings(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        # A reference to a vault is no secret, and people want to read it.
        if value and not value.startswith("{vault://"):
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
