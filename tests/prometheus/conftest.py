# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""promtool and amtool, out of the platform's own bundle, or what PROMTOOL and AMTOOL name."""

from __future__ import annotations

import importlib.util
import os
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ROOT / "roles/monitoring/files"


def _bundle() -> t.Any:
    specification = importlib.util.spec_from_file_location("contract", ROOT / "tests/contract/conftest.py")
    assert specification and specification.loader
    contract = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(contract)
    return contract.Bundle(contract.BUNDLE)


def _tool(name: str, directory: Path) -> str:
    given = os.environ.get(name.upper())
    return given or str(_bundle().take_binary("cloudnative.platform/prometheus-tools", name, directory))


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _tool("promtool", tmp_path_factory.mktemp("promtool"))


@pytest.fixture(scope="session")
def amtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _tool("amtool", tmp_path_factory.mktemp("amtool"))


@pytest.fixture(scope="session")
def inhibit_rules() -> list[dict[str, t.Any]]:
    return yaml.safe_load((FILES / "inhibit_rules.yml").read_text())
