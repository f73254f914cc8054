# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which route a request takes: hosts, paths (prefix and regex), methods, headers, SNIs, in Kong's order of priority."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .http_server import Request
from .store import Store
from .validators import normalized_path, pcre

PROXIED = {"http", "https", "grpc", "grpcs"}


@dataclass
class Candidate:
    """One route with at most one of its paths, since each path has its own length and thus its own priority."""

    route: dict
    path: str | None
    regex: re.Pattern[str] | None
    priority: tuple

    def match(self, request: Request, path: str, host: str) -> str | None:
        """The part of the path that matched ("" where the route has none); None where the route does not match."""
        route = self.route
        if route.get("methods") and request.method not in route["methods"]:
            return None
        if route.get("hosts") and not any(host_matches(wanted, host) for wanted in route["hosts"]):
            return None
        if route.get("headers") and not headers_match(route["headers"], request):
            return None
        if (
            route.get("snis")
            and request.sni is not None
            and not any(host_matches(wanted, request.sni.rstrip(".")) for wanted in route["snis"])
        ):
            return None
        if self.regex is not None:
            found = self.regex.match(path)
            return found.group() if found else None
        if self.path is not None:
            return self.path if path.startswith(self.path) else None
        return ""


def host_matches(wanted: str, host: str) -> bool:
    """`host` comes with its port; a wanted host without one takes any port."""
    wanted, host = wanted.lower(), host.lower()
    bare = host.rpartition(":")[0] if re.search(r":\d+\Z", host) else host
    if not re.search(r":\d+\Z", wanted):
        host = bare
    if wanted.startswith("*"):
        return host.endswith(wanted[1:]) and len(host) > len(wanted) - 1
    if wanted.endswith("*"):
        return host.startswith(wanted[:-1])
    return wanted == host


def headers_match(wanted: dict[str, list[str]], request: Request) -> bool:
    for name, values in wanted.items():
        given = [value.lower() for value in request.headers.all(name)]
        if len(values) == 1 and values[0].startswith("~*"):
            if not any(re.search(values[0][2:], value, re.IGNORECASE) for value in given):
                return False
        elif not any(value.lower() in given for value in values):
            return False
    return True


def priority(route: dict, path: str | None) -> tuple:
    """Routes with more kinds of conditions come first, then plain hosts, more headers, regexes, longer prefixes."""
    kinds = sum(bool(route.get(kind)) for kind in ("methods", "hosts", "headers", "paths", "snis"))
    plain_hosts = bool(route.get("hosts")) and not any("*" in host for host in route["hosts"])
    is_regex = path is not None and path.startswith("~")
    length = len(path) if path is not None and not is_regex else 0
    regex_priority = (route.get("regex_priority") or 0) if is_regex else 0
    # The older of two equal routes wins; everything else counts downwards.
    return (
        -kinds,
        -plain_hosts,
        -len(route.get("headers") or ()),
        -is_regex,
        -regex_priority,
        -length,
        route["created_at"],
        route["id"],
    )


class Router:
    """The routes of one version of the store."""

    def __init__(self, store: Store) -> None:
        self.version = store.version
        self.candidates: list[Candidate] = []
        services = store.tables["services"].rows
        for route in store.tables["routes"].rows.values():
            service = services.get((route.get("service") or {}).get("id", ""))
            if (service is not None and not service["enabled"]) or not set(route["protocols"]) & PROXIED:
                continue
            for path in route.get("paths") or [None]:
                regex = pcre(path[1:]) if path is not None and path.startswith("~") else None
                self.candidates.append(Candidate(route, path, regex, priority(route, path)))
        self.candidates.sort(key=lambda candidate: candidate.priority)
        # Candidates that name plain hosts only are found by host; with thousands of routes that is most of them.
        self.by_host: dict[str, list[Candidate]] = {}
        self.any_host: list[Candidate] = []
        for candidate in self.candidates:
            hosts = candidate.route.get("hosts") or []
            if hosts and not any("*" in host or ":" in host for host in hosts):
                for host in hosts:
                    self.by_host.setdefault(host.lower(), []).append(candidate)
            else:
                self.any_host.append(candidate)

    def match(self, request: Request) -> tuple[dict, str] | None:
        """The route and the part of the path it matched."""
        host = request.headers.get("host") or ""
        path = normalized_path(request.path)
        bare = re.sub(r":\d+\Z", "", host).lower()
        named = self.by_host.get(bare, [])
        for candidate in merged(named, self.any_host):
            found = candidate.match(request, path, host)
            if found is not None:
                return candidate.route, found
        return None


def merged(left: list[Candidate], right: list[Candidate]) -> list[Candidate]:
    if not left or not right:
        return left or right
    return sorted([*left, *right], key=lambda candidate: candidate.priority)


def upstream_path(service: dict, route: dict, path: str, matched: str) -> str:
    """The path the upstream gets: the service's, then what is left of the request's."""
    base: str = service.get("path") or "/"
    rest = path[len(matched) :] if route["strip_path"] else path
    if base.endswith("/"):
        if rest == "" and base != "/" and not path.endswith("/"):
            return base[:-1]
        return base + rest[rest.startswith("/") :]
    if rest == "":
        return base + "/" if len(path) > 1 and path.endswith("/") else base
    if not rest.startswith("/"):
        return f"{base}/{rest}"
    return base if rest == "/" and not route["strip_path"] else base + rest


# The scopes of a plugin, from the one that makes a configuration most specific.
_SCOPES = ("consumer", "route", "service")


def plugins_for(store: Store, route: dict, service: dict | None, consumer: dict | None) -> dict[str, Any]:
    """For each plugin the most specific configuration that applies to a request."""
    owners = {"consumer": consumer, "route": route, "service": service}
    ids = {name: owner["id"] for name, owner in owners.items() if owner is not None}
    table = store.tables["plugins"]
    candidates = set(table.unowned)
    for name, identifier in ids.items():
        candidates.update(table.by_parent[name].get(identifier, ()))
    found: dict[str, tuple[tuple, dict]] = {}
    for identifier in candidates:
        row = table.rows[identifier]
        scopes = {name: row[name]["id"] for name in _SCOPES if row.get(name)}
        if not row["enabled"] or any(ids.get(name) != value for name, value in scopes.items()):
            continue
        # All of a consumer's combinations come before others, and combinations before single scopes.
        weight = ("consumer" in scopes and len(scopes) > 1, len(scopes) > 1, *(name in scopes for name in _SCOPES))
        if row["name"] not in found or weight > found[row["name"]][0]:
            found[row["name"]] = (weight, row)
    return {name: row for name, (_weight, row) in found.items()}
