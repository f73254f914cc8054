# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cloudnative.platform.plugins.filter.reset import reset_anchor, reset_targets

GROUPS = {
    "all": ["r1", "cp1", "cp2", "w1", "other"],
    "kube_node": ["w1"],
    "mine": ["cp2", "w1", "other"],
    "database": ["other"],
}
CLUSTER = {"control_planes": ["cp1", "cp2"], "workers": ["w1"], "registries": ["r1"], "groups": GROUPS}
# Gateways and mesh on hosts, and no cluster. m2 has data planes as well, and g2 a gateway beside its data planes.
HOSTS = {
    "control_planes": [],
    "workers": [],
    "registries": ["r1"],
    "gateways": ["g1", "g2"],
    "mesh_control_planes": ["m1", "m2"],
    "mesh_data_planes": ["d1", "m2", "g2"],
    "groups": {
        "all": ["r1", "g1", "g2", "m1", "m2", "d1"],
        "kong": ["g1", "g2"],
        "kuma_control_plane": ["m1", "m2"],
        "kuma_dataplane": ["d1", "m2", "g2"],
    },
}
KNOWN = "none of the groups kube_control_plane, kube_node, registry, kong, kuma_control_plane, kuma_dataplane"


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
        ("other", {}, f"reset_hosts names other, which is in {KNOWN}"),
        ("database", {}, f"reset_hosts names the group database, whose hosts are in {KNOWN}"),
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


@pytest.mark.parametrize(
    ("hosts", "data_planes", "mesh_control_planes", "gateways", "registries", "staying"),
    [
        ("all", ["d1", "g2"], ["m1", "m2"], ["g1", "g2"], ["r1"], []),
        ("kong", ["g2"], [], ["g1", "g2"], [], ["d1", "m2", "m1", "r1"]),
        ("d1", ["d1"], [], [], [], ["m2", "g2", "m1", "g1", "r1"]),
        # Its data planes go before its control plane, by the same tasks.
        ("m2", [], ["m2"], [], [], ["d1", "g2", "m1", "g1", "r1"]),
        ("kuma_dataplane,kuma_control_plane", ["d1", "g2"], ["m1", "m2"], ["g2"], [], ["g1", "r1"]),
    ],
)
def test_gateways_and_mesh_without_a_cluster(hosts, data_planes, mesh_control_planes, gateways, registries, staying):
    found = choose(hosts, **HOSTS)
    assert (found["problems"], found["nodes"], found["whole"]) == ([], [], True)
    assert (found["mesh_data_planes"], found["mesh_control_planes"]) == (data_planes, mesh_control_planes)
    assert (found["gateways"], found["registries"], found["staying"]) == (gateways, registries, staying)


def test_each_host_goes_before_what_it_depends_on():
    both = {**HOSTS, **CLUSTER, "groups": HOSTS["groups"], "gateways": ["g1", "w1"]}
    assert choose("all", **both)["hosts"] == ["d1", "m2", "g2", "m1", "g1", "w1", "cp1", "cp2", "r1"]
    gateway = choose("w1", **both)
    assert (gateway["gateways"], gateway["nodes"], gateway["whole"], gateway["problems"]) == (["w1"], ["w1"], False, [])


@pytest.mark.parametrize(
    ("hosts", "changed", "message"),
    [
        (
            "kuma_control_plane",
            {},
            "m1, m2: 2 of 2 control planes of the mesh would go, and the data planes on d1, g2 would stay without any",
        ),
        ("m1", {"mesh_control_planes": ["m1"]}, "m1: 1 of 1 control planes of the mesh would go"),
        (
            "m1",
            {},
            "m1 keeps the certificate authority and the tokens of the mesh, and m2 would stay without them; "
            "copy /etc/kuma from it, or from its backup, to m2",
        ),
        # The data planes go too, and the other control plane still needs what the first one keeps.
        ("m1,d1", {"mesh_data_planes": ["d1"]}, "m1 keeps the certificate authority"),
        ("r1", {}, "r1: 1 of 1 registries would go, and d1, m2, g2, m1 would have nowhere to pull the programs of the"),
        ("all", {name: [] for name in HOSTS if name != "groups"}, f"reset_hosts is all, and {KNOWN} has a host"),
    ],
)
def test_refusals_of_gateways_and_mesh(hosts, changed, message):
    problems = choose(hosts, **{**HOSTS, **changed})["problems"]
    assert [problem for problem in problems if message in problem] == problems != []


def test_gateways_do_not_hold_a_registry():
    assert choose("r1", **{**HOSTS, "mesh_control_planes": [], "mesh_data_planes": []})["problems"] == []


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
