# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import state

CONTROL_PLANE_FILES = [
    "admin.conf",
    "kubelet.conf",
    "pki/ca.crt",
    "pki/ca.key",
    *(f"manifests/{name}.yaml" for name in state.MANIFESTS),
]
LABELS = {"node-role.kubernetes.io/control-plane": ""}


def observed(**changes):
    base = {
        "files": CONTROL_PLANE_FILES,
        "kubelet_active": True,
        "api_ready": True,
        "asked": True,
        "node": {"labels": LABELS, "ready": True},
        "addons": True,
    }
    return {**base, **changes}


@pytest.mark.parametrize(
    ("role", "changes", "phase"),
    [
        ("control_plane", {}, "member"),
        ("control_plane", {"files": []}, "absent"),
        ("control_plane", {"files": ["pki/ca.key"]}, "partial"),
        ("control_plane", {"files": [name for name in CONTROL_PLANE_FILES if "scheduler" not in name]}, "partial"),
        ("control_plane", {"kubelet_active": False}, "unready"),
        ("control_plane", {"api_ready": False}, "unready"),
        ("control_plane", {"node": None}, "partial"),
        ("control_plane", {"node": {"labels": {}, "ready": True}}, "partial"),
        ("control_plane", {"addons": False}, "partial"),
        ("worker", {"files": ["kubelet.conf", "pki/ca.crt"]}, "member"),
        ("worker", {"files": ["kubelet.conf", "pki/ca.crt"], "node": None}, "partial"),
        # nobody said that the node is not there
        ("worker", {"files": ["kubelet.conf", "pki/ca.crt"], "node": None, "asked": False}, "unready"),
        ("control_plane", {"node": None, "asked": False}, "unready"),
        ("worker", {"files": ["kubelet.conf", "pki/ca.crt"], "kubelet_active": False}, "unready"),
        ("worker", {"files": ["bootstrap-kubelet.conf", "pki/ca.crt"]}, "partial"),
        ("worker", {"files": []}, "absent"),
    ],
)
def test_classify(role, changes, phase):
    assert state.classify(observed(**changes), role) == phase


def node(name, phase, ca=False):
    return {"name": name, "phase": phase, "ca": ca}


@pytest.mark.parametrize(
    ("nodes", "anchor"),
    [
        # nothing anywhere: the first is initialised
        ([node("cp1", "absent"), node("cp2", "absent")], ("cp1", True)),
        # any healthy member will do, the first of the list is not special
        ([node("cp1", "absent"), node("cp2", "member", True)], ("cp2", False)),
        ([node("cp1", "unready", True), node("cp2", "member", True)], ("cp2", False)),
        ([node("cp1", "partial", True), node("cp2", "member", True)], ("cp2", False)),
        # an initialisation that was killed goes on where it began
        ([node("cp1", "absent"), node("cp2", "partial", True)], ("cp2", True)),
        # a host whose join was cut before it got the CA has nothing worth keeping
        ([node("cp1", "absent"), node("cp2", "partial", False)], ("cp1", True)),
        # a single control plane that is down is started, not replaced
        ([node("cp1", "unready", True)], ("cp1", True)),
        ([node("cp1", "absent"), node("cp2", "unready", True)], ("cp2", True)),
    ],
)
def test_choose_anchor(nodes, anchor):
    assert state.choose_anchor(nodes) == {"name": anchor[0], "initialise": anchor[1]}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([], "no control plane came this far"),
        ([node("cp1", "unready", True), node("cp2", "unready", True)], "none of its control planes is healthy"),
        ([node("cp1", "unready", True), node("cp2", "partial", True)], "would abandon its data"),
    ],
)
def test_choose_anchor_refuses(nodes, message):
    with pytest.raises(state.NodeStateError, match=message):
        state.choose_anchor(nodes)


@pytest.mark.parametrize(
    ("host", "phase", "ignored"),
    [
        ({"cgroup_version": 2, "cgroup_v1_allowed": False, "bridge_nf": True}, "absent", []),
        ({"cgroup_version": 2, "cgroup_v1_allowed": True, "bridge_nf": True}, "absent", []),
        ({"cgroup_version": 1, "cgroup_v1_allowed": True, "bridge_nf": True}, "absent", ["SystemVerification"]),
        ({"cgroup_version": 1, "cgroup_v1_allowed": False, "bridge_nf": True}, "absent", []),
        (
            {"cgroup_version": 2, "cgroup_v1_allowed": False, "bridge_nf": False},
            "absent",
            ["FileContent--proc-sys-net-bridge-bridge-nf-call-iptables"],
        ),
        (
            {"cgroup_version": 2, "cgroup_v1_allowed": False, "bridge_nf": True},
            "partial",
            list(state.RESUME_CHECKS),
        ),
    ],
)
def test_ignored_checks(host, phase, ignored):
    assert state.ignored_checks(host, phase) == ignored


@pytest.mark.parametrize(
    ("changes", "phases"),
    [
        ({}, ["kubelet-start"]),
        ({"node": None}, []),
        ({"node": {"labels": {}, "ready": False}}, []),
        ({"kubelet_active": False}, []),
        ({"files": ["pki/ca.crt"]}, []),
    ],
)
def test_skipped_join_phases(changes, phases):
    assert state.skipped_join_phases(observed(**changes)) == phases


@pytest.mark.parametrize(("name", "before"), [("cp2", []), ("cp3", ["cp2"]), ("worker1", ["cp2", "cp3"])])
def test_join_predecessors(name, before):
    joining = [{"name": "cp2"}, {"name": "cp3"}]
    assert [item["name"] for item in state.join_predecessors(joining, name)] == before
