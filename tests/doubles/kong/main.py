"""The command line of the double: options, listeners, shutdown."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path

from .admin import Admin
from .http_server import Server
from .node import Node, Options, StatusApi


def options(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="kong-double", description=__doc__)
    parser.add_argument("--database", choices=("off", "postgres"), default="postgres", help="postgres is kept in memory")
    parser.add_argument("--host", default="127.0.0.1", help="address of every listener")
    parser.add_argument("--proxy-port", type=int, default=8000)
    parser.add_argument("--proxy-ssl-port", type=int, default=0, help="0: no TLS listener")
    parser.add_argument("--admin-port", type=int, default=8001)
    parser.add_argument("--status-port", type=int, default=8007)
    parser.add_argument("--prefix", type=Path, help="directory where a DB-less node keeps its configuration")
    parser.add_argument("--declarative-config", type=Path, help="file a DB-less node loads when it starts")
    parser.add_argument("--router-delay", type=float, default=0.0, help="seconds until a change reaches the proxy")
    return Options(**vars(parser.parse_args(argv)))


def start(chosen: Options) -> tuple[Node, list[Server]]:
    """Bind every listener (port 0: any free one) and serve each in a thread; the options get the real ports."""
    node = Node(chosen)
    admin = Admin(node)
    servers = []
    for name, application in (("admin", admin), ("status", StatusApi(admin))):
        server = Server((chosen.host, getattr(chosen, f"{name}_port")), application)
        setattr(chosen, f"{name}_port", server.server_address[1])
        servers.append(server)
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
    return node, servers


def main(argv: list[str]) -> int:
    chosen = options(argv)
    _node, servers = start(chosen)
    print(json.dumps({name: getattr(chosen, name) for name in vars(chosen) if name.endswith("_port")}), flush=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    for server in servers:
        server.shutdown()
        server.server_close()
    return 0
