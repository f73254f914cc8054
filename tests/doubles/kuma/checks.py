# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks that data/rules.json names: each yields (what to add to the field, the reason)."""

from __future__ import annotations

import functools
import http
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from . import formats, single_kinds
from .golang import format_duration, parse_duration
from .target_ref import target_ref

Found = Iterator[tuple[str, str]]


class Context(NamedTuple):
    spec: dict
    # Kind of the targetRef of the policy.
    top: str

    @property
    def gateways(self) -> bool:
        """Whether the policy's target includes gateways."""
        ref = self.spec.get("targetRef") or {}
        types = ref.get("proxyTypes") or []
        mesh = self.top in ("Mesh", "MeshSubset") and (not types or "Gateway" in types)
        return mesh or self.top in ("MeshGateway", "MeshHTTPRoute")


# One table: the checks of values and of single kinds are in it once their modules are imported.
CHECKS: dict[str, Callable[..., Found]] = formats.CHECKS
__all__ = ["CHECKS", "Context", "single_kinds"]


def check(function: Callable[..., Found]) -> Callable[..., Found]:
    CHECKS[function.__name__] = function
    return function


def given(value: dict, name: str) -> bool:
    return value.get(name) is not None


# Which fields there are.


@check
def some(context: Context, value: dict, names: list[str], reason: str) -> Found:
    top = value is context.spec
    if not any(value.get(name) not in ((None, []) if top else (None,)) for name in names):
        yield "", reason


@check
def some_of_lists(context: Context, value: dict, names: list[str], reason: str) -> Found:
    if not any(value.get(name) for name in names):
        yield "", reason


@check
def at_most(context: Context, value: dict, these: list[str], those: list[str], reason: str) -> Found:
    if any(value.get(name) for name in these) and any(value.get(name) for name in those):
        yield "", reason


@check
def need(context: Context, value: dict, names: list[str]) -> Found:
    for name in names:
        if not given(value, name):
            yield f".{name}", "must be defined"


@check
def exactly_one(context: Context, value: dict, names: list[str], reason: str) -> Found:
    if sum(given(value, name) for name in names) != 1:
        yield "", reason


just_one = CHECKS["just_one"] = exactly_one


@check
def just_one_or_none(context: Context, value: dict, names: list[str], reason: str) -> Found:
    if sum(given(value, name) for name in names) > 1:
        yield "", reason


@check
def together(context: Context, value: dict, one: str, other: str) -> Found:
    for present, absent in ((one, other), (other, one)):
        if given(value, present) and not given(value, absent):
            yield f".{absent}", f"must be defined when {present} is defined"


@check
def by_type(context: Context, value: dict, fields: dict[str, str], reason: str) -> Found:
    name = fields.get(value.get("type", ""))
    if name is not None and not given(value, name):
        yield f".{name}", reason


@check
def forbid(context: Context, value: dict, names: list[str], when: str, reason: str) -> Found:
    applies = {
        "gateways": context.gateways,
        "sidecars": not context.gateways,
        "not_mesh": context.top != "Mesh",
        "no_gateway": context.top != "MeshGateway",
        "route": context.top == "MeshHTTPRoute",
        "route_or_gateway": context.top in ("MeshHTTPRoute", "MeshGateway"),
    }
    for name in names:
        if applies[when] and value.get(name) not in (None, [], {}):
            yield f".{name}", reason


@check
def unconditioned(context: Context, value: dict, paths: list[str]) -> Found:
    """Fields that a rule for certain callers can't set."""
    if not any(given(match, "spiffeID") for match in value.get("matches") or []):
        return
    for path in paths:
        at: Any = value
        for name in path.split("."):
            at = at.get(name) if isinstance(at, dict) else None
        if at is not None:
            reason = "can't be specified when matches contain spiffeID because this field cannot be conditioned on"
            yield f".{path}", f"{reason} source identity"


