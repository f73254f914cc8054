# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Prometheus rules of service level objectives: error ratios over several windows, budgets, burn-rate alerts. Pure.

The method is that of the Site Reliability Workbook, chapter 5: an alert has a long window, so that it is about a good
part of the budget, and a short one, so that it ends soon after the errors do.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from decimal import Decimal

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.slos import WINDOW, Slo

Rule = dict[str, t.Any]

ALERT = "SLOErrorBudgetBurn"
RUNBOOK = "docs/alerts.md#sloerrorbudgetburn"

# Asked of the services' own series. Longer windows are sums of what the shortest recorded, which costs next to nothing.
DIRECT_WINDOWS = ("30m", "1h")
SUMMED_WINDOWS = ("2h", "6h", "1d", "3d")
# The budget moves slowly. Not longer than the 5 minutes that Prometheus looks back for a sample.
PERIOD_INTERVAL = "2m"


@dataclass(frozen=True)
class Burn:
    """How many times faster than allowed the budget of 30 days is spent, over which windows."""

    factor: Decimal
    long: str
    short: str


PAGE = (Burn(Decimal("14.4"), "1h", "5m"), Burn(Decimal(6), "6h", "30m"))
TICKET = (Burn(Decimal(3), "1d", "2h"), Burn(Decimal(1), "3d", "6h"))


def rule_groups(slos: t.Sequence[Slo]) -> dict[str, t.Any]:
    """Return the content of a Prometheus rule file."""
    return {"groups": [group for slo in slos for group in _groups(slo)]}


def burn_factor(burn: Burn, days: int) -> Decimal:
    """The same share of the budget in the same window, for a period of another length.

    Never below 1: what burns slower than that lasts until the end of the period.
    """
    return max(Decimal(1), burn.factor * days / 30)


def _groups(slo: Slo) -> list[dict[str, t.Any]]:
    groups: list[dict[str, t.Any]] = [
        {"name": f"slo-{slo.name}", "rules": _ratios(slo)},
        {"name": f"slo-{slo.name}-period", "interval": PERIOD_INTERVAL, "rules": _budget(slo)},
    ]
    alerts = _alerts(slo)
    return [*groups, {"name": f"slo-{slo.name}-alerts", "rules": alerts}] if alerts else groups


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _series(slo: Slo, name: str) -> str:
    return f'slo:{name}{{slo="{slo.name}"}}'


def _record(slo: Slo, name: str, expression: str) -> Rule:
    return {"record": f"slo:{name}", "expr": expression, "labels": {**slo.labels, "slo": slo.name}}


def _events(query: str, window: str) -> str:
    return query.replace(WINDOW, f"[{window}]")


def _errors(slo: Slo, window: str) -> str:
    """Series of errors often exist only after the first error: then there were none.

    An objective is one number, so both sides are summed: labels that differ would silently match nothing.
    """
    return f"(sum({_events(slo.errors, window)}) or 0 * sum({_events(slo.total, window)}))"


def _ratios(slo: Slo) -> list[Rule]:
    """Where nothing happened there is no ratio; 0/0 would spoil every sum that it gets into."""
    rules = [
        _record(slo, "error_events:5m", _errors(slo, "5m")),
        _record(slo, "total_events:5m", f"sum({_events(slo.total, '5m')})"),
        _record(slo, "error_ratio:5m", f"{_series(slo, 'error_events:5m')} / ({_series(slo, 'total_events:5m')} > 0)"),
    ]
    rules += [
        _record(slo, f"error_ratio:{window}", f"{_errors(slo, window)} / (sum({_events(slo.total, window)}) > 0)")
        for window in DIRECT_WINDOWS
    ]
    rules += [_record(slo, f"error_ratio:{window}", _summed(slo, window)) for window in SUMMED_WINDOWS]
    return rules


def _summed(slo: Slo, window: str) -> str:
    """Weighed by traffic, unlike an average of ratios: a bad minute at night counts as little as it did."""
    errors, total = (
        f"sum(sum_over_time({_series(slo, f'{kind}_events:5m')}[{window}]))" for kind in ("error", "total")
    )
    return f"{errors} / ({total} > 0)"


def _budget(slo: Slo) -> list[Rule]:
    return [
        _record(slo, "error_ratio:period", _summed(slo, f"{slo.days}d")),
        _record(slo, "objective:ratio", f"vector({_plain(slo.objective / 100)})"),
        _record(
            slo, "error_budget_remaining:ratio", f"1 - {_series(slo, 'error_ratio:period')} / {_plain(slo.budget)}"
        ),
    ]


def _alerts(slo: Slo) -> list[Rule]:
    # A window that Prometheus has not seen whole yet is as long as what it saw: on a new cluster the first minutes, in
    # which something always fails. So tickets, for which there is time, wait.
    kinds = (
        ("critical", "fast", PAGE, "2m", slo.page, "burns its error budget fast", "Act now."),
        (
            "warning",
            "slow",
            TICKET,
            "1h",
            slo.ticket,
            "burns its error budget",
            "It will not last until the period ends.",
        ),
    )
    alerts = []
    for severity, speed, burns, wait, labels, summary, advice in kinds:
        conditions = [condition for burn in burns if (condition := _condition(slo, burn))]
        if conditions:
            alerts.append(
                {
                    "alert": ALERT,
                    "expr": "\nor\n".join(conditions),
                    "for": wait,
                    "labels": {"severity": severity, **slo.labels, **labels, "slo": slo.name, "burn": speed},
                    "annotations": {
                        "summary": f"SLO {slo.name} {summary}",
                        "description": (
                            f"{slo.description}: {{{{ $value | humanizePercentage }}}} fail, "
                            f"{_plain(100 - slo.objective)}% may over {slo.days} days. {advice}"
                        ),
                        "runbook_url": RUNBOOK,
                    },
                }
            )
    return alerts


def _condition(slo: Slo, burn: Burn) -> str:
    """Empty where it could never be true: of an objective of 90 %, no more than ten times the budget can fail."""
    factor = burn_factor(burn, slo.days)
    if factor * slo.budget >= 1:
        return ""
    threshold = f"{_plain(factor)} * {_plain(slo.budget)}"
    long, short = _series(slo, f"error_ratio:{burn.long}"), _series(slo, f"error_ratio:{burn.short}")
    return f"({long} > {threshold} and {short} > {threshold})"
