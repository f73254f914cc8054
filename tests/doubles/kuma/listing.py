# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists: pages, filters, the link to the next page."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, urlencode

from .errors import Refused, Violation, invalid
from .http_server import Request
from .store import Resource

_TITLE = "Could not retrieve resources"
_MOST = 1000


class Page(NamedTuple):
    size: int
    offset: int
    name: str
    labels: dict[str, str]
    # Of a list of dataplanes: "", true, false, builtin or delegated; tags by part of their value.
    gateway: str
    tags: dict[str, str]

    def cut(self, resources: list[Resource], request: Request) -> tuple[int, list[Resource], str | None]:
        if self.name:
            resources = [one for one in resources if self.name in one.name]
        for key, value in self.labels.items():
            resources = [one for one in resources if one.labels.get(key) == value]
        if self.gateway or self.tags:
            resources = [one for one in resources if self._selects(one)]
        total, end = len(resources), self.offset + self.size
        return total, resources[self.offset : end], next_link(request, end) if end < total else None

    def _selects(self, resource: Resource) -> bool:
        networking = resource.spec.get("networking", {})
        gateway = networking.get("gateway")
        kind = "" if gateway is None else gateway.get("type", "DELEGATED").lower()
        wanted = {"": True, "true": kind != "", "false": kind == ""}.get(self.gateway, kind == self.gateway)
        sets = [one.get("tags", {}) for one in networking.get("inbound", [])]
        sets += [resource.spec.get("tags", {}), (gateway or {}).get("tags", {})]
        return wanted and (not self.tags or any(self._has(one) for one in sets))

    def _has(self, tags: dict[str, str]) -> bool:
        return all(key in tags and (value in tags[key] or value == "*") for key, value in self.tags.items())


def page(request: Request, route: str) -> Page:
    query = dict(request.query)
    filters: dict[str, str] = {}
    problems: list[Violation] = []
    size = _size(query.get("size", ""))
    for name, value in request.query:
        if not name.startswith("filter["):
            continue
        label = re.match(r"filter\[labels\.([^\]]*)\](.*)\Z", name)
        if label is None:
            problems.append((f"{route}.{name}", "filters are only supported on labels"))
        elif label.group(2):
            problems.append((f"{route}.{name}", "advanced filters are not supported"))
        else:
            filters[label.group(1)] = value
    gateway, tags = "", {}
    if route.endswith(("/dataplanes", "/external-services")):
        tags = dict(value.split(":", 1) for name, value in request.query if name == "tag" and ":" in value)
    if route.endswith("/dataplanes"):
        gateway = query.get("gateway", "").lower()
        if gateway not in ("", "true", "false", "builtin", "delegated"):
            words = "shoud use `true`, `false`, 'builtin' or 'delegated' instead of"
            problems.append((f"{route}.gateway", f"{words} {gateway}"))
    if problems:
        raise invalid(problems, _TITLE)
    offset = query.get("offset") or "0"
    if not re.match(r"[+-]?\d+\Z", offset):
        detail = f'invalid: invalid offset: strconv.Atoi: parsing "{offset}": invalid syntax'
        raise Refused(400, _TITLE, detail)
    return Page(size, max(int(offset), 0), query.get("name", ""), filters, gateway, tags)


def _size(text: str) -> int:
    if not text:
        return 100
    if not re.match(r"[+-]?\d+\Z", text):
        reason = "invalid format"
    elif int(text) <= 0:
        reason = "must be greater than 0"
    elif int(text) > _MOST:
        reason = f"invalid page size of {int(text)}. Maximum page size is {_MOST}"
    else:
        return int(text)
    raise Refused(400, _TITLE, "Invalid page size", [("size", reason)])


def next_link(request: Request, offset: int) -> str:
    query = [(name, value) for name, value in request.query if name != "offset"]
    # As Go encodes a query: sorted by name, the order of equal names kept.
    encoded = urlencode(sorted([*query, ("offset", str(offset))], key=lambda pair: pair[0]), quote_via=quote, safe="")
    scheme = "https" if request.tls else "http"
    return f"{scheme}://{request.headers.get('host', '')}{request.path}?{encoded}"
