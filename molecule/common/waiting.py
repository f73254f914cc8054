"""What a test waits for, and what it says when that does not come."""

from __future__ import annotations

import http.client
import time
import typing as t

Answer = t.TypeVar("Answer")

#: How a question fails while what it asks is on its way: a command, ssh to a host that boots, a connection.
NOT_YET = (AssertionError, RuntimeError, OSError, http.client.HTTPException)


def wait_for(condition: t.Callable[[], Answer], seconds: float, what: str | t.Callable[[], str]) -> Answer:
    """Ask until the answer counts as true, and return it. A question that fails has no answer yet.

    *what* may be a function: what is still missing is often only known at the end. How long something takes is measured
    elsewhere; here *seconds* are generous, as tests share their machine.
    """
    ends = time.monotonic() + seconds
    while True:
        failure: Exception | None = None
        try:
            answer = condition()
            if answer:
                return answer
        except NOT_YET as error:
            failure = error
        if time.monotonic() >= ends:
            told = f"not within {seconds} s: {what() if callable(what) else what}"
            raise AssertionError(f"{told}; the last try failed: {failure}" if failure else told) from failure
        time.sleep(0.5)
