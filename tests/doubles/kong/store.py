# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables in memory with the indexes that paging, unique constraints, foreign keys and tag filters need."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from typing import Any

from . import errors
from .entities import Catalog, Entity


def _key(value: Any) -> Any:
    return value["id"] if isinstance(value, dict) else value


class Table:
    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.rows: dict[str, dict] = {}
        self.ids: list[str] = []
        self.unique: dict[tuple[str, ...], dict[tuple, str]] = {fields: {} for fields in entity.unique}
        self.by_parent: dict[str, dict[str, list[str]]] = {name: {} for name in entity.foreign}
        # Rows that belong to no other entity: global plugins among the plugins.
        self.unowned: set[str] = set()
        self.by_tag: dict[str, set[str]] = {}
        # Ids that were written or removed; none are kept where nobody takes them.
        self.changed: set[str] | None = None
        # Id -> time at which the entity stops to exist.
        self.expires: dict[str, float] = {}

    def _values(self, fields: tuple[str, ...], row: dict) -> tuple | None:
        values = tuple(_key(row.get(name)) for name in fields)
        # A null is never equal to another in a constraint of one field; Kong's cache keys write it as "".
        return None if len(fields) == 1 and values[0] is None else values

    def conflict(self, row: dict) -> tuple[str, ...] | None:
        """The first unique constraint a row would break, judged against all rows but itself."""
        for fields, index in self.unique.items():
            values = self._values(fields, row)
            if values is not None and index.get(values, row["id"]) != row["id"]:
                return fields
        return None

    def find(self, fields: tuple[str, ...], *values: Any) -> dict | None:
        found = self.unique[fields].get(values)
        return self.rows[found] if found else None

    def put(self, row: dict) -> None:
        identifier = row["id"]
        if self.changed is not None:
            self.changed.add(identifier)
        if identifier in self.rows:
            self._unindex(self.rows[identifier])
        else:
            insort(self.ids, identifier)
        self.rows[identifier] = row
        for fields, index in self.unique.items():
            values = self._values(fields, row)
            if values is not None:
                index[values] = identifier
        for name, index_by_parent in self.by_parent.items():
            if row.get(name):
                insort(index_by_parent.setdefault(row[name]["id"], []), identifier)
        if not any(row.get(name) for name in self.by_parent):
            self.unowned.add(identifier)
        for tag in row.get("tags") or ():
            self.by_tag.setdefault(tag, set()).add(identifier)

    def _unindex(self, row: dict) -> None:
        identifier = row["id"]
        self.unowned.discard(identifier)
        for fields, index in self.unique.items():
            values = self._values(fields, row)
            if values is not None:
                index.pop(values, None)
        for name, index_by_parent in self.by_parent.items():
            if row.get(name):
                siblings = index_by_parent[row[name]["id"]]
                siblings.pop(bisect_left(siblings, identifier))
                if not siblings:
                    del index_by_parent[row[name]["id"]]
        for tag in row.get("tags") or ():
            self.by_tag[tag].discard(identifier)
            if not self.by_tag[tag]:
                del self.by_tag[tag]

    def remove(self, identifier: str) -> None:
        if self.changed is not None:
            self.changed.add(identifier)
        self._unindex(self.rows.pop(identifier))
        self.ids.pop(bisect_left(self.ids, identifier))
        self.expires.pop(identifier, None)

    def alive(self, row: dict | None) -> dict | None:
        """A row that has not expired; expired rows linger, and still occupy their unique values."""
        if row is not None and self.expires and self.expires.get(row["id"], float("inf")) <= time.time():
            return None
        return row

    def page(self, ids: list[str], size: int, after: str | None, dbless: bool) -> tuple[list[dict], str | None]:
        """At most `size` rows behind an id, and the id to go on from where there are more.

        A DB-less node names an id to go on from behind every full page, and ends a list at the first expired row.
        """
        start = bisect_right(ids, after) if after is not None else 0
        rows: list[dict] = []
        for position in range(start, len(ids)):
            row = self.alive(self.rows[ids[position]])
            if row is None:
                if dbless:
                    break
                continue
            if len(rows) == size:
                return rows, rows[-1]["id"]
            rows.append(row)
        return rows, rows[-1]["id"] if dbless and len(rows) == size else None

    def tagged(self, tags: list[str], every: bool) -> list[str]:
        sets = [self.by_tag.get(tag, set()) for tag in tags]
        return sorted(set.intersection(*sets) if every else set.union(*sets))


class Store:
    """All tables; one lock makes every request see and leave a consistent state."""

    def __init__(self, catalog: Catalog, dbless: bool) -> None:
        self.catalog, self.dbless = catalog, dbless
        self.lock = threading.RLock()
        # Grows with every write, so that the proxy knows when its router is old, and since when.
        self.version = 0
        self.changed_at: float | None = None
        # Upstream -> when it or one of its targets was written.
        self.balanced_at: dict[str, float] = {}
        self.clear()

    def clear(self) -> None:
        self.tables = {name: Table(entity) for name, entity in self.catalog.entities.items()}
        self.touch()

    def touch(self) -> None:
        self.version += 1
        if self.changed_at is None:
            self.changed_at = time.monotonic()

    def table(self, entity: Entity) -> Table:
        return self.tables[entity.name]

    def write(self, entity: Entity, row: dict, inserting: bool) -> None:
        """Store a row as PostgreSQL would: primary key, then unique constraints, then foreign keys."""
        table = self.table(entity)
        if inserting and row["id"] in table.rows:
            raise errors.primary_key_violation({"id": row["id"]})
        broken = table.conflict(row)
        if broken:
            raise errors.unique_violation({name: row.get(name) for name in broken})
        for name, (parent, _cascade) in entity.foreign.items():
            if row.get(name) and row[name]["id"] not in self.tables[parent].rows:
                raise errors.foreign_key_violation(name, row[name], parent)
        table.put(row)
        self.touch()
        if entity.name in ("upstreams", "targets"):
            self.balanced_at[row["id"] if entity.name == "upstreams" else row["upstream"]["id"]] = time.monotonic()

    def delete(self, entity: Entity, identifier: str) -> None:
        children = self.catalog.children(entity.name)
        for child, name, cascade in children:
            if not cascade and identifier in self.table(child).by_parent[name]:
                raise errors.restricted(entity.name, child.name)
        for child, name, cascade in children:
            if cascade:
                for child_id in list(self.table(child).by_parent[name].get(identifier, ())):
                    self.delete(child, child_id)
        self.table(entity).remove(identifier)
        self.touch()

    def record_changes(self) -> None:
        """From now on, remember what is written, for a database."""
        for table in self.tables.values():
            table.changed = set()

    def take_changes(self) -> list[tuple[str, str]]:
        """(entity, id) of what was written or removed since the last call."""
        found = [(name, one) for name, table in self.tables.items() for one in sorted(table.changed or ())]
        self.record_changes()
        return found

    def load(self, rows: Iterable[tuple[str, dict, float | None]]) -> None:
        """Replace everything, as a declarative configuration does; (entity, row, expiry)."""
        self.clear()
        for name, row, expires in rows:
            table = self.tables[name]
            table.put(row)
            if expires is not None:
                table.expires[row["id"]] = expires
