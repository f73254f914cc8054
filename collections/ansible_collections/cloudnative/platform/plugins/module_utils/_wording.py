# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Parts of sentences that several modules say. Pure."""

from __future__ import annotations

import difflib
import typing as t


def suggestion(name: str, known: t.Iterable[str]) -> str:
    """' (did you mean x?)' when one of the known names is near, else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f", did you mean {near[0]}?" if near else ""


def listed(names: t.Sequence[str], limit: int = 10) -> str:
    """Names in a sentence; of many only the first."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def too_many(labels: t.Sequence[str], limit: int, what: str = "entities") -> str | None:
    """Why this is more than one run may delete; a limit below zero is none."""
    if limit < 0 or len(labels) <= limit:
        return None
    return (
        f"{len(labels)} {what} would be deleted, more than prune_max={limit} allows: {listed(labels, 5)}; "
        "when that is meant, raise prune_max, or set it to -1"
    )
