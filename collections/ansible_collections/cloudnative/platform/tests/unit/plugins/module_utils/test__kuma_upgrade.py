# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a mesh may go to another version."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import control_plane, running, upgrade
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.upgrade import Content

Raw = dict[str, t.Any]


def found(version: str = "2.14.1", **changes: t.Any) -> Raw:
    plain: Raw = {
        "version": version,
        "mode": "zone",
        "environment": "universal",
        "federated": False,
        "store": "memory",
        "zones": [],
        "meshes": [],
        "dataplanes": [],
        "offline": [],
    }
    return {**plain, **changes}


def dataplane(version: str, name: str = "web-1") -> Raw:
    return {"mesh": "default", "name": name, "version": version}


def check(target: str = "2.14.3", state: Raw | None = None, **content: t.Any) -> Raw:
    return upgrade.check(target, state or found(), Content(content.pop("config", {}), **content))


@pytest.mark.parametrize(
    ("version", "target", "problem"),
    [
        ("2.14.1", "2.14.3", None),
        ("2.14.3", "2.14.3", None),
        # A patch back is possible: patches share resources and database.
        ("2.14.3", "2.14.1", None),
        ("2.13.10", "2.14.3", None),
        ("2.12.14", "2.14.3", None),
        (
            "2.11.18",
            "2.14.3",
            "from 2.11 to 2.14 is more than 2 minor versions: go to 2.13 first, with all data planes",
        ),
        ("2.7.29", "2.14.3", "go to 2.9 first"),
        ("2.14.3", "2.13.10", "a control plane does not go back from 2.14 to 2.13"),
        ("2.14.3", "2.13.10", "Kuma 2.13 is outside of the supported range: this collection writes for 2.14.x only"),
        ("2.14.3", "2.15.0", "Kuma 2.15 is outside of the supported range"),
        ("2.14.3", "3.0.0", "Kuma 3.0 is outside of the supported range"),
        ("3.0.0", "2.14.3", "does not go back from 3.0 to 2.14"),
        ("2.14.3", "latest", "target_version 'latest' is no version, expected one like 2.14.3"),
        ("2.14.3", "2.14", "target_version '2.14' is no version"),
        ("2.14.3", "v2.14.3", "target_version 'v2.14.3' is no version"),
        ("unknown", "2.14.3", "the control plane runs 'unknown', which is no release"),
    ],
)
def test_versions(version: str, target: str, problem: str | None) -> None:
    made = check(target, found(version))
    assert made["allowed"] is (problem is None)
    assert problem is None or problem in "; ".join(made["problems"])
    assert bool(made["steps"]) is (problem is None and version != target)


def test_a_database_does_not_go_back() -> None:
    made = check("2.13.10", found("2.14.3", store="postgres"))
    assert "the database stays as the newer one made it; restore a backup" in "; ".join(made["problems"])


@pytest.mark.parametrize(
    ("version", "dataplanes", "problem"),
    [
        ("2.13.10", ["2.13.10", "2.12.1"], None),
        ("2.13.10", ["2.13.10", "2.11.18"], "1 data planes would be more than 2 minor versions from a control plane"),
        ("2.13.10", ["2.11.18"], "(default/dp0 2.11.18): bring them to 2.13.10 first"),
        # Nothing changes, and it is a problem all the same.
        ("2.14.3", ["2.11.18"], "default/dp0 2.11.18"),
        # One that has never connected, or a build of somebody's own.
        ("2.13.10", ["", "unknown"], None),
        ("2.13.10", ["2.11.0"] * 7, "and 2 more"),
    ],
)
def test_data_planes_stay_near(version: str, dataplanes: list[str], problem: str | None) -> None:
    proxies = [dataplane(text, f"dp{number}") for number, text in enumerate(dataplanes)]
    made = check(state=found(version, dataplanes=proxies))
    assert made["allowed"] is (problem is None)
    assert problem is None or problem in made["problems"][0]


def test_zones_stay_near_their_global_control_plane() -> None:
    zones = [
        {"name": "a", "version": "2.11.18", "online": True},
        {"name": "b", "version": "", "online": False},
        {"name": "c", "version": "2.13.1", "online": True},
    ]
    made = check(state=found("2.13.10", mode="global", zones=zones))
    assert made["problems"] == [
        "zones would be more than 2 minor versions from a global control plane of 2.14.3 (a 2.11.18): bring their "
        "control planes to 2.13.10 first"
    ]
    assert "zone b is offline, so its version is not known" in made["warnings"]


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("mesh", False),
        ("service.zone", False),
        ("request_id", False),
        ("%KUMA_ZONE%", True),
        ("request-id", True),
        ("Service.Version", True),
        ("otel.attribute", True),
        ("a..b", True),
        ("a.", True),
        ("1a", True),
    ],
)
def test_keys_of_attributes_that_are_refused_from_2_14_on(key: str, bad: bool) -> None:
    backend = {"type": "OpenTelemetry", "openTelemetry": {"attributes": [{"key": key, "value": "%KUMA_ZONE%"}]}}
    policy = {"mesh": "default", "name": "logs", "spec": {"to": [{"default": {"backends": [backend]}}]}}
    made = check(state=found("2.13.10"), access_logs=[policy])
    assert made["allowed"] is not bad
    if bad:
        assert (
            "MeshAccessLog default/logs has keys of OpenTelemetry attributes that 2.14 refuses" in made["problems"][0]
        )
    # Where they were written once, they were taken.
    assert check(access_logs=[policy])["allowed"]


