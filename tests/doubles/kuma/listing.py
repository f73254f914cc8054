# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists: pages, filters, the link to the next page."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, urlencode

from .errors import Refused, invalid
from .http_server import Request
from .store import Resource

_TITLE = "Could not retrieve resources"
_MOST = 1000


class Page(NamedTuple):
    size: int
    offset: int
    name: str
    labels: dict[str, str]

    def cut(self, resources: list[Resource], request: Request) -> tuple[int, list[Resource], str | None]:
        if self.name:
            resources = [one for one in resources if self.name in one.name]
        for key, value in self.labels.items():
            resources = [one for one in resources if one.labels.get(key) == value]
        total, end = len(resources), self.offset + self.size
        return total, resources[self.offset : end], next_link(request, end) if end < total else None


def page(request: Request, route: str) -> Page:
    query = dict(request.query)
    filters = {}
    size = _size(query.get("size", ""))
    for name, value in request.query:
        if not name.startswith("filter["):
            continue
        label = re.match(r"filter\[labels\.(.+)\]\Z", name)
        if label is None:
            raise invalid([(f"{route}.{name}", "filters are only supported on labels")], _TITLE)
        filters[label.group(1)] = value
    offset = query.get("offset") or "0"
    if not re.match(r"[+-]?\d+\Z", offset):
        detail = f'invalid: invalid offset: strconv.Atoi: parsing "{offset}": invalid syntax'
        raise Refused(400, _TITLE, detail)
    return Page(size, max(int(offset), 0), query.get("name", ""), filters)


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
