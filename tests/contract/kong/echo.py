# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upstream servers of the recording: they answer with what they were sent, and say which of them it was."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Ports of the recording. The third one fails the health checks of the upstreams.
PORTS = (18101, 18102, 18103)


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one segment, else the body waits for an acknowledgement.
    wbufsize = 65536
    # The name it had when the recording was made; the port may be another one in this run.
    number = 0

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        failing = self.path == "/health" and self.number == PORTS[2]
        assert isinstance(self.server, Server)
        port = self.server.port
        seen = {"server": port, "method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
        content = json.dumps(seen).encode()
        self.send_response(500 if failing else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Echo-Server", str(port))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_arguments: object) -> None:
        """Nothing to say about requests that the test itself sends."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])


@contextlib.contextmanager
def servers() -> Iterator[dict[int, int]]:
    """Start them on the recorded ports where those are free; the answer is recorded port -> port."""
    running: list[Server] = []
    ports: dict[int, int] = {}
    try:
        for number in PORTS:
            handler = type(f"Echo{number}", (Echo,), {"number": number})
            try:
                server = Server(("127.0.0.1", number), handler)
            except OSError:
                server = Server(("127.0.0.1", 0), handler)
            ports[number] = server.port
            running.append(server)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        yield ports
    finally:
        for server in running:
            server.shutdown()
            server.server_close()
