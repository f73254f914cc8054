# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.filter.mesh_targets import FilterModule

TARGETS = FilterModule().filters()["mesh_targets"]
MONITORED: dict[str, t.Any] = {"platform_addons": ["monitoring"]}
SHOP = {"name": "shop-1", "workload": "shop"}
PRICES = {"name": "prices-1", "workload": "prices"}


def made(cp: dict[str, t.Any] | None = None, dp: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    variables = {
        "cp1": {"ansible_host": "192.0.2.1", **MONITORED, **(cp or {})},
        "dp1": {"ansible_host": "192.0.2.9", "kuma_dataplanes": [SHOP, PRICES], **(dp or {})},
    }
    return t.cast("dict[str, t.Any]", TARGETS(["cp1"], ["dp1"], variables))


def addresses(found: dict[str, t.Any]) -> dict[str, list[str]]:
    return {job: [one["address"] for one in targets] for job, targets in found.items()}


def test_control_planes_their_certificate_and_data_planes_are_asked():
    found = made()
    assert addresses(found) == {
        "kuma-control-plane": ["192.0.2.1:5680"],
        "kuma-tls": ["192.0.2.1:5678"],
        "kuma-dataplanes": ["192.0.2.9:5670", "192.0.2.9:5671"],
    }
    assert found["kuma-dataplanes"][1]["labels"] == {
        "instance": "dp1/prices-1",
        "node": "dp1",
        "mesh": "default",
        "kuma_workload": "prices",
    }
    assert found["kuma-control-plane"][0]["labels"] == {"instance": "cp1", "node": "cp1"}


def test_ports_and_addresses_are_those_of_the_variables():
    cp = {
        "kuma_hosts_address": "2001:db8::1",
        "kuma_hosts_diagnostics_port": "6680",
        "kuma_hosts_dataplane_port": 6678,
        "kuma_observability": {"metrics_port": 6670},
    }
    assert addresses(made(cp, {"kuma_dataplane_address": "198.51.100.9"})) == {
        "kuma-control-plane": ["[2001:db8::1]:6680"],
        "kuma-tls": ["[2001:db8::1]:6678"],
        "kuma-dataplanes": ["198.51.100.9:6670", "198.51.100.9:6671"],
    }


@pytest.mark.parametrize(
    "cp",
    [{"platform_addons": []}, {"kuma_monitoring": False}, {"kuma_state": "absent"}],
    ids=["no monitoring", "monitoring off", "absent"],
)
def test_what_is_not_there_or_not_to_be_asked_is_left_out(cp):
    assert made(cp) == {}


@pytest.mark.parametrize("given", [{"metrics": False, "access_log": "stdout"}, {}], ids=["off", "nothing"])
def test_data_planes_that_serve_no_metrics_are_left_out(given):
    assert sorted(made({"kuma_observability": given})) == ["kuma-control-plane", "kuma-tls"]


def test_a_host_that_the_mesh_is_taken_off_is_left_out():
    assert sorted(made(dp={"kuma_state": "absent"})) == ["kuma-control-plane", "kuma-tls"]


def test_data_planes_of_a_mesh_without_the_policy_are_left_out_and_keep_their_port():
    dataplanes = [{**SHOP, "mesh": "other"}, PRICES]
    assert addresses(made(dp={"kuma_dataplanes": dataplanes}))["kuma-dataplanes"] == ["192.0.2.9:5671"]
    both = made({"kuma_observability": {"meshes": ["default", "other"]}}, {"kuma_dataplanes": dataplanes})
    assert addresses(both)["kuma-dataplanes"] == ["192.0.2.9:5670", "192.0.2.9:5671"]


def test_no_mesh_is_no_target():
    assert TARGETS([], [], {}) == {}
