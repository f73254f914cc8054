# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What two forms of one resource differ in, when the forms in which the control plane stores things don't count. Pure.

It writes durations in Go's form, fills in defaults, leaves zero values of flat kinds out, adds the zone to tags and
owns some fields. A PUT of the same content would still bump the time of modification, so it is sent only for a
difference.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import durations, schema
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.fields import FREE, OWNED, TAGS, Leaf
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.flat_fields import PROBE, PROBED
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, Raw

MASK = "<hidden>"
ZONE_TAG = "kuma.io/zone"
_NOTHING: t.Any = object()
#: Where keys stand in what has no fields of its own, as the conf of an authority.
_INLINE_NAMES = ("inline", "inlineString")
_INLINE = Leaf(secret=True)


def content(kind: str, body: Raw, like: Raw | None = None) -> t.Any:
    """What a resource says, in the one form in which two can be compared.

    `like` is the other side: zones in tags count only where it has some.
    """
    fields = schema.fields_of(kind)
    value = schema.content_of(kind, body)
    if fields is None:
        return _without_nulls(value)
    zones = like is None or _has_zone_tag(schema.content_of(kind, like))
    return _canonical(value, fields, KINDS[kind].flat, zones)


def _canonical(value: t.Any, field: t.Any, flat: bool, zones: bool) -> t.Any:
    if isinstance(field, dict) and isinstance(value, dict):
        out: Raw = {}
        probed = PROBED if _has_probe(value) and PROBE in field else ()
        for name, item in value.items():
            # What a newer control plane adds is not known here, and nobody wishes it.
            known = field.get(name)
            if known is None or known == OWNED or item is None or name in probed:
                continue
            if isinstance(known, Leaf) and known.default is not None and item == known.default:
                continue
            item = _canonical(item, known, flat, zones)
            if not (flat and _is_unset(name, item, known)):
                out[name] = item
        return out
    if isinstance(field, list) and isinstance(value, list):
        return [_canonical(item, field[0], flat, zones) for item in value]
    if isinstance(field, Leaf) and field.duration:
        size = durations.nanoseconds(value)
        return value if size is None else durations.written(size)
    if field == TAGS and isinstance(value, dict) and not zones:
        return {name: item for name, item in value.items() if name != ZONE_TAG}
    return _without_nulls(value) if field == FREE else value


def _is_unset(name: str, item: t.Any, field: t.Any) -> bool:
    """Lists without items are not stored, and a `conf` is filled in where there was none."""
    return (item == [] and isinstance(field, list)) or (name == "conf" and item == {})


def _without_nulls(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _has_zone_tag(value: t.Any) -> bool:
    if isinstance(value, dict):
        return ZONE_TAG in value or any(_has_zone_tag(item) for item in value.values())
    return isinstance(value, list) and any(_has_zone_tag(item) for item in value)


def differences(before: t.Any, after: t.Any, path: str = "") -> list[str]:
    """Paths of what differs between two canonical forms."""
    if isinstance(before, dict) and isinstance(after, dict):
        found: list[str] = []
        for name in sorted({*before, *after}, key=str):
            place = f"{path}.{name}" if path else str(name)
            found += differences(before.get(name, _NOTHING), after.get(name, _NOTHING), place)
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            place
            for number, pair in enumerate(zip(before, after))
            for place in differences(pair[0], pair[1], f"{path}[{number}]")
        ]
    # In Python 1 is True, in a resource it is not.
    same = before == after and isinstance(before, bool) == isinstance(after, bool)
    return [] if same else [path or "spec"]


def with_owned(kind: str, body: Raw, there: Raw) -> Raw:
    """`body` with what the control plane has written into the resource that it replaces.

    A MeshService that is sent without its state is unavailable, an inbound ready, until the control plane has looked
    again.
    """
    if not KINDS[kind].flat:
        names = [name for name, field in (schema.fields_of(kind) or {}).items() if field == OWNED]
        spec = there.get("spec") or {}
        return {**body, "spec": {**body["spec"], **{name: spec[name] for name in names if name in spec}}}
    inbounds = (body.get("networking") or {}).get("inbound") or []
    if kind != "Dataplane" or not any(map(_has_probe, inbounds)):
        return body
    found = (there.get("networking") or {}).get("inbound") or []
    kept = {_place(one): {name: one[name] for name in PROBED if name in one} for one in found if _has_probe(one)}
    sent = [{**one, **kept.get(_place(one), {})} if _has_probe(one) else one for one in inbounds]
    return {**body, "networking": {**body["networking"], "inbound": sent}}


def _has_probe(inbound: Raw) -> bool:
    return inbound.get(PROBE) is not None


def _place(inbound: Raw) -> tuple[t.Any, t.Any]:
    return inbound.get("address"), inbound.get("port")


# -- secrets ----------------------------------------------------------------------------------------------------------


def secrets(kind: str, body: Raw) -> set[str]:
    """Every secret text of a resource."""
    fields = schema.fields_of(kind)
    return set() if fields is None else set(_secrets(schema.content_of(kind, body), fields))


def _secrets(value: t.Any, field: t.Any) -> t.Iterator[str]:
    if isinstance(field, dict) and isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets(item, field.get(name))
    elif isinstance(field, list) and isinstance(value, list):
        for item in value:
            yield from _secrets(item, field[0])
    elif isinstance(value, str) and value and isinstance(field, Leaf) and field.secret:
        yield value
    elif field == FREE and isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets(item, _INLINE if name in _INLINE_NAMES else FREE)


def masked(kind: str, value: t.Any, other: t.Any, word: str) -> t.Any:
    """Canonical content without its secrets; one that differs from the other side's says so."""
    fields = schema.fields_of(kind)
    return value if fields is None else _masked(value, other, fields, word)


def _masked(value: t.Any, other: t.Any, field: t.Any, word: str) -> t.Any:
    if isinstance(field, dict) and isinstance(value, dict):
        theirs = other if isinstance(other, dict) else {}
        return {name: _masked(item, theirs.get(name), field.get(name), word) for name, item in value.items()}
    if isinstance(field, list) and isinstance(value, list):
        theirs_too = other if isinstance(other, list) and len(other) == len(value) else [None] * len(value)
        return [_masked(item, there, field[0], word) for item, there in zip(value, theirs_too)]
    if field == FREE and isinstance(value, dict):
        theirs = other if isinstance(other, dict) else {}
        return {
            name: _masked(item, theirs.get(name), _INLINE if name in _INLINE_NAMES else FREE, word)
            for name, item in value.items()
        }
    if isinstance(field, Leaf) and field.secret and value:
        return MASK if other is None or other == value else f"{MASK[:-1]}, {word} value>"
    return value
