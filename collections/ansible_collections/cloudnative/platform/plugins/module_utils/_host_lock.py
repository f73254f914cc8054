# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One module at a time changes a host.

A run that is killed doesn't end what it started on the hosts: sshd closes the pipes of a command but sends no signal.
The module goes on, and the next run would work beside it on the same files. So each module that changes a host holds a
lock meanwhile. The kernel lets go of it however its holder ends: there is nothing to clean up and nothing goes stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import tempfile
import time
import typing as t

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

NAME = "cloudnative-platform.lock"
#: as long as the longest module may reasonably take
TIMEOUT = 900


class HostLockError(Exception):
    """Another module still works on this host, or nobody waits for this one any more."""


def abandoned(descriptor: int = 1) -> bool:
    """Whether the run that started this module has gone: nobody reads what the module will answer.

    What changes the host is let end. But who only waits, for others or for their answer, need not wait any longer.
    """
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _descriptor, event in poll.poll(0))


def lock_path() -> str:
    """Where the lock of this host is; a user other than root, who can't change a host, has one of their own."""
    if os.geteuid() == 0:
        return f"/run/{NAME}"
    return os.path.join(tempfile.gettempdir(), f"{os.geteuid()}-{NAME}")


def lock_for(module: AnsibleModule) -> t.ContextManager[None]:
    """The lock for a module call; check mode changes nothing and waits for nobody."""
    return contextlib.nullcontext() if module.check_mode else host_lock(module._name)


@contextlib.contextmanager
def host_lock(holder: str, timeout: float = TIMEOUT, path: str | None = None) -> t.Iterator[None]:
    """Hold the lock of this host; `holder` says to whoever waits for it what is going on."""
    # Children get no copy of the descriptor: a service that a module starts must not keep the lock.
    descriptor = os.open(path or lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, timeout)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{holder}, process {os.getpid()}, since {time.strftime('%F %T %z')}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        if abandoned():
            # Another run may hold the lock by now; what this one was to do is out of date.
            raise HostLockError("the run that started this module was ended while it waited for its turn on this host")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                other = os.pread(descriptor, 500, 0).decode(errors="replace").strip() or "another module"
                raise HostLockError(
                    f"an earlier run still works on this host ({other}); waited {timeout:g} s for it: let it end, "
                    "or end that process, then run again"
                ) from None
            time.sleep(0.1)
        else:
            return