def test_a_domain_with_which_the_new_one_does_not_start() -> None:
    config = {"dnsServer": {"domain": ".mesh"}}
    (problem,) = check(state=found("2.13.10"), config=config)["problems"]
    assert "dnsServer.domain is '.mesh', with which a control plane of 2.14 does not start: write 'mesh'" in problem
    assert check(state=found("2.13.10"), config={"dnsServer": {"domain": "mesh"}})["allowed"]


@pytest.mark.parametrize(
    ("version", "changes", "warning"),
    [
        ("2.14.1", {"federated": True}, "a zone of a global control plane, which has to have been upgraded before it"),
        (
            "2.14.1",
            {"offline": ["default/a"]},
            "1 data planes are offline, and not told apart by their version: default/a",
        ),
        ("2.13.6", {}, "check the certificate of the control plane: give its authority"),
        ("2.12.10", {}, "check the certificate of the control plane"),
        ("2.13.10", {}, "each needs a KUMA_READINESS_PORT of its own"),
        (
            "2.14.1",
            {"meshes": [{"name": "default", "policies": {"TrafficPermission": 2, "MeshTimeout": 1}}]},
            "mesh default has 2 TrafficPermission, gone in Kuma 3.0: write MeshTrafficPermission instead",
        ),
    ],
)
def test_warnings(version: str, changes: Raw, warning: str) -> None:
    made = check(state=found(version, **changes))
    assert made["allowed"]
    assert [text for text in made["warnings"] if warning in text], made["warnings"]


def test_nothing_is_said_where_nothing_is_to_be_said() -> None:
    assert check()["warnings"] == []
    assert not [text for text in check(state=found("2.13.10"))["warnings"] if "certificate" in text]
    assert not [text for text in check(state=found("2.12.11"))["warnings"] if "certificate" in text]


def test_meshes_and_names_of_the_old_kind() -> None:
    made = check(
        meshes=[{"name": "default", "mtls": {"enabledBackend": "ca-1"}}],
        multi_zone_services=[{"name": "a" * 64}, {"name": "b"}],
    )
    assert made["allowed"]
    said = "; ".join(made["warnings"])
    assert "mesh default has mtls, gone in Kuma 3.0: write MeshIdentity (with MeshTLS for its mode) instead" in said
    assert f"MeshMultiZoneService {'a' * 64} has more than 63 letters" in said


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        (
            {"store": "postgres"},
            [
                "back up the database, then run kuma-cp migrate up of 2.14.3 once",
                "bring the control planes to 2.14.3, one after another",
                "bring the data planes to 2.14.3: restart each kuma-dp",
            ],
        ),
        (
            {"environment": "kubernetes", "store": "kubernetes"},
            [
                "apply the custom resource definitions of 2.14.3",
                "bring the control planes to 2.14.3, one after another",
                "bring the data planes to 2.14.3: restart the pods that have a sidecar",
            ],
        ),
        (
            {"mode": "global"},
            [
                "bring the control planes to 2.14.3, one after another",
                "bring the control planes of the zones to 2.14.3",
                "bring the data planes to 2.14.3: restart each kuma-dp",
            ],
        ),
    ],
)
def test_the_order(changes: Raw, steps: list[str]) -> None:
    assert check(state=found(**changes))["steps"] == steps


# -- before anything is changed ---------------------------------------------------------------------------------------


def test_a_refusal_says_what_runs_and_how_to_go_on_all_the_same() -> None:
    assert upgrade.refusal(check(), "2.14.1", "x") == ""
    said = upgrade.refusal(check(state=found("2.11.18")), "2.11.18", "skip_upgrade_checks")
    assert said.startswith("Kuma 2.11.18 runs here and does not go to 2.14.3: from 2.11 to 2.14 is more than 2 minor")
    assert said.endswith("The control plane was not changed. To go there all the same, set skip_upgrade_checks")


@pytest.mark.parametrize(
    ("image", "label", "version"),
    [
        ("docker.io/kumahq/kuma-cp:2.14.3@sha256:aa", "2.13.0", "2.14.3"),
        ("registry.example.com:5000/kuma-cp:2.14.3", "", "2.14.3"),
        ("registry.example.com:5000/kuma-cp@sha256:aa", "2.13.10", "2.13.10"),
        ("kuma-cp:ours", "2.13.10", "2.13.10"),
        ("kuma-cp:ours", "", "ours"),
    ],
)
def test_what_a_deployment_runs(image: str, label: str, version: str) -> None:
    labels = {"app.kubernetes.io/version": label} if label else {}
    pod = {"containers": [{"name": "control-plane", "image": image}]}
    deployment = {"metadata": {"labels": labels}, "spec": {"template": {"spec": pod}}}
    assert running.version_of(deployment) == version


def test_what_a_component_is() -> None:
    components = {"a": {"version": "2.14.3", "ref": "x/kuma-cp:other"}, "b": {"ref": "host:5000/kuma-cp:2.14.2"}}
    assert [control_plane.version_of(name, components) for name in ("a", "b", "c")] == ["2.14.3", "2.14.2", ""]
