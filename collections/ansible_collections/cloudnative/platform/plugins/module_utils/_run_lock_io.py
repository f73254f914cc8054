# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The file that says who holds the lock of a platform: read, decided about and written by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    HostFileError,
    Wanted,
    Writer,
    observe,
    plan,
    sync_directory,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock import Record, dump, parse

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# A decision takes milliseconds; one that takes longer is a process that hangs.
PATIENCE = 10.0


def read(path: str) -> Record | None:
    found = observe(path)
    if not found.exists:
        return None
    return parse((found.content or b"").decode("utf-8", "replace"))


def write(module: AnsibleModule, path: str, record: Record) -> None:
    wanted = Wanted(path, 0o600, str(os.geteuid()), str(os.getegid()), dump(record).encode())
    Writer(module).apply(plan(wanted, observe(path)))


def remove(path: str) -> None:
    """Take the file away, and its directory where nothing else is in it: a free platform bears no trace of a lock."""
    directory = os.path.dirname(path)
    try:
        os.unlink(path)
        sync_directory(directory)
        os.rmdir(directory)
    except OSError as e:
        if e.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
            raise HostFileError(f"cannot remove {e.filename or path}: {e.strerror}") from e


@contextlib.contextmanager
def alone(path: str, create: bool) -> t.Iterator[None]:
    """Nobody else decides about the lock meanwhile. What is locked is the directory, as the file itself is replaced."""
    directory = os.path.dirname(path)
    deadline = time.monotonic() + PATIENCE
    descriptor = None
    try:
        while descriptor is None and (create or os.path.isdir(directory)):
            if create:
                os.makedirs(directory, mode=0o755, exist_ok=True)
            # The run that releases the lock removes the directory: then it is another one, or none, a moment later.
            with contextlib.suppress(FileNotFoundError):
                descriptor = _locked(directory, deadline)
    except OSError as e:
        raise HostFileError(
            f"cannot use {directory} for the lock of the platform: {e.strerror}; "
            "it needs root (ansible_become) and a file system that can be written"
        ) from e
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(directory: str, deadline: float) -> int | None:
    """An open directory that is ours until it is closed; none where it was removed while we waited for it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise HostFileError(
                        f"another process has kept {directory} locked for {PATIENCE:.0f} s; "
                        f"look for it with: fuser --verbose {directory}"
                    ) from None
            time.sleep(0.02)
        if os.path.samestat(os.fstat(descriptor), os.stat(directory)):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
