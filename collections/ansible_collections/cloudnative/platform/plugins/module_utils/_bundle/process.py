# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Commands that a build runs, and their end when nobody waits for the build any more."""

from __future__ import annotations

# run_command needs a module, and this code is called from threads and tests without one.
# pylint: disable=ansible-bad-function
import os
import select
import subprocess
import threading
import typing as t
from contextlib import suppress

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError

_running: set[subprocess.Popen[bytes]] = set()


def run(command: list[str], log: str, **options: t.Any) -> str:
    """Run a command, keep its output in a log file, fail with the last of its lines."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "ab") as stream:
        stream.write((" ".join(command) + "\n").encode())
        stream.flush()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stream, stdin=subprocess.DEVNULL, **options
        ) as process:
            _running.add(process)
            try:
                said = process.communicate()[0]
            finally:
                _running.discard(process)
    if process.returncode != 0:
        with open(log, "rb") as stream:
            last = stream.read()[-4000:].decode(errors="replace").strip().splitlines()[-12:]
        words = "\n  ".join(last)
        raise BundleError(
            f"{os.path.basename(command[0])} {command[1]}: exit code {process.returncode}\n  {words}\nlog: {log}"
        )
    return said.decode(errors="replace")


def end_with_reader(descriptor: int = 1) -> None:
    """End this process when whoever reads its output is gone.

    Ansible runs a module in a session of its own: the module survives an interrupted or killed playbook, and would go
    on compiling for minutes. What it has finished by then is kept.
    """
    poll = select.poll()
    # Of the writing end of a pipe, an error says that the reading end was closed. Files and terminals never say it.
    poll.register(descriptor, 0)

    def watch() -> None:
        while not poll.poll(1000):
            pass
        for process in list(_running):
            with suppress(OSError):
                process.terminate()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
