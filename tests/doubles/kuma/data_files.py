# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Data of the double, read from a directory or from the archive that it is packed in."""

from __future__ import annotations

import json
import pkgutil
from typing import Any


def load(name: str) -> Any:
    return json.loads(pkgutil.get_data(__package__, f"data/{name}.json") or b"")
