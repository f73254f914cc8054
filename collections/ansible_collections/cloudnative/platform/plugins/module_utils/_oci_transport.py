# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""HTTP transport to one registry endpoint: trust, credentials, connections, retries and errors.

Standard library only (Python >= 3.9), because it runs on managed hosts as well as on the controller.
One keep-alive connection per thread; no proxies, no redirects: a registry of the platform is reached directly, and
credentials go to nobody else.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
import typing as t
from urllib.parse import urlsplit

RETRY_STATUS = (429, 500, 502, 503, 504)
LONGEST_PAUSE = 5.0
#: sixteen seconds of pauses in all: a registry, or its whole host, that restarts is back by then
ATTEMPTS = 8
NO_SPACE = "no space left on device"

T = t.TypeVar("T")


class RegistryError(Exception):
    """The registry refused or answered something that makes no sense."""


class Unauthorized(RegistryError):
    """The registry does not accept these credentials, or not for this request."""

    def __init__(self, endpoint: str, username: str | None, action: str) -> None:
        self.endpoint = endpoint
        self.username = username
        who = f"user {username!r}" if username else "a request without credentials"
        super().__init__(f"registry {endpoint} refused {who} ({action}): check the user name and the password")


class Unreachable(RegistryError):
    """No answer: wrong address, closed port, no trust, or a connection that keeps breaking."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"registry {url} cannot be reached: {reason}")


class NotFound(RegistryError):
    """The repository, manifest or blob is not in the registry."""


class ReadOnly(RegistryError):
    """The registry takes no writes here or now."""


class Full(RegistryError):
    """The registry has no room for what is sent: to try again would not make any."""


class DigestMismatch(RegistryError):
    """The registry served bytes that are not what their digest says."""

    def __init__(self, endpoint: str, repository: str, expected: str, actual: str) -> None:
        self.endpoint = endpoint
        self.repository = repository
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"registry {endpoint} holds corrupted content: {repository}@{expected} has {actual}; it was refused"
        )


class Broken(Exception):
    """The connection broke while it was used; another attempt may succeed."""


class _Busy(Exception):
    def __init__(self, reason: str, pause: float | None) -> None:
        self.pause = pause
        super().__init__(reason)


class Response(t.NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Transport:
    """Connections to one endpoint. Safe to share between threads."""

    def __init__(
        self,
        endpoint: str,
        ca_pem: str | None = None,
        username: str | None = None,
        password: str | None = None,
        timeout: float = 60,
        connect_timeout: float = 10,
        attempts: int = ATTEMPTS,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in ("https", "http") or not url.hostname:
            raise RegistryError(f"registry endpoint {endpoint!r} is not an address like https://10.0.0.5:5000")
        self.endpoint = endpoint.rstrip("/")
        self.username = username or None
        self.prefix = url.path.rstrip("/")
        self._secure = url.scheme == "https"
        self._host = url.hostname
        self._port = url.port or (443 if self._secure else 80)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._attempts = max(1, attempts)
        self._sleep = sleep
        self._headers = {"User-Agent": "cloudnative.platform", "Accept-Encoding": "identity"}
        if self.username:
            pair = f"{self.username}:{password or ''}".encode()
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        self._context = self._tls_context(ca_pem) if self._secure else None
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def _tls_context(self, ca_pem: str | None) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cadata=ca_pem or None)
        except (ssl.SSLError, ValueError) as exc:
            raise RegistryError(f"the CA certificate given for registry {self.endpoint} is not PEM: {exc}") from exc
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Python 3.13 insists on key identifiers, which the authorities of many companies do not have.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def retry(self, path: str, attempt: t.Callable[[], T]) -> T:
        """Repeats what broke or was told to come back later; the pauses grow and their number is bounded."""
        reason = ""
        for number in range(self._attempts):
            pause = 0.2 * 2**number
            try:
                return attempt()
            except _Busy as exc:
                reason, pause = str(exc), exc.pause if exc.pause is not None else pause
            except Broken as exc:
                reason = str(exc)
            except NotFound:
                raise
            except BaseException:
                # Half an answer may still be on its way: it must not be taken for the next one.
                self._drop()
                raise
            self._drop()
            if number + 1 < self._attempts:
                self._sleep(min(LONGEST_PAUSE, pause))
        raise Unreachable(self.endpoint, f"{reason}; gave up on {path} after {self._attempts} attempts")

    def request(
        self,
        method: str,
        path: str,
        action: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        limit: int | None = None,
    ) -> Response:
        """One request with retries. `action` names it in errors, `limit` bounds the answer."""
        return self.retry(path, lambda: self.once(method, path, action, headers or {}, body, limit))

    def once(
        self,
        method: str,
        path: str,
        action: str,
        headers: dict[str, str],
        body: bytes | t.BinaryIO | None = None,
        limit: int | None = None,
    ) -> Response:
        with self.exchange(method, path, action, headers, body) as answer:
            data = read(answer, None if limit is None else limit + 1)
            if limit is not None and len(data) > limit:
                raise RegistryError(f"registry {self.endpoint}{path} answered with more than {limit} bytes")
            return Response(answer.status, answer.headers, data)

    def exchange(
        self,
        method: str,
        path: str,
        action: str,
        headers: dict[str, str],
        body: bytes | t.BinaryIO | None = None,
        also_good: tuple[int, ...] = (),
    ) -> http.client.HTTPResponse:
        """Sends one request on this thread's connection and returns the answer when it is a good one."""
        connection = self._connection()
        try:
            connection.request(method, self.prefix + path, body=body, headers={**self._headers, **headers})
        except (BrokenPipeError, ConnectionResetError) as exc:
            # A server that refuses an upload answers before it has read all of it: that answer says why.
            try:
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException):
                raise Broken(f"connection broke while sending ({exc})") from exc
        except OSError as exc:
            raise Broken(f"connection broke while sending ({exc})") from exc
        else:
            try:
                answer = connection.getresponse()
            except socket.timeout as exc:
                raise Broken(f"no answer within {self._timeout:g} s") from exc
            except (OSError, http.client.HTTPException) as exc:
                raise Broken(f"connection broke while waiting for the answer ({exc})") from exc
        if answer.status not in also_good:
            self._check(answer, action, path)
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.sock is not None:
            return connection
        self._drop()
        if self._secure:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._connect_timeout, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._connect_timeout)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as exc:
            hint = "is the CA certificate the one of this registry?"
            raise Unreachable(self.endpoint, f"its certificate is not trusted: {exc.verify_message}; {hint}") from exc
        except ssl.SSLError as exc:
            raise Unreachable(self.endpoint, f"TLS handshake failed ({exc.reason or exc})") from exc
        except socket.timeout as exc:
            raise Unreachable(self.endpoint, f"no answer within {self._connect_timeout:g} s") from exc
        except socket.gaierror as exc:
            raise Unreachable(self.endpoint, f"host name {self._host!r} is not known ({exc.strerror})") from exc
        except (ConnectionRefusedError, ConnectionResetError) as exc:
            raise Broken((exc.strerror or str(exc)).lower()) from exc
        except OSError as exc:
            raise Unreachable(self.endpoint, exc.strerror or str(exc)) from exc
        connection.sock.settimeout(self._timeout)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local.connection = connection
        with self._lock:
            self._open.append(connection)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()
            with self._lock:
                if connection in self._open:
                    self._open.remove(connection)

    def close(self) -> None:
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def _check(self, answer: http.client.HTTPResponse, action: str, path: str) -> None:
        status = answer.status
        if status < 300:
            return
        detail = _error_text(answer)
        if not answer.isclosed():
            self._drop()
        if NO_SPACE in detail:
            raise Full(f"the file system of registry {self.endpoint} is full ({action}){detail}")
        if status in RETRY_STATUS:
            raise _Busy(f"status {status} ({action}){detail}", _retry_after(answer))
        if status in (401, 403):
            raise Unauthorized(self.endpoint, self.username, action)
        if status == 404:
            raise NotFound(f"registry {self.endpoint} has no such object ({action}){detail}")
        if status == 405:
            raise ReadOnly(
                f"registry {self.endpoint} does not allow it ({action}): it is read-only, "
                "or garbage collection is running and it is read-only until that ends"
            )
        if status < 400:
            raise RegistryError(f"registry {self.endpoint} redirects {path} ({action}); redirects are not followed")
        raise RegistryError(f"registry {self.endpoint} answered status {status} ({action}){detail}")