@check
def all_or_none(context: Context, value: list, name: str, reason: str) -> Found:
    if len({given(item, name) for item in value}) > 1:
        yield "", reason


@check
def at_most_one(context: Context, value: list, reason: str) -> Found:
    if len(value) > 1:
        yield "", reason


@check
def unique(context: Context, value: list, name: str, reason: str) -> Found:
    seen = set()
    for number, item in enumerate(value):
        if item.get(name) in seen:
            yield f"[{number}].{name}", f"{reason} {item.get(name)}"
        seen.add(item.get(name))


# Numbers and durations.


def number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


@check
def greater_than(context: Context, value: int, least: int) -> Found:
    if value <= least:
        yield "", f"must be greater than {least}"


@check
def positive(context: Context, value: int) -> Found:
    if value <= 0:
        yield "", "must be greater than zero when defined"


@check
def range(context: Context, value: int, low: int, high: int) -> Found:  # the word of the rules
    if not low <= value <= high:
        yield "", f"must be in inclusive range [{low}, {high}]"


@check
def percentage(context: Context, value: Any, zero: bool = True) -> Found:
    parsed = number(value)
    if parsed is None:
        yield "", "string must be a valid number"
    elif not 0 <= parsed <= 100:
        yield "", "must be in inclusive range [0.0, 100.0]"
    elif not zero and not parsed:
        yield "", "must be greater than 0"


@check
def decimal_positive(context: Context, value: Any) -> Found:
    parsed = number(value)
    if parsed is None:
        yield "", "invalid number"
    elif parsed <= 0:
        yield "", "must be greater than 0"


@check
def decimal_at_least(context: Context, value: Any, least: int) -> Found:
    parsed = number(value)
    if parsed is None:
        yield "", "string must be a valid number"
    elif parsed < least:
        yield "", f"must be greater or equal then: {least}"


@check
def decimal_range(context: Context, value: Any, low: int, high: int, reason: str) -> Found:
    parsed = number(value)
    if parsed is None:
        yield "", "string is not a number"
    elif not low <= parsed <= high:
        yield "", reason


@check
def duration(context: Context, value: str) -> Found:
    if parse_duration(value) < 0:
        yield "", "must not be negative when defined"


@check
def duration_positive(context: Context, value: str, reason: str = "must be greater than zero when defined") -> Found:
    if parse_duration(value) <= 0:
        yield "", reason


@check
def longer_than(context: Context, value: str, least: str) -> Found:
    if parse_duration(value) <= parse_duration(least):
        yield "", f"must be greater than: {format_duration(parse_duration(least))}"


@check
def port(context: Context, value: int) -> Found:
    if not 0 < value < 65536:
        yield "", "port must be a valid (1-65535)"


@check
def max_length(context: Context, value: str, most: int) -> Found:
    if len(value) > most:
        yield "", f"must not be longer than {most} characters"


# Values of lists.


@check
def not_empty(context: Context, value: Any, reason: str) -> Found:
    if value in ("", []):
        yield "", reason


@check
def one_of(context: Context, value: str, entity: str, values: list[str]) -> Found:
    if value not in values:
        yield "", f"{entity} must be one of: {', '.join(values)}"


@functools.lru_cache(maxsize=1)
def _statuses() -> set[str]:
    return {str(int(status)) for status in http.HTTPStatus}


@check
def item(context: Context, value: str, values: list[str], also: str = "") -> Found:
    if value not in values and not (also == "status" and value in _statuses()):
        yield "", f"unknown item '{value}'"


@check
def target(context: Context, value: dict, kinds: list[str], by_top: dict[str, list[str]] | None = None) -> Found:
    yield from target_ref(value, (by_top or {}).get(context.top, kinds), inbound=False)


@check
def multizone_port(context: Context, value: dict) -> Found:
    if value.get("kind") == "MeshMultiZoneService" and not given(value, "port"):
        yield ".port", "must be defined with kind MeshMultiZoneService"
