# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cloudnative.platform.plugins.filter import drift

AREAS = [{"role": "host", "area": "kernel", "result": "prepared"}]


def report(**results):
    return drift.drift_report(
        AREAS, {name: {"prepared": result} for name, result in results.items()}, list(results), "now"
    )


def test_report_names_the_collection():
    assert re.fullmatch(r"\d+\.\d+\.\d+", report()["platform"]["version"])


@pytest.mark.parametrize("result", [{"changed": False}, {"changed": True, "actions": ["change x"]}])
def test_a_known_state_is_determined(result):
    assert drift.drift_determined(report(a=result)) is True


def test_an_unknown_state_is_an_error_that_tells_all():
    with pytest.raises(
        AnsibleFilterError, match=r"could not be determined \(1 error\)[\s\S]*a +ERROR +host \(kernel\): gone"
    ):
        drift.drift_determined(report(a={"unreachable": True, "msg": "gone"}, b={"changed": True, "actions": ["x"]}))


def test_no_report_is_an_error():
    with pytest.raises(AnsibleFilterError, match="the drift report could not be made: disk full"):
        drift.drift_determined({}, "disk full")


def test_areas_are_checked():
    with pytest.raises(AnsibleFilterError, match="scope"):
        drift.drift_report([{**AREAS[0], "scope": "x"}], {}, [], "now")
