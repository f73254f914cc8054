# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""HTTP to one server that serves JSON: connections that stay open, one for each thread, trust, retries and errors.

Standard library only (Python >= 3.9): it runs on hosts as well as on the controller. No proxies and no redirects: what
is sent holds keys and passwords, and goes to the server that was named or nowhere.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
import threading
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

RETRIES = 3
LONGEST_PAUSE = 5.0
CONNECT_TIMEOUT = 5.0

T = t.TypeVar("T")
R = t.TypeVar("R")


class Trust(t.NamedTuple):
    """How a server is checked, and what it is shown."""

    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True


class HttpApi:
    """One server. Safe to share between threads. What it is called, and its errors, are those of a subclass."""

    #: how messages call it, and how an address of it looks like
    what: str
    example: str
    #: raised for options that can't be used, with one text
    error: type[Exception]
    #: raised when no answer came, with the server's name and the reason
    unreachable: type[Exception]
    #: answers that say the request was not handled
    again: tuple[int, ...] = (429, 503)

    def __init__(
        self,
        url: str,
        trust: Trust | None = None,
        headers: t.Mapping[str, str] | None = None,
        timeout: float = 30,
        parallel: int = 10,
        connect: t.Callable[[], socket.socket] | None = None,
        name: str | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise self.error(
                f"an address of {self.what} has no user and no password in it, they would be shown: use headers"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise self.error(f"{url!r} is not the address of {self.what}, expected one like {self.example}")
        self.url = url.rstrip("/")
        self.name = name or self.url
        self.parallel = max(1, parallel)
        self.requests = 0
        self._host: str = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._context = self._trusting(trust or Trust()) if parts.scheme == "https" else None
        self._connect = connect
        self._timeout = timeout
        self._headers = {"Accept": "application/json", "User-Agent": "cloudnative.platform", **(headers or {})}
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def refused(self, method: str, path: str, status: int, payload: bytes) -> Exception:
        """The error that an answer of 400 and more becomes."""
        raise NotImplementedError

    def answered(self, method: str, path: str, body: t.Any = None) -> bytes:
        """One request; the body of its good answer. Repeats what the server asks to be repeated."""
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        for number in range(RETRIES + 1):
            status, headers, payload = self._exchange(method, path, data)
            if status < 400:
                return payload
            if status not in self.again or number == RETRIES:
                raise self.refused(method, path, status, payload)
            wait = headers.get("Retry-After") or ""
            pause = float(wait) if wait.isdigit() else 0.3 * 2**number * random.uniform(0.8, 1.2)
            time.sleep(min(LONGEST_PAUSE, pause))
        raise AssertionError("unreachable")

    def each(self, work: t.Callable[[T], R], items: t.Sequence[T]) -> list[R]:
        """`work` for all items, `parallel` at a time, answers in their order."""
        return [future.result() for future in [self.submit(work, item) for item in items]]

    def submit(self, work: t.Callable[[T], R], item: T) -> Future[R]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.parallel, "http")
        return self._pool.submit(work, item)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def _exchange(self, method: str, path: str, data: bytes | None) -> tuple[int, http.client.HTTPMessage, bytes]:
        headers = self._headers if data is None else {**self._headers, "Content-Type": "application/json"}
        fresh = False
        while True:
            connection = getattr(self._local, "connection", None)
            if connection is None or connection.sock is None:
                connection, fresh = self._dial(), True
            try:
                with self._lock:
                    self.requests += 1
                connection.request(method, self._prefix + path, body=data, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.headers, answer.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as e:
                connection.close()
                # A server closes what was idle for long, and did not see the request then.
                if fresh:
                    raise self.unreachable(self.name, f"connection closed without an answer to {method} {path}") from e
            except socket.timeout as e:
                connection.close()
                raise self.unreachable(self.name, f"no answer to {method} {path} within {self._timeout:g} s") from e
            except (OSError, http.client.HTTPException) as e:
                connection.close()
                raise self.unreachable(self.name, str(e) or type(e).__name__) from e

    def _dial(self) -> http.client.HTTPConnection:
        timeout = min(CONNECT_TIMEOUT, self._timeout)
        connection: http.client.HTTPConnection
        if self._context is not None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        try:
            if self._connect is None:
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:
                connection.sock = self._connect()
                if self._context is not None:
                    connection.sock = self._context.wrap_socket(connection.sock, server_hostname=self._host)
        except ssl.SSLCertVerificationError as e:
            raise self.unreachable(
                self.name, f"its certificate is not trusted: {e.verify_message}; check ca_cert"
            ) from e
        except ssl.SSLError as e:
            raise self.unreachable(self.name, f"TLS handshake failed: {e.reason or e}") from e
        except socket.timeout as e:
            raise self.unreachable(self.name, f"no answer within {timeout:g} s") from e
        except socket.gaierror as e:
            raise self.unreachable(self.name, f"host name {self._host} is not known") from e
        except OSError as e:
            raise self.unreachable(self.name, (e.strerror or str(e)).lower()) from e
        connection.sock.settimeout(self._timeout)
        self._local.connection = connection
        with self._lock:
            self._open.append(connection)
        return connection

    def _trusting(self, trust: Trust) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=trust.ca_cert)
            if trust.client_cert:
                context.load_cert_chain(trust.client_cert, trust.client_key)
        except FileNotFoundError as e:
            missing = ", ".join(filter(None, (trust.ca_cert, trust.client_cert, trust.client_key)))
            raise self.error(f"one of the files {missing} does not exist") from e
        except (ssl.SSLError, OSError) as e:
            raise self.error(f"the CA or the client certificate for {self.what} can't be used: {e}") from e
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Python 3.13 insists on key identifiers, which the authorities of many companies do not have.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not trust.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
