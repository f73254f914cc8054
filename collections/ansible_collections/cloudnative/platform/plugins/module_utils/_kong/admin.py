# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Admin API of one node of a Kong Gateway: its errors, its lists, its way to answer."""

from __future__ import annotations

import http.client
import json
import typing as t
from urllib.parse import urlencode

from ansible_collections.cloudnative.platform.plugins.module_utils._http_api import HttpApi, Trust
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Raw

__all__ = ["Admin", "NodeError", "Refused", "Trust", "Unreachable"]

PAGE = 1000


class NodeError(KongError):
    """What went wrong with one node; its text names it. Of the others it says nothing."""


class Unreachable(NodeError):
    """No answer came."""

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(f"the Admin API at {node} can't be reached: {reason}")
        self.node = node


class Refused(NodeError):
    """The node answered with an error."""

    def __init__(self, node: str, method: str, path: str, status: int, body: t.Any) -> None:
        self.node = node
        self.method = method
        self.path = path
        self.status = status
        self.body: Raw = body if isinstance(body, dict) else {}
        super().__init__(f"{node}: {method} {path.split('?')[0]} was refused ({status}): {self.message}")

    @property
    def code(self) -> int | None:
        return self.body.get("code")

    @property
    def message(self) -> str:
        if self.status in (401, 403):
            return (
                "the Admin API takes no requests of this kind from here: check the headers, the client certificate "
                "and whether this address is read-only"
            )
        if self.status == 405 and self.method != "GET":
            return "this Admin API is read-only"
        return str(self.body.get("message") or http.client.responses.get(self.status, "no reason given"))


class Admin(HttpApi):
    """One node's Admin API. Safe to share between threads."""

    what = "an Admin API"
    example = "http://127.0.0.1:8001"
    error = KongError
    unreachable = Unreachable

    def get(self, path: str, **query: t.Any) -> Raw:
        return self.request("GET", f"{path}?{urlencode(query)}" if query else path)

    def request(self, method: str, path: str, body: t.Any = None) -> Raw:
        """One request; the parsed answer, {} where there is none."""
        answer = _parsed(self.answered(method, path, body))
        return answer if isinstance(answer, dict) else {}

    def refused(self, method: str, path: str, status: int, payload: bytes) -> Exception:
        # 429 and 503, which are repeated, were not handled. A 500 of Kong is mostly one that comes again.
        return Refused(self.name, method, path, status, _parsed(payload))

    def pages(self, path: str) -> list[Raw]:
        """A whole list. The next page is asked for by its offset: the `next` of a nested list forgets the size."""
        found: list[Raw] = []
        offset: t.Any = None
        while True:
            query = {"size": PAGE} if offset is None else {"size": PAGE, "offset": offset}
            page = self.get(path, **query)
            found += page.get("data") or []
            if not page.get("next") or page.get("offset") is None:
                return found
            offset = page["offset"]


def _parsed(payload: bytes) -> t.Any:
    if not payload:
        return {}
    try:
        return json.loads(payload)
    except ValueError:
        return {"message": " ".join(payload.decode("utf-8", "replace").split())[:200]}
