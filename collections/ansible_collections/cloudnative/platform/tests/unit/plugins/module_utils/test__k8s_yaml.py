# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents of which one line must not take another one's place."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import definitions
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    DefinitionError,
    parse_yaml,
)


@pytest.fixture(autouse=True, params=["CSafeLoader", "SafeLoader"])
def fixture_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML has libyaml or not; where it has not, the loader is another one."""
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML was made without libyaml")
    monkeypatch.setattr(definitions, "_loader", None)
    monkeypatch.setattr(yaml, "CSafeLoader", getattr(yaml, request.param), raising=False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("calls:\n  web: [api]\n  web: [db]\n", "x line 3: .* key 'web' stands there twice, first in line 2"),
        ("a: 1\n---\nb: [{c: 1}, {d: 1, e: 2, d: 3}]\n", "x line 3: .* key 'd' stands there twice, first in line 3"),
        ("a: 1\n? [b]\n: 2\n", "x line 2: .* a key is not a name"),
        ('{"a": {"b": 1,\n"b": 2}}', "x line 2: .* key 'b' stands there twice, first in line 1"),
        ("a: &a\n  b: 1\n  'b': 2\nc: *a\n", "x line 3: .* key 'b' stands there twice"),
    ],
)
def test_of_a_key_that_stands_twice_none_is_lost(text: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        parse_yaml(text, "x")


def test_merged_mappings_and_anchors_have_no_key_twice() -> None:
    text = "x: {y: {a: &a {<<: &b {k: 1, l: 1}, k: 2}}}\nc: {<<: *a, l: 3}\nd: {<<: [*a, *b]}\ne: *a\n1: n\n'1': t\n"
    merged: dict[str, t.Any] = {"k": 2, "l": 1}
    assert parse_yaml(text, "x") == [
        {"x": {"y": {"a": merged}}, "c": {"k": 2, "l": 3}, "d": merged, "e": merged, 1: "n", "1": "t"}
    ]
