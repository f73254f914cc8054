# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same resources as Kubernetes has them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import order
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import kubernetes
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    resource,
    timeout,
    wanted,
)


def made(body: dict[str, t.Any], owner: str | None = None) -> dict[str, t.Any]:
    return kubernetes.custom_resource(wanted(body, owner=owner)[0], "kuma-system")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            timeout(labels={"team": "a"}),
            {
                "apiVersion": "kuma.io/v1alpha1",
                "kind": "MeshTimeout",
                "metadata": {
                    "name": "one",
                    "namespace": "kuma-system",
                    "labels": {"team": "a", "kuma.io/mesh": "default"},
                },
                "spec": timeout()["spec"],
            },
        ),
        (
            resource("Mesh", "prod", mesh=None, meshServices={"mode": "Exclusive"}),
            {
                "apiVersion": "kuma.io/v1alpha1",
                "kind": "Mesh",
                "metadata": {"name": "prod"},
                "spec": {"meshServices": {"mode": "Exclusive"}},
            },
        ),
        (
            resource("Secret", "ca", mesh="prod", data="eA=="),
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "ca", "namespace": "kuma-system", "labels": {"kuma.io/mesh": "prod"}},
                "type": "system.kuma.io/secret",
                "data": {"value": "eA=="},
            },
        ),
        (
            resource("GlobalSecret", "g", mesh=None, data="eA=="),
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "g", "namespace": "kuma-system"},
                "type": "system.kuma.io/global-secret",
                "data": {"value": "eA=="},
            },
        ),
        (
            resource("HostnameGenerator", "h", mesh=None, spec={"template": "x"}),
            {
                "apiVersion": "kuma.io/v1alpha1",
                "kind": "HostnameGenerator",
                "metadata": {"name": "h", "namespace": "kuma-system"},
                "spec": {"template": "x"},
            },
        ),
        (
            resource("TrafficPermission", "t", sources=[]),
            {
                "apiVersion": "kuma.io/v1alpha1",
                "kind": "TrafficPermission",
                "mesh": "default",
                "metadata": {"name": "t"},
                "spec": {"sources": []},
            },
        ),
    ],
)
def test_custom_resources(body: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert made(body) == expected


def test_a_namespace_of_its_own() -> None:
    found = made(timeout(labels={"k8s.kuma.io/namespace": "shop"}))
    assert found["metadata"] == {"name": "one", "namespace": "shop", "labels": {"kuma.io/mesh": "default"}}


def test_dataplanes_are_made_of_pods() -> None:
    (problem,) = kubernetes.problems(wanted(resource("Dataplane", networking={"address": "a"}), timeout()), "s")
    assert "makes a Dataplane of each pod" in problem


def test_the_engine_keeps_our_order() -> None:
    bodies = [
        *[resource(name, spec={}) for name in ("MeshTimeout", "MeshIdentity", "MeshTrafficPermission")],
        resource("Mesh", mesh=None),
        resource("Secret", data="eA=="),
    ]
    found = order.waves(kubernetes.definitions(wanted(*bodies), [], "kuma-system"), kubernetes.OVERRIDES)
    assert [sorted(one.kind for one in wave) for _rank, wave in found] == [
        ["Mesh"],
        ["MeshTrafficPermission", "Secret"],
        ["MeshIdentity"],
        ["MeshTimeout"],
    ]


def test_a_mesh_is_spared_when_pruning() -> None:
    assert kubernetes._is_mesh({"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh"})
    assert not kubernetes._is_mesh({"apiVersion": "kuma.io/v1alpha1", "kind": "MeshTimeout"})
    assert (kubernetes._limit(-1), kubernetes._limit(5)) == ("100%", "5")
