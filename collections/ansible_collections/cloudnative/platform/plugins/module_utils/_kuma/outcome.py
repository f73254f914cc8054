# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a call returns, filled in as the work goes on, so that a failure still says what was done."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Change,
    difference,
)

_PAST = {CREATE: "created", UPDATE: "updated", DELETE: "deleted"}


class Outcome:
    def __init__(self, with_diff: bool) -> None:
        self.with_diff = with_diff
        self.changed = False
        self.actions: list[str] = []
        self.diff: list[t.Any] = []
        self.warnings: list[str] = []
        self.counts = dict.fromkeys(_PAST.values(), 0)
        self.facts: Raw = {}

    def tell(self, change: Change) -> None:
        self.changed = True
        self.actions.append(change.sentence())
        self.counts[_PAST[change.action]] += 1
        if self.with_diff:
            self.diff.append(difference(change))

    def as_dict(self) -> Raw:
        return {
            "changed": self.changed,
            "actions": self.actions,
            "counts": self.counts,
            "diff": self.diff,
            **self.facts,
        }
