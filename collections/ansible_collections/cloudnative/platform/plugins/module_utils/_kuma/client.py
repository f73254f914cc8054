# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The API of a control plane: its answers, its lists, its errors. Those come as JSON, as plain text, or empty."""

from __future__ import annotations

import base64
import http.client
import json
import time
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._http_api import HttpApi
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, KumaError, Raw

PAGE = 1000
#: Two writers of one name; a repeat finds what the other one wrote.
CONFLICTS = 3


class Unreachable(KumaError):
    """No answer came."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"the control plane at {server} can't be reached: {reason}")


class Refused(KumaError):
    """The control plane answered with an error."""

    def __init__(self, method: str, path: str, status: int, payload: bytes, token: str | None = None) -> None:
        self.method = method
        self.path = path.split("?")[0]
        self.status = status
        self.text = ""
        self.body: Raw = {}
        try:
            parsed = json.loads(payload) if payload else {}
        except ValueError:
            parsed = None
        if isinstance(parsed, dict):
            self.body = parsed
        else:
            self.text = " ".join(payload.decode("utf-8", "replace").split())[:200]
        super().__init__(f"{method} {self.path} was refused ({status}): {self._reason(token)}")

    @property
    def title(self) -> str:
        return str(self.body.get("title") or "")

    @property
    def no_mesh(self) -> bool:
        """Something inside of a mesh was asked for, and there is no such mesh."""
        return self.status == 404 and self.title == "Failed to retrieve Mesh"

    @property
    def causes(self) -> list[str]:
        """Field and reason of each mistake; both of the two forms in which they come."""
        found = [(one.get("field"), one.get("reason")) for one in self.body.get("invalid_parameters") or []]
        found = found or [(one.get("field"), one.get("message")) for one in self.body.get("causes") or []]
        return list(dict.fromkeys(f"{field}: {reason}" if field else str(reason) for field, reason in found))

    def _reason(self, token: str | None) -> str:
        said = "; ".join(self.causes) or str(self.body.get("detail") or self.body.get("details") or self.title)
        said = " ".join(said.split()) or self.text or http.client.responses.get(self.status, "no reason given")
        if self.status == 401:
            return f"{said}: {_about_token(token)}"
        if self.status == 403:
            return f"{said}; this takes the token of an administrator (member of mesh-system:admin)"
        if self.status == 405 and self.method in ("PUT", "DELETE"):
            return (
                f"{said} This API is read-only for that: on Kubernetes use mode=kubernetes; in a mesh of several zones "
                "write it where it belongs, on the global control plane or on the zone's"
            )
        if self.no_mesh:
            return f"there is no mesh {self.path.split('/')[2]}" if self.path.startswith("/meshes/") else said
        if self.status == 404 and self.text:
            return f"{said}: this is no path of a Kuma 2.14 control plane, check api_url"
        return said


def _about_token(token: str | None) -> str:
    if not token:
        return "this control plane takes no requests without a token"
    expires = claims(token).get("exp")
    if isinstance(expires, (int, float)) and expires <= time.time():
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(expires))
        return f"the token expired at {when}, issue a new one"
    return "the token is revoked, of another control plane, or its signing key is gone; issue a new one"


def claims(token: str) -> Raw:
    """What a JWT says, unchecked: only whoever issued it can check it. {} for what is none."""
    parts = token.strip().split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class ControlPlane(HttpApi):
    """One control plane's API. Safe to share between threads."""

    what = "a control plane"
    example = "http://127.0.0.1:5681"
    error = KumaError
    unreachable = Unreachable

    #: to say of a refused token why
    token: str | None = None

    def refused(self, method: str, path: str, status: int, payload: bytes) -> Exception:
        return Refused(method, path, status, payload, self.token)

    def get(self, path: str) -> Raw:
        payload = self.answered("GET", path)
        try:
            answer = json.loads(payload)
        except ValueError as e:
            raise KumaError(f"{self.name}{path} does not answer as a control plane does, check api_url") from e
        return answer if isinstance(answer, dict) else {}

    def put(self, path: str, body: Raw) -> list[str]:
        """Create or replace; what the control plane warns of."""
        return self._write("PUT", path, body)

    def delete(self, path: str) -> None:
        """What is gone already is gone."""
        try:
            self._write("DELETE", path, None)
        except Refused as e:
            if e.status != 404 or e.text:
                raise

    def issue(self, path: str, body: Raw) -> str:
        """A token."""
        return self.answered("POST", path, body).decode().strip()

    def pages(self, path: str, query: str = "") -> list[Raw]:
        """A whole list, a thousand at a time. The address of the next page is that of the request's Host header, which
        a proxy may have changed, so pages are asked for by their offset."""
        found: list[Raw] = []
        more = f"&{query}" if query else ""
        while True:
            offset = f"&offset={len(found)}" if found else ""
            page = self.get(f"{path}?size={PAGE}{offset}{more}")
            items = page.get("items") or []
            found += items
            if not items or not page.get("next"):
                return found

    def _write(self, method: str, path: str, body: Raw | None) -> list[str]:
        for number in range(CONFLICTS + 1):
            try:
                payload = self.answered(method, path, body)
                break
            except Refused as e:
                if e.status != 409 or number == CONFLICTS:
                    raise
        answer = json.loads(payload) if payload.strip() else {}
        warnings = answer.get("warnings") if isinstance(answer, dict) else None
        return [str(warning) for warning in warnings or []]


def path_of(kind: str, mesh: str, name: str) -> str:
    return f"{KINDS[kind].collection(quote(mesh) if mesh else None)}/{quote(name)}"


def owned_by(label: str, value: str) -> str:
    """The part of a query that keeps what has a label."""
    return f"filter%5Blabels.{quote(label, safe='')}%5D={quote(value, safe='')}"
