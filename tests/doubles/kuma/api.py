# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The REST API: routes, what the router refuses, the answers of every path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from . import auth, data_files, insights, inspect_dataplane, kinds, render, tokens
from .auth import User
from .errors import TEXT, Plain, Refused, bad_request, encode, invalid, not_found
from .http_server import Request, Response
from .kinds import BY_PATH, KINDS, Kind
from .node import Node
from .resources import Resources

_CONFIG: dict[str, Any] = data_files.load("config")
_HTML = "text/html; charset=utf-8"
_ITEM, _COLLECTION = "PUT, DELETE, GET", "GET"
_TOKENS = {"dataplane": tokens.dataplane, "zone": tokens.zone, "user": tokens.user}
_GUI = b"<!DOCTYPE html>\n<title>kuma-double</title>\n<p>A test double of a control plane. It is not Kuma.</p>\n"


def answer(body: Any, status: int = 200) -> Response:
    return Response(status, encode(body))


class Api:
    def __init__(self, node: Node) -> None:
        self.node, self.store, self.resources = node, node.store, Resources(node)
        self.pages: dict[str, Callable[[User], Any]] = {
            "/config": lambda user: config(node),
            "/who-am-i": lambda user: {"name": user.name, "groups": list(user.groups)},
            "/policies": lambda user: {"policies": [self.listed(one) for one in kinds.CATALOGUE["policies"]]},
            "/_resources": lambda user: {"resources": [self.listed(one) for one in kinds.CATALOGUE["resources"]]},
            "/global-insight": lambda user: insights.global_insight(node),
            "/global-insights": lambda user: insights.global_insights(node),
        }

    def __call__(self, request: Request) -> Response:
        try:
            return self.route(request)
        except (Plain, Refused) as error:
            return error.response()

    def route(self, request: Request) -> Response:
        path = request.path
        if "//" in path:
            return redirect(re.sub("/+", "/", path))
        if path == "/gui":
            return redirect("/gui/")
        if path.startswith("/gui/"):
            return Response(200, _GUI, _HTML)
        path = path.rstrip("/") or "/"
        parts = [unquote(part) for part in path.split("/")[1:]]
        if path == "/":
            accept(request, _COLLECTION)
            return answer(self.index())
        if parts[0] == "tokens" and len(parts) == 2 and parts[1] in _TOKENS:
            accept(request, "POST")
            return self.token(request, parts[1])
        if path in self.pages:
            accept(request, _COLLECTION)
            return answer(self.pages[path](self.user(request)))
        if parts[0] == "_kri" and len(parts) == 2:
            accept(request, _COLLECTION)
            return self.by_kri(self.user(request), parts[1])
        return self.resource_route(request, parts)

    def user(self, request: Request) -> User:
        return auth.authenticate(self.store, request, self.node.options.localhost_is_admin)

    def listed(self, entry: dict) -> dict:
        # Recorded: a zone of a global control plane says so of every kind, also of those that it takes.
        options = self.node.options
        closed = options.read_only or options.mode == "federated-zone" or KINDS[entry["name"]].read_only
        return {**entry, "readOnly": closed}

    def index(self) -> dict[str, Any]:
        node = self.node
        return {
            "clusterId": node.cluster_id if node.settled else "",
            "gui": "/gui",
            "hostname": node.hostname,
            "instanceId": node.instance_id,
            "product": "Kuma",
            "version": node.options.version,
        }

    def token(self, request: Request, which: str) -> Response:
        user = self.user(request)
        try:
            body = json.loads(request.body)
        except ValueError:
            return Response(400, content_type=None)
        if not isinstance(body, dict) or not tokens.is_request(body):
            return Response(400, content_type=None)
        text = _TOKENS[which](self.store, body, lambda what: auth.allow_token(user, what))
        return Response(200, text.encode(), "text/plain")

    def by_kri(self, user: User, text: str) -> Response:
        parts = re.match(r"kri_([a-z]*)_([^_]*)_([^_]*)_([^_]*)_([^_]*)_([^_]*)\Z", text)
        if parts is None:
            raise bad_request(f'bad request: invalid identifier string: "{text}"')
        kind = kinds.BY_SHORT.get(parts.group(1))
        if kind is None:
            raise bad_request(f'bad request: unknown short name of resource type: "{parts.group(1)}"')
        if kind.name == "Mesh":
            # Shown by every mesh, and not found.
            raise not_found("Could not retrieve a resource")
        for resource in self.store.list(kind.name, parts.group(2)):
            if render.resource_kri(kind, resource, parts.group(6)) == text:
                return answer(render.universal(resource))
        raise not_found("Could not retrieve a resource")

    # Resources.

    def resource_route(self, request: Request, parts: list[str]) -> Response:
        if parts[0] == "meshes" and len(parts) > 2 and parts[2] != "_overview":
            mesh, rest = parts[1], parts[2:]
            prefix = "/meshes/{mesh}/"
        else:
            mesh, rest, prefix = None, parts, "/"
        kind, legacy = find_kind(rest[0])
        if kind is None or (mesh is None and kind.mesh_scoped and len(rest) > 1 and rest[1] != "_overview"):
            raise Plain(404)
        if mesh is not None and not kind.mesh_scoped:
            raise Plain(404)
        if len(rest) == 1 or (rest[1:] == ["_overview"] and has_overview(kind)):
            accept(request, _COLLECTION)
            return self.collection(request, kind, mesh, f"{prefix}{kind.path}", legacy or len(rest) > 1)
        scope = mesh or ""
        if len(rest) == 2 and not legacy:
            return self.item(request, kind, scope, rest[1])
        if len(rest) == 2 or (rest[2:] == ["_overview"] and has_overview(kind)):
            accept(request, _COLLECTION)
            resource = self.resources.get(self.user(request), kind, scope, rest[1])
            return answer(render.overview(resource, insights.insight(self.node, resource) or {}))
        return self.below(request, kind, scope, rest[1], rest[2:])

    def below(self, request: Request, kind: Kind, mesh: str, name: str, path: list[str]) -> Response:
        handler = inspect_dataplane.find(kind, path)
        if handler is None:
            raise Plain(404)
        accept(request, _COLLECTION)
        if path == ["_config"] and self.node.options.mode == "global":
            raise Refused(405, "Method not allowed", "Not allowed on global CP")
        resource = self.resources.get(self.user(request), kind, mesh, name)
        return answer(handler(self.node, resource, path))

    def collection(self, request: Request, kind: Kind, mesh: str | None, route: str, overview: bool) -> Response:
        user = self.user(request)
        if kind.read_only:
            rows = insights.rows(self.node, kind.name, mesh)
            return answer({"total": len(rows), "items": rows, "next": None})
        total, found, following = self.resources.page(user, kind, mesh, request, route)
        if overview:
            items = [render.overview(one, insights.insight(self.node, one)) for one in found]
        else:
            items = [render.universal(one) for one in found]
        return answer({"total": total, "items": items, "next": following})

    def item(self, request: Request, kind: Kind, mesh: str, name: str) -> Response:
        accept(request, _ITEM)
        if request.method != "GET":
            self.resources.check_writable(kind)
        user = self.user(request)
        if request.method == "PUT":
            status, warnings = self.resources.put(user, kind, mesh, name, request.body)
            return answer({"warnings": warnings} if warnings else {}, status)
        if request.method == "DELETE":
            self.resources.delete(user, kind, mesh, name)
            return answer({})
        if kind.read_only:
            row = next((one for one in insights.rows(self.node, kind.name, mesh or None) if one["name"] == name), None)
            if row is None:
                raise not_found("Could not retrieve a resource")
            return answer(row)
        resource = self.resources.get(user, kind, mesh, name)
        query = dict(request.query)
        form = query.get("format", "")
        if form in ("k8s", "kubernetes"):
            return answer(render.kubernetes(resource, query.get("namespace", "")))
        if form not in ("", "universal"):
            reason = '"format" must be one of ["k8s", "kubernetes", "universal"]'
            raise invalid([("", reason)], "Could not retrieve a resource")
        return answer(render.universal(resource))


