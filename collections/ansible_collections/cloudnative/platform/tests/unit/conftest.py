# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils import basic


@pytest.fixture
def give_arguments(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[dict[str, t.Any]], None]:
    """Give a module its arguments; ansible-core has a way of its own for that from 2.19 on only."""

    def give(arguments: dict[str, t.Any]) -> None:
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())

    return give
