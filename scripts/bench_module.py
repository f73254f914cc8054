"""Runs one module in a process of its own, as Ansible does, and measures it."""

from __future__ import annotations

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


def run(module: str, arguments: dict[str, t.Any], folder: pathlib.Path) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """What it returned, and what that took."""
    path = folder / "arguments.json"
    path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    command = [sys.executable, "-m", f"{MODULES}.{module}", str(path)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        out.seek(0)
        text = out.read().decode()
    if process.returncode:
        raise SystemExit(f"{module} failed: {text[-2000:]}")
    return json.loads(text), {
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "memory_megabytes": round(usage.ru_maxrss / 1024),
    }