def find_kind(path: str) -> tuple[Kind | None, bool]:
    """The kind of a path, and whether it is the old path of its overviews."""
    if path in BY_PATH:
        return BY_PATH[path], False
    for kind in KINDS.values():
        if kind.legacy_overview == path:
            return kind, True
    return None, False


def has_overview(kind: Kind) -> bool:
    return bool(kind.legacy_overview)


def redirect(location: str) -> Response:
    text = f'<a href="{location}">Temporary Redirect</a>.\n\n'
    return Response(307, text.encode(), _HTML, (("Location", location),))


def accept(request: Request, methods: str) -> None:
    """What the router checks before a handler: the method, the type of the body, the types wanted."""
    if request.method not in methods.split(", "):
        raise Plain(405, allow=methods)
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in ("PUT", "POST") and content != "application/json":
        raise Plain(415)
    wanted = request.headers.get("accept", "*/*")
    types = {part.partition(";")[0].strip() for part in wanted.split(",")}
    if not types & {"*/*", "application/json"}:
        raise Plain(406, "406: Not Acceptable\n\nAvailable representations: application/json")


def config(node: Node) -> dict[str, Any]:
    body = json.loads(json.dumps(_CONFIG))
    options = node.options
    body["mode"] = "global" if options.mode == "global" else "zone"
    body["environment"] = options.environment
    body["multizone"]["zone"]["name"] = options.zone
    if options.mode == "federated-zone":
        # Not recorded: from the configuration's struct in Kuma 2.14.
        body["multizone"]["zone"]["globalAddress"] = "grpcs://127.0.0.1:5685"
    body["apiServer"]["readOnly"] = options.read_only
    body["apiServer"]["http"].update(interface=options.host, port=options.port)
    body["apiServer"]["authn"]["localhostIsAdmin"] = options.localhost_is_admin
    return body


class Diagnostics:
    """The diagnostics port."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __call__(self, request: Request) -> Response:
        if request.path in ("/ready", "/healthy"):
            return Response(200, content_type=None)
        if request.path == "/metrics":
            return Response(200, insights.metrics(self.node).encode(), "text/plain; version=0.0.4; charset=utf-8")
        return Response(404, b"404 page not found\n", TEXT)
