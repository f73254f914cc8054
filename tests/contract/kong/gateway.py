# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway transcripts are played against: the double, or a real one named by KONG_ADMIN_URL and KONG_PROXY_URL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .replay import Client

DOUBLE = Path(__file__).parents[2] / "doubles" / "kong"
# Time until a change reaches the proxy of the double; a real node takes up to worker_state_update_frequency.
DELAY, REAL_DELAY = 0.4, 6.0
_COLLECTIONS = (
    "plugins",
    "acls",
    "basic-auths",
    "hmac-auths",
    "jwts",
    "key-auths",
    "oauth2",
    "routes",
    "services",
    "upstreams",
    "consumers",
    "snis",
    "certificates",
    "ca_certificates",
    "vaults",
    "keys",
    "key-sets",
)


class Gateway:
    """A gateway, emptied for each story, and the ways to start it anew."""

    delay = REAL_DELAY
    database: str
    # Recorded port -> port of this run.
    ports: dict[int, int]

    def clients(self) -> dict[str, Client]:
        raise NotImplementedError

    def wait_for_router(self) -> None:
        time.sleep(self.delay * 1.25)

    def restart(self, declarative_config: str | None = None, suffix: str = ".yml") -> None:
        raise NotImplementedError

    def failures(self) -> str:
        """What a gateway printed about mistakes of its own."""
        return ""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        content = json.dumps(body).encode() if body is not None else None
        answer = self.clients()["admin"].send(method, path, headers, content)
        return json.loads(answer.body) if answer.body else None

    def empty(self) -> None:
        if self.database == "off":
            self.ask("POST", "/config", {"_format_version": "3.0"})
            return
        for collection in _COLLECTIONS:
            while rows := self.ask("GET", f"/{collection}?size=1000")["data"]:
                for row in rows:
                    refused = self.ask("DELETE", f"/{collection}/{row['id']}")
                    assert refused is None, f"{collection} {row['id']} can't be deleted: {refused}"


class Double(Gateway):
    delay = DELAY

    def __init__(self, database: str, directory: Path) -> None:
        self.database, self.directory = database, directory
        directory.mkdir(parents=True)
        self.process: subprocess.Popen[str] | None = None
        self.listening: dict[str, int] = {}
        self.start([])

    def start(self, options: list[str]) -> None:
        command = [sys.executable, "-S", str(DOUBLE), "--database", self.database, "--router-delay", str(DELAY)]
        command += ["--prefix", str(self.directory / "prefix"), *options]
        for name in ("admin", "status", "proxy"):
            command += [f"--{name}-port", str(self.listening.get(f"{name}_port", 0))]
        with (self.directory / "log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the double did not start: {self.failures()}")
        self.listening = json.loads(line)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            assert self.process.stdout is not None
            self.process.stdout.close()

    def clients(self) -> dict[str, Client]:
        names = ("admin", "status", "proxy")
        return {name: Client(f"http://127.0.0.1:{self.listening[f'{name}_port']}") for name in names}

    def restart(self, declarative_config: str | None = None, suffix: str = ".yml") -> None:
        self.stop()
        options = []
        if declarative_config is not None:
            file = self.directory / f"boot{suffix}"
            file.write_text(declarative_config, encoding="utf-8")
            options = ["--declarative-config", str(file)]
        self.start(options)

    def failures(self) -> str:
        return (self.directory / "log").read_text(encoding="utf-8")


class RealKong(Gateway):
    def __init__(self) -> None:
        self.urls = {"admin": os.environ["KONG_ADMIN_URL"], "proxy": os.environ["KONG_PROXY_URL"]}
        if os.environ.get("KONG_STATUS_URL"):
            self.urls["status"] = os.environ["KONG_STATUS_URL"]
        self.database = self.ask("GET", "/")["configuration"]["database"]

    def clients(self) -> dict[str, Client]:
        return {name: Client(url) for name, url in self.urls.items()}

    def restart(self, declarative_config: str | None = None, suffix: str = ".yml") -> None:
        raise AssertionError("a gateway that was given to the suite is not restarted")


class Gateways:
    """The gateways of a run: the one that was given, or a double for each mode."""

    def __init__(self, directory: Path, upstreams: dict[int, int]) -> None:
        self.directory, self.upstreams = directory, upstreams
        self.doubles: dict[str, Double] = {}
        self.real = RealKong() if "KONG_ADMIN_URL" in os.environ else None

    def take(self, database: str, fresh: bool) -> Gateway:
        """An empty gateway of a mode; `fresh` where a story needs one that forgot more than its entities."""
        gateway: Gateway
        if self.real is not None:
            gateway, proxy_port = self.real, urlsplit(self.real.urls["proxy"]).port or 80
            if gateway.database != database:
                pytest.skip(f"the gateway runs with database={gateway.database}, the transcript with {database}")
        else:
            if database not in self.doubles:
                self.doubles[database] = Double(database, self.directory / database)
            elif fresh:
                self.doubles[database].restart()
            gateway = self.doubles[database]
            proxy_port = self.doubles[database].listening["proxy_port"]
        gateway.empty()
        gateway.ports = {old: new for old, new in {**self.upstreams, 18000: proxy_port}.items() if old != new}
        return gateway

    def stop(self) -> None:
        for double in self.doubles.values():
            double.stop()
