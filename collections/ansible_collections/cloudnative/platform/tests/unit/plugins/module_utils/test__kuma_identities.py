# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callers of a graph, and who the mesh says they are."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import (
    callgraph,
    cluster_identities,
    identities,
)
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import resource, wanted

HOSTS, PODS = "/workload/{{ .Workload }}", "/ns/{{ .Namespace }}/sa/{{ .ServiceAccount }}"
DOMAIN = "{{ .Mesh }}.{{ .Zone }}.mesh.local"
ON_HOSTS: dict[str, t.Any] = {"services": {"web": {}, "api": {}}, "calls": {"web": ["api"]}}
POD = {"namespace": "shop", "service_account": "web"}
ON_KUBERNETES: dict[str, t.Any] = {"services": {"web": POD, "api": {}}, "calls": {"web": ["api"]}}


def identity(name: str = "identity", **spiffe: str) -> dict[str, t.Any]:
    spec = {"provider": {"type": "Spire"}, **({"spiffeID": spiffe} if spiffe else {})}
    return resource("MeshIdentity", name, "m3", spec=spec)


def problems(
    graph: dict[str, t.Any], *found: dict[str, t.Any], zone: str | None = "default", path: str = HOSTS
) -> list[str]:
    made = [identities.identity(f"MeshIdentity m3/{one['name']}", one, path) for one in found]
    return identities.problems(callgraph.read(graph, "m3"), made, zone)


@pytest.mark.parametrize(
    ("graph", "identity_of_mesh", "zone"),
    [
        (ON_HOSTS, identity(trustDomain=DOMAIN, path=HOSTS), "default"),
        (ON_HOSTS, identity(), "default"),
        (ON_HOSTS, identity(path='/workload/{{ label "kuma.io/workload" }}'), "default"),
        (ON_HOSTS, identity(trustDomain="{{.Mesh}}.{{- .Zone -}}.mesh.local"), "default"),
        ({**ON_HOSTS, "zone": "eu.west"}, identity(), "eu.west"),
        # A zone that nobody could ask for.
        ({**ON_HOSTS, "zone": "prod"}, identity(), None),
        ({**ON_HOSTS, "trust_domain": "example.org"}, identity(trustDomain="example.org"), "default"),
        (ON_KUBERNETES, identity(path=PODS), "default"),
        # Whoever says an identity knows better, and one that is only called needs none.
        ({**ON_HOSTS, "services": {"web": {"spiffe_id": "spiffe://a/b"}, "api": {}}}, identity(path=PODS), "default"),
        ({"services": {"web": POD, "api": {}}, "calls": {"web": ["api"]}}, identity(path=PODS), "default"),
        ({"services": {"web": {}}, "calls": {}}, identity(path=PODS), "z9"),
    ],
)
def test_callers_that_the_mesh_makes(graph: dict[str, t.Any], identity_of_mesh: t.Any, zone: str | None) -> None:
    assert problems(graph, identity_of_mesh, zone=zone) == []


@pytest.mark.parametrize(
    ("graph", "identity_of_mesh", "zone", "said"),
    [
        (
            {**ON_HOSTS, "zone": "prod"},
            identity(),
            "default",
            "its trust domain is m3.prod.mesh.local, that of the mesh is m3.default.mesh.local "
            "(MeshIdentity m3/identity): every call would be denied; correct zone or trust_domain",
        ),
        (ON_HOSTS, identity(trustDomain="example.org"), None, "that of the mesh is example.org"),
        ({**ON_HOSTS, "trust_domain": "m3.mesh.local"}, identity(), None, "m3.{{ .Zone }}.mesh.local"),
        (
            ON_HOSTS,
            identity(path=PODS),
            "default",
            "services.web: it would call as /workload/web, and the mesh makes /ns/{{ .Namespace }}/sa/"
            "{{ .ServiceAccount }} (MeshIdentity m3/identity): every call of it would be denied; give it namespace and "
            "service_account, or say its spiffe_id",
        ),
        (ON_KUBERNETES, identity(), "default", "it would call as /ns/shop/sa/web, and the mesh makes /workload/"),
    ],
)
def test_callers_that_nobody_would_know(
    graph: dict[str, t.Any], identity_of_mesh: t.Any, zone: str | None, said: str
) -> None:
    (problem,) = problems(graph, identity_of_mesh, zone=zone)
    assert problem.startswith("call_graph: ")
    assert said in problem


def test_one_of_several_identities_will_do() -> None:
    both = {"services": {"web": POD, "db": {}, "api": {}}, "calls": {"web": ["api"], "db": ["api"]}}
    assert problems(both, identity("pods", path=PODS), identity("hosts")) == []
    assert len(problems(both, identity("pods", path=PODS))) == 1
    assert problems(ON_HOSTS, identity("a", trustDomain="example.org"), identity("b")) == []


def test_without_identities_nobody_is_known_by_one() -> None:
    assert problems({**ON_HOSTS, "zone": "prod"}) == []


def ask(graph: dict[str, t.Any], *wished: dict[str, t.Any], there: t.Sequence[t.Any] = ()) -> tuple[list[str], str]:
    """What is wrong, and what was asked for."""
    asked: list[str] = []

    def observed() -> list[identities.Identity]:
        asked.append("identities")
        return [identities.identity(f"MeshIdentity m3/{one['name']}", one, HOSTS) for one in there]

    def zone() -> str:
        asked.append("zone")
        return "default"

    found = identities.against(callgraph.read(graph, "m3"), wanted(*wished), HOSTS, observed, zone)
    return found, " ".join(asked)


def test_the_mesh_is_asked_only_for_what_the_documents_leave_open() -> None:
    plain = identity(trustDomain="example.org")
    on_plain = {**ON_HOSTS, "trust_domain": "example.org"}
    assert ask(on_plain, plain) == ([], "")
    assert ask(ON_HOSTS, identity()) == ([], "zone")
    assert ask(ON_HOSTS, there=[identity()]) == ([], "identities zone")
    assert ask(ON_HOSTS) == ([], "identities")
    # Others may have made one for these callers.
    assert ask(ON_HOSTS, identity("pods", path=PODS), there=[identity("hosts")]) == ([], "zone identities")
    # An identity that is about to be written counts as it will be.
    wrong, _asked = ask(ON_HOSTS, identity(path=PODS), there=[identity()])
    assert len(wrong) == 1
    # One of another mesh says nothing.
    assert ask(ON_HOSTS, {**identity(path=PODS), "mesh": "other"}) == ([], "identities")


@pytest.mark.parametrize(
    ("settings", "zone"),
    [
        ({}, "default"),
        ({"KUMA_MODE": "zone"}, "default"),
        ({"KUMA_MODE": "zone", "KUMA_MULTIZONE_ZONE_NAME": "eu"}, "eu"),
        ({"KUMA_MULTIZONE_ZONE_NAME": None}, None),
        ({"KUMA_MODE": "global"}, None),
    ],
)
def test_the_zone_is_what_the_control_plane_is_started_with(settings: dict[str, t.Any], zone: str | None) -> None:
    environment = [{"name": name, **({"value": value} if value else {})} for name, value in settings.items()]
    pod = {"containers": [{"name": "control-plane", "env": environment}, {"name": "more"}]}
    assert cluster_identities.zone_of({"spec": {"template": {"spec": pod}}}) == zone
