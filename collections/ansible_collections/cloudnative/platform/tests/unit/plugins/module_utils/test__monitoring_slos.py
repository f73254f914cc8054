# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import rules, slos
from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.slos import SloError

SLO = {"name": "checkout", "objective": 99.9, "errors": "sum(rate(e[$window]))", "total": "sum(rate(t[$window]))"}


def one(**changed):
    return slos.parse([{**SLO, **changed}])[0]


def groups(**changed):
    return {group["name"]: group for group in rules.rule_groups(slos.parse([{**SLO, **changed}]))["groups"]}


def recorded(**changed):
    made = groups(**changed)
    found = [rule for name in ("slo-checkout", "slo-checkout-period") for rule in made[name]["rules"]]
    return {rule["record"]: rule for rule in found}


def alerts(**changed):
    made = groups(**changed).get("slo-checkout-alerts", {"rules": []})
    return {rule["labels"]["severity"]: rule for rule in made["rules"]}


def test_what_is_left_out_has_a_default():
    slo = one()
    assert (slo.days, slo.description, slo.labels, slo.page, slo.ticket) == (30, "checkout", {}, {}, {})


@pytest.mark.parametrize(("objective", "budget"), [(99.9, "0.001"), (99, "0.01"), ("99.95", "0.0005"), (50, "0.5")])
def test_budgets_are_exact(objective, budget):
    assert one(objective=objective).budget == Decimal(budget)


@pytest.mark.parametrize(("period", "days"), [("7d", 7), ("4w", 28), ("90d", 90), ("365d", 365)])
def test_periods(period, days):
    assert one(period=period).days == days


REFUSED = [
    ({"objective": 100}, "SLO checkout, objective 100: leaves no error budget; give the percentage"),
    ({"objective": 0}, "SLO checkout, objective 0: is out of range; give the percentage"),
    ({"objective": -1}, "SLO checkout, objective -1: is out of range"),
    ({"objective": 999}, "SLO checkout, objective 999: is out of range"),
    ({"objective": "many"}, "SLO checkout, objective 'many': is not a number"),
    ({"objective": "nan"}, "SLO checkout, objective 'nan': is not a number"),
    ({"objective": "Infinity"}, "SLO checkout, objective 'Infinity': is not a number"),
    ({"objective": True}, "SLO checkout, objective True: is not a number"),
    ({"objective": [99]}, "SLO checkout, objective: is not a number"),
    ({"objective": None}, "SLO checkout, objective: is missing; an objective needs errors, name, objective, total"),
    ({"period": "30"}, "SLO checkout, period '30': is not a number of days or weeks; give 7d to 365d"),
    ({"period": 30}, "SLO checkout, period 30: is not a number of days or weeks"),
    ({"period": "1h"}, "SLO checkout, period '1h': is not a number of days or weeks"),
    ({"period": "3d"}, "SLO checkout, period '3d': is out of range; give 7d to 365d"),
    ({"period": "2000w"}, "SLO checkout, period '2000w': is out of range"),
    ({"objectiv": 99}, "SLO checkout, objectiv: is not known; did you mean objective?"),
    ({"xyz": 99}, "SLO checkout, xyz: is not known; known are alerting, description, errors"),
    (
        {"errors": "rate(e[5m])"},
        "errors 'rate(e[5m])': lacks [$window], so it cannot be asked over several windows; write",
    ),
    ({"errors": "rate(e[5m])"}, "write [$window] in place of [5m]"),
    ({"total": "up"}, "SLO checkout, total 'up': lacks [$window]"),
    ({"total": ""}, "SLO checkout, total: is missing"),
    ({"total": 5}, "SLO checkout, total 5: is not a query"),
    ({"name": "Check Out!"}, "SLO Check Out!, name 'Check Out!': is no name for rules"),
    ({"name": "Check Out!"}, "did you mean check-out?"),
    ({"name": "a" * 64}, "is no name for rules"),
    ({"name": 5}, "SLO 5, name 5: is not text; write it in quotes"),
    ({"labels": {"1": "c"}}, "SLO checkout, labels '1': is no name of a label; did you mean team?"),
    ({"name": ""}, "SLO number 1, name: is missing"),
    ({"labels": ["a"]}, "SLO checkout, labels: is not a dictionary; write it like {team: shop}"),
    ({"labels": {"a-b": "c"}}, "SLO checkout, labels 'a-b': is no name of a label; did you mean a_b?"),
    ({"labels": {"__name__": "c"}}, "is no name of a label"),
    ({"labels": {"slo": "other"}}, "SLO checkout, labels 'slo': is set by the rules themselves"),
    ({"labels": {"severity": "info"}}, "SLO checkout, labels 'severity': would be the same for pages and tickets"),
    ({"labels": {"team": None}}, "SLO checkout, labels, team: is not text"),
    (
        {"alerting": "off"},
        "SLO checkout, alerting 'off': is not a dictionary; write it like {page: {severity: warning}}",
    ),
    ({"alerting": {"pages": {}}}, "SLO checkout, alerting, pages: is not known; did you mean page?"),
    ({"alerting": {"page": {"alertname": "x"}}}, "SLO checkout, alerting.page 'alertname': is set by the rules"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED)
def test_what_is_refused_and_what_would_be_right(changed, message):
    with pytest.raises(SloError) as error:
        one(**changed)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("checkout", "slos 'checkout': is not a list; give a list of objectives"),
        ({"checkout": SLO}, "is not a list"),
        (["checkout"], "SLO number 1 'checkout': is not a dictionary"),
        ([SLO, {**SLO, "objective": 99}], "SLO checkout: is there twice; give each objective a name of its own"),
    ],
)
def test_lists_that_are_refused(given, message):
    with pytest.raises(SloError) as error:
        slos.parse(given)
    assert message in str(error.value)


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(SloError) as error:
        slos.parse([{**SLO, "objective": 100, "period": "1d"}, {**SLO, "name": "b", "total": "up"}])
    assert len(str(error.value).splitlines()) == 3


