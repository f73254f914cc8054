# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a service sends a request: its host, or a target of the upstream of that name, by weight and health."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from .http_server import Request

if TYPE_CHECKING:
    from .node import Node


class NoPeer(Exception):
    """The upstream has no target that takes requests."""


class Balancer:
    def __init__(self, node: Node) -> None:
        self.node = node
        self.lock = threading.Lock()
        # (upstream, target) -> what smooth weighted round robin remembers of it.
        self.current: dict[tuple[str, str], float] = {}

    def upstream(self, service: dict) -> dict | None:
        return self.node.store.tables["upstreams"].find(("name",), service["host"])

    def peers(self, service: dict, request: Request, consumer: dict | None) -> Iterator[tuple[str, str]]:
        """(address with port, host header) of the peers to try in turn: as often as the service retries."""
        upstream = self.upstream(service)
        attempts = 1 + (service.get("retries") or 0)
        if upstream is None:
            address = f"{service['host']}:{service['port']}"
            for _ in range(attempts):
                yield address, address
            return
        tried: set[str] = set()
        for _ in range(attempts):
            target = self.choose(upstream, request, consumer, tried)
            tried.add(target)
            yield target, upstream.get("host_header") or target

    def choose(self, upstream: dict, request: Request, consumer: dict | None, tried: set[str]) -> str:
        table = self.node.store.tables["targets"]
        with self.node.store.lock:
            rows = [table.rows[i] for i in table.by_parent["upstream"].get(upstream["id"], ())]
        rows = [row for row in rows if row["weight"] > 0 and self.node.health.healthy(upstream, row)]
        if not rows:
            raise NoPeer
        rows = [row for row in rows if row["target"] not in tried] or rows
        key = hash_key(upstream, request, consumer)
        if key is not None:
            point = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
            point %= sum(row["weight"] for row in rows)
            for row in rows:
                point -= row["weight"]
                if point < 0:
                    return row["target"]
        with self.lock:
            total = sum(row["weight"] for row in rows)
            for row in rows:
                slot = (upstream["id"], row["target"])
                self.current[slot] = self.current.get(slot, 0) + row["weight"]
            best = max(rows, key=lambda row: self.current[upstream["id"], row["target"]])
            self.current[upstream["id"], best["target"]] -= total
            return best["target"]


def hash_key(upstream: dict, request: Request, consumer: dict | None) -> str | None:
    """What consistent hashing hashes, None for the other algorithms."""
    if upstream["algorithm"] != "consistent-hashing":
        return None
    for field in ("hash_on", "hash_fallback"):
        kind, value = upstream[field], None
        if kind == "ip":
            value = request.client
        elif kind == "consumer":
            value = consumer["id"] if consumer else None
        elif kind == "header":
            value = request.headers.get(upstream[f"{field}_header"] or "")
        elif kind == "path":
            value = request.path
        elif kind == "query_arg":
            value = parse_qs(request.query).get(upstream[f"{field}_query_arg"] or "", [None])[0]
        if value is not None:
            return str(value)
    return None
