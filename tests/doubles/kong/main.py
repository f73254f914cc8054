# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the double: options, listeners, shutdown."""

from __future__ import annotations

import argparse
import json
import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import Callable

from .admin import Admin
from .declarative import BootError
from .http_server import Request, Response, Server
from .node import Node, Options, StatusApi
from .proxy import Proxy
from .tls import Certificates


def options(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="kong-double", description=__doc__)
    parser.add_argument(
        "--database", choices=("off", "postgres"), default="postgres", help="postgres is kept in memory"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of every listener")
    parser.add_argument("--proxy-port", type=int, default=8000)
    parser.add_argument("--proxy-ssl-port", type=int, help="none unless given")
    parser.add_argument("--admin-port", type=int, default=8001)
    parser.add_argument("--status-port", type=int, default=8007)
    parser.add_argument("--prefix", type=Path, help="directory where a DB-less node keeps its configuration")
    parser.add_argument("--declarative-config", type=Path, help="file a DB-less node loads when it starts")
    parser.add_argument("--router-delay", type=float, default=0.0, help="seconds until a change reaches the proxy")
    return Options(**vars(parser.parse_args(argv)))


def start(chosen: Options) -> tuple[Node, list[Server]]:
    """Bind every listener (port 0: any free one) and serve each in a thread; the options get the real ports."""
    node = Node(chosen)
    admin, proxy = Admin(node), Proxy(node)
    listeners: list[tuple[str, Callable[[Request], Response], ssl.SSLContext | None]] = [
        ("proxy", proxy, None),
        ("admin", admin, None),
        ("status", StatusApi(admin), None),
    ]
    if chosen.proxy_ssl_port is not None:
        listeners.append(("proxy_ssl", proxy, Certificates(node).listener()))
    servers = []
    for name, application, tls in listeners:
        server = Server((chosen.host, getattr(chosen, f"{name}_port")), application, tls)
        setattr(chosen, f"{name}_port", server.server_address[1])
        servers.append(server)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return node, servers


def main(argv: list[str]) -> int:
    chosen = options(argv)
    try:
        _node, servers = start(chosen)
    except BootError as error:
        print(f"error parsing declarative config file {chosen.declarative_config}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({name: getattr(chosen, name) for name in vars(chosen) if name.endswith("_port")}), flush=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    for server in servers:
        server.server_close()
    return 0
