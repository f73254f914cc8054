# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a mesh, out of recorded overviews."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import information, overview, versions
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.reading import About
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import load

OBSERVED = load("observed")
ZONE = About("zone", "universal", "default", federated=False, read_only=False, store="memory")
MESH = {"type": "Mesh", "name": "default", "meshServices": {"mode": "Exclusive"}}


def summary(version: str = "2.14.3", about: About = ZONE, **lists: list[t.Any]) -> dict[str, t.Any]:
    plain = {"zones": [OBSERVED["zone itself"]], "insights": [OBSERVED["mesh insight"]], "meshes": [MESH]}
    return information.summary(version, about, **{"proxies": [], "identities": [], **plain, **lists})


def test_a_healthy_mesh() -> None:
    found = summary(proxies=[OBSERVED["connected"]], identities=[OBSERVED["identity ready"]])
    assert found["problems"] == []
    assert found["supported"]
    (one,) = found["dataplanes"]
    assert one == {
        "mesh": "default",
        "name": "frontend-1",
        "zone": "default",
        "workload": "frontend",
        "online": True,
        "version": "2.14.3",
        "envoy": "1.38.2",
        "compatible": True,
        "certificate_expiry": "2026-11-23T12:00:59.133259284Z",
        "identity": "kri_mid_default_default__identity_",
    }
    assert found["certificate_expiry"] == one["certificate_expiry"]
    assert found["meshes"] == [
        {
            "name": "default",
            "mesh_services": "Exclusive",
            "dataplanes": {"total": 4, "online": 4, "offline": 0},
            "policies": {"MeshCircuitBreaker": 1, "MeshRetry": 1, "MeshTimeout": 2, "MeshTrafficPermission": 2},
        }
    ]
    assert found["zones"] == [{"name": "default", "enabled": True, "online": True, "version": ""}]


def test_a_dataplane_that_never_connected_is_offline() -> None:
    found = summary(proxies=[OBSERVED["never connected"]])
    assert found["offline"] == ["default/dp-a"]
    assert found["problems"] == ["dataplane default/dp-a is offline"]


def test_a_workload_without_identity_matters_where_there_are_identities() -> None:
    proxies = [OBSERVED["without certificate"]]
    assert summary(proxies=proxies)["without_certificate"] == []
    found = summary(proxies=proxies, identities=[OBSERVED["identity ready"]])
    assert found["without_certificate"] == ["default/frontend-1"]
    assert "has no certificate" in found["problems"][0]
    assert summary(proxies=proxies, meshes=[{**MESH, "mtls": {"enabledBackend": "ca"}}])["without_certificate"]


def test_an_identity_that_is_not_ready_says_why() -> None:
    found = summary(identities=[OBSERVED["identity not ready"]])
    assert not found["identities"][0]["ready"]
    assert "MeshServices to be enabled on the mesh" in found["problems"][0]
    silent = {**OBSERVED["identity not ready"], "status": {}}
    assert "the control plane says no reason" in summary(identities=[silent])["problems"][0]


def test_zones_of_a_global_control_plane() -> None:
    about = ZONE._replace(mode="global", zone="")
    assert summary(about=about, zones=[OBSERVED["zone just connected"]])["problems"] == []
    assert summary(about=about, zones=[OBSERVED["zone offline"]])["problems"] == ["zone zone-1 is offline"]
    switched_off = {**OBSERVED["zone offline"], "zone": {"enabled": False}}
    assert summary(about=about, zones=[switched_off])["problems"] == []


@pytest.mark.parametrize(
    ("ours", "theirs", "near"),
    [
        ("2.14.3", "2.14.0", True),
        ("2.14.3", "2.12.9", True),
        ("2.14.3", "2.11.9", False),
        ("2.14.3", "3.0.0", False),
        ("2.14.3", "unknown", True),
    ],
)
def test_versions_that_may_work_together(ours: str, theirs: str, near: bool) -> None:
    assert versions.is_near(ours, theirs) is near


def test_skew_is_a_problem() -> None:
    found = summary("2.17.0", proxies=[OBSERVED["connected"]])
    assert "Kuma 2.17.0 is not a version that this collection knows" in found["problems"]
    assert "runs 2.14.3, more than 2 minor versions from 2.17.0" in str(found["problems"])


def test_each_policy_of_a_dataplane_once() -> None:
    """Answers as they were recorded."""
    all_of_them = {"kind": "MeshTimeout", "origins": [{"kri": "kri_mt_default_default__all_"}]}
    allow = {"kind": "MeshTrafficPermission", "origins": [{"kri": "kri_mtp_default_default__a_"}, {"kri": "b"}]}
    retry = {"kind": "MeshRetry", "origins": [{"kri": "kri_mr_default_my_zone__retry_"}]}
    found = overview.policies(
        [{"kind": "MeshTrace", "origins": [{"kri": "kri_mtr_default_default__trace_"}]}, {"kind": "MeshProxyPatch"}],
        {"kri_dp_default_default__frontend-1_http": [all_of_them, allow]},
        {
            "kri_msvc_default_my_zone__backend_http": [all_of_them, retry],
            "kri_extsvc_default_default__api.example.com_443": [all_of_them],
        },
    )
    backend = "MeshService backend http"
    assert [tuple(one.values()) for one in found] == [
        ("MeshProxyPatch", "", [], []),
        ("MeshRetry", "retry", [], [backend]),
        ("MeshTimeout", "all", ["http"], [backend, "MeshExternalService api.example.com 443"]),
        ("MeshTrace", "trace", [], []),
        ("MeshTrafficPermission", "a", ["http"], []),
        ("MeshTrafficPermission", "b", ["http"], []),
    ]
