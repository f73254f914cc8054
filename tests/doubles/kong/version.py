# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Kong the double stands for. In a package of the double as an older Kong, a file in `data` says so."""

from __future__ import annotations

from pathlib import Path

_FILE = Path(__file__).parent / "data" / "version.json"
VERSION = _FILE.read_text(encoding="utf-8").strip().strip('"') if _FILE.exists() else "3.9.3"
SERVER = f"kong-double/{VERSION} (not Kong)"
VIA = f"1.1 kong-double/{VERSION}"
