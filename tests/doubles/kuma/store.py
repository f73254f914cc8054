# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the control plane stores, in memory, behind one lock."""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections.abc import Iterator
from typing import Any, NamedTuple

Key = tuple


class Resource(NamedTuple):
    kind: str
    # "" for a global one.
    mesh: str
    name: str
    created: str
    modified: str
    labels: dict[str, str]
    # Spec of a plugin kind, content of a flat one.
    spec: dict[str, Any]
    status: dict | None
    # When a client wrote it last, on the monotonic clock; controllers look at it.
    written: float


def now() -> str:
    """With nanoseconds, as the memory store has them; without zeros at the end."""
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"


class Store:
    """Resources by (kind, mesh, name); every reader gets whole resources, which nobody changes in place."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._kinds: dict[str, dict[Key, Resource]] = {}
        self._order: dict[str, list[Key]] = {}
        # Counts writes, so that controllers see whether there is anything to do.
        self.revision = 0

    def leads(self) -> bool:
        """Whether this instance is the one that runs the controllers."""
        return True

    def get(self, kind: str, mesh: str, name: str) -> Resource | None:
        return self._kinds.get(kind, {}).get((mesh, name))

    def put(self, resource: Resource) -> None:
        key = (resource.mesh, resource.name)
        with self.lock:
            table = self._kinds.setdefault(resource.kind, {})
            if key not in table:
                insort(self._order.setdefault(resource.kind, []), key)
            table[key] = resource
            self.revision += 1

    def delete(self, kind: str, mesh: str, name: str) -> None:
        with self.lock:
            if self._kinds.get(kind, {}).pop((mesh, name), None) is not None:
                self._order[kind].remove((mesh, name))
                self.revision += 1

    def list(self, kind: str, mesh: str | None = None) -> list[Resource]:
        """Sorted by mesh and name."""
        with self.lock:
            table = self._kinds.get(kind, {})
            return [table[key] for key in self._order.get(kind, []) if mesh is None or key[0] == mesh]

    def of_mesh(self, mesh: str) -> Iterator[Resource]:
        with self.lock:
            found = [one for table in self._kinds.values() for one in table.values() if one.mesh == mesh]
        yield from found

    def make(self, kind: str, mesh: str, name: str, spec: dict, **more: Any) -> Resource:
        """Store a new resource of the control plane's own."""
        moment = now()
        fields = {"labels": {}, "status": None, **more}
        resource = Resource(kind, mesh, name, moment, moment, spec=spec, written=time.monotonic(), **fields)
        self.put(resource)
        return resource
