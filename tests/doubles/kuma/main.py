# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the double: options, listeners, shutdown."""

from __future__ import annotations

import argparse
import json
import signal
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from .admission import Admission
from .api import Api, Diagnostics
from .cluster import Mirror, from_environment
from .controllers import Controllers
from .http_server import Request, Response, Server
from .node import VERSION, Node


def options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kuma-double", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address of every listener")
    parser.add_argument("--port", type=int, default=5681, help="of the API; 0 takes a free one")
    parser.add_argument("--https-port", type=int, help="of the API over TLS; none unless given")
    parser.add_argument("--diagnostics-port", type=int, help="/ready, /healthy, /metrics; none unless given")
    parser.add_argument(
        "--admission-port", type=int, help="webhooks, inside of a cluster, whose custom resources are then shown"
    )
    parser.add_argument("--tls-cert", type=Path, help="certificate of --https-port, PEM")
    parser.add_argument("--tls-key", type=Path, help="its key, PEM")
    parser.add_argument("--mode", choices=("zone", "global", "federated-zone"), default="zone")
    parser.add_argument("--zone", default="default", help="name of the zone")
    parser.add_argument("--environment", choices=("universal", "kubernetes"), default="universal")
    parser.add_argument("--read-only", action="store_true", help="refuse writes, as the chart sets it on Kubernetes")
    parser.add_argument(
        "--no-localhost-admin", dest="localhost_is_admin", action="store_false", help="ask loopback for a token too"
    )
    parser.add_argument("--delay", type=float, default=0.0, help="seconds until controllers act (a real one: 1 to 5)")
    parser.add_argument("--dataplanes-connect", action="store_true", help="show every Dataplane as connected")
    parser.add_argument("--conflict-every", type=int, default=0, metavar="N", help="answer 409 to every n-th write")
    parser.add_argument("--version", default=VERSION, help="what it says that it is; it behaves as ever")
    parser.add_argument("--dataplanes-version", help="of every Dataplane that connects; the control plane's by default")
    chosen = parser.parse_args(argv)
    chosen.dataplanes_version = chosen.dataplanes_version or chosen.version
    secure = chosen.https_port is not None or chosen.admission_port is not None
    if secure and not (chosen.tls_cert and chosen.tls_key):
        parser.error("--https-port and --admission-port need --tls-cert and --tls-key")
    if chosen.admission_port is not None and chosen.environment != "kubernetes":
        parser.error("--admission-port needs --environment kubernetes")
    if chosen.environment == "kubernetes":
        chosen.read_only = True
    return chosen


def start(chosen: argparse.Namespace) -> tuple[Node, list[Server]]:
    """Bind every listener and serve each in a thread; the options get the real ports."""
    node = Node(chosen)
    api: Callable[[Request], Response] = Api(node)
    cluster = from_environment() if chosen.admission_port is not None else None
    if cluster is not None:
        api = mirrored(api, Mirror(node, cluster))
    listeners: list[tuple[str, Callable[[Request], Response], ssl.SSLContext | None]] = [("port", api, None)]
    if chosen.tls_cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chosen.tls_cert, chosen.tls_key)
    if chosen.https_port is not None:
        listeners.append(("https_port", api, context))
    if cluster is not None:
        listeners.append(("admission_port", Admission(node, cluster), context))
    if chosen.diagnostics_port is not None:
        listeners.append(("diagnostics_port", Diagnostics(node), None))
    servers = []
    for name, application, tls in listeners:
        server = Server((chosen.host, getattr(chosen, name)), application, tls)
        setattr(chosen, name, server.server_address[1])
        servers.append(server)
    if cluster is None:
        # In a cluster nothing is made in the background: the store shows what others put there.
        Controllers(node).start()
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return node, servers


def mirrored(api: Callable[[Request], Response], mirror: Mirror) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        mirror.refresh()
        return api(request)

    return answer


def main(argv: list[str]) -> int:
    chosen = options(argv)
    _node, servers = start(chosen)
    names = ("port", "https_port", "diagnostics_port", "admission_port")
    print(json.dumps({name: getattr(chosen, name) for name in names}), flush=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    for server in servers:
        server.leave()
    return 0
