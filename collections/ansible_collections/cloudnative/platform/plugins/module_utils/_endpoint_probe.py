# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Asks an HTTPS endpoint again and again until it answers steadily, or the time is over."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

# Between two requests; short against the time a health check of a load balancer takes to notice anything.
PAUSE = 0.1


@dataclass
class Outcome:
    """What was seen. `seconds` is how long it took until the first answer of the steady ones."""

    answered: bool
    seconds: float
    requests: int
    failures: int
    error: str


def until_steady(
    ask: t.Callable[[], str],
    successes: int,
    within: float,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], None] = time.sleep,
) -> Outcome:
    """`ask` returns an empty text for a good answer, else what was wrong. So many good ones in a row are wanted."""
    start = clock()
    requests = failures = row = 0
    error, row_start = "", start
    while True:
        asked = clock()
        problem = ask()
        requests += 1
        if problem:
            error, row = problem, 0
            failures += 1
        else:
            if row == 0:
                row_start = asked
            row += 1
            if row >= successes:
                return Outcome(True, row_start - start, requests, failures, "")
        if clock() - start >= within:
            error = error or f"answered only {row} times"
            return Outcome(False, clock() - start, requests, failures, error)
        sleep(PAUSE)
