# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small HTTP/1.1 server: one thread a connection, keep-alive, bodies with a length or chunked."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import sys
import time
import traceback
from email.utils import formatdate
from http import HTTPStatus
from typing import Callable, NamedTuple
from urllib.parse import parse_qsl

SERVER = "kuma-double/2.14.3 (not Kuma)"
MAX_HEADER = 65536


class Request(NamedTuple):
    method: str
    # Without the query, still escaped.
    path: str
    # In order, as sent; the last value of a name counts.
    query: list[tuple[str, str]]
    # Lower-case names.
    headers: dict[str, str]
    body: bytes
    # Address of the peer.
    peer: str
    tls: bool


class Response(NamedTuple):
    status: int
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class BadRequest(Exception):
    """The bytes on the connection are not HTTP."""


class Handler(socketserver.StreamRequestHandler):
    server: Server
    disable_nagle_algorithm = True
    rbufsize = 65536
    # Whether a request is being read or answered.
    busy = False

    def handle(self) -> None:
        self.server.handlers.add(self)
        try:
            # In this order, and the other way round in leave(): one of the two sees the other.
            while not self.server.leaving:
                request = self.read()
                if request is None:
                    return
                response = self.server.answer(request)
                close = self.server.leaving or request.headers.get("connection", "").lower() == "close"
                self.write(request, response, close)
                if close:
                    return
                self.busy = False
        except BadRequest:
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        except (ConnectionError, TimeoutError, ssl.SSLError):
            # The client went away; there is nobody to tell.
            return
        finally:
            self.server.handlers.discard(self)

    def read(self) -> Request | None:
        line = self.rfile.readline(MAX_HEADER)
        while line in (b"\r\n", b"\n"):
            line = self.rfile.readline(MAX_HEADER)
        if not line:
            return None
        self.busy = True
        parts = line.decode("latin-1").split()
        if len(parts) != 3:
            raise BadRequest
        headers: dict[str, str] = {}
        while True:
            line = self.rfile.readline(MAX_HEADER)
            if line in (b"\r\n", b"\n"):
                break
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise BadRequest
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        path, _, query = parts[1].partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        secure = isinstance(self.request, ssl.SSLSocket)
        return Request(parts[0], path, pairs, headers, self.read_body(headers), self.client_address[0], secure)

    def read_body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            chunks = []
            while True:
                try:
                    size = int(self.rfile.readline(MAX_HEADER).split(b";")[0], 16)
                except ValueError:
                    raise BadRequest from None
                chunks.append(self.rfile.read(size))
                self.rfile.readline(MAX_HEADER)
                if size == 0:
                    return b"".join(chunks)
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise BadRequest
        return self.rfile.read(int(length))

    def write(self, request: Request, response: Response, close: bool) -> None:
        head = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
        head += [f"Server: {SERVER}", f"Date: {formatdate(usegmt=True)}"]
        if response.content_type is not None:
            head.append(f"Content-Type: {response.content_type}")
        head += [f"{name}: {value}" for name, value in response.headers]
        head += [f"Content-Length: {len(response.body)}", f"Connection: {'close' if close else 'keep-alive'}"]
        body = b"" if request.method == "HEAD" else response.body
        self.wfile.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)


class Server(socketserver.ThreadingTCPServer):
    """A listener; what answers its requests is given to it."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(
        self, address: tuple[str, int], application: Callable[[Request], Response], tls: ssl.SSLContext | None = None
    ) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.application, self.tls = application, tls
        self.leaving = False
        self.handlers: set[Handler] = set()
        if tls is not None:
            # Otherwise a connection that is ended here would end with an alert.
            tls.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        super().__init__(address, Handler)

    def leave(self, seconds: float = 10.0) -> None:
        """As Go's servers do: no new connection, idle ones end now, others after their answer."""
        self.leaving = True
        self.shutdown()
        self.server_close()
        for handler in self.handlers.copy():
            if not handler.busy:
                # Not that of TLS, which would forget its keys; what has arrived is still read.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(handler.request, socket.SHUT_RD)
        # Each connection has a thread of its own that nobody joins, so all there is to do is to look again.
        ends = time.monotonic() + seconds
        while self.handlers and time.monotonic() < ends:
            time.sleep(0.05)

    def answer(self, request: Request) -> Response:
        try:
            return self.application(request)
        except Exception:
            # A mistake of the double is an answer, not a broken connection, and stands in its log.
            traceback.print_exc(file=sys.stderr)
            body = b'{"title":"the double failed; its log says where","status":500}'
            return Response(500, body, headers=(("X-Double-Error", "1"),))

    def finish_request(self, request, client_address) -> None:
        """Shake hands in the thread of the connection, so that a slow client holds up nobody else."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        try:
            request = self.tls.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        with request:
            super().finish_request(request, client_address)

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            traceback.print_exc(file=sys.stderr)
