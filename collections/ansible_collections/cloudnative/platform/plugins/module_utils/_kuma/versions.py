# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which versions of Kuma there are, for us and for each other. Pure."""

from __future__ import annotations

import re

#: The minor version that this collection writes for.
SUPPORTED = (2, 14)
#: Data planes and zones have to be within this many minor versions of their control plane.
SKEW = 2


def numbers(text: str) -> tuple[int, ...]:
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else ()


def is_near(version: str, other: str) -> bool:
    """Whether two versions may work together; what can't be read is left to the control plane."""
    ours, theirs = numbers(version), numbers(other)
    return not ours or not theirs or (ours[0] == theirs[0] and abs(ours[1] - theirs[1]) <= SKEW)
