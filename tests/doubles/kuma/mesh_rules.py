# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The validator of a Mesh: backends of every section, constraints, what the egress needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from .errors import Violation
from .target_ref import tags

# Section -> (field of the backend in use, what is said where there is none of that name).
_SECTIONS = {
    "mtls": ("enabledBackend", "has to be set to one of the backends in the mesh"),
    "logging": ("defaultBackend", "has to be set to one of the logging backend in mesh"),
    "tracing": ("defaultBackend", "has to be set to one of the tracing backend in mesh"),
    "metrics": ("enabledBackend", "has to be set to one of the backends in the mesh"),
}
# Kuma's own durations of certificates: 1d, 10y.
_ROTATION = re.compile(r"(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?\Z")
_API_VERSIONS = ("httpJsonV1", "httpJson", "httpProto")


def violations(value: dict) -> list[Violation]:
    found: list[Violation] = []
    for section, (enabled, reason) in _SECTIONS.items():
        part = value.get(section, {})
        if section == "mtls" and len(part.get("backends", [])) > 1:
            found.append(("mtls.backends", "cannot have more than 1 backends"))
        names: list[str] = []
        for number, backend in enumerate(part.get("backends", [])):
            at, name = f"{section}.backends[{number}]", backend.get("name", "")
            found += _CHECKS[section](at, backend)
            if name in names:
                found.append((f"{at}.name", f'"{name}" name is already used for another backend'))
            names.append(name)
        if part.get(enabled) and part[enabled] not in names:
            found.append((f"{section}.{enabled}", reason))
    constraints = value.get("constraints", {}).get("dataplaneProxy", {})
    for name in ("requirements", "restrictions"):
        for number, entry in enumerate(constraints.get(name, [])):
            at = f"constraints.dataplaneProxy.{name}[{number}].tags"
            problems = tags(entry.get("tags", {}), selector=True, at_least_one=True)
            found += [(f"{at}{key}", reason) for key, reason in problems]
    if value.get("routing", {}).get("zoneEgress") and not value.get("mtls", {}).get("enabledBackend"):
        found.append(("mtls", "has to be set when zoneEgress enabled"))
    return found


def _authority(at: str, backend: dict) -> list[Violation]:
    expiration = backend.get("dpCert", {}).get("rotation", {}).get("expiration", "")
    if not _ROTATION.match(expiration):
        return [("mtls.dpcert.rotation.expiration", "has to be a valid format")]
    return []


def _named(at: str, backend: dict, kinds: tuple[str, str]) -> list[Violation]:
    found = [] if backend.get("name") else [(f"{at}.name", "cannot be empty")]
    if backend.get("type") not in kinds:
        listed = ", ".join(f'"{kind}"' for kind in kinds)
        found.append((f"{at}.type", f"unknown backend type. Available backends: {listed}"))
    return found


def _logging(at: str, backend: dict) -> list[Violation]:
    found, conf = _named(at, backend, ("tcp", "file")), backend.get("conf", {})
    if backend.get("type") == "file" and not conf.get("path"):
        found.append((f"{at}.config.path", "cannot be empty"))
    if backend.get("type") == "tcp":
        if not conf.get("address"):
            found.append((f"{at}.config.address", "cannot be empty"))
        elif not re.match(r"([^:]+|\[.+\]):[^:]+\Z", conf["address"]):
            found.append((f"{at}.config.address", "has to be in format of HOST:PORT"))
    return found


def _tracing(at: str, backend: dict) -> list[Violation]:
    found, conf = _named(at, backend, ("zipkin", "datadog")), backend.get("conf", {})
    if not 0 <= backend.get("sampling", 0) <= 100:
        found.append((f"{at}.sampling", "has to be in [0.0 - 100.0] range"))
    if backend.get("type") == "datadog":
        if not conf.get("address"):
            found.append((f"{at}.config.address", "cannot be empty"))
        if not 0 < conf.get("port", 0) < 65536:
            found.append((f"{at}.config.port", "port must be in the range [1, 65535]"))
    if backend.get("type") == "zipkin":
        if conf.get("apiVersion") and conf["apiVersion"] not in _API_VERSIONS:
            found.append((f"{at}.config.apiVersion", f"has invalid value. Allowed values: {', '.join(_API_VERSIONS)}"))
        problem = _url_problem(conf.get("url", ""))
        if problem:
            found.append((f"{at}.config.url", problem))
    return found


def _url_problem(url: str) -> str:
    if not url:
        return "cannot be empty"
    parts = urlsplit(url)
    if not parts.scheme and not url.startswith("/"):
        return "invalid URL"
    return "" if parts.port else "port has to be explicitly specified"


def prometheus(at: str, conf: dict) -> list[Violation]:
    mode = conf.get("tls", {}).get("mode", "activeMTLSBackend") if "tls" in conf else None
    if mode is not None and "skipMTLS" in conf and mode != ("disabled" if conf["skipMTLS"] else "activeMTLSBackend"):
        return [(at, "skipMTLS and tls configuration cannot be defined together")]
    found: list[Violation] = []
    names: set[Any] = set()
    for number, entry in enumerate(conf.get("aggregate", [])):
        name = entry.get("name")
        if name in names:
            found.append((f"{at}.aggregate[{number}].name", f"duplicate entry: {name}, values have to be unique"))
        names.add(name)
    return found


def metrics(at: str, backend: dict, conf: str = "conf") -> list[Violation]:
    if backend.get("type") != "prometheus":
        return [(f"{at}.type", 'unknown backend type. Available backends: "prometheus"')]
    return prometheus(f"{at}.{conf}", backend.get("conf", {}))


_CHECKS: dict[str, Callable[[str, dict], list[Violation]]] = {
    "mtls": _authority,
    "logging": _logging,
    "tracing": _tracing,
    "metrics": metrics,
}
