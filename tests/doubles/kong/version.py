# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Kong the double says it is; another one where a test needs a gateway of another version."""

from __future__ import annotations

import os

VERSION = os.environ.get("KONG_DOUBLE_VERSION", "3.9.3")
