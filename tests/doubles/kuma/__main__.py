# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start the double: `python tests/doubles/kuma --help`, or `python -m kuma` beside the package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a directory, the package has no name yet; its relative imports need one.
    here = Path(__file__).resolve().parent
    if not __package__:
        sys.path.insert(0, str(here.parent))
    sys.exit(importlib.import_module(f"{__package__ or here.name}.main").main(sys.argv[1:]))
