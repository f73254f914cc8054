# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Active health checks, run beside the requests: no request waits for a target that does not answer."""

from __future__ import annotations

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Store

# Often enough for intervals of a second, rarely enough to cost nothing.
_TICK = 0.25
Key = tuple[str, str, float]


@dataclass
class State:
    """What is known of one target: healthy until checks or an operator say otherwise."""

    healthy: bool = True
    successes: int = 0
    failures: int = 0
    due: float = 0.0
    running: bool = False


def key_of(upstream: dict, target: dict) -> Key:
    # A changed upstream starts anew.
    return upstream["id"], target["target"], upstream["updated_at"]


class Prober:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.states: dict[Key, State] = {}
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="probe")
        threading.Thread(target=self.run, name="prober", daemon=True).start()

    def get(self, upstream: dict, target: dict) -> State:
        with self.lock:
            return self.states.setdefault(key_of(upstream, target), State())

    def set(self, upstream: dict, target: dict, healthy: bool) -> None:
        state = self.get(upstream, target)
        with self.lock:
            state.healthy, state.successes, state.failures = healthy, 0, 0

    def run(self) -> None:
        version, probed = -1, []
        while True:
            time.sleep(_TICK)
            if self.store.version != version:
                version, probed = self.store.version, self.probed()
            now = time.monotonic()
            for upstream, target in probed:
                state = self.get(upstream, target)
                if state.due <= now and not state.running:
                    state.running = True
                    self.pool.submit(self.probe, upstream, target, state)

    def probed(self) -> list[tuple[dict, dict]]:
        """All targets of upstreams with active checks; what is known of others is forgotten."""
        with self.store.lock:
            upstreams, targets = self.store.tables["upstreams"].rows, self.store.tables["targets"].rows.values()
            pairs = [(upstreams[target["upstream"]["id"]], target) for target in targets]
        with self.lock:
            current = {key_of(upstream, target) for upstream, target in pairs}
            self.states = {key: state for key, state in self.states.items() if key in current}
        return [pair for pair in pairs if any(intervals(pair[0]))]

    def probe(self, upstream: dict, target: dict, state: State) -> None:
        active = upstream["healthchecks"]["active"]
        good, kind = ask(target["target"], active)
        whenever = intervals(upstream)
        with self.lock:
            if good:
                state.successes, state.failures = state.successes + 1, 0
                wanted = active["healthy"]["successes"] or 0
                state.healthy = state.healthy or bool(wanted and state.successes >= wanted)
            else:
                state.successes, state.failures = 0, state.failures + 1
                wanted = active["unhealthy"][kind] or 0
                state.healthy = state.healthy and not (wanted and state.failures >= wanted)
            interval = whenever[0] if state.healthy else whenever[1]
            state.due = time.monotonic() + (interval or max(whenever))
            state.running = False


def intervals(upstream: dict) -> tuple[float, float]:
    """Seconds between checks of a healthy and of an unhealthy target; 0 where there are none."""
    active = upstream["healthchecks"]["active"]
    return active["healthy"]["interval"] or 0, active["unhealthy"]["interval"] or 0


def ask(target: str, active: dict) -> tuple[bool, str]:
    """One check: whether it was good, else which counter of failures it adds to."""
    connection = http.client.HTTPConnection(target, timeout=float(active["timeout"] or 1))
    try:
        connection.connect()
        if active["type"] == "tcp":
            return True, ""
        headers = {name: ", ".join(values) for name, values in (active["headers"] or {}).items()}
        connection.request("GET", active["http_path"] or "/", headers=headers)
        status = connection.getresponse().status
    except TimeoutError:
        return False, "timeouts"
    except (OSError, http.client.HTTPException):
        return False, "tcp_failures"
    finally:
        connection.close()
    return status not in (active["unhealthy"]["http_statuses"] or []), "http_failures"
