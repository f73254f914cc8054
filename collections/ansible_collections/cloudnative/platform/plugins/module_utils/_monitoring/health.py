# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What Prometheus, Alertmanager and the metrics API say, judged. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter

Object = dict[str, t.Any]
WATCHDOG = "Watchdog"


def target_problems(targets: list[Object], expected: t.Mapping[str, int]) -> list[str]:
    """What is missing or down, of the ``activeTargets`` of Prometheus; *expected* is the least number by job."""
    found = Counter(target["labels"]["job"] for target in targets)
    problems = [
        f"job {job} has {found[job]} targets, {least} are expected"
        for job, least in sorted(expected.items())
        if found[job] < least
    ]
    for target in sorted(targets, key=lambda one: (one["labels"]["job"], one["scrapeUrl"])):
        if target["health"] != "up":
            reason = target.get("lastError") or "not asked yet"
            problems.append(f"{target['labels']['job']} {target['scrapeUrl']} is {target['health']}: {reason}")
    return problems


def rule_problems(groups: list[Object]) -> list[str]:
    """Rules that can't be evaluated, from the ``groups`` of Prometheus."""
    return [
        f"rule {rule['name']} of group {group['name']}: {rule['lastError']}"
        for group in groups
        for rule in group["rules"]
        if rule["health"] == "err"
    ]


def firing(alerts: list[Object]) -> list[str]:
    """Names of the alerts that fire, the watchdog apart, which always does."""
    names = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
    return sorted(names - {WATCHDOG})


def watchdog_problems(received: list[Object]) -> list[str]:
    """Whether the way from a rule to Alertmanager works; *received* is what Alertmanager holds."""
    if any(alert["labels"].get("alertname") == WATCHDOG for alert in received):
        return []
    return [f"Alertmanager has not received the alert {WATCHDOG}, which always fires: alerts don't get through"]


def metrics_problems(nodes: list[Object], measured: list[Object]) -> list[str]:
    """Nodes that the metrics API knows nothing of."""
    names = {item["metadata"]["name"] for item in measured}
    missing = sorted({node["metadata"]["name"] for node in nodes} - names)
    return [f"the metrics API has nothing of node {name}" for name in missing]
