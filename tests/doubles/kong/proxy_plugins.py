# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plugins the proxy runs. Every other plugin is answered with 501, so that no test passes by accident."""

from __future__ import annotations

import calendar
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Callable
from urllib.parse import parse_qsl, urlencode

from .http_server import Headers, Request
from .store import Store

_DEFAULT_MESSAGES = {
    400: "Bad request",
    404: "Not found",
    408: "Request timeout",
    411: "Length required",
    412: "Precondition failed",
    413: "Payload too large",
    414: "URI too long",
    417: "Expectation failed",
    426: "Upgrade required",
    429: "API rate limit exceeded",
    500: "An unexpected error occurred",
    502: "An invalid response was received from the upstream server",
    503: "The upstream server is currently unavailable",
    504: "The upstream server is timing out",
}


class Exit(Exception):
    """A plugin answers the request itself."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None, error: bool = True) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}
        # Errors of kong.response.error name the request; answers of kong.response.exit are sent as they are.
        self.error = error


@dataclass
class Context:
    """One request on its way through the plugins."""

    store: Store
    request: Request
    route: dict
    service: dict | None
    request_id: str
    # What the upstream gets.
    headers: Headers
    query: str
    # What the client gets in addition.
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    consumer: dict | None = None
    credential: dict | None = None
    consumer_changed: bool = False


def _field(row: dict, name: str) -> Any:
    return row["config"].get(name)


# key-auth


def key_auth(context: Context, plugin: dict) -> None:
    if context.request.method == "OPTIONS" and not _field(plugin, "run_on_preflight"):
        return
    if context.credential is not None and _field(plugin, "anonymous"):
        return
    try:
        _authenticate(context, plugin)
    except Exit:
        anonymous = _field(plugin, "anonymous")
        if not anonymous:
            raise
        consumers = context.store.tables["consumers"]
        consumer = consumers.rows.get(anonymous) or consumers.find(("username",), anonymous)
        if consumer is None:
            raise Exit(500, {"message": f"anonymous consumer {anonymous} is unknown or invalid"}) from None
        _set_consumer(context, consumer, None)


def _authenticate(context: Context, plugin: dict) -> None:
    realm = _field(plugin, "realm")
    challenge = {"WWW-Authenticate": f'Key realm="{realm}"' if realm else "Key"}
    key = _find_key(context, plugin)
    if not key:
        raise Exit(401, {"message": "No API key found in request"}, challenge)
    if isinstance(key, list):
        raise Exit(401, {"message": "Duplicate API key found"}, challenge)
    credentials = context.store.tables["keyauth_credentials"]
    credential = credentials.alive(credentials.find(("key",), key))
    if credential is None:
        raise Exit(401, {"message": "Unauthorized"}, challenge)
    _set_consumer(context, context.store.tables["consumers"].rows[credential["consumer"]["id"]], credential)


def _find_key(context: Context, plugin: dict) -> Any:
    for name in _field(plugin, "key_names"):
        found: list[str] = []
        if _field(plugin, "key_in_header"):
            found = context.request.headers.all(name)
        query = parse_qsl(context.query, keep_blank_values=True)
        if not found and _field(plugin, "key_in_query"):
            found = [value for key, value in query if key == name]
        if not found and _field(plugin, "key_in_body"):
            found = _body_values(context.request, name)
        if not found:
            continue
        if _field(plugin, "hide_credentials"):
            context.headers.remove(name)
            context.query = urlencode([(key, value) for key, value in query if key != name])
        return found if len(found) > 1 else found[0]
    return None


def _body_values(request: Request, name: str) -> list[str]:
    kind = request.headers.get("content-type") or ""
    text = request.body.decode(errors="replace")
    if kind.startswith("application/x-www-form-urlencoded"):
        return [value for key, value in parse_qsl(text) if key == name]
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return [str(value[name])] if isinstance(value, dict) and name in value else []


def _set_consumer(context: Context, consumer: dict, credential: dict | None) -> None:
    context.consumer, context.credential, context.consumer_changed = consumer, credential, True
    values = {
        "X-Consumer-ID": consumer["id"],
        "X-Consumer-Custom-ID": consumer["custom_id"],
        "X-Consumer-Username": consumer["username"],
        "X-Credential-Identifier": credential["id"] if credential else None,
        "X-Anonymous-Consumer": None if credential else "true",
    }
    for name, value in values.items():
        context.headers.remove(name)
        if value is not None:
            context.headers.set(name, value)


# acl


def acl(context: Context, plugin: dict) -> None:
    refused = {"message": "You cannot consume this service"}
    if context.consumer is None:
        raise Exit(401 if context.credential is None else 403, {"message": "Unauthorized"})
    acls = context.store.tables["acls"]
    ids = acls.by_parent["consumer"].get(context.consumer["id"], ())
    groups = [acls.rows[identifier]["group"] for identifier in ids]
    allow, deny = _field(plugin, "allow") or [], _field(plugin, "deny") or []
    if (allow and not set(allow) & set(groups)) or (deny and set(deny) & set(groups)):
        raise Exit(403, refused)
    if groups and not _field(plugin, "hide_groups_header"):
        context.headers.set("X-Consumer-Groups", ", ".join(groups))


# rate-limiting (local)


class RateLimiter:
    """Fixed windows, counted in this process."""

    periods = ("second", "minute", "hour", "day", "month", "year")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counters: dict[tuple, int] = {}

    @staticmethod
    def window(period: str, now: float) -> tuple[int, int]:
        """(start, end) of the window a time lies in."""
        if period in ("month", "year"):
            parts = time.gmtime(now)
            year, month = parts.tm_year, parts.tm_mon if period == "month" else 1
            following = (year + month // 12, month % 12 + 1) if period == "month" else (year + 1, 1)
            start = calendar.timegm((year, month, 1, 0, 0, 0))
            return start, calendar.timegm((following[0], following[1], 1, 0, 0, 0))
        size = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[period]
        start = int(now) // size * size
        return start, start + size

    def __call__(self, context: Context, plugin: dict) -> None:
        config, now = plugin["config"], time.time()
        identity = _identifier(context, config)
        scope = tuple((plugin.get(name) or {}).get("id") for name in ("route", "service", "consumer"))
        limits = {period: int(config[period]) for period in self.periods if config.get(period)}
        with self.lock:
            slots = {}
            for period in limits:
                start, end = self.window(period, now)
                slots[period] = ((scope, identity, period, start), end)
            used = {period: self.counters.get(slot, 0) for period, (slot, _end) in slots.items()}
            exceeded = [period for period in limits if used[period] >= limits[period]]
            if not exceeded:
                for slot, _end in slots.values():
                    self.counters[slot] = self.counters.get(slot, 0) + 1
                used = {period: count + 1 for period, count in used.items()}
        headers = self.headers(limits, used, {period: end for period, (_slot, end) in slots.items()}, now)
        if config.get("hide_client_headers"):
            headers = {}
        if exceeded:
            end = max(slots[period][1] for period in exceeded)
            if headers:
                headers["Retry-After"] = headers["RateLimit-Reset"] = str(max(1, int(end - now)))
            raise Exit(int(config.get("error_code") or 429), {"message": config.get("error_message")}, headers)
        context.response_headers += headers.items()

    @staticmethod
    def headers(limits: dict, used: dict, ends: dict, now: float) -> dict[str, str]:
        headers: dict[str, str] = {}
        tightest: tuple[int, int, int] | None = None
        for period, limit in limits.items():
            remaining = max(0, limit - used[period])
            name = period.capitalize()
            headers[f"X-RateLimit-Limit-{name}"], headers[f"X-RateLimit-Remaining-{name}"] = str(limit), str(remaining)
            if tightest is None or remaining < tightest[1]:
                tightest = (limit, remaining, max(1, int(ends[period] - now)))
        if tightest is not None:
            values = zip(("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"), map(str, tightest))
            headers.update(values)
        return headers


def _identifier(context: Context, config: dict) -> str:
    kind = config.get("limit_by")
    value: str | None = None
    if kind == "service":
        value = context.service["id"] if context.service else None
    elif kind == "consumer":
        value = context.consumer["id"] if context.consumer else None
    elif kind == "credential":
        value = context.credential["id"] if context.credential else None
    elif kind == "header":
        value = context.request.headers.get(config.get("header_name") or "")
    elif kind == "path" and context.request.path == config.get("path"):
        value = context.request.path
    return value or context.request.client


# correlation-id, request-termination


class CorrelationId:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.base, self.counter = str(uuid.uuid4()), 0

    def __call__(self, context: Context, plugin: dict) -> None:
        name = _field(plugin, "header_name")
        value = context.request.headers.get(name)
        if not value:
            kind = _field(plugin, "generator")
            with self.lock:
                self.counter += 1
                counted = f"{self.base}#{self.counter}"
            address = context.request.client
            value = {"uuid": str(uuid.uuid4()), "uuid#counter": counted}.get(
                kind, f"{address}-{self.counter}-{time.time():.3f}"
            )
            context.headers.set(name, value)
        if _field(plugin, "echo_downstream"):
            context.response_headers.append((name, value))


def request_termination(context: Context, plugin: dict) -> None:
    config = plugin["config"]
    trigger = config.get("trigger")
    if trigger and context.request.headers.get(trigger) is None:
        query = dict(parse_qsl(context.query, keep_blank_values=True))
        if trigger not in query:
            return
    status = int(config["status_code"])
    if config.get("body"):
        kind = config.get("content_type") or "application/json; charset=utf-8"
        raise Exit(status, config["body"], {"Content-Type": kind}, error=False)
    message = config.get("message") or _DEFAULT_MESSAGES.get(status, "An unexpected error occurred")
    raise Exit(status, {"message": message}, error=False)


class Plugins:
    """The supported plugins with what they remember between requests."""

    def __init__(self) -> None:
        # In the order of Kong's priorities: what a plugin sets, the next ones see.
        self.ordered: dict[str, Callable[[Context, dict], None]] = {
            "correlation-id": CorrelationId(),
            "key-auth": key_auth,
            "acl": acl,
            "rate-limiting": RateLimiter(),
            "prometheus": lambda _context, _plugin: None,
            "request-termination": request_termination,
        }

    def unsupported(self, names: Any) -> str | None:
        return next((name for name in sorted(names) if name not in self.ordered), None)
