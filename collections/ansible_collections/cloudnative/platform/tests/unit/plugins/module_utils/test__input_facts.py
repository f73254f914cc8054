# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._input_facts import check_facts
from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Rules

RULES = Rules()
OWN, FOREIGN = "a" * 64, "b" * 64


def host(name, group="kube_node", **facts):
    return {"name": name, "groups": [group], "facts": facts}


def control_plane(name, **facts):
    return host(name, "kube_control_plane", **facts)


def problems(*hosts, wanted=None):
    return [finding.sentence() for finding in check_facts(list(hosts), RULES, wanted).problems]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([host("w1", machine_id="a"), host("w2", machine_id="b"), host("w3")], []),
        (
            [host("w1", machine_id="abc"), host("r1", "registry", machine_id="abc")],
            [
                "machine_id 'abc': is the machine-id of r1, w1, the hosts were cloned; on all but one: "
                "rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; reboot"
            ],
        ),
        (
            [host("w1", default_ipv4="192.0.2.9"), host("w2", default_ipv4="192.0.2.9")],
            ["default_ipv4 '192.0.2.9': is the address of w1, w2; give every host an address of its own"],
        ),
        (
            [host("w1", architecture="riscv64")],
            ["host 'w1': has architecture riscv64; use a host of architecture amd64, arm64"],
        ),
        (
            [host("w1", root=False)],
            ["host 'w1': the tasks do not run as root; set ansible_user: root or ansible_become: true"],
        ),
    ],
)
def test_hosts_side_by_side(hosts, expected):
    assert problems(*hosts) == expected


@pytest.mark.parametrize("synchronised", [True, False, None])
def test_a_clock_that_is_not_synchronised_is_a_warning(synchronised):
    judgement = check_facts([host("w1", time_synchronised=synchronised)], RULES)
    assert judgement.problems == []
    warned = [finding.sentence() for finding in judgement.warnings]
    expected = ["host 'w1': its clock is not synchronised; run chrony or systemd-timesyncd"]
    assert warned == (expected if synchronised is False else [])


@pytest.mark.parametrize(
    ("hosts", "strangers", "own"),
    [
        # Hosts that are new have none.
        ([control_plane("c1", kubernetes_ca=OWN), host("w1", kubernetes_ca=""), host("w2")], "", ""),
        ([control_plane("c1", kubernetes_ca=OWN), host("w1", kubernetes_ca=FOREIGN)], "w1", "c1"),
        # The cluster of the control planes is the one that counts, however many workers are strangers.
        (
            [control_plane("c1", kubernetes_ca=OWN), *(host(f"w{n}", kubernetes_ca=FOREIGN) for n in range(3))],
            "w0, w1, w2",
            "c1",
        ),
        (
            [
                control_plane("c1", kubernetes_ca=FOREIGN),
                control_plane("c2", kubernetes_ca=OWN),
                control_plane("c3", kubernetes_ca=OWN),
                host("w1", kubernetes_ca=OWN),
            ],
            "c1",
            "c2, c3, w1",
        ),
        # A registry host is no node, whatever lies on it.
        ([control_plane("c1", kubernetes_ca=OWN), host("r1", "registry", kubernetes_ca=FOREIGN)], "", ""),
    ],
)
def test_hosts_of_another_cluster(hosts, strangers, own):
    found = problems(*hosts)
    if not strangers:
        assert found == []
        return
    assert found == [
        f"host '{strangers}': belongs to another cluster: its CA is {FOREIGN[:16]}…, that of {own} is {OWN[:16]}…; "
        "take it out of this inventory, or take the other cluster off it first (playbooks/reset.yml)"
    ]


@pytest.mark.parametrize(
    ("wanted", "running", "words"),
    [
        ("v1.36.4", {}, None),
        ("v1.36.4", {"c1": "", "w1": None}, None),
        ("v1.36.4", {"c1": "v1.36.2", "w1": "v1.36.4"}, None),
        # A patch may go back.
        ("v1.36.2", {"c1": "v1.36.4"}, None),
        ("v1.37.0", {"c1": "v1.36.4", "w1": "v1.36.4"}, None),
        # Half way through an upgrade.
        ("v1.37.0", {"c1": "v1.37.0", "w1": "v1.36.4"}, None),
        (
            "v1.36.4",
            {"c1": "v1.37.0", "w1": "v1.36.4"},
            "is older than what runs on c1, 1.37: Kubernetes cannot go back",
        ),
        (
            "v1.38.0",
            {"c1": "v1.36.4", "w1": "v1.36.4"},
            "is more than one minor version above what runs on c1, w1, 1.36",
        ),
        ("v2.0.0", {"c1": "v1.36.4"}, "is more than one minor version above what runs on c1, 1.36"),
        (None, {"c1": "v1.36.4"}, None),
        ("latest", {"c1": "v1.36.4"}, None),
        ("v1.36.4", {"c1": "unknown"}, None),
    ],
)
def test_one_minor_version_at_a_time(wanted, running, words):
    found = problems(
        *(control_plane(name, kubernetes_version=version) for name, version in running.items()), wanted=wanted
    )
    assert len(found) == (1 if words else 0)
    if words:
        assert found[0].startswith(f"kubernetes_version '{wanted}': {words}; ")


@pytest.mark.parametrize(
    ("control_planes", "expected"),
    [
        ({"kubernetes_ca": ""}, ["host 'w1, w2': belongs to another cluster: its CA is bbbb"]),
        # Not looked at in this run: nothing is known of it.
        ({}, []),
    ],
)
def test_workers_of_another_cluster_before_there_is_one_here(control_planes, expected):
    workers = [host("w1", kubernetes_ca=FOREIGN), host("w2", kubernetes_ca=FOREIGN), host("w3", kubernetes_ca="")]
    found = problems(control_plane("c1", **control_planes), *workers)
    assert len(found) == len(expected)
    for sentence, start in zip(found, expected):
        assert sentence.startswith(start)
        assert "and no control plane here has one; take it out" in sentence


def test_the_way_up_is_shown():
    assert problems(control_plane("c1", kubernetes_version="v1.35.1"), wanted="v1.37.0")[0].endswith(
        "upgrade to 1.36 first"
    )


def test_a_worker_that_was_left_behind_is_reset():
    found = problems(
        control_plane("c1", kubernetes_version="v1.37.0"), host("w1", kubernetes_version="v1.35.1"), wanted="v1.37.0"
    )
    assert found[0].endswith("the rest of the cluster is newer: reset w1 (playbooks/reset.yml), to join anew")
