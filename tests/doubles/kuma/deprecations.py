# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The warnings of a write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .golang import rfc1035_problems, rfc1123_label_problems

_BACKEND = "use openTelemetry.backendRef with a MeshOpenTelemetryBackend resource instead"
_OTEL = f"openTelemetry.endpoint is deprecated, {_BACKEND}"
_FROM = {
    "MeshAccessLog": "'from' field is deprecated, use 'rules' instead",
    "MeshCircuitBreaker": "'from' field is deprecated, use 'rules' instead",
    "MeshRateLimit": "'from' field is deprecated, use 'rules' instead",
    "MeshTimeout": "'from' field is deprecated, use 'rules' instead",
    "MeshTLS": "'from' field is deprecated, use 'rules' instead",
    "MeshFaultInjection": "'from' field is deprecated, use 'rules' with SPIFFE-based 'matches' instead",
    "MeshTrafficPermission": (
        "'from' field is deprecated and will be removed in 3.0, use 'rules' with MeshIdentity (spiffeId) instead"
    ),
}
_NAMED = {"Mesh", "Zone", "MeshService", "MeshExternalService", "MeshMultiZoneService"}


def warnings(kind: str, name: str, spec: dict) -> list[str]:
    return list(_warnings(kind, name, spec))


def _warnings(kind: str, name: str, spec: dict) -> Iterator[str]:
    if kind in _NAMED:
        problems = rfc1035_problems(name)
        if problems:
            words = "It does not conform to the DNS format (RFC 1035). This is deprecated. Errors:"
            yield f"Invalid {kind} resource name: '{name}'. {words} {'; '.join(problems)}"
        ports = [spec["match"]] if kind == "MeshExternalService" else spec.get("ports") or []
        for port in ports:
            section = port.get("name") or str(port.get("port", 0))
            found = rfc1123_label_problems(name)
            problems = [f'name "{name}" does not conform to RFC 1123: {"; ".join(found)}'] if found else []
            for problem in [*problems, *rfc1123_label_problems(section)]:
                yield f'Invalid {kind} SNI (port "{section}"): {problem}. This is deprecated.'
        return
    if kind == "MeshTrust" and spec.get("origin") is not None:
        yield "setting spec.origin field is deprecated"
    if kind == "MeshHealthCheck":
        yield from _target(spec)
        for entry in spec.get("to") or []:
            if entry["default"].get("healthyPanicThreshold") is not None:
                moved = "The setting has been moved to MeshCircuitBreaker policy, please use MeshCircuitBreaker policy"
                yield f"healthyPanicThreshold for 'to[].default' is deprecated. {moved} instead."
        return
    if spec.get("from") and kind in _FROM:
        yield _FROM[kind]
    if kind == "MeshTrafficPermission":
        for entry in spec.get("from") or []:
            if entry["targetRef"].get("kind") == "MeshService":
                instead = "use MeshSubset with 'kuma.io/service' instead"
                yield f"MeshService value for 'from[].targetRef.kind' is deprecated, {instead}"
    if kind in ("MeshAccessLog", "MeshMetric", "MeshTrace") and _inline_endpoint(spec):
        yield _OTEL
    if kind == "MeshLoadBalancingStrategy":
        yield from _hash_policies(spec)
    if kind == "MeshRateLimit":
        yield from _statuses(spec)
    if kind.startswith("Mesh"):
        yield from _target(spec)


def _target(spec: dict) -> Iterator[str]:
    kind = (spec.get("targetRef") or {}).get("kind")
    if kind in ("MeshService", "MeshServiceSubset", "MeshSubset"):
        yield f"{kind} value for 'targetRef.kind' is deprecated, use Dataplane with labels instead"
    elif kind == "MeshHTTPRoute":
        yield "MeshHTTPRoute value for 'targetRef.kind' is deprecated, use MeshHTTPRoute in spec.to[].targetRef"


def _inline_endpoint(spec: dict) -> bool:
    entries: list[Any] = [spec, *(spec.get("to") or []), *(spec.get("from") or []), *(spec.get("rules") or [])]
    backends = [one for entry in entries for one in (entry.get("default") or {}).get("backends") or []]
    inline = (one.get("openTelemetry") or {} for one in backends)
    return any(one.get("endpoint") and one.get("backendRef") is None for one in inline)


def _hash_policies(spec: dict) -> Iterator[str]:
    for number, entry in enumerate(spec.get("to") or []):
        balancer = entry["default"].get("loadBalancer") or {}
        name = {"RingHash": "ringHash", "Maglev": "maglev"}.get(balancer.get("type", ""), "")
        policies = (balancer.get(name) or {}).get("hashPolicies")
        if policies is None:
            continue
        at = f"spec.to[{number}].default"
        old = f"{at}.loadBalancer.{name}.hashPolicies"
        yield f"configuration '{old}' is deprecated, use '{at}.hashPolicies' instead"
        for position, policy in enumerate(policies):
            if policy.get("type") == "SourceIP":
                yield f"SourceIP type for '{old}[{position}].type' is deprecated, use Connection instead"


def _statuses(spec: dict) -> Iterator[str]:
    for section in ("from", "rules", "to"):
        for number, entry in enumerate(spec.get(section) or []):
            limit = ((entry["default"].get("local") or {}).get("http") or {}).get("onRateLimit") or {}
            if limit.get("status") is not None and limit["status"] < 400:
                at = f"'spec.{section}[{number}].default.local.http.requestRate.status'"
                yield f"{at} must be 400 or higher. Please update your configuration."
