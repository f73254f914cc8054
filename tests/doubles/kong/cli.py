# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of the package: `kong`, and `nginx` as Kong's unit starts it."""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from . import migrations
from .container import listeners, serve
from .database import Database, Unreachable
from .version import VERSION

PREFIX = "/usr/local/kong"
CONF = "/etc/kong/kong.conf"


def settings(conf: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """kong.conf, the one of the command line or the one that is there, and over it the variables KONG_*."""
    found: dict[str, str] = {}
    path = Path(conf or CONF)
    if conf and not path.exists():
        raise migrations.Refused(f"no file at: {conf}")
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        name, equals, value = line.replace("\\#", "\0").partition("#")[0].replace("\0", "#").partition("=")
        if equals:
            found[name.strip()] = value.strip()
    found.update((name[5:].lower(), value) for name, value in environment.items() if name.startswith("KONG_"))
    return found


def prepare(prefix: Path, found: dict[str, str]) -> int:
    """Writes down what the server is going to be started with."""
    for name in ("proxy_listen", "admin_listen", "status_listen"):
        listeners(found.get(name, "off"))
    for directory in (prefix, prefix / "pids", prefix / "logs"):
        directory.mkdir(parents=True, exist_ok=True)
    path = prefix / ".kong_env"
    path.touch(mode=0o640)
    lines = [f"{name} = {value}".replace("#", "\\#") for name, value in sorted(found.items())]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return 0


def drain(prefix: Path) -> int:
    """Makes /status/ready answer 503 for the rest of the node's life. Kong's command ends with 0 whatever happened."""
    found = settings(str(prefix / ".kong_env"), {})
    listening = listeners(found.get("status_listen", "off"))
    if not listening:
        print("No status listeners found in configuration.")
        return 0
    connection = http.client.HTTPConnection(listening[0].host, listening[0].port, timeout=1)
    try:
        connection.request("POST", "/status/ready?status=draining")
        status = connection.getresponse().status
    except OSError as error:
        print(f"Failed to send request: {error}")
        return 0
    print(
        "Kong's status successfully changed to 'draining'" if status == 204 else f"Unexpected response status: {status}"
    )
    return 0


def kong(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="kong", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version")
    for name in ("check", "prepare", "drain", "health", "quit", "reload"):
        one = commands.add_parser(name)
        one.add_argument("-c", "--conf")
        one.add_argument("-p", "--prefix", default=PREFIX)
        if name == "check":
            one.add_argument("file")
    migrating = commands.add_parser("migrations")
    migrating.add_argument("migration", choices=sorted(migrations.COMMANDS))
    migrating.add_argument("-c", "--conf")
    migrating.add_argument("--db-timeout", type=int, default=60)
    migrating.add_argument("--lock-timeout", type=int, default=60)
    chosen = parser.parse_args(argv)
    try:
        return run(chosen)
    except (migrations.Refused, Unreachable) as error:
        text = f"[PostgreSQL error] failed to retrieve PostgreSQL server_version_num: {error}"
        said = text if isinstance(error, Unreachable) else str(error)
        print(f"Error: {said}\n\n  Run with --v (verbose) or --vv (debug) for more details", file=sys.stderr)
        return 1


def run(chosen: argparse.Namespace) -> int:
    if chosen.command == "version":
        print(VERSION)
        return 0
    if chosen.command == "check":
        settings(chosen.file, {})
        print(f"configuration at {chosen.file} is valid")
        return 0
    if chosen.command == "migrations":
        return migrations.run(chosen.migration, Database(settings(chosen.conf, os.environ)))
    prefix = Path(chosen.prefix)
    if chosen.command == "prepare":
        return prepare(prefix, settings(chosen.conf, os.environ))
    if chosen.command == "drain":
        return drain(prefix)
    pid = prefix / "pids" / "nginx.pid"
    if not pid.exists():
        print("nginx.......not running\n")
        raise migrations.Refused(f"Kong is not running at {prefix}")
    if chosen.command == "health":
        print(f"nginx.......running\n\nKong is healthy at {prefix}")
        return 0
    if chosen.command == "reload":
        prepare(prefix, settings(chosen.conf, os.environ))
    os.kill(int(pid.read_text(encoding="utf-8")), signal.SIGHUP if chosen.command == "reload" else signal.SIGQUIT)
    print("Kong reloaded" if chosen.command == "reload" else "Kong stopped (gracefully)")
    return 0


def nginx(argv: list[str]) -> int:
    """Serves what `kong prepare` wrote down, until SIGQUIT (gracefully) or SIGTERM."""
    parser = argparse.ArgumentParser(prog="nginx")
    parser.add_argument("-p", dest="prefix", type=Path, default=Path(PREFIX))
    parser.add_argument("-c", dest="conf")
    chosen = parser.parse_args(argv)
    found = settings(str(chosen.prefix / ".kong_env"), {})
    database = Database(found) if found.get("database", "postgres") != "off" else None
    try:
        if database is not None:
            migrations.check(database)
    except (migrations.Refused, Unreachable) as error:
        print(f"kong-double: nginx: [error] init_by_lua error: {error}", file=sys.stderr)
        return 1
    environment = {f"KONG_{name.upper()}": value for name, value in found.items()}
    return serve(environment, chosen.prefix / "pids" / "nginx.pid", database)
