# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kuma-cp: `run`, `migrate up` and `version`, on PostgreSQL only."""

from __future__ import annotations

import argparse
import signal
import ssl
import sys
import threading
from collections.abc import Callable
from typing import Any

from ..api import Api, Diagnostics
from ..controllers import Controllers
from ..http_server import Request, Response, Server
from ..node import VERSION, Node
from . import postgres, settings
from .proxies import SILENCE, Departures, Proxies

_NOT_MIGRATED = 'database is not migrated. Run "kuma-cp migrate up" to update database to the newest schema'


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def serve(values: dict[str, Any]) -> list[Server]:
    """Bind every listener, and begin with the work."""
    chosen = settings.options(values)
    store = postgres.PostgresStore(values)
    node = Node(chosen, store)
    node.cluster_id = store.cluster_id(node.cluster_id)
    node.online = lambda mesh, name: (mesh, name) in store.online(SILENCE)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(values["general.tlsCertFile"], values["general.tlsKeyFile"])
    api = Api(node)
    listeners: list[tuple[str, int, Callable[[Request], Response], ssl.SSLContext | None]] = []
    if values["apiServer.http.enabled"]:
        listeners.append((values["apiServer.http.interface"], values["apiServer.http.port"], api, None))
    if values["apiServer.https.enabled"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(values["general.tlsCertFile"], values["general.tlsKeyFile"])
        if values["apiServer.https.tlsCaFile"]:
            context.load_verify_locations(values["apiServer.https.tlsCaFile"])
        if values["apiServer.https.requireClientCert"]:
            context.verify_mode = ssl.CERT_REQUIRED
        listeners.append((values["apiServer.https.interface"], values["apiServer.https.port"], api, context))
    listeners.append(("0.0.0.0", values["dpServer.port"], Proxies(node, store), tls))
    listeners.append(("0.0.0.0", values["diagnostics.serverPort"], Diagnostics(node), None))
    servers = [Server((address, port), application, context) for address, port, application, context in listeners]
    Controllers(node).start()
    Departures(store).start()
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return servers


def run(values: dict[str, Any]) -> None:
    say(f"kuma-double {VERSION}: stands for kuma-cp in tests. NOT KUMA: it gives proxies no mTLS and no policies.")
    if values["store.type"] != "postgres":
        raise settings.ConfigError("the double keeps its resources in postgres only: set store.type")
    connection = postgres.connect(values)
    if postgres.version(connection) is None:
        raise postgres.DatabaseError(_NOT_MIGRATED)
    connection.close()
    servers = serve(values)
    if values["apiServer.authn.localhostIsAdmin"]:
        say(
            "INFO\tbootstrap\tWARNING: you can access Control Plane API as admin by sending requests from the same "
            "machine where Control Plane runs. To increase security, it is recommended to extract admin credentials "
            "and set KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN to false."
        )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    say("INFO\tkuma-cp.run\tstopping without error, Control Plane is exiting")
    for server in servers:
        server.leave()


def migrate(values: dict[str, Any]) -> None:
    done = postgres.migrate(postgres.connect(values))
    print(f"DB has {'been' if done else 'already been'} migrated for Kuma {VERSION}", flush=True)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="kuma-cp", description="A double of Universal Control Plane; not Kuma.")
    commands = parser.add_subparsers(dest="command", required=True)
    upward = commands.add_parser("migrate").add_subparsers(dest="direction", required=True).add_parser("up")
    for command in (commands.add_parser("run"), upward):
        command.add_argument("-c", "--config-file")
    commands.add_parser("version")
    chosen = parser.parse_args(argv)
    if chosen.command == "version":
        print(f"Kuma: {VERSION}")
        return 0
    try:
        (run if chosen.command == "run" else migrate)(settings.load(chosen.config_file))
    except (settings.ConfigError, postgres.DatabaseError, OSError) as error:
        say(f"Error: {error}")
        return 1
    return 0
