# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Kubernetes API with a kubeconfig that kubeadm wrote on this host: one connection, JSON in and out.

kubectl would do the same at a fifth of a second of CPU a question, several times on every node in every run.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
import time
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT = 10
#: for how long a healthy control plane may be out of reach: its proxy looks every two seconds who is ready
PATIENCE = 30
#: answers of an API server that is busy or just starting
PASSING = (429, 500, 502, 503, 504)
MERGE_PATCH = "application/merge-patch+json"

Object = dict[str, t.Any]


class ApiError(Exception):
    """The API cannot be reached, or it refused; the text says which and why."""


@dataclass(frozen=True)
class Access:
    """Where the API is and how to get in, as a kubeconfig has it."""

    host: str
    port: int
    ca_pem: str
    certificate_pem: str
    key_pem: str
    cluster: str
    user: str


def parse_kubeconfig(text: str, read: t.Callable[[str], str]) -> Access:
    """Pure but for *read*, which returns the content of a file: what kubeadm writes, one cluster and one user.

    Hosts have no YAML library; kubeadm's kubeconfigs have one ``key: value`` a line.
    """
    values = dict(re.findall(r"^\s*([a-z-]+):\s*(\S+)\s*$", text, flags=re.MULTILINE))

    def pem(name: str) -> str:
        if f"{name}-data" in values:
            return base64.b64decode(values[f"{name}-data"]).decode()
        return read(values[name])

    try:
        server = urlsplit(values["server"])
        certificate, key = pem("client-certificate"), pem("client-key")
        user, _at, cluster = values.get("current-context", "").partition("@")
        ca_pem = pem("certificate-authority")
        return Access(str(server.hostname), server.port or 443, ca_pem, certificate, key, cluster, user)
    except KeyError as error:
        raise ApiError(f"the kubeconfig has no {error.args[0]}") from error


def kubeconfig(access: Access, server: str) -> Object:
    """Return a kubeconfig with these credentials for another address of the same cluster."""

    def data(pem: str) -> str:
        return base64.b64encode(pem.encode()).decode()

    context = f"{access.user}@{access.cluster}"
    credentials = {"client-certificate-data": data(access.certificate_pem), "client-key-data": data(access.key_pem)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": access.cluster, "cluster": {"server": server, "certificate-authority-data": data(access.ca_pem)}}
        ],
        "contexts": [{"name": context, "context": {"cluster": access.cluster, "user": access.user}}],
        "current-context": context,
        "users": [{"name": access.user, "user": credentials}],
    }


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.ca_pem)
    # Python takes a client certificate from a file only; this one is in memory and nobody else's.
    descriptor = os.memfd_create("client")
    try:
        with os.fdopen(descriptor, "w", closefd=False) as stream:
            stream.write(f"{access.certificate_pem}\n{access.key_pem}\n")
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def read_access(path: str) -> Access:
    """Read a kubeconfig of this host."""
    return parse_kubeconfig(_read(path), _read)


class Api:
    """One API server, as the user of a kubeconfig.

    *patience* is for how many seconds a request is made again that nobody answers, or only with a passing failure.
    """

    def __init__(self, path: str, patience: float = 0) -> None:
        self._patience = patience
        self._access = read_access(path)
        self._context = _context(self._access)
        self._connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> Object | None:
        """An object or a list; None where there is none."""
        return self._request("GET", path)

    def probe(self, path: str) -> None:
        """Ask a health endpoint, which answers with words; raises ApiError when it says no."""
        self._answer("GET", path)

    def create(self, path: str, body: Object) -> Object | None:
        """Create an object in the list at *path*."""
        return self._request("POST", path, body, "application/json")

    def delete(self, path: str) -> Object | None:
        """Delete an object, or all of a list that its selector leaves; None where there is none."""
        return self._request("DELETE", path)

    def merge(self, path: str, body: Object) -> Object | None:
        """Merge a part into an object (RFC 7396): null takes a field out."""
        return self._request("PATCH", path, body, MERGE_PATCH)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(self, method: str, path: str, body: Object | None = None, content_type: str = "") -> Object | None:
        answer = self._answer(method, path, body, content_type)
        return None if answer is None else t.cast(Object, json.loads(answer))

    def _answer(self, method: str, path: str, body: Object | None = None, content_type: str = "") -> bytes | None:
        text = None if body is None else json.dumps(body)
        headers = {"Accept": "application/json", **({"Content-Type": content_type} if content_type else {})}
        deadline = time.monotonic() + self._patience
        while True:
            status, answer, reason = self._try(method, path, text, headers)
            if not reason:
                return None if status == 404 else answer
            if (status and status not in PASSING) or time.monotonic() > deadline:
                raise ApiError(f"{method} https://{self._access.host}:{self._access.port}{path}{reason}")
            time.sleep(1)

    def _try(self, method: str, path: str, text: str | None, headers: dict[str, str]) -> tuple[int, bytes, str]:
        """Status (0: nobody answered), answer, and what is wrong with it."""
        try:
            status, answer = self._exchange(method, path, text, headers)
        except (OSError, http.client.HTTPException) as error:
            return 0, b"", f": {error}"
        if 200 <= status < 300 or status == 404:
            return status, answer, ""
        try:
            message = json.loads(answer).get("message", "")
        except ValueError:
            message = answer.decode(errors="replace")[:200]
        return status, answer, f" answers {status}: {message}"

    def _exchange(self, method: str, path: str, text: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        reused = self._connection is not None
        try:
            return self._exchange_once(method, path, text, headers)
        except (OSError, http.client.HTTPException):
            self.close()
            # An idle connection may have been closed by the proxy in between: that says nothing about the API.
            if not reused:
                raise
        return self._exchange_once(method, path, text, headers)

    def _exchange_once(self, method: str, path: str, text: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._access.host, self._access.port, timeout=TIMEOUT, context=self._context
            )
        self._connection.request(method, path, body=text, headers=headers)
        response = self._connection.getresponse()
        return response.status, response.read()
