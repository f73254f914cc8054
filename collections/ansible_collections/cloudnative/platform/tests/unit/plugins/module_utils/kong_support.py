# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a real Kong 3.9.3 answered, and short ways to a plan: what the tests of `_kong` share.

`fixtures/kong/schemas.json` are answers of `/schemas`, without prose and constraints; `stored.json` are bodies that
were sent to create an entity next to what was stored; `answers.json` are single answers, named by topic and number.
"""

from __future__ import annotations

import functools
import json
import pathlib
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import document, plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KINDS
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures" / "kong"
ID = "00000000-0000-4000-8000-{:012d}"


@functools.cache
def load(name: str) -> t.Any:
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def answer(name: str) -> t.Any:
    return load("answers")[name]["body"]


def catalogue() -> Catalogue:
    raw = load("schemas")
    return Catalogue(raw, [name.partition("/")[2] for name in raw if name.startswith("plugins/")])


def stored(kind: str, number: int, **fields: t.Any) -> dict[str, t.Any]:
    """An entity as Kong returns it: every field of the schema is there."""
    known = catalogue()
    record = known.record(kind, fields)
    item: dict[str, t.Any] = {name: field.default for name, field in record.fields.items()}
    item.update(json.loads(json.dumps(fields)))
    item["id"] = fields.get("id") or ID.format(number)
    item["created_at"] = 1795349498
    return item


def merged(**content: t.Any) -> document.Document:
    content = {name.lstrip("/"): value for name, value in content.items()}
    return document.merge([("kong.yml", {"_format_version": "3.0", **content})])


def planned(
    wished: t.Mapping[str, t.Any],
    lists: t.Mapping[str, list[dict[str, t.Any]]] | None = None,
    owner_tags: t.Sequence[str] = (),
    prune: bool = False,
) -> plan.Plan:
    return plan.compute(
        merged(**wished), Observed(lists or {}), catalogue(), owner_tags, list(owner_tags) if prune else None
    )


def sentences(made: plan.Plan) -> list[str]:
    assert made.problems == []
    return [change.sentence() for change in made.changes]


def parents(kind: str, item: t.Mapping[str, t.Any]) -> dict[str, list[dict[str, t.Any]]]:
    """The entities that `item` refers to, as far as a plan looks at them."""
    lists: dict[str, list[dict[str, t.Any]]] = {}
    for field, target in KINDS[kind].foreign.items():
        reference = item.get(field)
        if reference:
            lists.setdefault(target, []).append({"id": reference["id"], "name": f"the {field}"})
    return lists
