# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cloudnative.platform.plugins.filter.reset import reset_anchor, reset_targets

GROUPS = {"all": ["r1", "cp1", "cp2", "w1", "other"], "kube_node": ["w1"], "mine": ["cp2", "w1"]}
CLUSTER = {"control_planes": ["cp1", "cp2"], "workers": ["w1"], "registries": ["r1"], "groups": GROUPS}


def choose(hosts, confirm="prod", **changed):
    return reset_targets(hosts, **{**CLUSTER, "cluster_name": "prod", "confirm": confirm, **changed})


@pytest.mark.parametrize(
    ("hosts", "chosen", "whole"),
    [
        ("w1", ["w1"], False),
        (["w1", "cp2"], ["cp2", "w1"], False),
        ("w1, cp2", ["cp2", "w1"], False),
        ('["w1", "cp2"]', ["cp2", "w1"], False),
        ("mine", ["cp2", "w1"], False),
        ("all", ["cp1", "cp2", "w1", "r1"], True),
        (["all", "w1"], ["cp1", "cp2", "w1", "r1"], True),
        ("cp1,cp2,w1", ["cp1", "cp2", "w1"], True),
    ],
)
def test_hosts_that_are_chosen(hosts, chosen, whole):
    found = choose(hosts)
    assert (found["hosts"], found["whole"], found["problems"]) == (chosen, whole, [])


@pytest.mark.parametrize(
    ("hosts", "changed", "message"),
    [
        ("", {}, "reset_hosts is missing"),
        ([], {}, "reset_hosts is missing"),
        ("[w1", {}, "reset_hosts '[w1' is neither a name nor a list of names"),
        (5, {}, "reset_hosts 5 is neither a name nor a list of names"),
        ("mime", {}, "reset_hosts names mime, which is no host of the inventory; did you mean mine?"),
        ("xyz", {}, "reset_hosts names xyz, which is no host of the inventory; known are cp1, cp2, w1, r1"),
        (
            "w1",
            {"confirm": ""},
            "reset_confirm is missing: to take back w1, give the name of the cluster, -e reset_confirm=prod",
        ),
        ("w1", {"confirm": None}, "reset_confirm is missing"),
        ("w1", {"confirm": "yes"}, "reset_confirm is 'yes'"),
        ("w1", {"limit": "w1"}, "--limit w1 would hide hosts"),
        ("cp1,cp2", {}, "cp1, cp2: 2 of 2 control planes would go, and w1 would stay without any"),
        ("r1", {}, "r1: 1 of 1 registries would go, and cp1, cp2, w1 would have nowhere to pull images from"),
    ],
)
def test_refusals(hosts, changed, message):
    problems = choose(hosts, **changed)["problems"]
    assert len([problem for problem in problems if message in problem]) == 1
    assert len(problems) == 1


def test_every_problem_is_named_at_once():
    assert len(choose("cp1,cp2,r1,nobody", confirm="", limit="x")["problems"]) == 5


def test_anchor_from_what_was_observed():
    ready = {"cluster": {"present": True, "ready": True, "reason": ""}}
    hostvars = {"cp1": {"seen": {"unreachable": True, "msg": "timed out"}}, "cp2": {"seen": ready}, "cp3": {}}
    assert reset_anchor(["cp1", "cp2", "cp3"], hostvars, ["cp1"], "seen") == "cp2"
    with pytest.raises(
        AnsibleFilterError, match=r"cp1: it can't be reached \(timed out\); cp3: it can't be reached \(it was"
    ):
        reset_anchor(["cp1", "cp2", "cp3"], hostvars, ["cp2"], "seen")
