# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets: below their upstream only, listed newest first, never created by PUT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from . import arguments, errors
from .http_server import Request
from .paging import Result, listing, next_link, page_size
from .validators import UUID

if TYPE_CHECKING:
    from .admin import Admin


class Targets:
    def __init__(self, admin: Admin) -> None:
        self.admin = admin
        self.store = admin.store

    def endpoints(self, segments: list[str], raw: list[str]) -> dict[str, Callable] | None:
        """What stands below one upstream; None where the generic endpoints answer."""
        admin, rest = self.admin, segments[2:]
        entity = admin.catalog.entities["upstreams"]
        if rest == ["health"]:
            return {"GET": lambda request: admin.node.health.upstream(admin, segments[1], raw[1], request)}
        if rest[0] != "targets":
            return None
        targets = admin.catalog.entities["targets"]
        table = self.store.table(targets)

        def owner(request: Request) -> dict:
            return admin.parent(entity, segments[1], request.method)

        if len(rest) == 1 or rest == ["targets", "all"]:

            def get(request: Request) -> Result:
                row, query = owner(request), arguments.query(request)
                ids = table.by_parent["upstream"].get(row["id"], [])
                if len(rest) == 2:
                    rows, offset = admin.dao.page(table, ids, query.get("size"), query.get("offset"))
                    return listing(rows, offset, next_link(f"/upstreams/{raw[1]}/targets/all", offset))
                rows, offset = self.page(ids, query)
                return listing(rows, offset, next_link(f"/upstreams/{raw[1]}/targets", offset))

            if len(rest) == 2:
                return {"GET": get}
            return {
                "GET": get,
                "POST": lambda request: admin.create(targets, request, {"upstream": {"id": owner(request)["id"]}}),
            }
        if rest[-1] in ("healthy", "unhealthy") and len(rest) in (3, 4):
            return {"PUT": lambda request: admin.node.health.put(admin, owner(request), rest[1:])}
        if len(rest) != 2:
            return None

        def found(request: Request) -> str:
            return self.find(owner(request), rest[1])["id"]

        update = {
            method: lambda request: admin.patch(targets, found(request), request, {}) for method in ("PUT", "PATCH")
        }
        return {
            "GET": lambda request: admin.get(targets, found(request)),
            "DELETE": lambda request: admin.delete(targets, found(request)),
            **update,
        }

    def find(self, upstream: dict, key: str) -> dict:
        table = self.store.tables["targets"]
        row = table.rows.get(key) if UUID.match(key) else table.find(("upstream", "target"), upstream["id"], key)
        if row is None or row["upstream"]["id"] != upstream["id"]:
            raise errors.not_found()
        return row

    def page(self, ids: list[str], query: dict[str, str]) -> tuple[list[dict], str | None]:
        """Newest first; the offset of this list alone is a plain number."""
        size, offset = page_size(query.get("size")), query.get("offset", "0")
        if not offset.isdigit():
            raise errors.unexpected()
        start = int(offset)
        rows = [self.store.tables["targets"].rows[i] for i in ids]
        rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
        more = str(start + size) if len(rows) > start + size else None
        return rows[start : start + size], more
