"""Runs playbooks one after the other, and shows what happens while it happens."""

from __future__ import annotations

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / ".venv" / "bin"
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Failed(Exception):
    """What went wrong, and what to do."""


@dataclass(frozen=True)
class Phase:
    name: str
    seconds: float
    changed: int
    # (host, tasks it saw)
    hosts: list[tuple[str, int]]
    # what the controller's processes took; those on hosts and ssh's shared connections are not among them
    cpu_seconds: float = 0.0


def play(
    name: str,
    playbook: str,
    logs: pathlib.Path,
    variables: Mapping[str, object],
    arguments: list[str],
    progress: str | None = None,
    programs: pathlib.Path = PROGRAMS,
    environment: Mapping[str, str] | None = None,
) -> Phase:
    """Runs a playbook. `progress` names the variable with the file that a long module call reports to."""
    print(f"\n==> {name}: playbooks/{playbook}", flush=True)
    started = time.monotonic()
    cpu_before = _cpu_seconds()
    log = logs / f"{playbook.removesuffix('.yml')}.log"
    lines = logs / f"{playbook.removesuffix('.yml')}.progress"
    lines.unlink(missing_ok=True)
    if progress:
        variables = {**variables, progress: str(lines)}
    command = [
        str(programs / "ansible-playbook"),
        *(() if "--inventory" in arguments else ("--inventory", str(ROOT / "inventories" / "lab" / "hosts.ini"))),
        "--extra-vars",
        json.dumps(variables),
        *arguments,
        str(ROOT / "playbooks" / playbook),
    ]
    output: list[str] = []
    with (
        log.open("w", encoding="utf-8") as record,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**ansible_environment(programs), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # In a session of its own nothing writes past us to the terminal, and all of it can be ended at once.
            start_new_session=True,
        ) as process,
    ):
        done = threading.Event()
        tail = threading.Thread(target=_follow, args=(lines, done), daemon=True)
        tail.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                record.write(_COLOUR.sub("", line))
                output.append(_COLOUR.sub("", line))
                sys.stdout.write(line)
                sys.stdout.flush()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
        finally:
            process.wait()
            done.set()
            tail.join()
    if process.returncode != 0:
        raise Failed(f"{name} failed after {time.monotonic() - started:.0f} s; the whole output is in {log}")
    recaps = [match for match in map(_RECAP.match, output) if match]
    return Phase(
        name=name,
        seconds=time.monotonic() - started,
        changed=sum(int(match[3]) for match in recaps),
        hosts=[(match[1], int(match[2])) for match in recaps],
        cpu_seconds=_cpu_seconds() - cpu_before,
    )


def _cpu_seconds() -> float:
    """Of all children that have ended, theirs included."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ansible_environment(programs: pathlib.Path = PROGRAMS) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ.get('PATH', '')}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_FORCE_COLOR": "true" if sys.stdout.isatty() else "false",
        "PYTHONUNBUFFERED": "1",
    }


def _follow(path: pathlib.Path, done: threading.Event) -> None:
    """Prints what is added to a file until `done`, then the rest of it."""
    position = 0
    while True:
        last = done.wait(0.5)
        if path.exists():
            with path.open(encoding="utf-8", errors="replace") as handle:
                handle.seek(position)
                for line in handle:
                    print(f"    {line.rstrip()}", flush=True)
                position = handle.tell()
        if last:
            return
