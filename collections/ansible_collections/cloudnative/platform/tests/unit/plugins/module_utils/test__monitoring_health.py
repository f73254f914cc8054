# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import health


def target(job, up=True, error=""):
    return {
        "labels": {"job": job},
        "health": "up" if up else "down",
        "lastError": error,
        "scrapeUrl": f"http://192.0.2.1/{job}",
    }


@pytest.mark.parametrize(
    ("targets", "expected", "problems"),
    [
        ([target("etcd")], {"etcd": 1}, []),
        ([target("etcd")], {}, []),
        ([], {"etcd": 3}, ["job etcd has 0 targets, 3 are expected"]),
        ([target("etcd")], {"etcd": 3}, ["job etcd has 1 targets, 3 are expected"]),
        (
            [target("etcd", up=False, error="connection refused")],
            {"etcd": 1},
            ["etcd http://192.0.2.1/etcd is down: connection refused"],
        ),
        ([{**target("etcd"), "health": "unknown"}], {}, ["etcd http://192.0.2.1/etcd is unknown: not asked yet"]),
    ],
)
def test_targets(targets, expected, problems):
    assert health.target_problems(targets, expected) == problems


def test_rules_that_cannot_be_evaluated_are_named():
    rules = [{"name": "Good", "health": "ok"}, {"name": "Bad", "health": "err", "lastError": "many-to-many matching"}]
    groups = [{"name": "mine", "rules": rules}]
    assert health.rule_problems(groups) == ["rule Bad of group mine: many-to-many matching"]


def test_watchdog_is_no_trouble_but_its_absence_is():
    watchdog = {"labels": {"alertname": "Watchdog"}, "state": "firing"}
    down = {"labels": {"alertname": "HostDown"}, "state": "firing"}
    soon = {"labels": {"alertname": "HostDiskFull"}, "state": "pending"}
    assert health.firing([watchdog, down, down, soon]) == ["HostDown"]
    assert health.watchdog_problems([watchdog]) == []
    assert "alerts don't get through" in health.watchdog_problems([down])[0]


def test_nodes_without_metrics_are_named():
    nodes = [{"metadata": {"name": name}} for name in ("cp1", "worker1")]
    assert health.metrics_problems(nodes, nodes) == []
    assert health.metrics_problems(nodes, nodes[:1]) == ["the metrics API has nothing of node worker1"]
