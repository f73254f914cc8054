# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Error answers in both of Kuma's forms, and the plain text of its router."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from .http_server import Response

TEXT = "text/plain; charset=utf-8"
# (field, reason)
Violation = tuple


class Refused(Exception):
    """An answer that ends the request."""

    def __init__(self, status: int, title: str, detail: str, violations: list[Violation] | None = None) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.violations = status, title, detail, violations

    def response(self) -> Response:
        body: dict[str, Any] = {
            "type": "/std-errors",
            "status": self.status,
            "title": self.title,
            "detail": self.detail,
        }
        if self.violations is not None:
            body["invalid_parameters"] = [{"field": field, "reason": reason} for field, reason in self.violations]
        body["details"] = self.detail
        if self.violations is not None:
            body["causes"] = [{"field": field, "message": reason} for field, reason in self.violations]
        return Response(self.status, encode(body))


def encode(body: Any) -> bytes:
    """As the control plane prints: one space a level, a line end at the end."""
    text = json.dumps(body, indent=1, ensure_ascii=False)
    for plain, escaped in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(plain, escaped)
    return text.encode() + b"\n"


def invalid(violations: list[Violation], title: str = "Could not process a resource") -> Refused:
    return Refused(400, title, "Resource is not valid", violations)


def bad_request(detail: str) -> Refused:
    return Refused(400, "Bad Request", detail)


def not_found(title: str) -> Refused:
    return Refused(404, title, "Not found")


class Plain(Exception):
    """What the router says before a handler is asked."""

    def __init__(self, status: int, text: str | None = None, allow: str = "") -> None:
        super().__init__(status)
        phrase = {404: "Page Not Found"}.get(status) or HTTPStatus(status).phrase
        self.status, self.allow = status, allow
        self.text = text or f"{status}: {phrase}"

    def response(self) -> Response:
        headers = (("Allow", self.allow),) if self.allow else ()
        return Response(self.status, self.text.encode(), TEXT, headers)
