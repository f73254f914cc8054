# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The port that proxies connect to. Kuma speaks Envoy's xDS there; the double speaks JSON with its own kuma-dp.

A connection is what a stream is to Kuma: its token is checked when it begins, with any instance, and not again.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from .. import auth, tokens
from ..errors import Refused, encode, not_found
from ..http_server import Request, Response
from ..kinds import KINDS
from ..node import Node
from ..resources import Resources
from ..selection import selected_by_service
from ..store import Resource
from .postgres import PostgresStore

# Seconds without a word after which a proxy counts as offline.
SILENCE = 4.0
# How long the Dataplane of a proxy that ended stays, as recorded.
DEREGISTRATION = 10.0


class Proxies:
    def __init__(self, node: Node, store: PostgresStore) -> None:
        self.node, self.store, self.resources = node, store, Resources(node)
        self.mutex = threading.Lock()
        # Identifiers of connections that this instance has accepted.
        self.accepted: set[str] = set()

    def __call__(self, request: Request) -> Response:
        try:
            if request.method != "POST" or request.path not in ("/bootstrap", "/connect", "/leave"):
                return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")
            body = json.loads(request.body)
            if request.path == "/bootstrap":
                return Response(200, encode({"instance": self.node.instance_id}))
            answer = self.connect(body) if request.path == "/connect" else self.leave(body)
            return Response(200, encode(answer))
        except Refused as error:
            return error.response()

    def authenticate(self, body: dict[str, Any]) -> None:
        dataplane = body["dataplane"]
        mesh, name = dataplane.get("mesh") or "default", dataplane.get("name")
        claims = tokens.check_dataplane(self.store, mesh, body["token"])
        problem = "" if claims else "could not parse token. token is expired, revoked, or of another control plane"
        if claims:
            labels = dataplane.get("labels") or {}
            inbounds = (dataplane.get("networking") or {}).get("inbound") or []
            if claims["Name"] and claims["Name"] != name:
                problem = f"proxy name from requestor: {name} is different than in token: {claims['Name']}"
            elif claims["Mesh"] != mesh:
                problem = f"proxy mesh from requestor: {mesh} is different than in token: {claims['Mesh']}"
            elif claims["Workload"] and claims["Workload"] != labels.get("kuma.io/workload"):
                problem = f"workload of the proxy is different than in token: {claims['Workload']}"
            for tag, values in (claims["Tags"] or {}).items():
                if any((one.get("tags") or {}).get(tag) not in values for one in inbounds):
                    problem = f"dataplane has a tag {tag} with a value that is not in token: {', '.join(values)}"
        if problem:
            raise Refused(401, "Unauthenticated", f"authentication failed: {problem}")

    def connect(self, body: dict[str, Any]) -> dict[str, Any]:
        dataplane, connection = body["dataplane"], body["connection"]
        mesh, name = dataplane.get("mesh") or "default", dataplane["name"]
        with self.mutex:
            fresh = connection not in self.accepted
        with self.store.lock:
            if fresh:
                self.authenticate(body)
            if body["begin"]:
                # As the administrator: who may register a Dataplane, its token has told.
                content = json.dumps(dataplane).encode()
                self.resources.put(auth.ADMIN, KINDS["Dataplane"], mesh, name, content)
            found = self.store.get("Dataplane", mesh, name)
            if found is None:
                raise not_found(f'resource not found: type="Dataplane" name="{name}" mesh="{mesh}"')
            self.store.connected(mesh, name, first=fresh)
            answer = {"outbounds": self.outbounds(found)}
        with self.mutex:
            self.accepted.add(connection)
        return answer

    def leave(self, body: dict[str, Any]) -> dict[str, Any]:
        dataplane = body["dataplane"]
        with self.mutex:
            known = body["connection"] in self.accepted
        if not known:
            self.authenticate(body)
        self.store.disconnected(dataplane.get("mesh") or "default", dataplane["name"])
        return {}

    def outbounds(self, proxy: Resource) -> list[dict[str, Any]]:
        """Of each outbound the addresses that serve it; with a transparent proxy, of every service's virtual IP."""
        online = self.store.online(SILENCE)
        networking = proxy.spec.get("networking", {})
        found = []
        for outbound in networking.get("outbound", []):
            ref = outbound.get("backendRef") or {}
            service = self.store.get("MeshService", proxy.mesh, ref.get("name", ""))
            address = outbound.get("address") or "127.0.0.1"
            found.append(self.outbound(address, outbound["port"], service, ref.get("port"), online))
        if networking.get("transparentProxying"):
            for service in self.store.list("MeshService", proxy.mesh):
                for vip in (service.status or {}).get("vips", []):
                    for port in service.spec.get("ports", []):
                        found.append(self.outbound(vip["ip"], port["port"], service, port["port"], online))
        return found

    def outbound(
        self, address: str, port: int, service: Resource | None, wanted: Any, online: set[tuple[str, str]]
    ) -> dict[str, Any]:
        entry: dict[str, Any] = {"address": address, "port": port, "protocol": "tcp", "endpoints": []}
        if service is None:
            return entry
        served = next((one for one in service.spec.get("ports", []) if one["port"] == wanted), None)
        if served is None:
            return entry
        entry["protocol"] = served.get("appProtocol", "tcp")
        target = served.get("targetPort", served["port"])
        for one in self.store.list("Dataplane", service.mesh):
            networking = one.spec.get("networking", {})
            serves = any(inbound["port"] == target for inbound in networking.get("inbound", []))
            if serves and selected_by_service(service, one) and (one.mesh, one.name) in online:
                entry["endpoints"].append([networking["address"], target])
        return entry


class Departures(threading.Thread):
    """Takes away the Dataplanes of proxies that have ended."""

    def __init__(self, store: PostgresStore) -> None:
        super().__init__(daemon=True)
        self.store, self.stop = store, threading.Event()

    def run(self) -> None:
        while not self.stop.wait(1):
            with self.store.lock:
                for mesh, name in self.store.left(DEREGISTRATION) if self.store.leads() else ():
                    self.store.delete("Dataplane", mesh, name)
