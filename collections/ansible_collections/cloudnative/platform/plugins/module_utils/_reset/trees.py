# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Directories: look at them, and delete them without ever leaving their file system."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import read_text
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.observed import below, parse_mounts
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.plan import (
    SHARED_DIRECTORIES,
    ResetError,
    Tree,
)

# What file systems keep in their topmost directory for themselves.
OF_THE_FILE_SYSTEM = frozenset({"lost+found"})
NEW_MODE = 0o755


def mounts() -> list[str]:
    return parse_mounts(read_text("/proc/self/mountinfo"))


def look(path: str, points: t.Collection[str]) -> Tree:
    """What is at a path, given what is mounted."""
    if not os.path.lexists(path):
        return Tree()
    if not os.path.isdir(path):
        return Tree("file")
    volume = path in points or os.path.islink(path)
    names = sorted(os.listdir(path))
    if volume:
        names = [name for name in names if name not in OF_THE_FILE_SYSTEM]
    real = os.path.realpath(path) if os.path.islink(path) else ""
    info = os.stat(path)
    plain = (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (0, 0, NEW_MODE)
    return Tree("volume" if volume else "directory", tuple(names), real, plain or not volume)


def remove_tree(path: str) -> None:
    _empty(path, ())
    os.rmdir(path)


def empty_volume(path: str) -> None:
    """Empty a directory that stays, and open it as a new file system is."""
    # Before what is in it goes: a run that is killed in between is repeated, an empty volume is not looked at again.
    make_plain(path)
    _empty(os.path.realpath(path), OF_THE_FILE_SYSTEM)


def make_plain(path: str) -> None:
    """Owner and mode of a new file system."""
    real = os.path.realpath(path)
    if real in SHARED_DIRECTORIES:
        raise ResetError(f"{path} leads to {real}, which belongs to the whole host; nothing was changed there")
    os.chown(real, 0, 0)
    os.chmod(real, NEW_MODE)


def _empty(path: str, keep: t.Collection[str]) -> None:
    within = [point for point in mounts() if below(point, path)]
    if within:
        raise ResetError(f"{within[-1]} is mounted below {path}: nothing was deleted there; unmount it and run again")
    _empty_within(path, os.lstat(path).st_dev, keep)


def _empty_within(path: str, device: int, keep: t.Collection[str]) -> None:
    with os.scandir(path) as listed:
        entries = [entry for entry in listed if entry.name not in keep]
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
            continue
        if entry.stat(follow_symlinks=False).st_dev != device:
            raise ResetError(f"{entry.path} is on another file system than {path}: it was not deleted; unmount it")
        _empty_within(entry.path, device, ())
        os.rmdir(entry.path)
