# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Files and directories of a host: observe, compare (pure), write atomically."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import stat
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

HIDDEN = "(secret content is not shown)\n"
HIDDEN_CHANGED = "(secret content is not shown; it changes)\n"


class HostFileError(Exception):
    """A file can't be read, compared or written; the message names it."""


@dataclass(frozen=True)
class Wanted:
    """One file or directory as asked for. `content` is None for a directory."""

    path: str
    mode: int
    owner: str = "root"
    group: str = "root"
    content: bytes | None = None
    secret: bool = False
    absent: bool = False
    validate: str | None = None


@dataclass(frozen=True)
class Found:
    """What is at a path now; owner and group by name, or by number where they have no name."""

    kind: str = "absent"  # absent, file, directory, other
    mode: int = 0
    owner: str = ""
    group: str = ""
    content: bytes | None = None
    mtime_us: int = 0

    @property
    def exists(self) -> bool:
        return self.kind != "absent"


@dataclass(frozen=True)
class FilePlan:
    """What has to be done at one path: `content`, `attributes` or `remove`, or nothing."""

    wanted: Wanted
    content: bool = False
    attributes: bool = False
    remove: bool = False
    text: str = ""

    @property
    def needed(self) -> bool:
        return self.content or self.attributes or self.remove


def parse_mode(value: str, path: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3,4}", value):
        raise HostFileError(f'mode "{value}" of {path} is not an octal mode; write it quoted, for example "0644"')
    return int(value, 8)


def owner_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def observe(path: str, with_content: bool = True) -> Found:
    try:
        info = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Found()
    except OSError as e:
        raise HostFileError(f"cannot look at {path}: {e.strerror}") from e
    content = None
    if stat.S_ISDIR(info.st_mode):
        kind = "directory"
    elif stat.S_ISREG(info.st_mode):
        kind = "file"
        if with_content:
            content = read_bytes(path)
    else:
        kind = "other"
    return Found(
        kind=kind,
        mode=stat.S_IMODE(info.st_mode),
        owner=owner_name(info.st_uid),
        group=group_name(info.st_gid),
        content=content,
        mtime_us=info.st_mtime_ns // 1000,
    )


def is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def reason_of(error: OSError, path: str) -> str:
    """Why writing to a path failed; where there is no room, which file system is full."""
    if not is_full(error):
        return error.strerror or str(error)
    mount, free = file_system_of(path)
    return f"the file system {mount} is full ({free // 2**20} MiB free): make room there and run again"


def file_system_of(path: str) -> tuple[str, int]:
    """Where the file system of a path is mounted, and its free bytes."""
    directory = os.path.abspath(path)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    info = os.statvfs(directory)
    while not os.path.ismount(directory):
        directory = os.path.dirname(directory)
    return directory, info.f_bavail * info.f_frsize


def read_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as e:
        raise HostFileError(f"cannot read {path}: {e.strerror}") from e


