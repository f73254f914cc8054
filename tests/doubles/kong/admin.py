# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Admin API: one generic set of endpoints for all entities, as Kong generates them from its schemas."""

from __future__ import annotations

import json
import time
from typing import Any, Callable
from urllib.parse import quote

from . import arguments, errors
from .dao import Dao, new_id
from .entities import Entity
from .http_server import Request, Response
from .node import Node
from .paging import Result, listing, next_link, page_size
from .targets import Targets
from .validators import UUID, unescape
from .version import SERVER

# What a node answers while its database is away.
WITHOUT_DATABASE = ("/status", "/metrics", "/schemas", "/endpoints")
_COLLECTION, _ENTITY = ("GET", "POST"), ("DELETE", "GET", "PATCH", "PUT")


class MethodNotAllowed(Exception):
    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(allowed)
        self.allowed = allowed


class Admin:
    """Answers the requests of one listener; `node` answers what concerns no entity."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.store, self.catalog = node.store, node.catalog
        self.dao = Dao(node.store)
        self.targets = Targets(self)

    def __call__(self, request: Request) -> Response:
        return self.respond(request, self.answer)

    def respond(self, request: Request, answer: Callable[[Request], Result]) -> Response:
        started = time.monotonic()
        try:
            status, body = answer(request)
            headers: list[tuple[str, str]] = []
        except errors.KongError as error:
            status, body, headers = error.status, error.body(), []
        except errors.Answer as answer:
            status, body, headers = answer.status, answer.body, []
        except arguments.UnsupportedMediaType as unsupported:
            return self.finish(unsupported.response(), started)
        except MethodNotAllowed as refused:
            status, body, headers = self.not_allowed(request, refused.allowed)
        if isinstance(body, Response):
            return self.finish(body, started)
        payload = b""
        if status not in (204, 304):
            payload = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogateescape")
            headers.append(("Content-Type", "application/json; charset=utf-8"))
        return self.finish(Response(status, payload, headers), started)

    @staticmethod
    def not_allowed(request: Request, allowed: tuple[str, ...]) -> tuple[int, Any, list[tuple[str, str]]]:
        if request.method != "OPTIONS":
            return 405, {"message": "Method not allowed"}, []
        methods = ", ".join(sorted({*allowed, "OPTIONS", *(("HEAD",) if "GET" in allowed else ())}))
        return (
            204,
            None,
            [
                ("Allow", methods),
                ("Access-Control-Allow-Methods", methods),
                ("Access-Control-Allow-Headers", "Content-Type"),
            ],
        )

    @staticmethod
    def finish(response: Response, started: float) -> Response:
        headers = response.headers
        headers.set("Access-Control-Allow-Origin", "*")
        headers.set("Access-Control-Allow-Credentials", "true")
        headers.set("X-Kong-Admin-Latency", str(int((time.monotonic() - started) * 1000)))
        headers.set("Server", SERVER)
        return response

    def answer(self, request: Request) -> Result:
        raw = [segment for segment in request.path.split("/") if segment]
        segments = [unescape(segment) for segment in raw]
        info = self.node.find(segments, request.method)
        if info is not None:
            return self.call(request, info)
        if not segments:
            raise errors.not_found()
        entity = self.catalog.by_path.get(segments[0])
        if entity is None:
            raise errors.not_found()
        endpoints = self.endpoints(entity, segments, raw)
        return self.call(request, endpoints)

    def call(self, request: Request, endpoints: dict[str, Callable[[Request], Result]]) -> Result:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = endpoints.get(method)
        if endpoint is None:
            raise MethodNotAllowed(tuple(endpoints))
        if request.path.startswith("/config"):
            # A large configuration is read for seconds; it takes the lock itself when it is good.
            return endpoint(request)
        if request.path.startswith(WITHOUT_DATABASE):
            with self.store.lock:
                return endpoint(request)
        with self.node.transaction(method != "GET"):
            return endpoint(request)

    # Which endpoint a path is

    def endpoints(self, entity: Entity, segments: list[str], raw: list[str]) -> dict[str, Callable]:
        if entity.name == "targets":
            raise errors.not_found()
        if len(segments) == 1:
            return {
                "GET": lambda request: self.collection(entity, request),
                "POST": lambda request: self.create(entity, request, {}),
            }
        if len(segments) == 2:
            return self.entity(entity, segments[1])
        if len(segments) == 3 and segments[2] in entity.foreign and entity.name != "snis":
            return self.parent_of(entity, segments[1], segments[2])
        if entity.name == "upstreams":
            special = self.targets.endpoints(segments, raw)
            if special is not None:
                return special
        for child, name, _cascade in self.catalog.children(entity.name):
            if child.nested == segments[2] and len(segments) in (3, 4):
                if len(segments) == 3:
                    return self.nested_collection(entity, child, name, segments, raw)
                return self.nested_entity(entity, child, name, segments)
        raise errors.not_found()

    def entity(self, entity: Entity, key: str) -> dict[str, Callable]:
        def resolve(request: Request) -> str:
            return self.certificate_id(key, request.method) if entity.name == "certificates" else key

        return {
            "GET": lambda request: self.get(entity, resolve(request)),
            "PUT": lambda request: self.put(entity, resolve(request), request, {}),
            "PATCH": lambda request: self.patch(entity, resolve(request), request, {}),
            "DELETE": lambda request: self.delete(entity, resolve(request)),
        }

    def certificate_id(self, key: str, method: str) -> str:
        """Certificates are also named by one of their SNIs; a PUT with a name nobody has makes a new certificate."""
        if UUID.match(key):
            return key
        snis = self.catalog.entities["snis"]
        self.dao.check_unique(snis, "name", key)
        row = self.store.table(snis).find(("name",), key)
        if row is not None:
            return row["certificate"]["id"]
        if method != "PUT":
            raise errors.not_found("SNI not found")
        return new_id()

    # Collections

    def collection(self, entity: Entity, request: Request) -> Result:
        query = arguments.query(request)
        table = self.store.table(entity)
        if entity.name == "consumers" and "custom_id" in query:
            if not query["custom_id"]:
                raise errors.Answer(400, {"message": "custom_id must be an unempty string"})
            row = table.find(("custom_id",), query["custom_id"])
            return 200, {"data": [row] if row else [], "next": None}
        size, tags = query.get("size"), query.get("tags")
        page_size(size)
        rows, offset = self.dao.page(table, self.dao.filtered(table, tags), size, query.get("offset"))
        extra = f"&tags={quote(tags, safe='')}" if tags else ""
        extra += f"&size={size}" if size is not None else ""
        link = next_link(f"/{entity.path}", offset, extra)
        return listing([self.dao.show(entity, row) for row in rows], offset, link)

    def create(self, entity: Entity, request: Request, extra: dict) -> Result:
        args = {**arguments.body(request, entity.record), **extra}
        return 201, self.dao.show(entity, self.dao.insert(entity, args))

    def nested_collection(
        self, parent: Entity, child: Entity, name: str, segments: list[str], raw: list[str]
    ) -> dict[str, Callable]:
        def get(request: Request) -> Result:
            row = self.parent(parent, segments[1], request.method)
            query = arguments.query(request)
            table = self.store.table(child)
            # Nested lists of Kong ignore `tags`, and their `next` loses `size`.
            ids = table.by_parent[name].get(row["id"], [])
            rows, offset = self.dao.page(table, ids, query.get("size"), query.get("offset"))
            link = next_link(f"/{parent.path}/{raw[1]}/{child.nested}", offset)
            return listing([self.dao.show(child, r) for r in rows], offset, link)

        def post(request: Request) -> Result:
            row = self.parent(parent, segments[1], request.method)
            return self.create(child, request, {name: {"id": row["id"]}})

        return {"GET": get, "POST": post}

    def parent(self, entity: Entity, key: str, method: str) -> dict:
        if entity.name == "certificates":
            key = self.certificate_id(key, method)
        row = self.dao.select(entity, key)
        if row is None:
            raise errors.not_found()
        return row

    # Single entities

    def get(self, entity: Entity, key: str) -> Result:
        row = self.dao.select(entity, key)
        if row is None:
            if entity.name == "certificates":
                raise errors.absent({"id": key}, True)
            raise errors.not_found()
        return 200, self.dao.show(entity, row)

    def put(self, entity: Entity, key: str, request: Request, extra: dict) -> Result:
        args = {**arguments.body(request, entity.record), **extra}
        if entity.name == "certificates":
            args.setdefault("snis", None)
        return 200, self.dao.show(entity, self.dao.upsert(entity, key, args))

    def patch(self, entity: Entity, key: str, request: Request, extra: dict) -> Result:
        args = {**arguments.body(request, entity.record)}
        for name, value in extra.items():
            if not args.get(name):
                args[name] = value
        if entity.name == "plugins" and args.get("name") is None:
            row = self.dao.select(entity, key)
            if row is None:
                raise errors.not_found()
            args["name"] = row["name"]
        return 200, self.dao.show(entity, self.dao.update(entity, key, args))

    def delete(self, entity: Entity, key: str) -> Result:
        row = self.dao.select(entity, key)
        if row is not None:
            self.dao.delete(entity, row, None if UUID.match(key) else entity.endpoint_key)
        return 204, None

    def parent_of(self, entity: Entity, key: str, name: str) -> dict[str, Callable]:
        """/routes/{route}/service: the entity a foreign key names."""
        parent = self.catalog.entities[entity.foreign[name][0]]

        def row_of() -> dict:
            row = self.dao.select(entity, key)
            if row is None:
                raise errors.not_found()
            return row

        def foreign_id() -> str:
            value = row_of().get(name)
            if value is None:
                raise errors.not_found()
            return value["id"]

        def put(request: Request) -> Result:
            row = row_of()
            if row.get(name):
                return self.put(parent, row[name]["id"], request, {})
            status, body = self.put(parent, new_id(), request, {})
            self.dao.update(entity, row["id"], {name: {"id": body["id"]}})
            return status, body

        def delete(_request: Request) -> Result:
            foreign_id()
            raise MethodNotAllowed(_ENTITY)

        return {
            "GET": lambda _request: self.get(parent, foreign_id()),
            "PATCH": lambda request: self.patch(parent, foreign_id(), request, {}),
            "PUT": put,
            "DELETE": delete,
        }

    def nested_entity(self, parent: Entity, child: Entity, name: str, segments: list[str]) -> dict[str, Callable]:
        """/services/{service}/routes/{route}; PUT creates or moves, everything else needs the two to belong."""

        def mine(request: Request) -> tuple[dict, str]:
            owner = self.parent(parent, segments[1], request.method)
            key = self.acl_id(owner, segments[3], request.method) if child.name == "acls" else segments[3]
            if request.method != "PUT":
                row = self.dao.select(child, key)
                if row is None or not row.get(name) or row[name]["id"] != owner["id"]:
                    raise errors.not_found()
            return owner, key

        def put(request: Request) -> Result:
            owner, key = mine(request)
            extra: dict = {name: {"id": owner["id"]}}
            if key != segments[3] and not arguments.body(request, child.record).get("group"):
                extra["group"] = segments[3]
            return self.put(child, key, request, extra)

        def patch(request: Request) -> Result:
            owner, key = mine(request)
            return self.patch(child, key, request, {name: {"id": owner["id"]}})

        return {
            "GET": lambda request: self.get(child, mine(request)[1]),
            "PUT": put,
            "PATCH": patch,
            "DELETE": lambda request: self.delete(child, mine(request)[1]),
        }

    def acl_id(self, consumer: dict, key: str, method: str) -> str:
        """Below a consumer an ACL is also named by its group."""
        if UUID.match(key):
            return key
        acls = self.store.tables["acls"]
        row = acls.find(("consumer", "group"), consumer["id"], key)
        if row is not None:
            return row["id"]
        if method != "PUT":
            raise errors.Answer(404, {"message": "Not found", "request_id": new_id().replace("-", "")})
        return new_id()
