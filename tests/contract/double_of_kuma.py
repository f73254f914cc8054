# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package of Kuma's double. Its own name, kuma, is that of the tests of its contract here."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parents[1] / "doubles" / "kuma"
_NAME = "package_of_kumas_double"

_spec = importlib.util.spec_from_file_location(_NAME, DIRECTORY / "__init__.py")
assert _spec is not None and _spec.loader is not None
_package = importlib.util.module_from_spec(_spec)
sys.modules[_NAME] = _package
_spec.loader.exec_module(_package)


def part(name: str) -> types.ModuleType:
    """One module of it."""
    return importlib.import_module(f"{_NAME}.{name}")
