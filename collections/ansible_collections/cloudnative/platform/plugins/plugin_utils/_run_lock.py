# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a controller knows about runs: who this one is, and whether one that began here is alive."""

from __future__ import annotations

import getpass
import hashlib
import multiprocessing
import os
import socket
import typing as t

from ansible import context

from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock import Holder, Record, same_controller

_PROC = "/proc"


class Release:
    """What action plugin and callback plugin of one run know of each other; workers get it with their fork."""

    # Whether a callback plugin of this process will give back what the run takes.
    at_the_end = False
    # Host → why it could not be given back.
    failures: t.ClassVar[dict[str, str]] = {}


def _text(path: str) -> str:
    """A file of /proc, which other systems don't have and which may be hidden; nothing is known then."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, str]:
    """State and start of a process: fields 3 and 22 of its stat. Its name, field 2, may hold anything."""
    fields = _text(f"{_PROC}/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else ("", "")


def _pid_namespace() -> str:
    try:
        return os.readlink(f"{_PROC}/self/ns/pid")
    except OSError:
        return ""


def _user(variables: t.Mapping[str, t.Any]) -> str:
    awx = variables.get("awx_user_name") or variables.get("tower_user_name")
    if awx:
        return str(awx)
    try:
        own = getpass.getuser()
    except (KeyError, OSError):
        # Containers run under ids that have no name.
        own = str(os.getuid())
    person = os.environ.get("SUDO_USER")
    return f"{person} (as {own})" if person and person != own else own


def _job(variables: t.Mapping[str, t.Any]) -> str:
    job = variables.get("awx_job_id") or variables.get("tower_job_id")
    if not job:
        return ""
    template = variables.get("awx_job_template_name") or variables.get("tower_job_template_name")
    return f"AWX job {job}" + (f" of template {template}" if template else "")


def this_run(variables: t.Mapping[str, t.Any]) -> Holder:
    """The run that this process belongs to: ansible-playbook itself, or a worker of it."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent is not None and parent.pid is not None else os.getpid()
    host = socket.gethostname()
    boot_id = _text(f"{_PROC}/sys/kernel/random/boot_id")
    namespace = _pid_namespace()
    start = _process(pid)[1]
    identity = "\0".join((host, boot_id, namespace, str(pid), start))
    return Holder(
        run=hashlib.sha256(identity.encode()).hexdigest()[:16],
        user=_user(variables),
        host=host,
        pid=pid,
        start=start,
        boot_id=boot_id,
        pid_namespace=namespace,
        playbook=", ".join(os.path.basename(name) for name in context.CLIARGS.get("args") or ()),
        job=_job(variables),
    )


def is_dead(record: Record, me: Holder) -> bool:
    """Whether the run of a record certainly is no more. Of runs of other controllers nothing is certain."""
    pid = record.holder.pid
    if not same_controller(record, me) or pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        # Somebody else's process: it is there, and its start may be hidden.
        pass
    state, start = _process(pid)
    return state in ("Z", "X") or (bool(start) and start != record.holder.start)
