# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small HTTP/1.1 server: one thread a connection, keep-alive, Content-Length and chunked bodies."""

from __future__ import annotations

import socket
import socketserver
import ssl
import sys
import traceback
from email.utils import formatdate
from http import HTTPStatus
from typing import Callable, NamedTuple

MAX_HEADER = 65536


class Headers:
    """Header fields in order; names compare without case, repeated ones stay repeated."""

    def __init__(self, items: list[tuple[str, str]] | None = None) -> None:
        self.items = items or []

    def get(self, name: str, default: str | None = None) -> str | None:
        name = name.lower()
        return next((value for key, value in self.items if key.lower() == name), default)

    def all(self, name: str) -> list[str]:
        name = name.lower()
        return [value for key, value in self.items if key.lower() == name]

    def set(self, name: str, value: str) -> None:
        self.remove(name)
        self.items.append((name, value))

    def remove(self, name: str) -> None:
        name = name.lower()
        self.items = [(key, value) for key, value in self.items if key.lower() != name]

    def copy(self) -> Headers:
        return Headers(list(self.items))


class Request(NamedTuple):
    method: str
    # As on the request line: path with query, still escaped.
    target: str
    headers: Headers
    body: bytes
    client: str
    # None over plain HTTP, else the server name of TLS ("" where the client sent none).
    sni: str | None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


class Response:
    def __init__(self, status: int, body: bytes = b"", headers: list[tuple[str, str]] | None = None) -> None:
        self.status, self.body, self.headers = status, body, Headers(headers)
        self.close = False


class BadRequest(Exception):
    """The bytes on the connection are not HTTP."""


class Handler(socketserver.StreamRequestHandler):
    server: Server
    # Answers leave at once; a head and a small body are one segment anyway.
    disable_nagle_algorithm = True
    rbufsize = 65536

    def handle(self) -> None:
        try:
            while True:
                request = self.read()
                if request is None:
                    return
                response = self.server.answer(request)
                close = response.close or (request.headers.get("connection") or "").lower() == "close"
                self.write(request, response, close)
                if close:
                    return
        except BadRequest:
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        except (ConnectionError, TimeoutError, ssl.SSLError):
            # The client went away; there is nobody to tell.
            return

    def read(self) -> Request | None:
        line = self.rfile.readline(MAX_HEADER)
        while line in (b"\r\n", b"\n"):
            line = self.rfile.readline(MAX_HEADER)
        if not line:
            return None
        parts = line.decode("latin-1").split()
        if len(parts) != 3:
            raise BadRequest
        headers = Headers()
        while True:
            line = self.rfile.readline(MAX_HEADER)
            if line in (b"\r\n", b"\n"):
                break
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise BadRequest
            headers.items.append((name.strip(), value.strip()))
        if (headers.get("expect") or "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        sni = getattr(self.request, "double_sni", "") if isinstance(self.request, ssl.SSLSocket) else None
        return Request(parts[0], parts[1], headers, self.read_body(headers), self.client_address[0], sni)

    def read_body(self, headers: Headers) -> bytes:
        if "chunked" in (headers.get("transfer-encoding") or "").lower():
            chunks = []
            while True:
                size = int(self.rfile.readline(MAX_HEADER).split(b";")[0], 16)
                chunks.append(self.rfile.read(size))
                self.rfile.readline(MAX_HEADER)
                if size == 0:
                    return b"".join(chunks)
        length = headers.get("content-length") or "0"
        if not length.isdigit():
            raise BadRequest
        return self.rfile.read(int(length))

    def write(self, request: Request, response: Response, close: bool) -> None:
        try:
            reason = HTTPStatus(response.status).phrase
        except ValueError:
            reason = "Unknown"
        head = [f"HTTP/1.1 {response.status} {reason}", f"Date: {formatdate(usegmt=True)}"]
        head += [f"{name}: {value}" for name, value in response.headers.items]
        bare = response.status in (204, 304) or response.status < 200
        if not bare and response.headers.get("content-length") is None:
            head.append(f"Content-Length: {len(response.body)}")
        head.append(f"Connection: {'close' if close else 'keep-alive'}")
        body = b"" if bare or request.method == "HEAD" else response.body
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
        super().__init__(address, Handler)

    def answer(self, request: Request) -> Response:
        try:
            return self.application(request)
        except Exception:
            # A mistake of the double is an answer, not a broken connection, and stands in its log.
            traceback.print_exc(file=sys.stderr)
            return Response(500, b'{"message":"the double failed; its log says where"}', [("X-Double-Error", "1")])

    def finish_request(self, request, client_address) -> None:
        """Shake hands in the thread of the connection, so that a slow client holds up nobody else."""
        if self.tls is not None:
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError):
                return
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            traceback.print_exc(file=sys.stderr)
