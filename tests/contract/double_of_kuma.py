# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package of Kuma's double. Its own name, kuma, is that of the tests of its contract here."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

DOUBLES = Path(__file__).resolve().parents[1] / "doubles"
_NAME = "package_of_kumas_double"


def load(name: str, path: Path) -> types.ModuleType:
    """A module of the doubles, by a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


load(_NAME, DOUBLES / "kuma" / "__init__.py")


def part(name: str) -> types.ModuleType:
    """One module of the package."""
    return importlib.import_module(f"{_NAME}.{name}")
