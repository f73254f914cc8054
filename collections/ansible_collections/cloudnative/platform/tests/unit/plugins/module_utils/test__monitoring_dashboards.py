# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import panels
from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring.dashboards import dashboards, queries

ADDONS = ("kong", "kuma")
DASHBOARDS = dashboards("prometheus", "1m", "now-3h", ADDONS)


def test_what_there_is():
    assert list(dashboards("prometheus", "1m", "now-3h")) == [
        "platform-overview",
        "platform-nodes",
        "platform-workloads",
        "platform-control-plane",
        "platform-registry",
        "platform-monitoring",
        "platform-slos",
    ]


def test_addons_bring_their_own():
    common = dashboards("prometheus", "1m", "now-3h")
    assert [uid for uid in DASHBOARDS if uid not in common] == ["platform-gateway", "platform-mesh"]
    assert set(dashboards("prometheus", "1m", "now-3h", ["kuma"])) - set(common) == {"platform-mesh"}


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_grafana_can_read_it(uid):
    dashboard = DASHBOARDS[uid]
    assert json.loads(json.dumps(dashboard)) == dashboard
    assert (dashboard["uid"], dashboard["schemaVersion"]) == (uid, panels.SCHEMA_VERSION)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    assert len(uid) <= 40


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_panels_do_not_overlap(uid):
    taken = set()
    for panel in DASHBOARDS[uid]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= panels.COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_every_panel_asks_the_given_source(uid):
    made = dashboards("another", "1m", "now-3h", ADDONS)[uid]
    sources = [panel["datasource"] for panel in made["panels"] if panel["type"] != "row"]
    sources += [target["datasource"] for panel in made["panels"] for target in panel.get("targets", [])]
    sources += [choice["datasource"] for choice in made["templating"]["list"]]
    assert sources
    assert all(source == {"type": "prometheus", "uid": "another"} for source in sources)


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_titles_within_a_dashboard_differ(uid):
    titles = [(panel["type"], panel["title"]) for panel in DASHBOARDS[uid]["panels"]]
    assert len(titles) == len(set(titles))


def test_settings_are_passed_on():
    made = dashboards("prometheus", "5m", "now-1d")["platform-overview"]
    assert (made["refresh"], made["time"]) == ("5m", {"from": "now-1d", "to": "now"})


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_queries_are_complete(uid):
    found = queries(DASHBOARDS[uid])
    targets = {target["expr"] for panel in DASHBOARDS[uid]["panels"] for target in panel.get("targets", [])}
    assert len(found) >= len(targets)
    assert not any(panels._BUILT_IN.keys() & set(query.split("$")) for query in found)
    # What is left is the group of a label_replace.
    assert not any("$" in query.replace('"$1"', "") for query in found)
    assert all(query.count("{") == query.count("}") and query.count("(") == query.count(")") for query in found)


def test_variables_are_replaced_by_all_or_by_what_is_given():
    made = DASHBOARDS["platform-nodes"]
    assert 'node_load5{job="node-exporter",instance=~".+"}' in queries(made)
    assert 'node_load5{job="node-exporter",instance=~"cp1"}' in queries(made, {"node": "cp1"})
    assert any("[5m]" in query for query in queries(made))
    assert any("[10m]" in query for query in queries(made, {"__rate_interval": "10m"}))


def test_series_of_the_choices_are_queries_too():
    assert queries(DASHBOARDS["platform-nodes"])[0] == 'up{job="node-exporter"}'
    assert queries(DASHBOARDS["platform-slos"])[0] == "slo:objective:ratio"


def test_a_variable_that_is_not_known_is_an_error():
    broken = {"templating": {"list": []}, "panels": [{"targets": [{"expr": "up{a=~'$nobody'}"}]}]}
    with pytest.raises(KeyError, match="nobody"):
        queries(broken)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("up{}", 'up{job="x"}'),
        ('up{a="b"}', 'up{job="x",a="b"}'),
        ("a{} / b", 'a{job="x"} / b'),
        ("a{} - b{c=~'d'}", 'a{job="x"} - b{job="x",c=~\'d\'}'),
    ],
)
def test_matchers_go_into_every_selector(query, expected):
    assert panels.among('job="x"')(query) == expected