def test_a_query_that_may_hold_a_secret_is_not_shown():
    with pytest.raises(SloError) as error:
        one(total="https://user:word@example.org")
    assert "word" not in str(error.value)


def test_no_objectives_make_no_rules():
    assert rules.rule_groups(slos.parse([])) == {"groups": []}


def test_every_window_is_recorded():
    windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "period")
    assert {f"slo:error_ratio:{window}" for window in windows} <= set(recorded())


def test_short_windows_ask_the_service_and_long_ones_what_was_recorded():
    made = recorded(period="28d")
    assert made["slo:error_events:5m"]["expr"] == "(sum(sum(rate(e[5m]))) or 0 * sum(sum(rate(t[5m]))))"
    assert "rate(e[1h])" in made["slo:error_ratio:1h"]["expr"]
    assert made["slo:error_ratio:3d"]["expr"] == (
        'sum(sum_over_time(slo:error_events:5m{slo="checkout"}[3d]))'
        ' / (sum(sum_over_time(slo:total_events:5m{slo="checkout"}[3d])) > 0)'
    )
    assert "[28d]" in made["slo:error_ratio:period"]["expr"]
    assert not any("$window" in rule["expr"] for rule in made.values())


def test_a_window_may_stand_in_a_query_several_times():
    made = recorded(errors="sum(rate(a[$window])) - sum(rate(b[$window]))")
    assert "sum(sum(rate(a[30m])) - sum(rate(b[30m])))" in made["slo:error_ratio:30m"]["expr"]


def test_labels_are_everywhere():
    made = groups(labels={"team": "shop", "tier": 1})
    rules_made = [rule for group in made.values() for rule in group["rules"]]
    assert all(
        {"team": "shop", "tier": "1", "slo": "checkout"}.items() <= rule["labels"].items() for rule in rules_made
    )


def test_labels_of_one_alert_are_on_no_other():
    made = alerts(alerting={"page": {"route": "phone"}, "ticket": {"route": "mail"}})
    assert made["critical"]["labels"] == {"severity": "critical", "route": "phone", "slo": "checkout", "burn": "fast"}
    assert made["warning"]["labels"] == {"severity": "warning", "route": "mail", "slo": "checkout", "burn": "slow"}


def test_the_severity_can_be_another():
    made = groups(alerting={"page": {"severity": "warning"}})["slo-checkout-alerts"]["rules"]
    # Still two alerts, that Alertmanager can tell apart.
    assert [(rule["labels"]["severity"], rule["labels"]["burn"]) for rule in made] == [
        ("warning", "fast"),
        ("warning", "slow"),
    ]


@pytest.mark.parametrize(
    ("days", "factors"),
    [
        (30, ["14.4", "6", "3", "1"]),
        (28, ["13.44", "5.6", "2.8", "1"]),
        (14, ["6.72", "2.8", "1.4", "1"]),
        (7, ["3.36", "1.4", "1", "1"]),
        (90, ["43.2", "18", "9", "3"]),
    ],
)
def test_factors_stand_for_the_same_part_of_the_budget(days, factors):
    assert [rules.burn_factor(burn, days) for burn in (*rules.PAGE, *rules.TICKET)] == list(map(Decimal, factors))


def test_conditions_have_two_windows():
    assert alerts()["critical"]["expr"] == (
        '(slo:error_ratio:1h{slo="checkout"} > 14.4 * 0.001 and slo:error_ratio:5m{slo="checkout"} > 14.4 * 0.001)\n'
        "or\n"
        '(slo:error_ratio:6h{slo="checkout"} > 6 * 0.001 and slo:error_ratio:30m{slo="checkout"} > 6 * 0.001)'
    )
    assert "slo:error_ratio:1d" in alerts()["warning"]["expr"]
    assert "slo:error_ratio:3d" in alerts()["warning"]["expr"]


@pytest.mark.parametrize(
    ("objective", "conditions"),
    [
        (93.1, {"critical": 2, "warning": 2}),
        (93, {"critical": 1, "warning": 2}),
        (80, {"warning": 2}),
        (50, {"warning": 1}),
        (0.5, {"warning": 1}),
    ],
)
def test_conditions_that_could_never_be_true_are_left_out(objective, conditions):
    made = alerts(objective=objective)
    assert {severity: rule["expr"].count(" and ") for severity, rule in made.items()} == conditions