def read(answer: http.client.HTTPResponse, amount: int | None = None) -> bytes:
    """Reads from an answer; a connection that breaks meanwhile is raised as Broken."""
    try:
        return answer.read() if amount is None else answer.read(amount)
    except http.client.IncompleteRead as exc:
        raise Broken(f"connection closed after {len(exc.partial)} bytes of the answer") from exc
    except (OSError, http.client.HTTPException) as exc:
        raise Broken(f"connection broke while reading the answer ({exc})") from exc


def _retry_after(answer: http.client.HTTPResponse) -> float | None:
    value = answer.getheader("Retry-After") or ""
    return float(value) if value.isdigit() else None


def _error_text(answer: http.client.HTTPResponse) -> str:
    """The registry's own words, when it sent any."""
    try:
        errors = json.loads(read(answer, 64 * 1024)).get("errors") or []
        words = "; ".join(f"{item.get('code')}: {item.get('message')}{_detail(item)}" for item in errors)
    except (Broken, ValueError, AttributeError):
        return ""
    return f": {words}" if words else ""


def _detail(error: t.Mapping[str, t.Any]) -> str:
    """What the storage of the registry said; details of other shapes repeat the request."""
    detail = error.get("detail")
    return f" ({detail})" if isinstance(detail, str) else ""
