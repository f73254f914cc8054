# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Ask a PostgreSQL server one question, with nothing but the standard library.

A host that is going to use a database has no driver for it yet, and whether it gets in has to be known before anything
is installed. Version 3 of the protocol, a simple query, answers as text; passwords in the clear, as MD5 and as
SCRAM-SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import typing as t
from dataclasses import dataclass

PROTOCOL = 196608  # 3.0
SSL_REQUEST = 80877103
OK, CLEARTEXT, MD5, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12
Row = tuple[t.Optional[str], ...]


class PostgresError(Exception):
    """The server said no or can't be reached. `code` is the SQLSTATE, where there is one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    database: str
    user: str
    password: str = ""
    tls: bool = False
    verify: bool = False
    #: file of certificates that the server's is checked against; the system's without one
    ca_file: str | None = None
    timeout: float = 10

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Connection:
    def __init__(self, address: Address) -> None:
        self.address = address
        self.parameters: dict[str, str] = {}
        try:
            self._stream: socket.socket = socket.create_connection((address.host, address.port), address.timeout)
        except OSError as e:
            raise PostgresError(f"PostgreSQL at {address} can't be reached: {e.strerror or e}") from e
        try:
            if address.tls:
                self._stream = self._encrypted()
            self._start()
        except OSError as e:
            self.close()
            raise PostgresError(f"PostgreSQL at {address} broke off: {e.strerror or e}") from e
        except PostgresError:
            self.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()

    def query(self, statement: str) -> list[Row]:
        """The rows of one statement, every value as text."""
        self._send(b"Q", statement.encode() + b"\0")
        rows: list[Row] = []
        problem: PostgresError | None = None
        while True:
            kind, body = self._receive()
            if kind == b"D":
                rows.append(row_of(body))
            elif kind == b"E":
                problem = error_of(body)
            elif kind == b"Z":
                if problem is not None:
                    raise problem
                return rows

    def _encrypted(self) -> socket.socket:
        self._stream.sendall(struct.pack("!ii", 8, SSL_REQUEST))
        if self._stream.recv(1) != b"S":
            raise PostgresError(f"PostgreSQL at {self.address} does not speak TLS")
        context = ssl.create_default_context(cafile=self.address.ca_file)
        if not self.address.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            return context.wrap_socket(self._stream, server_hostname=self.address.host)
        except ssl.SSLCertVerificationError as e:
            raise PostgresError(
                f"the certificate of PostgreSQL at {self.address} is refused: {e.verify_message}"
            ) from e

    def _start(self) -> None:
        names = {"user": self.address.user, "database": self.address.database, "application_name": "ansible"}
        body = b"".join(word.encode() + b"\0" for item in names.items() for word in item) + b"\0"
        self._stream.sendall(struct.pack("!ii", len(body) + 8, PROTOCOL) + body)
        scram: Scram | None = None
        while True:
            kind, body = self._receive()
            if kind == b"E":
                raise error_of(body)
            if kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == b"Z":
                return
            elif kind == b"R":
                scram = self._authenticate(struct.unpack("!i", body[:4])[0], body[4:], scram)

    def _authenticate(self, method: int, body: bytes, scram: Scram | None) -> Scram | None:
        password = self.address.password
        if method == CLEARTEXT:
            self._send(b"p", password.encode() + b"\0")
        elif method == MD5:
            self._send(b"p", md5_answer(self.address.user, password, body[:4]) + b"\0")
        elif method == SASL:
            scram = Scram(password)
            first = scram.first()
            self._send(b"p", Scram.NAME + b"\0" + struct.pack("!i", len(first)) + first)
        elif method == SASL_CONTINUE and scram is not None:
            self._send(b"p", scram.final(body))
        elif method not in (OK, SASL_FINAL):
            raise PostgresError(
                f"PostgreSQL at {self.address} wants an authentication other than a password (number {method})"
            )
        return scram

    def _send(self, kind: bytes, body: bytes) -> None:
        self._stream.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def _receive(self) -> tuple[bytes, bytes]:
        head = self._exactly(5)
        return head[:1], self._exactly(struct.unpack("!i", head[1:])[0] - 4)

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self._stream.recv(size - len(found))
            if not part:
                raise PostgresError(f"PostgreSQL at {self.address} closed the connection")
            found += part
        return found


class Scram:
    """The client's half of SCRAM-SHA-256 (RFC 7677), without channel binding."""

    NAME = b"SCRAM-SHA-256"

    def __init__(self, password: str, nonce: bytes | None = None) -> None:
        self._password = password.encode()
        self._nonce = nonce or base64.b64encode(os.urandom(18))
        # PostgreSQL takes the name of the first message.
        self._bare = b"n=,r=" + self._nonce

    def first(self) -> bytes:
        return b"n,," + self._bare

    def final(self, challenge: bytes) -> bytes:
        parts = dict(part.split(b"=", 1) for part in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(parts[b"s"]), int(parts[b"i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = b"c=biws,r=" + parts[b"r"]
        signed = b",".join((self._bare, challenge, without_proof))
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return without_proof + b",p=" + base64.b64encode(proof)


def md5_answer(user: str, password: str, salt: bytes) -> bytes:
    """Pure: what a server with passwords of the old kind wants to hear."""
    inner = hashlib.md5((password + user).encode()).hexdigest().encode()
    return b"md5" + hashlib.md5(inner + salt).hexdigest().encode()


def row_of(body: bytes) -> Row:
    """Pure: the values of a DataRow message."""
    (count,) = struct.unpack("!h", body[:2])
    place, values = 2, []
    for _column in range(count):
        (size,) = struct.unpack("!i", body[place : place + 4])
        place += 4
        values.append(None if size < 0 else body[place : place + size].decode())
        place += max(size, 0)
    return tuple(values)


def error_of(body: bytes) -> PostgresError:
    """Pure: what an ErrorResponse message says."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    return PostgresError(fields.get(b"M", "unknown error"), fields.get(b"C", ""))
