"""Runs one module, or another program, in a process of its own as Ansible does, and measures it. Starts doubles."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULES = "ansible_collections.cloudnative.platform.plugins.modules"
Figures = dict[str, t.Any]


def run(module: str, arguments: dict[str, t.Any], folder: pathlib.Path) -> tuple[dict[str, t.Any], Figures]:
    """What it returned, and what that took."""
    path = folder / "arguments.json"
    path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    return process(["-m", f"{MODULES}.{module}", str(path)])


def process(arguments: list[str]) -> tuple[dict[str, t.Any], Figures]:
    """The JSON that a Python program printed, and what it took."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    # The kernel counts the memory of who starts a program as that program's, so somebody small does.
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    told = json.loads(done.stdout)
    if told["status"]:
        raise SystemExit(f"{' '.join(arguments[:2])} failed: {told['text'][-2000:]}")
    return json.loads(told["text"]), told["took"]


def watch(arguments: list[str]) -> None:
    """Starts a Python program and tells what became of it."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=subprocess.STDOUT)
        _pid, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        out.seek(0)
        text = out.read().decode()
    took = {
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "memory_megabytes": round(usage.ru_maxrss / 1024),
    }
    print(json.dumps({"status": child.returncode, "text": text, "took": took}))


@contextlib.contextmanager
def double(name: str, *arguments: str) -> t.Iterator[dict[str, int]]:
    """The ports of a double that runs as long as it is needed."""
    command = [sys.executable, str(ROOT / "tests" / "doubles" / name), "--host", "127.0.0.1", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                raise SystemExit(f"the double of {name} did not start")
            yield json.loads(line)
        finally:
            server.terminate()


if __name__ == "__main__":
    watch(sys.argv[1:])
