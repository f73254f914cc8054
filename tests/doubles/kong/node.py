# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Admin and Status APIs answer about the node itself: /, /status, /schemas, /tags, /config and their like."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from . import arguments, errors, migrations
from .database import Database, Unreachable
from .declarative import EMPTY_HASH, Declarative
from .entities import DATA, Catalog, Entity
from .health import Health
from .http_server import Request, Response
from .lua import clone
from .metrics import Metrics
from .paging import Result, decode_offset, listing, next_link, page_size, tag_page
from .schema import ShorthandError
from .store import Store
from .validators import tag as tag_problem
from .version import VERSION

Endpoints = dict[str, Callable[[Request], "Result"]]
_NO_CONFIG = "this endpoint is only available when Kong is configured to not use a database"
_NO_CLUSTER = "this endpoint is only available when Kong is configured to run as Control Plane for the cluster"


@dataclass
class Options:
    database: str = "postgres"
    host: str = "127.0.0.1"
    proxy_port: int = 8000
    proxy_ssl_port: int | None = None
    admin_port: int = 8001
    status_port: int = 8007
    prefix: Path | None = None
    declarative_config: Path | None = None
    # Seconds until a change reaches the router, as worker_state_update_frequency makes them in Kong.
    router_delay: float = 0.0
    # Seconds until a node sees what another one wrote to the database.
    update_frequency: float = 5.0


