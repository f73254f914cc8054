# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control plane transcripts are played against: the double, or a real one named by KUMA_API_URL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .replay import Client

DOUBLE = Path(__file__).parents[2] / "doubles" / "kuma"
# Time until the controllers of the double have acted; a real control plane takes up to some seconds.
DELAY, REAL_DELAY = 0.3, 12.0
_PASS = 0.4
# Made by the control plane itself; everything else goes before a story.
_OWN_SECRETS = {"admin-user-token", "envoy-admin-ca", "inter-cp-ca", "user-token-signing-key-1"}
_OWN_SECRETS |= {"zone-token-signing-key-1"}


class ControlPlane:
    delay = REAL_DELAY
    real = True

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self) -> Client:
        return Client(self.url)

    def settle(self) -> None:
        time.sleep(self.delay)

    def empty(self) -> None:
        """As after the first start: the mesh default with its policies, nothing of a story before."""
        client = self.client()
        for one in client.read("/dataplanes?size=1000")["items"]:
            client.write("DELETE", f"/meshes/{one['mesh']}/dataplanes/{one['name']}")
        for one in client.read("/meshes?size=1000")["items"]:
            client.write("DELETE", f"/meshes/{one['name']}")
        for one in client.read("/global-secrets?size=1000")["items"]:
            if one["name"] not in _OWN_SECRETS:
                client.write("DELETE", f"/global-secrets/{one['name']}")
        for one in client.read("/hostnamegenerators?size=1000")["items"]:
            if not one["name"].startswith(("local-", "synced-")):
                client.write("DELETE", f"/hostnamegenerators/{one['name']}")
        client.write("PUT", "/meshes/default", {"type": "Mesh", "name": "default"})


class Double(ControlPlane):
    delay = DELAY + _PASS
    real = False

    def __init__(self, log: Path, options: tuple[str, ...] = (), delay: float = DELAY) -> None:
        self.log = log
        command = [sys.executable, "-S", str(DOUBLE), "--port", "0", "--diagnostics-port", "0"]
        command += ["--delay", str(delay), *options]
        with log.open("a") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the double did not start: {log.read_text(encoding='utf-8')}")
        ports = json.loads(line)
        self.diagnostics = f"http://127.0.0.1:{ports['diagnostics_port']}"
        super().__init__(f"http://127.0.0.1:{ports['port']}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def failures(self) -> str:
        """What the double printed about mistakes of its own."""
        return self.log.read_text(encoding="utf-8")


class ControlPlanes:
    """Those of a run: the one that was given, or doubles with the options a story needs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.doubles: dict[tuple, Double] = {}
        self.real = ControlPlane(os.environ["KUMA_API_URL"]) if "KUMA_API_URL" in os.environ else None

    def double(self, options: tuple[str, ...] = (), delay: float = DELAY) -> Double:
        key = (options, delay)
        if key not in self.doubles:
            double = self.doubles[key] = Double(self.directory / f"log-{len(self.doubles)}", options, delay)
            if delay == DELAY:
                double.settle()
        return self.doubles[key]

    def stop(self) -> None:
        for double in self.doubles.values():
            double.stop()
