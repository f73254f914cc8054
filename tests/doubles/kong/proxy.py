# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy: route, run plugins, ask the upstream, answer."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
import uuid
from typing import TYPE_CHECKING

from .balancer import Balancer, NoPeer
from .http_server import Headers, Request, Response
from .proxy_plugins import Context, Exit, Plugins
from .router import Router, plugins_for, upstream_path
from .version import SERVER, VIA

if TYPE_CHECKING:
    from .node import Node

_JSON = "application/json; charset=utf-8"
_HOP = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
_MAX_URI = 8192


class Proxy:
    """Answers the requests of the proxy listeners."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.plugins = Plugins()
        self.balancer = Balancer(node)
        self.router = Router(node.store)
        self.router_lock = threading.Lock()
        self.connections = threading.local()

    def current_router(self) -> Router:
        """The router; a change of the store reaches it after the delay that is asked for."""
        store = self.node.store
        with self.router_lock:
            if self.router.version != store.version:
                with store.lock:
                    waited = time.monotonic() - (store.changed_at or 0)
                    if waited >= self.node.options.router_delay:
                        store.changed_at = None
                        self.router = Router(store)
            return self.router

    def __call__(self, request: Request) -> Response:
        started = time.monotonic()
        request_id = uuid.uuid4().hex
        self.node.count()
        if len(request.target) > _MAX_URI:
            return self.plain(414, "URI too long", request_id)
        if " " in (request.headers.get("host") or ""):
            return self.plain(400, "Bad request", request_id)
        if self.node.outdated:
            return self.error(500, {"message": "An unexpected error occurred"}, request_id, started)
        matched = self.current_router().match(request)
        if matched is None:
            return self.error(404, {"message": "no Route matched with those values"}, request_id, started)
        route, prefix = matched
        service = self.node.store.tables["services"].rows.get((route.get("service") or {}).get("id", ""))
        context = Context(self.node.store, request, route, service, request_id, request.headers.copy(), request.query)
        refused = self.protocol(context, started)
        if refused is not None:
            return refused
        response, source, waited = self.serve(context, prefix, started)
        self.node.metrics.observe(context, response, source, started, waited)
        return response

    def protocol(self, context: Context, started: float) -> Response | None:
        """A route of https alone refuses plain HTTP, or sends the client there."""
        route, request = context.route, context.request
        wanted = "https" if request.sni is not None else "http"
        if wanted in route["protocols"] or request.sni is not None or f"grpc{wanted[4:]}" in route["protocols"]:
            return None
        status = route["https_redirect_status_code"]
        if status == 426:
            headers = {"Connection": "Upgrade", "Upgrade": "TLS/1.2, HTTP/1.1"}
            return self.error(426, {"message": "Please use HTTPS protocol"}, context.request_id, started, headers)
        host = (request.headers.get("host") or "").rpartition(":")[0] or (request.headers.get("host") or "")
        reason = {301: "Moved Permanently", 302: "Found", 307: "Temporary Redirect", 308: "Permanent Redirect"}[status]
        page = (
            f"<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n"
            f"<center><h1>{status} {reason}</h1></center>\r\n</body>\r\n</html>\r\n"
        )
        headers_list = [("Content-Type", "text/html"), ("Location", f"https://{host}{request.target}")]
        return self.finish(Response(status, page.encode(), headers_list), context.request_id, started)

    def serve(self, context: Context, prefix: str, started: float) -> tuple[Response, str, float | None]:
        """(answer, who gave it, seconds the upstream took)."""
        try:
            self.run_plugins(context)
        except Exit as given:
            return self.exit(context, given, started), "kong", None
        if context.service is None:
            body = {"message": "no Service found with those values"}
            return self.error(503, body, context.request_id, started), "kong", None
        asked = time.monotonic()
        try:
            response = self.ask(context, prefix)
        except NoPeer:
            body = {"message": "failure to get a peer from the ring-balancer"}
            return self.error(503, body, context.request_id, started), "kong", None
        except socket.gaierror:
            return self.error(503, {"message": "name resolution failed"}, context.request_id, started), "kong", None
        except socket.timeout:
            return self.upstream_failed(context, 504, "The upstream server is timing out", asked, started)
        except (OSError, http.client.HTTPException):
            message = "An invalid response was received from the upstream server"
            return self.upstream_failed(context, 502, message, asked, started)
        waited = time.monotonic() - asked
        for name, value in context.response_headers:
            response.headers.set(name, value)
        self.upstream_headers(response, context.request_id, started, waited)
        return response, "service", waited

    def run_plugins(self, context: Context) -> None:
        with self.node.store.lock:
            found = plugins_for(self.node.store, context.route, context.service, None)
        ran: set[str] = set()
        while True:
            unsupported = self.plugins.unsupported(found)
            if unsupported is not None:
                raise Exit(501, {"message": f"kong-double does not implement the plugin '{unsupported}'"})
            for name, plugin in self.plugins.ordered.items():
                if name in found and name not in ran:
                    ran.add(name)
                    plugin(context, found[name])
                    if context.consumer_changed:
                        break
            if not context.consumer_changed:
                return
            # From here on configurations of the consumer count, too.
            context.consumer_changed = False
            with self.node.store.lock:
                found = plugins_for(self.node.store, context.route, context.service, context.consumer)

    # Upstreams

    def ask(self, context: Context, prefix: str) -> Response:
        assert context.service is not None
        service = context.service
        failure: Exception | None = None
        for address, host in self.balancer.peers(service, context.request, context.consumer):
            try:
                return self.forward(context, service, address, host, prefix)
            except ConnectionError as error:
                failure = error
        assert failure is not None
        raise failure

    def forward(self, context: Context, service: dict, address: str, host: str, prefix: str) -> Response:
        request = context.request
        path = upstream_path(service, context.route, request.path, prefix)
        target = path + (f"?{context.query}" if context.query else "")
        headers = self.request_headers(context, host, prefix)
        connection = self.connection(service, address)
        for attempt in (1, 2):
            fresh = connection.sock is None
            try:
                if fresh:
                    connection.connect()
                    connection.sock.settimeout(service["read_timeout"] / 1000)
                connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
                for name, value in headers.items:
                    connection.putheader(name, value)
                connection.endheaders(request.body or None)
                answer = connection.getresponse()
                body = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A kept connection may have been closed by the other side meanwhile; then a new one is worth a try.
                stale = isinstance(error, (ConnectionError, http.client.BadStatusLine)) and not fresh
                if not stale or attempt == 2:
                    raise
        if answer.will_close:
            connection.close()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in (*_HOP, "content-length")]
        response = Response(answer.status, body, kept)
        if request.method == "HEAD" and answer.getheader("content-length"):
            response.headers.set("Content-Length", str(answer.getheader("content-length")))
        return response

    def connection(self, service: dict, address: str) -> http.client.HTTPConnection:
        if not hasattr(self.connections, "pool"):
            self.connections.pool = {}
        pool: dict[tuple[str, str], http.client.HTTPConnection] = self.connections.pool
        key = (service["protocol"], address)
        if key not in pool:
            host, _, port = address.rpartition(":")
            host = host.strip("[]")
            timeout = service["connect_timeout"] / 1000
            if service["protocol"] == "https":
                tls = ssl.create_default_context()
                if not service.get("tls_verify"):
                    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
                pool[key] = http.client.HTTPSConnection(host, int(port), timeout=timeout, context=tls)
            else:
                pool[key] = http.client.HTTPConnection(host, int(port), timeout=timeout)
        return pool[key]

    def request_headers(self, context: Context, host: str, prefix: str) -> Headers:
        request, headers = context.request, context.headers
        original = request.headers.get("host") or ""
        for name in (*_HOP, "host", "content-length", "expect"):
            headers.remove(name)
        forwarded = request.headers.get("x-forwarded-for")
        tls = request.sni is not None
        port = self.node.options.proxy_ssl_port if tls else self.node.options.proxy_port
        values = {
            "Host": original if context.route["preserve_host"] else host,
            "Connection": "keep-alive",
            "Via": VIA,
            "X-Forwarded-For": f"{forwarded}, {request.client}" if forwarded else request.client,
            "X-Forwarded-Proto": "https" if tls else "http",
            "X-Forwarded-Host": original.rpartition(":")[0] or original,
            "X-Forwarded-Port": str(port),
            "X-Forwarded-Path": request.path,
            "X-Real-IP": request.client,
            "X-Kong-Request-Id": context.request_id,
        }
        if prefix and context.route["strip_path"]:
            values["X-Forwarded-Prefix"] = prefix
        if request.body or request.headers.get("content-length") is not None:
            values["Content-Length"] = str(len(request.body))
        for name, value in values.items():
            headers.set(name, value)
        return headers

    def upstream_failed(
        self, context: Context, status: int, message: str, asked: float, started: float
    ) -> tuple[Response, str, float | None]:
        response = self.plain(status, message, context.request_id)
        waited = time.monotonic() - asked
        self.upstream_headers(response, context.request_id, started, waited)
        return response, "kong", waited

    # Answers

    def exit(self, context: Context, given: Exit, started: float) -> Response:
        headers = {**dict(context.response_headers), **given.headers}
        if isinstance(given.body, str):
            listed = list(headers.items())
            return self.finish(Response(given.status, given.body.encode(), listed), context.request_id, started)
        body = given.body
        if not given.error:
            payload = json.dumps(body, separators=(",", ":")).encode()
            listed = [("Content-Type", _JSON), *headers.items()]
            return self.finish(Response(given.status, payload, listed), context.request_id, started)
        return self.error(given.status, body, context.request_id, started, headers)

    def error(
        self, status: int, body: dict, request_id: str, started: float, headers: dict[str, str] | None = None
    ) -> Response:
        payload = json.dumps({**body, "request_id": request_id}, separators=(",", ":")).encode()
        listed = [("Content-Type", _JSON), *(headers or {}).items()]
        return self.finish(Response(status, payload, listed), request_id, started)

    @staticmethod
    def plain(status: int, message: str, request_id: str) -> Response:
        text = f"{message}\nrequest_id: {request_id}\n"
        kind = [("Content-Type", "text/plain; charset=utf-8"), ("X-Kong-Request-Id", request_id), ("Server", SERVER)]
        return Response(status, text.encode(), kind)

    @staticmethod
    def finish(response: Response, request_id: str, started: float) -> Response:
        response.headers.set("X-Kong-Response-Latency", str(int((time.monotonic() - started) * 1000)))
        response.headers.set("X-Kong-Request-Id", request_id)
        response.headers.set("Server", SERVER)
        return response

    @staticmethod
    def upstream_headers(response: Response, request_id: str, started: float, waited: float) -> None:
        total = time.monotonic() - started
        response.headers.set("X-Kong-Upstream-Latency", str(int(waited * 1000)))
        response.headers.set("X-Kong-Proxy-Latency", str(int((total - waited) * 1000)))
        response.headers.set("Via", VIA)
        response.headers.set("X-Kong-Request-Id", request_id)
        if response.headers.get("server") is None:
            response.headers.set("Server", SERVER)