class Node:
    def __init__(self, options: Options, database: Database | None = None) -> None:
        """Without a `database`, the semantics of one are kept in memory, or there is none at all."""
        self.options, self.database = options, database
        self.dbless = options.database == "off"
        self.catalog = Catalog(self.dbless)
        self.store = Store(self.catalog, self.dbless)
        self.declarative = Declarative(self.store, options.prefix) if self.dbless else None
        self.data = json.loads((DATA / "node.json").read_text(encoding="utf-8"))
        self.node_id = str(uuid.uuid4())
        self.health = Health(self)
        self.metrics = Metrics(self)
        self.draining = False
        # Migrations of a newer version were finished, and have taken away what this one needs.
        self.outdated = False
        self.log_level = "notice"
        self._requests = 0
        self._lock = threading.Lock()
        if self.declarative:
            self.declarative.boot(options.declarative_config)
        if database is not None:
            database.refresh(self.store)
            threading.Thread(target=self._follow, args=(database,), daemon=True).start()

    def _follow(self, database: Database) -> None:
        """Take over what other nodes write; while the database is away, what is known is served."""
        while True:
            time.sleep(self.options.update_frequency)
            try:
                with self.store.lock:
                    database.refresh(self.store)
                self.outdated = migrations.is_outdated(database)
            except Unreachable as error:
                print(f"kong-double: {error}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def transaction(self, writing: bool) -> Iterator[None]:
        """Around everything that a request does with entities."""
        with self.store.lock:
            if self.database is None:
                yield
                return
            with self.database.transaction(self.store, writing):
                yield

    def count(self) -> int:
        with self._lock:
            self._requests += 1
            return self._requests

    @property
    def configuration_hash(self) -> str:
        return self.declarative.hash if self.declarative else EMPTY_HASH

    # Dispatch

    def find(self, segments: list[str], method: str) -> Endpoints | None:
        self.count()
        if not segments:
            return {"GET": self.root}
        first, rest = segments[0], segments[1:]
        handler = getattr(self, "_path_" + first.replace("-", "_"), None)
        return handler(rest) if handler is not None else None

    def root(self, _request: Request) -> Result:
        body = clone(self.data["root"])
        body["version"] = VERSION
        configuration = body["configuration"] = clone(self.data["configuration"])
        configuration["database"] = self.options.database
        host = self.options.host
        listeners: dict[str, list[tuple[int | None, str]]] = {
            "proxy": [(self.options.proxy_port, ""), (self.options.proxy_ssl_port, " ssl")],
            "admin": [(self.options.admin_port, "")],
            "status": [(self.options.status_port, "")],
        }
        for name, ports in listeners.items():
            configuration[f"{name}_listen"] = [f"{host}:{port}{ssl}" for port, ssl in ports if port]
        if self.dbless:
            del configuration["pg_password"]
        if self.options.prefix:
            configuration["prefix"] = str(self.options.prefix)
        plugins = self.store.tables["plugins"].rows.values()
        body["plugins"]["enabled_in_cluster"] = sorted({row["name"] for row in plugins})
        body.update(hostname=socket.gethostname(), node_id=self.node_id, pids={"master": os.getpid(), "workers": []})
        return 200, body

    def _path_status(self, rest: list[str]) -> Endpoints | None:
        return {"GET": self.status} if not rest else None

    def status(self, _request: Request) -> Result:
        total = self.count()
        server = dict.fromkeys(
            ("connections_active", "connections_reading", "connections_writing", "connections_waiting"), 1
        )
        server.update(total_requests=total, connections_handled=total, connections_accepted=total)
        body: dict[str, Any] = {"server": server, "memory": self.data["memory"]}
        if self.dbless:
            body["configuration_hash"] = self.configuration_hash
        else:
            body["database"] = {"reachable": self.database is None or self.database.is_reachable()}
        return 200, body

    def ready(self, _request: Request) -> Result:
        if self.draining:
            return 503, {"message": "draining"}
        if self.dbless and self.configuration_hash == EMPTY_HASH:
            return 503, {"message": "no configuration available (empty configuration present)"}
        if self.database is not None and not self.database.is_reachable():
            return 503, {"message": "failed to connect to database"}
        return 200, {"message": "ready"}

    def drain(self, request: Request) -> Result:
        wanted = arguments.query(request).get("status") or arguments.body(request).get("status")
        if wanted != "draining":
            page = (
                b"<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n"
                b"<center><h1>400 Bad Request</h1></center>\r\n</body>\r\n</html>\r\n"
            )
            response = Response(400, page, [("Content-Type", "text/html; charset=UTF-8")])
            response.close = True
            return 400, response
        self.draining = True
        return 204, None

    def _path_endpoints(self, rest: list[str]) -> Endpoints | None:
        return {"GET": lambda _request: (200, {"data": self.data["endpoints"]})} if not rest else None

    def _path_timers(self, rest: list[str]) -> Endpoints | None:
        stats: dict[str, Any] = {"flamegraph": dict.fromkeys(("running", "pending", "elapsed_time"), ""), "timers": {}}
        stats["sys"] = dict.fromkeys(("running", "runs", "pending", "total", "waiting"), 0)
        return {"GET": lambda _request: (200, {"worker": {"id": 0, "count": 1}, "stats": stats})} if not rest else None

    def _path_cache(self, rest: list[str]) -> Endpoints | None:
        if len(rest) > 1:
            return None

        def absent(_request: Request) -> Result:
            raise errors.not_found()

        nothing: Endpoints = {"DELETE": lambda _request: (204, None)}
        return {"GET": absent, **nothing} if rest else nothing

    def _path_filter_chains(self, _rest: list[str]) -> Endpoints:
        answer = (400, {"message": "this endpoint is only available when wasm is enabled"})
        return dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), lambda _request: answer)

    def _path_clustering(self, rest: list[str]) -> Endpoints | None:
        known = rest in (["status"], ["data-planes"])
        return {"GET": lambda _request: (400, {"message": _NO_CLUSTER})} if known else None

    def _path_debug(self, rest: list[str]) -> Endpoints | None:
        def put(_request: Request) -> Result:
            if self.dbless:
                return 405, {"message": "cannot change log level when not using a database"}
            if rest[2] == self.log_level:
                return 200, {"message": f"log level is already {self.log_level}"}
            self.log_level = rest[2]
            return 200, {"message": "log level changed"}

        if rest == ["node", "log-level"]:
            return {"GET": lambda _request: (200, {"message": f"log level: {self.log_level}"})}
        return {"PUT": put} if rest[:2] == ["node", "log-level"] and len(rest) == 3 else None

    def _path_metrics(self, rest: list[str]) -> Endpoints | None:
        def get(_request: Request) -> Result:
            return 200, Response(200, self.metrics.text().encode(), [("Content-Type", "text/plain; charset=UTF-8")])

        return {"GET": get} if not rest else None

    # Plugins, schemas, tags

    def _path_plugins(self, rest: list[str]) -> Endpoints | None:
        if rest == ["enabled"]:
            return {"GET": lambda _request: (200, {"enabled_plugins": list(self.catalog.plugins)})}
        if len(rest) == 2 and rest[0] == "schema":
            definition = self._named(self.catalog.plugins, "plugin", rest[1])
            config = next(entry["config"] for entry in definition["fields"] if "config" in entry)
            shown = {"fields": config["fields"], "entity_checks": config.get("entity_checks", [])}
            return {"GET": lambda _request: (200, shown)}
        return None

    @staticmethod
    def _named(known: dict[str, Any], kind: str, name: str) -> Any:
        if name not in known:
            raise errors.not_found(f"No {kind} named '{name}'")
        return known[name]

    def _path_schemas(self, rest: list[str]) -> Endpoints | None:
        if len(rest) == 2 and rest[1] == "validate":
            return {"POST": lambda request: self.validate(rest[0], request)}
        if len(rest) == 2 and rest[0] in ("plugins", "vaults"):
            known = self.catalog.plugins if rest[0] == "plugins" else self.catalog.vaults
            return {"GET": lambda _request: (200, self._named(known, rest[0][:-1], rest[1]))}
        if len(rest) == 1:
            return {"GET": lambda _request: (200, self._named(self.catalog.shown, "entity", rest[0]))}
        return None

    def validate(self, name: str, request: Request) -> Result:
        """Validate one entity alone: neither whether a value is unique nor whether a key leads anywhere."""
        entity: Entity = self._named(self.catalog.entities, "entity", name)
        args = arguments.body(request, entity.record)
        args.pop("ttl", None) if entity.ttl else None
        try:
            data = entity.record.with_defaults(args, "insert")
        except ShorthandError as error:
            raise errors.schema_violation(error.errors) from error
        problems = entity.record.validate(data, True, args)
        if problems:
            raise errors.schema_violation(problems)
        return 200, {"message": "schema validation successful"}

    def _path_tags(self, rest: list[str]) -> Endpoints | None:
        if len(rest) > 1:
            return None
        return {"GET": lambda request: self.tags(request, rest[0] if rest else None)}

    def tags(self, request: Request, tag: str | None) -> Result:
        query = arguments.query(request)
        size = page_size(query.get("size"))
        after = None
        if query.get("offset") is not None:
            after = decode_offset(query["offset"])
            if after is None:
                raise errors.invalid_offset(query["offset"])
        if tag is not None:
            problem = tag_problem(tag)
            if problem:
                raise errors.invalid_unique("tag", problem)
        rows = []
        if self.dbless and not any(table.by_tag for table in self.store.tables.values()):
            # Where nothing has a tag, a DB-less node answers with an offset that leads nowhere.
            nowhere = "consumers|nil"
            return listing([], nowhere, next_link("/tags" if tag is None else f"/tags/{tag}", nowhere))
        for name, table in self.store.tables.items():
            for row in table.rows.values():
                if self.dbless and not row.get("tags"):
                    raise errors.unexpected()
                for position, value in enumerate(row.get("tags") or (), 1):
                    if tag in (None, value):
                        rows.append((row["id"], name, value, position))
        rows.sort(key=lambda row: (row[0], row[3]))
        page, offset = tag_page(rows, size, after)
        if tag is None:
            link = next_link("/tags", offset, f"&size={query['size']}" if "size" in query else "")
        else:
            link = next_link(f"/tags/{tag}", offset)
        data = [{"entity_id": i, "entity_name": name, "tag": value} for i, name, value, _position in page]
        return listing(data, offset, link)

    # DB-less configuration

    def _path_config(self, rest: list[str]) -> Endpoints | None:
        if rest:
            return None
        if self.declarative is None:
            return dict.fromkeys(("GET", "POST"), lambda _request: (400, {"message": _NO_CONFIG}))
        declarative = self.declarative
        return {"GET": lambda _request: (200, {"config": declarative.export()}), "POST": declarative.post}


class StatusApi:
    """A listener of its own with /status, /status/ready and /metrics; nothing else of the Admin API is there."""

    def __init__(self, admin: Any) -> None:
        self.admin = admin

    def __call__(self, request: Request) -> Response:
        path = request.path.rstrip("/")
        node: Node = self.admin.node
        if path == "/status/ready":
            endpoints: Endpoints = {"GET": node.ready, "POST": node.drain}
            return self.admin.respond(request, lambda r: self.admin.call(r, endpoints))
        if path in ("/status", "/metrics"):
            return self.admin(request)

        def absent(_request: Request) -> Result:
            raise errors.not_found()

        return self.admin.respond(request, absent)
