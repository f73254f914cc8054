# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading and writing resources."""

from __future__ import annotations

import re
import time
from typing import Any

from . import flat, labels, lifecycle, listing, rules, schema
from .auth import User, allow_resource
from .deprecations import warnings
from .errors import Refused, Violation, bad_request, invalid, not_found
from .golang import DecodeError, decode, rfc1035_problems
from .kinds import Kind
from .node import Node
from .store import Resource, now

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_INVALID_NAME = (
    "invalid characters. A lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_MESH = re.compile(r"[0-9a-z\-_.]*\Z")
_INVALID_MESH = "invalid characters. Valid characters are numbers, lowercase latin letters and '-', '_', '.' symbols."
_ON_ZONE = (
    "On zone control plane you can only modify zone resources with 'kumactl apply' or via the HTTP API. You can still "
    "use 'kumactl' or the HTTP API to modify the rest of the resource on the global control plane.\n"
)
_ON_GLOBAL = (
    "On global control plane you can not modify dataplane resources with 'kumactl apply' or via the HTTP API. You can "
    "still use 'kumactl' or the HTTP API to modify them on the zone control plane.\n"
)
_ORIGIN = f'["{labels.ORIGIN}"]'


class Resources:
    def __init__(self, node: Node) -> None:
        self.node, self.store = node, node.store

    # Reading.

    def find_mesh(self, kind: Kind, mesh: str | None) -> None:
        if kind.mesh_scoped and mesh is not None and self.store.get("Mesh", "", mesh) is None:
            raise not_found("Failed to retrieve Mesh")

    def find(self, kind: Kind, mesh: str, name: str, title: str = "Could not retrieve a resource") -> Resource:
        resource = self.store.get(kind.name, mesh, name)
        if resource is None:
            raise not_found(title)
        return resource

    def get(self, user: User, kind: Kind, mesh: str, name: str) -> Resource:
        self.find_mesh(kind, mesh)
        if kind.admin:
            allow_resource(user, kind.name)
        return self.find(kind, mesh, name)

    def page(self, user: User, kind: Kind, mesh: str | None, request: Any, route: str) -> Any:
        """A page: total, resources, link to the next one."""
        page = listing.page(request, route)
        self.find_mesh(kind, mesh)
        if kind.admin:
            allow_resource(user, kind.name)
        return page.cut(self.store.list(kind.name, mesh if kind.mesh_scoped else ""), request)

    # Writing.

    def read_only(self, kind: Kind) -> bool:
        options = self.node.options
        if options.read_only or kind.read_only:
            return True
        if options.mode == "global":
            return not kind.by_global
        return options.mode == "federated-zone" and not kind.by_zone

    def check_writable(self, kind: Kind) -> None:
        if self.read_only(kind):
            text = _ON_GLOBAL if self.node.options.mode == "global" else _ON_ZONE
            raise Refused(405, "Method not allowed", text)

    def put(self, user: User, kind: Kind, mesh: str, name: str, content: bytes) -> tuple[int, list[str]]:
        """Status and warnings."""
        self.find_mesh(kind, mesh)
        try:
            body, spec = self.read(kind, mesh, name, content)
        except DecodeError as error:
            raise bad_request(f"invalid {kind.name} object: {render_quoted(str(error))}") from None
        given = dict(body.get("labels") or {})
        self.check_request(kind, mesh, name, body, given)
        if kind.admin:
            allow_resource(user, kind.name)
        with self.store.lock:
            before = self.store.get(kind.name, mesh, name)
            computed = self.node.labels(kind, given, mesh, spec)
            if before is None:
                self.check_workload(kind, given)
            else:
                current = self.node.labels(kind, before.labels, mesh, before.spec)
                problems = labels.changed(current, computed)
                if problems:
                    raise invalid(problems, "Could not update a resource")
            self.conflict(kind, mesh, name)
            spec = lifecycle.prepare(self.node, kind, mesh, name, spec, before)
            self.write(kind, mesh, name, spec, computed, before)
        return (200 if before is not None else 201), warnings(kind.name, name, spec)

    def read(self, kind: Kind, mesh: str, name: str, content: bytes) -> tuple[dict, dict]:
        """The body and what is kept of it."""
        body = decode(content, "map[string]interface {}" if kind.plugin else "map[string]json.RawMessage")
        if not kind.plugin:
            flat.check_meta(body)
            spec = flat.keep(kind.name, body)
            problems = flat.violations(kind.name, spec)
            if problems:
                raise invalid(problems)
            return body, flat.complete(kind.name, spec)
        whole = schema.whole(kind.name)
        schema.default(body, whole)
        sentences = list(schema.violations(body, whole))
        if sentences:
            raise invalid([_violation(sentence) for sentence in sentences])
        spec = schema.keep(body["spec"], schema.KINDS[kind.name])
        problems = rules.violations(kind.name, body["name"], spec)
        if problems:
            raise invalid(problems)
        return body, spec

    def check_request(self, kind: Kind, mesh: str, name: str, body: dict, given: dict[str, str]) -> None:
        found: list[Violation] = []
        if body.get("name", "") != name:
            found.append(("name", "name from the URL has to be the same as in body"))
        if body.get("type") != kind.name:
            found.append(("type", "type from the URL has to be the same as in body"))
        sent = body.get("mesh") or "default"
        if kind.mesh_scoped and sent != mesh:
            found.append(("mesh", "mesh from the URL has to be the same as in body"))
        found += [(f"labels{at}", reason) for at, reason in self.check_origin(kind, given)]
        found += labels.violations(given, sent, self.node.options.zone)
        if not body.get("name"):
            found.append(("name", "cannot be empty"))
        elif len(body["name"]) > 253:
            found.append(("name", "value length must less or equal 253"))
        elif not _NAME.match(body["name"]):
            found.append(("name", _INVALID_NAME))
        if kind.mesh_scoped and not _MESH.match(sent):
            found.append(("mesh", _INVALID_MESH))
        if found:
            raise invalid(found)

    def check_origin(self, kind: Kind, given: dict[str, str]) -> list[Violation]:
        mode, origin = self.node.options.mode, given.get(labels.ORIGIN)
        if mode == "global" and origin not in (None, "global"):
            return [(_ORIGIN, "the origin label must be set to 'global'")]
        if mode == "federated-zone" and kind.plugin and origin != "zone":
            return [(_ORIGIN, "the origin label must be set to 'zone'")]
        return []

    def check_workload(self, kind: Kind, given: dict[str, str]) -> None:
        workload = given.get("kuma.io/workload") if kind.name == "Dataplane" else None
        problems = rfc1035_problems(workload) if workload else []
        if problems:
            words = "must be a valid DNS-1035 label (at most 63 characters, matching regex [a-z]([-a-z0-9]*[a-z0-9])?)"
            detail = f'labels["kuma.io/workload"]: {words}: {"; ".join(problems)}'
            raise bad_request(f"bad request: {detail}")

    def conflict(self, kind: Kind, mesh: str, name: str) -> None:
        """Every n-th write loses against another one, as it happens on a shared database."""
        self.node.writes += 1
        every = self.node.options.conflict_every
        if every and self.node.writes % every == 0:
            detail = f'resource conflict: type="{kind.name}" name="{name}" mesh="{mesh}"'
            raise Refused(409, "Conflict", detail)

    def write(
        self, kind: Kind, mesh: str, name: str, spec: dict, computed: dict[str, str], before: Resource | None
    ) -> None:
        if before is not None:
            moment = now()
            self.store.put(before._replace(spec=spec, labels=computed, modified=moment, written=time.monotonic()))
        elif kind.name == "Mesh":
            self.node.create_mesh(name, spec, computed)
        else:
            self.store.make(kind.name, mesh, name, spec, labels=computed, status=kind.status)

    def delete(self, user: User, kind: Kind, mesh: str, name: str) -> None:
        title = "Could not delete a resource"
        self.find_mesh(kind, mesh)
        with self.store.lock:
            resource = self.find(kind, mesh, name, title)
            problems = self.check_origin(kind, resource.labels)
            if problems:
                raise invalid(problems, title)
            if kind.admin:
                allow_resource(user, kind.name)
            self.conflict(kind, mesh, name)
            lifecycle.remove(self.node, resource)


def render_quoted(text: str) -> str:
    """Go's %q, which also escapes the quotes of what it quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _violation(sentence: str) -> Violation:
    first, space, rest = sentence.partition(" ")
    return (first, rest) if space and first.startswith("spec.") else ("", sentence)
