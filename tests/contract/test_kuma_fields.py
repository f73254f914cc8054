# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields and defaults that `kuma_resources` compares with are those that the control plane has: a default that only
one of the two knows is a difference that comes again in every run."""

from __future__ import annotations

import typing as t

import double_of_kuma
import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import fields

schema = double_of_kuma.part("schema")
Places = dict[str, t.Any]


def ours(field: t.Any, path: str) -> Places:
    """Place -> default of every field of ours; None where there is none."""
    if isinstance(field, dict):
        return {place: value for name, item in field.items() for place, value in ours(item, f"{path}.{name}").items()}
    if isinstance(field, list):
        return ours(field[0], f"{path}[]")
    return {path: field.default if isinstance(field, fields.Leaf) else None}


def theirs(field: dict[str, t.Any], path: str) -> Places:
    """The same of the control plane's schema; what Go always prints is a default as well."""
    field = schema.resolve(field)
    if "items" in field:
        return theirs(field["items"], f"{path}[]")
    if "properties" not in field:
        return {path: field.get("default")}
    found: Places = {}
    for name, item in field["properties"].items():
        place = f"{path}.{name}"
        found.update(theirs(item, place))
        if place in found and found[place] is None:
            found[place] = field.get("zero", {}).get(name)
    return found


@pytest.mark.parametrize("kind", sorted(fields.SPECS))
def test_fields_and_defaults(kind: str) -> None:
    known, real = ours(fields.SPECS[kind], "spec"), theirs(schema.KINDS[kind], "spec")
    # Whatever is in there is never compared.
    owned = tuple(f"spec.{name}" for name, field in fields.SPECS[kind].items() if field == fields.OWNED)
    assert {path: value for path, value in known.items() if path not in owned} == {
        path: value for path, value in real.items() if not path.startswith(owned)
    }


def test_the_schemas_have_kinds_that_are_not_looked_at() -> None:
    assert set(schema.KINDS) - set(fields.SPECS) == {"Workload"}
