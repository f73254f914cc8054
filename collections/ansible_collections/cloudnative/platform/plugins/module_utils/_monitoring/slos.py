# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Service level objectives as people write them, read and judged. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    Finding,
    close_to,
    is_dns_label,
    listed,
    showable,
)

KEYS = ("name", "description", "objective", "period", "errors", "total", "labels", "alerting")
REQUIRED = ("name", "objective", "errors", "total")
ALERTS = ("page", "ticket")
WINDOW = "[$window]"
DEFAULT_PERIOD = "30d"
# The longest window of an alert is 3 days; of a shorter period it would be nearly all.
MINIMUM_DAYS, MAXIMUM_DAYS = 7, 365

_PERIOD = re.compile(r"([1-9]\d*)([dw])\Z")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
# What the rules set themselves; the severity of each alert can be another.
_RESERVED_LABELS = ("alertname", "burn", "slo")
_RESERVED_FOR_ALERTS = ("severity",)


class SloError(Exception):
    """Objectives that no rules can be made of; says all that is wrong."""

    def __init__(self, text: str, findings: t.Sequence[Finding] = ()) -> None:
        super().__init__(text)
        self.findings = findings


@dataclass(frozen=True)
class Slo:
    name: str
    objective: Decimal  # percent
    days: int
    errors: str
    total: str
    description: str
    labels: dict[str, str]
    page: dict[str, str]
    ticket: dict[str, str]

    @property
    def budget(self) -> Decimal:
        """The share of all events that may fail."""
        return (100 - self.objective) / 100


def parse(slos: t.Any) -> list[Slo]:
    """Return the objectives, or raise with everything that is wrong with any of them."""
    if not isinstance(slos, (list, tuple)):
        raise SloError(
            f"slos {showable(slos)!r}: is not a list; give a list of objectives, each with {listed(REQUIRED)}"
        )
    findings: list[Finding] = []
    parsed = [_parse_one(slo, number, findings) for number, slo in enumerate(slos, 1)]
    seen: set[str] = set()
    for slo in parsed:
        if slo and slo.name in seen:
            findings.append(Finding(_title(slo.name), None, "is there twice", "give each objective a name of its own"))
        seen.update([slo.name] if slo else [])
    if findings:
        raise SloError("\n".join(finding.sentence() for finding in findings), findings)
    return [slo for slo in parsed if slo]


def _title(name: t.Any) -> str:
    return f"SLO {name}"


def _parse_one(slo: t.Any, number: int, findings: list[Finding]) -> Slo | None:
    if not isinstance(slo, t.Mapping):
        findings.append(
            Finding(f"SLO number {number}", showable(slo), "is not a dictionary", f"give {listed(REQUIRED)}")
        )
        return None
    title = _title(slo["name"]) if slo.get("name") else f"SLO number {number}"
    before = len(findings)
    findings += _unknown(title, slo, KEYS)
    findings += [
        Finding(f"{title}, {key}", None, "is missing", f"an objective needs {listed(REQUIRED)}")
        for key in REQUIRED
        if slo.get(key) in (None, "")
    ]
    findings += _name_findings(title, slo.get("name"))
    objective, days = _objective(title, slo.get("objective"), findings), _days(title, slo, findings)
    for key in ("errors", "total"):
        findings += _query_findings(f"{title}, {key}", slo.get(key))
    labels = _labels(f"{title}, labels", slo.get("labels"), findings, _RESERVED_FOR_ALERTS)
    page, ticket = _alerting(title, slo.get("alerting"), findings)
    if len(findings) > before or objective is None or days is None:
        return None
    return Slo(
        name=slo["name"],
        objective=objective,
        days=days,
        errors=slo["errors"].strip(),
        total=slo["total"].strip(),
        description=str(slo.get("description") or slo["name"]).strip(),
        labels=labels,
        page=page,
        ticket=ticket,
    )


def _unknown(title: str, given: t.Mapping[str, t.Any], known: t.Sequence[str]) -> list[Finding]:
    return [
        Finding(f"{title}, {key}", None, "is not known", close_to(str(key), known) or f"known are {listed(known)}")
        for key in given
        if key not in known
    ]


