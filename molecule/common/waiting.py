"""What a test waits for, and what it says when that does not come."""

from __future__ import annotations

import time
import typing as t

Answer = t.TypeVar("Answer")


def wait_for(condition: t.Callable[[], Answer], seconds: float, what: str | t.Callable[[], str]) -> Answer:
    """Ask until the answer counts as true, and return it.

    *what* may be a function: what is still missing is often only known at the end. How long something takes is measured
    elsewhere; here *seconds* are generous, as tests share their machine.
    """
    ends = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < ends, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.5)
    return answer
