# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents that a call names, and what messages call them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import run
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError

ONE: dict[str, t.Any] = {"_format_version": "3.0"}


@pytest.mark.parametrize(
    ("config", "names", "found"),
    [
        (None, None, []),
        (ONE, None, ["config"]),
        (ONE, ["kong.yml"], ["kong.yml"]),
        ([ONE, ONE], None, ["config[0]", "config[1]"]),
        ([ONE, ONE], ["a.yml", "b.yml"], ["a.yml", "b.yml"]),
        ([], [], []),
    ],
)
def test_each_document_has_its_name(config: t.Any, names: list[str] | None, found: list[str]) -> None:
    told = run.sources({"config": config, "config_names": names, "src": None})
    assert [name for name, _content in told] == found


def test_each_needs_one() -> None:
    with pytest.raises(KongError, match="config_names has 1 names, and config 2 documents: give one for each"):
        run.sources({"config": [ONE, ONE], "config_names": ["a.yml"], "src": None})


def test_what_is_wrong_with_a_text_is_told_by_its_name() -> None:
    with pytest.raises(KongError, match=r"gateway/shop\.yml is not YAML in line"):
        run.sources({"config": ["services: ["], "config_names": ["gateway/shop.yml"], "src": None})