def read_text(path: str, missing: str = "") -> str:
    """Text of a file, or `missing` where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return missing
    except OSError as e:
        raise HostFileError(f"cannot read {path}: {e.strerror}") from e


def plan(wanted: Wanted, found: Found) -> FilePlan:
    """Pure: what turns `found` into `wanted`."""
    path = wanted.path
    if wanted.absent:
        if not found.exists:
            return FilePlan(wanted)
        if found.kind == "directory":
            raise HostFileError(f"{path} should be removed as a file, but it is a directory; remove it by hand")
        return FilePlan(wanted, remove=True, text=f"remove {path}")
    is_dir = wanted.content is None
    expected = "directory" if is_dir else "file"
    if found.exists and found.kind != expected:
        raise HostFileError(f"{path} should be a {expected}, but something else is there; move it away")
    mode = f"{wanted.mode:04o}"
    if not found.exists:
        return FilePlan(wanted, content=True, text=f"create {'directory ' if is_dir else ''}{path} (mode {mode})")
    changes = []
    if wanted.mode != found.mode:
        changes.append(f"mode {found.mode:04o} to {mode}")
    if wanted.owner != found.owner:
        changes.append(f"owner {found.owner} to {wanted.owner}")
    if wanted.group != found.group:
        changes.append(f"group {found.group} to {wanted.group}")
    if not is_dir and wanted.content != found.content:
        return FilePlan(wanted, content=True, attributes=bool(changes), text=f"write {path}")
    if changes:
        return FilePlan(wanted, attributes=True, text=f"change {path}: {', '.join(changes)}")
    return FilePlan(wanted)


def diff_of(file_plan: FilePlan, found: Found) -> dict[str, str]:
    """Pure: the change as Ansible shows it, with secret content masked."""
    wanted = file_plan.wanted
    before, after = _shown(found), ""
    if not file_plan.remove:
        # Attributes are part of the picture only where they matter: a new file or a change of them.
        after_content = HIDDEN_CHANGED if wanted.secret and file_plan.content else _shown_content(wanted)
        after = f"{wanted.mode:04o} {wanted.owner}:{wanted.group}\n" + after_content
    if wanted.secret and found.exists:
        before = f"{found.mode:04o} {found.owner}:{found.group}\n" + HIDDEN
    if found.exists and not file_plan.attributes and not file_plan.remove:
        before = before.split("\n", 1)[1]
        after = after.split("\n", 1)[1]
    return {"before_header": wanted.path, "after_header": wanted.path, "before": before, "after": after}


def _shown(found: Found) -> str:
    if not found.exists:
        return ""
    content = "" if found.content is None else found.content.decode("utf-8", "replace")
    return f"{found.mode:04o} {found.owner}:{found.group}\n{content}"


def _shown_content(wanted: Wanted) -> str:
    if wanted.content is None:
        return ""
    return HIDDEN if wanted.secret else wanted.content.decode("utf-8", "replace")


def uid_of(owner: str, path: str) -> int:
    try:
        return int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise HostFileError(f"owner {owner} of {path} is not a user of this host; create the user first") from None


def gid_of(group: str, path: str) -> int:
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise HostFileError(f"group {group} of {path} is not a group of this host; create the group first") from None


def temporary_for(path: str) -> str:
    """Pure: where a new file is prepared, in the same directory, so that a rename puts it in place.

    The leading dot keeps it out of directories whose files are all read (kubelet's manifests). The name is fixed, so
    what a killed run left behind goes away with the next one.
    """
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.cloudnative-new")


def set_attributes(target: str | int, wanted: Wanted) -> None:
    """Owner, group and mode, of a path or of an open file."""
    os.chown(target, uid_of(wanted.owner, wanted.path), gid_of(wanted.group, wanted.path))
    # After chown, which clears set-user-id bits.
    os.chmod(target, wanted.mode)


def keep_context(module: AnsibleModule, temporary: str, path: str) -> None:
    """Give a prepared file the SELinux context of what it replaces, or the one that the policy has for the path."""
    if not module.selinux_enabled():
        return
    context = module.selinux_context(path) if os.path.exists(path) else module.selinux_default_context(path)
    module.set_context_if_different(temporary, context, False)


class Writer:
    """The one place that changes files. A reader sees the old file or the new one, never half of it."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module

    def apply(self, file_plan: FilePlan) -> None:
        wanted = file_plan.wanted
        try:
            if file_plan.remove:
                os.unlink(wanted.path)
            elif file_plan.content and wanted.content is None:
                self._make_directory(wanted)
            elif file_plan.content:
                self._replace(wanted)
            elif file_plan.attributes:
                set_attributes(wanted.path, wanted)
        except OSError as e:
            raise HostFileError(f"cannot {file_plan.text}: {reason_of(e, wanted.path)}") from e

    def _make_directory(self, wanted: Wanted) -> None:
        parent = os.path.dirname(wanted.path)
        if parent and not os.path.isdir(parent):
            os.makedirs(parent, mode=0o755)
        os.mkdir(wanted.path, 0o700)
        set_attributes(wanted.path, wanted)

    def _replace(self, wanted: Wanted) -> None:
        directory = os.path.dirname(wanted.path)
        if not os.path.isdir(directory):
            raise HostFileError(f"cannot write {wanted.path}: directory {directory} does not exist; list it too")
        temporary = temporary_for(wanted.path)
        try:
            self._write(temporary, wanted)
            keep_context(self._module, temporary, wanted.path)
            if wanted.validate:
                self._validate(wanted.validate, temporary, wanted)
            try:
                os.rename(temporary, wanted.path)
            except OSError as e:
                if e.errno != errno.EBUSY:
                    raise
                self._write_in_place(wanted)
        finally:
            if os.path.lexists(temporary):
                os.unlink(temporary)
        sync_directory(directory)

    def _write(self, temporary: str, wanted: Wanted) -> None:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(wanted.content or b"")
            stream.flush()
            set_attributes(descriptor, wanted)
            os.fsync(descriptor)

    def _write_in_place(self, wanted: Wanted) -> None:
        # A bind mount (a container's /etc/hosts) can't be replaced, only written.
        with open(wanted.path, "wb") as stream:
            stream.write(wanted.content or b"")
            stream.flush()
            set_attributes(stream.fileno(), wanted)
            os.fsync(stream.fileno())

    def _validate(self, command: str, temporary: str, wanted: Wanted) -> None:
        if "%s" not in command:
            raise HostFileError(f'validate command "{command}" of {wanted.path} has no %s for the file to check')
        try:
            code, out, err = self._module.run_command(command.replace("%s", temporary), handle_exceptions=False)
        except OSError as e:
            raise HostFileError(
                f'{wanted.path} was not replaced: its check "{command}" cannot be run: {e.strerror}'
            ) from e
        if code != 0:
            # A checker quotes the lines that it doesn't like.
            said = "what it said is withheld, the file is secret" if wanted.secret else (err.strip() or out.strip())
            raise HostFileError(
                f"{wanted.path} was not replaced: the new content does not pass "
                f'"{command.replace("%s", wanted.path)}" (exit code {code}): {said}'
            )


def sync_directory(directory: str) -> None:
    """Make a rename last over a power loss."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
