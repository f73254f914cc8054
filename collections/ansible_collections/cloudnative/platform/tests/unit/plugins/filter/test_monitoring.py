# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.cloudnative.platform.plugins.filter.monitoring import FilterModule, monitoring_dashboards

try:
    from ansible.template import trust_as_template as template
except ImportError:  # before ansible-core 2.19 every text is one
    template = str

FILTERS = FilterModule().filters()


def test_objectives_become_groups_of_rules():
    slo = {"name": "a", "objective": 99, "errors": "e[$window]", "total": "t[$window]"}
    assert [group["name"] for group in FILTERS["slo_rules"]([slo])["groups"]] == [
        "slo-a",
        "slo-a-period",
        "slo-a-alerts",
    ]


def test_wrong_objectives_are_errors_of_the_filter():
    with pytest.raises(AnsibleFilterError, match="SLO a, objective: is missing"):
        FILTERS["slo_rules"]([{"name": "a"}])


def test_dashboards_by_uid():
    made = FILTERS["monitoring_dashboards"]("mine", since="now-1h")
    assert {uid: dashboard["uid"] for uid, dashboard in made.items()} == {uid: uid for uid in made}
    assert made["platform-overview"]["time"]["from"] == "now-1h"
    assert monitoring_dashboards("mine") != made


@pytest.mark.parametrize(
    "made",
    [
        FILTERS["monitoring_dashboards"]("mine"),
        FILTERS["slo_rules"]([{"name": "a", "objective": 99, "errors": "e[$window]", "total": "t[$window]"}]),
    ],
    ids=["dashboards", "rules"],
)
def test_templates_of_grafana_and_prometheus_are_not_those_of_ansible(made):
    templar = Templar(loader=DataLoader(), variables={"made": made})
    assert "{{" in str(made)
    assert templar.template(template("{{ made }}")) == made
