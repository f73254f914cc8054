# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""What a person sees while a bundle is made: lines in a file, and on the terminal where there is one."""

from __future__ import annotations

import os
import threading
import time
import typing as t
from contextlib import suppress

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import clock

HEARTBEAT = 20.0


def terminal_of_ansible(proc: str = "/proc") -> str | None:
    """The terminal that the playbook of this module writes to; None in AWX, cron, CI and pipelines.

    /dev/tty doesn't lead there: Ansible runs modules in a session of their own, which has no terminal.
    """
    pid, playbook = os.getpid(), ""
    while pid > 1:
        try:
            with open(f"{proc}/{pid}/cmdline", "rb") as stream:
                words = stream.read().decode(errors="replace").split("\0")
            with open(f"{proc}/{pid}/stat", "rb") as stream:
                # The name of the program, in parentheses, may hold anything.
                above = int(stream.read().rpartition(b")")[2].split()[1])
        except OSError:
            return None
        if any(os.path.basename(word) in ("ansible-playbook", "ansible") for word in words[:2]):
            # A worker looks like the playbook that it was forked from; the last one up is the playbook itself.
            playbook = str(pid)
        elif playbook:
            break
        pid = above
    try:
        output = os.readlink(f"{proc}/{playbook}/fd/1") if playbook else ""
    except OSError:
        return None
    return output if output.startswith(("/dev/pts/", "/dev/tty")) else None


class Progress:
    """Ansible shows a module's output when it has ended; a build of minutes needs a way around that."""

    def __init__(self, path: str, total: int, terminal: str | None = None, heartbeat: float = HEARTBEAT) -> None:
        self.total = total
        self.done = 0
        self.begun = time.monotonic()
        self._running: dict[str, tuple[str, float]] = {}
        self._mutex = threading.Lock()
        self._stop = threading.Event()
        self._heartbeat = heartbeat
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._streams: list[t.TextIO] = [open(path, "w", encoding="utf-8", buffering=1)]  # noqa: SIM115 - see close
        if terminal:
            with suppress(OSError):
                self._streams.append(open(terminal, "w", encoding="utf-8", buffering=1))  # noqa: SIM115 - see close
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        with self._mutex:
            self._write(text)

    def _write(self, text: str) -> None:
        line = f"bundle {clock(time.monotonic() - self.begun)} [{self.done}/{self.total}] {text}\n"
        for stream in list(self._streams):
            try:
                stream.write(line)
            except (OSError, ValueError):
                self._streams.remove(stream)

    def start(self, name: str, what: str) -> None:
        with self._mutex:
            self._running[name] = (what, time.monotonic())
            self._write(f"{name}: {what}")

    def finish(self, name: str, text: str) -> float:
        """Count a component as done; returns its seconds."""
        with self._mutex:
            self.done += 1
            begun = self._running.pop(name, ("", time.monotonic()))[1]
            seconds = time.monotonic() - begun
            self._write(f"{name}: {text} ({clock(seconds)})")
        return seconds

    def fail(self, name: str, text: str) -> None:
        with self._mutex:
            self._running.pop(name, None)
            self._write(f"{name}: {text}")

    def _beat(self) -> None:
        while not self._stop.wait(self._heartbeat):
            with self._mutex:
                if self._running:
                    now = time.monotonic()
                    names = [f"{name} {what} {clock(now - begun)}" for name, (what, begun) in self._running.items()]
                    self._write("... " + ", ".join(names))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        for stream in self._streams:
            stream.close()