def _name_findings(title: str, name: t.Any) -> list[Finding]:
    if name in (None, "") or (isinstance(name, str) and is_dns_label(name)):
        return []
    suggestion = re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-")[:63] or "checkout-availability"
    problem = "is no name for rules, which have up to 63 lower-case letters, digits and '-'"
    if not isinstance(name, str):
        return [Finding(f"{title}, name", showable(name), "is not text", "write it in quotes")]
    return [Finding(f"{title}, name", showable(name), problem, f"did you mean {suggestion}?")]


def _objective(title: str, value: t.Any, findings: list[Finding]) -> Decimal | None:
    if value in (None, ""):
        return None
    remedy = "give the percentage of events that must be good, more than 0 and less than 100, e.g. 99.9"
    try:
        # By its text: 99.9 is not a binary fraction. Variables given with -e arrive as text anyway.
        objective = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        objective = Decimal("NaN")
    if not objective.is_finite():
        findings.append(Finding(f"{title}, objective", showable(value), "is not a number", remedy))
        return None
    if 0 < objective < 100:
        return objective
    problem = "leaves no error budget" if objective == 100 else "is out of range"
    findings.append(Finding(f"{title}, objective", showable(value), problem, remedy))
    return None


def _days(title: str, slo: t.Mapping[str, t.Any], findings: list[Finding]) -> int | None:
    value = slo.get("period", DEFAULT_PERIOD)
    match = _PERIOD.match(value) if isinstance(value, str) else None
    remedy = f"give {MINIMUM_DAYS}d to {MAXIMUM_DAYS}d, e.g. {DEFAULT_PERIOD} or 4w"
    if not match:
        findings.append(Finding(f"{title}, period", showable(value), "is not a number of days or weeks", remedy))
        return None
    days = int(match[1]) * {"d": 1, "w": 7}[match[2]]
    if MINIMUM_DAYS <= days <= MAXIMUM_DAYS:
        return days
    findings.append(Finding(f"{title}, period", value, "is out of range", remedy))
    return None


def _query_findings(title: str, query: t.Any) -> list[Finding]:
    if query in (None, ""):
        return []
    if not isinstance(query, str):
        return [Finding(title, showable(query), "is not a query", "give PromQL as text")]
    if WINDOW in query:
        return []
    fixed = re.search(r"\[\d\w*\]", query)
    remedy = f"write {WINDOW} in place of {fixed[0]}" if fixed else f"write it like sum(rate(requests_total{WINDOW}))"
    return [Finding(title, showable(query), f"lacks {WINDOW}, so it cannot be asked over several windows", remedy)]


def _labels(title: str, labels: t.Any, findings: list[Finding], for_alerts: t.Sequence[str] = ()) -> dict[str, str]:
    if labels is None:
        return {}
    if not isinstance(labels, t.Mapping):
        findings.append(Finding(title, showable(labels), "is not a dictionary", "write it like {team: shop}"))
        return {}
    for name, value in labels.items():
        if not _LABEL.match(str(name)) or str(name).startswith("__"):
            suggestion = re.sub(r"\W+", "_", str(name)).strip("_")
            suggestion = suggestion if _LABEL.match(suggestion) else "team"
            findings.append(Finding(title, showable(name), "is no name of a label", f"did you mean {suggestion}?"))
        elif name in _RESERVED_LABELS:
            findings.append(Finding(title, name, "is set by the rules themselves", "take another name"))
        elif name in for_alerts:
            remedy = "give it as alerting: {page: {severity: …}, ticket: {severity: …}}"
            findings.append(Finding(title, name, "would be the same for pages and tickets", remedy))
        elif isinstance(value, (t.Mapping, list)) or value is None:
            findings.append(Finding(f"{title}, {name}", None, "is not text", "give labels text as their values"))
    return {str(name): str(value) for name, value in labels.items()}


def _alerting(title: str, alerting: t.Any, findings: list[Finding]) -> tuple[dict[str, str], dict[str, str]]:
    if alerting is None:
        return {}, {}
    if not isinstance(alerting, t.Mapping):
        remedy = "write it like {page: {severity: warning}}"
        findings.append(Finding(f"{title}, alerting", showable(alerting), "is not a dictionary", remedy))
        return {}, {}
    findings += _unknown(f"{title}, alerting", alerting, ALERTS)
    page, ticket = (_labels(f"{title}, alerting.{kind}", alerting.get(kind), findings) for kind in ALERTS)
    return page, ticket
