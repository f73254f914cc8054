# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Names of fields, checked before anything is sent: the control plane drops those that it does not know. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.fields import SPECS, Fields
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.flat_fields import FLAT
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import ANSWERED, ENVELOPE, KINDS, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import suggestion


def fields_of(kind: str) -> Fields | None:
    """What stands in its spec, or next to its name; None for kinds whose fields are not known."""
    return FLAT.get(kind) if KINDS[kind].flat else SPECS[kind]


def content_of(kind: str, body: Raw) -> t.Any:
    """What a resource says, apart from its name, its labels and what the control plane says of it."""
    if not KINDS[kind].flat:
        return body.get("spec")
    return {name: value for name, value in body.items() if name not in (*ENVELOPE, *ANSWERED)}


def problems(kind: str, body: Raw) -> list[str]:
    """Everything in a document that the control plane would drop, by its path."""
    flat, fields = KINDS[kind].flat, fields_of(kind)
    if flat and "spec" in body:
        return [
            f"spec: a {kind} has its fields next to its name; the control plane would accept this and drop all that "
            "is in spec: take them out of it"
        ]
    if flat:
        return [] if fields is None else list(_unknown(content_of(kind, body), fields, ""))
    found = []
    for name in body:
        if name in ("spec", *ENVELOPE, *ANSWERED):
            continue
        hint = ": it belongs into spec" if fields and name in fields else suggestion(name, ("spec", *ENVELOPE))
        found.append(f"{name}: unknown field{hint}")
    if not isinstance(body.get("spec"), dict):
        return [*found, "spec is missing" if body.get("spec") is None else "spec: expected a mapping"]
    return found + list(_unknown(body["spec"], fields or {}, "spec"))


def _unknown(value: t.Any, field: t.Any, path: str) -> t.Iterator[str]:
    if value is None or not isinstance(field, (dict, list)):
        return
    if isinstance(field, list):
        if not isinstance(value, list):
            yield f"{path}: expected a list"
            return
        for number, item in enumerate(value):
            if item is None:
                yield f"{path}[{number}]: is empty; write it, or take its line out"
            yield from _unknown(item, field[0], f"{path}[{number}]")
        return
    if not isinstance(value, dict):
        yield f"{path}: expected a mapping"
        return
    for name, item in value.items():
        place = f"{path}.{name}" if path else str(name)
        if name in field:
            yield from _unknown(item, field[name], place)
        else:
            known = sorted(name for name in field)
            yield f"{place}: unknown field{suggestion(str(name), known) or ', expected ' + ', '.join(known)}"
