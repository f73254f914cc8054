# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A mapping has each key once. Readers of YAML and JSON take the last one, and what the first one said is gone."""

from __future__ import annotations

import typing as t

_MERGE_TAG = "tag:yaml.org,2002:merge"


class DuplicateKeyError(ValueError):
    """Names the key."""


def in_json(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    """For `json.loads`, as its `object_pairs_hook`. Raises `DuplicateKeyError`."""
    found: dict[str, t.Any] = {}
    for key, value in pairs:
        if key in found:
            raise DuplicateKeyError(f"key {key!r} stands there twice; only one of them would count")
        found[key] = value
    return found


def yaml_loader(yaml: t.Any, resolvers: dict[str, t.Any] | None = None) -> t.Any:
    """A safe loader of PyYAML that raises a `ConstructorError` for a key twice, and for one that is no scalar.

    *yaml* is the package, which not every host has; *resolvers* say what plain texts mean, by default as PyYAML does.
    """
    # libyaml reads a text of 5,000 lines in a tenth of the time.
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def construct_document(self: t.Any, node: t.Any) -> t.Any:
        _check(yaml, node)
        return base.construct_document(self, node)

    own: dict[str, t.Any] = {"construct_document": construct_document}
    if resolvers is not None:
        own["yaml_implicit_resolvers"] = resolvers
    return type("UniqueKeysLoader", (base,), own)


def _check(yaml: t.Any, document: t.Any) -> None:
    """Before anything is made of it: afterwards mappings that were merged (`<<`) have keys that nobody wrote."""
    left, seen = [document], set()
    while left:
        node = left.pop()
        if isinstance(node, yaml.ScalarNode) or id(node) in seen:
            continue
        seen.add(id(node))
        if not isinstance(node, yaml.MappingNode):
            left += node.value
            continue
        first: dict[tuple[str, str], t.Any] = {}
        for key, value in node.value:
            left.append(value)
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is not a name", key.start_mark)
            if key.tag == _MERGE_TAG:
                continue
            if (key.tag, key.value) in first:
                line = first[key.tag, key.value].start_mark.line + 1
                problem = f"key {key.value!r} stands there twice, first in line {line}; only one of them would count"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            first[key.tag, key.value] = key
