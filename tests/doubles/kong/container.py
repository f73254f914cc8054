# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `kong` of the image: settings from KONG_* variables, `docker-start` and `quit` as Kong has them."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Callable, NamedTuple

from .admin import Admin
from .database import Database
from .declarative import BootError
from .http_server import Request, Response, Server
from .node import Node, Options, StatusApi
from .proxy import Proxy
from .tls import Certificates

# An answer that is given is still on its way out of the process.
ON_THE_WAY = 0.5


class Listener(NamedTuple):
    host: str
    port: int
    tls: bool


def listeners(text: str) -> list[Listener]:
    """`0.0.0.0:8000 reuseport, 0.0.0.0:8443 ssl` as kong.conf has it; `off` is none."""
    found = []
    for part in text.split(",") if text.strip() not in ("", "off") else []:
        address, *flags = part.split()
        match = re.match(r"^(.+):(\d+)\Z", address)
        if match is None:
            raise SystemExit(f"kong-double: {address} is no address to listen on")
        found.append(Listener(match[1].strip("[]"), int(match[2]), "ssl" in flags))
    return found


class Counter:
    """Knows how many requests are being answered; once the node ends, connections end with their next answer."""

    def __init__(self) -> None:
        self.busy = 0
        self.ending = False
        self.lock = threading.Lock()

    def around(self, application: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            with self.lock:
                self.busy += 1
            try:
                response = application(request)
                response.close = response.close or self.ending
                return response
            finally:
                with self.lock:
                    self.busy -= 1

        return answer


def start(environment: Mapping[str, str], counter: Counter, database: Database | None) -> list[Server]:
    declarative = environment.get("KONG_DECLARATIVE_CONFIG")
    listening = {
        name: listeners(environment.get(f"KONG_{name}_LISTEN", "off")) for name in ("PROXY", "ADMIN", "STATUS")
    }
    ports = {name: next((one.port for one in listening[name] if not one.tls), 0) for name in listening}
    node = Node(
        Options(
            database="off" if database is None else "postgres",
            host="0.0.0.0",
            proxy_port=ports["PROXY"],
            proxy_ssl_port=next((one.port for one in listening["PROXY"] if one.tls), None),
            admin_port=ports["ADMIN"],
            status_port=ports["STATUS"],
            declarative_config=Path(declarative) if declarative else None,
            update_frequency=float(environment.get("KONG_DB_UPDATE_FREQUENCY", "5")),
        ),
        database,
    )
    admin = Admin(node)
    applications = {"PROXY": Proxy(node), "ADMIN": admin, "STATUS": StatusApi(admin)}
    servers = [
        Server(
            (one.host, one.port),
            counter.around(applications[name]),
            Certificates(node).listener() if one.tls else None,
        )
        for name, found in listening.items()
        for one in found
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return servers


def docker_start(environment: Mapping[str, str]) -> int:
    if environment.get("KONG_DATABASE") != "off":
        raise SystemExit("kong-double: the image runs without a database only: KONG_DATABASE=off")
    return serve(environment, pid_file(environment))


def serve(environment: Mapping[str, str], pid_path: Path, database: Database | None = None) -> int:
    """Answers until SIGQUIT, after which what has begun is finished, or SIGTERM."""
    counter = Counter()
    try:
        servers = start(environment, counter, database)
    except BootError as error:
        print(f"kong-double: error parsing declarative config file: {error}", file=sys.stderr)
        return 1
    pid_path.write_text(f"{os.getpid()}\n", encoding="utf-8")
    print("kong-double: a test double answers here. It is not Kong.", flush=True)
    stop, graceful = threading.Event(), threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if number == signal.SIGQUIT:
            graceful.set()
        stop.set()

    # A reload starts new workers with the settings there are; here it is ignored.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, on_signal)
    stop.wait()
    if graceful.is_set():
        counter.ending = True
        for server in servers:
            server.shutdown()
            server.server_close()
        while counter.busy:
            time.sleep(0.05)
        time.sleep(ON_THE_WAY)
    pid_path.unlink()
    return 0


def pid_file(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("KONG_PREFIX", "/usr/local/kong")) / "kong-double.pid"


def quit_node(environment: Mapping[str, str], wait: float, timeout: float) -> int:
    """`kong quit`: goes on for a while, then takes no more requests and finishes those it has."""
    path = pid_file(environment)
    if not path.exists():
        print("kong-double: not running", file=sys.stderr)
        return 1
    time.sleep(wait)
    pid = int(path.read_text(encoding="utf-8"))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGQUIT)
    ends = time.monotonic() + timeout
    while path.exists():
        if time.monotonic() > ends:
            os.kill(pid, signal.SIGTERM)
            return 1
        time.sleep(0.1)
    return 0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="kong", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("docker-start")
    ending = commands.add_parser("quit")
    ending.add_argument("--wait", type=float, default=0)
    ending.add_argument("--timeout", type=float, default=10)
    chosen = parser.parse_args(argv)
    if chosen.command == "quit":
        return quit_node(os.environ, chosen.wait, chosen.timeout)
    return docker_start(os.environ)
