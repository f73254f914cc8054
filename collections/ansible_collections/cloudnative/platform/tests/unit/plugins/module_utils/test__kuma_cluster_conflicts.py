# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What in a cluster is not for a call to write or to delete."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import (
    cluster_conflicts,
    cluster_reading,
    kubernetes,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.cluster_conflicts import Place
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    OWNER,
    resource,
    there,
    timeout,
    wanted,
)

Raw = dict[str, t.Any]
SYSTEM = "kuma-system"
KEY = "dataplane-token-signing-key-prod-1"
OF_IDENTITY = {("Secret", "prod", "identity-root-ca")}


def applied(labels: Raw, **more: t.Any) -> Raw:
    """As an API server keeps it: only labels that were applied make somebody the owner."""
    fields: Raw = {"f:metadata": {"f:labels": {f"f:{name}": {} for name in labels}}}
    return {"metadata": {"labels": labels, "managedFields": [{"operation": "Apply", "fieldsV1": fields}]}, **more}


def secret(name: str, **more: t.Any) -> Raw:
    return resource("Secret", name, mesh="prod", data="bmV3", **more)


def kept(data: str = "b2xk", kind: str = "system.kuma.io/secret", mesh: str = "prod", **labels: str) -> Raw:
    return applied({"kuma.io/mesh": mesh, **labels}, type=kind, data={"value": data})


def place(body: Raw, observed: Raw | None) -> Place:
    (one,) = wanted(body)
    return Place(kubernetes.definitions([one], [], SYSTEM)[0], one, observed)


THEIRS = "belongs to owner them, not to us"
PROD = {"kuma.io/mesh": "prod"}


@pytest.mark.parametrize(
    ("body", "observed", "present", "absent"),
    [
        (timeout(mesh="prod"), None, "", "nothing"),
        (timeout(mesh="prod"), applied(PROD), "", ""),
        (timeout(mesh="prod"), applied({**PROD, OWNER: "us"}), "", ""),
        (timeout(mesh="prod"), applied({**PROD, OWNER: "them"}), THEIRS, THEIRS),
        # A label that was copied along makes nobody an owner.
        (timeout(mesh="prod"), {"metadata": {"labels": {**PROD, OWNER: "them"}}}, "", ""),
        (timeout(mesh="prod"), applied({"kuma.io/mesh": "test"}), "is there already, of mesh test", "nothing"),
        (timeout(mesh="prod"), applied({}), "is there already, of mesh default", "nothing"),
        (timeout(), applied({}), "", ""),
        (resource("Mesh", "prod", mesh=None), applied({}), "", ""),
        # The old kinds say their mesh next to the spec.
        (resource("Timeout", mesh="prod"), applied({}, mesh="prod"), "", ""),
        (resource("Timeout", mesh="prod"), applied({}, mesh="test"), "is there already, of mesh test", "nothing"),
        (secret("partner"), kept(), "", ""),
        (secret("partner"), kept(kind="kubernetes.io/tls"), "of type kubernetes.io/tls", "of type kubernetes.io/tls"),
        (secret(KEY), kept(), "holds another signing key", "never makes again"),
        (secret(KEY), kept("bmV3"), "", "never makes again"),
        (secret("identity-root-ca"), kept(), "holds something else", "never makes again"),
        (secret("other-root-ca"), kept(), "", ""),
        (secret("dataplane-token-revocations-prod"), kept(), "", "never makes again"),
        # Global secrets are in the same namespace.
        (secret("admin-user-token"), kept(), "holds something else", "never makes again"),
    ],
)
def test_what_is_in_the_way(body: Raw, observed: Raw | None, present: str, absent: str) -> None:
    one = place(body, observed)
    for expected, problems in (
        (present, cluster_conflicts.of_present([one], "us", OF_IDENTITY)),
        (absent, cluster_conflicts.of_absent([one], "us", OF_IDENTITY)[0]),
    ):
        assert len(problems) == (0 if expected in ("", "nothing") else 1)
        assert expected == "nothing" or expected in "".join(problems)
        assert "b2xk" not in "".join(problems)
    going = cluster_conflicts.of_absent([one], "us", OF_IDENTITY)[1]
    assert going == ([one.definition] if absent == "" else [])


def test_without_an_owner_nothing_of_an_owner_is_touched() -> None:
    one = place(timeout(mesh="prod"), applied({**PROD, OWNER: "them"}))
    (problem,) = cluster_conflicts.of_present([one], None, ())
    assert "belongs to owner them, not to nobody" in problem
    assert cluster_conflicts.of_absent([one], None, ())[0] == [problem]


def test_network_policies_have_owners_as_well() -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "x", "namespace": "a"},
    }
    (definition,) = kubernetes.definitions([], [policy], SYSTEM)
    (problem,) = cluster_conflicts.of_present([Place(definition, None, applied({OWNER: "them"}))], "us", ())
    assert problem.startswith("NetworkPolicy a/x (call_graph) belongs to owner them, not to us")


@pytest.mark.parametrize(
    ("bodies", "said"),
    [
        ([timeout(mesh="a"), timeout(mesh="b")], "would both be MeshTimeout kuma-system/one"),
        ([timeout(mesh="a"), timeout("two", mesh="b")], ""),
        ([timeout(mesh="a"), timeout(mesh="b", labels={"k8s.kuma.io/namespace": "shop"})], ""),
        ([timeout(mesh="a"), resource("MeshRetry", mesh="b", spec={"to": []})], ""),
        ([secret("s"), resource("Secret", "s", mesh="b", data="eA==")], "would both be Secret kuma-system/s"),
        ([secret("s"), resource("GlobalSecret", "s", mesh=None, data="eA==")], "would both be Secret kuma-system/s"),
        ([resource("Timeout", mesh="a"), resource("Timeout", mesh="b")], "would both be Timeout one"),
    ],
)
def test_names_are_shared_by_all_meshes(bodies: list[Raw], said: str) -> None:
    problems = kubernetes.problems(wanted(*bodies), SYSTEM)
    assert len(problems) == (1 if said else 0)
    assert said in "".join(problems)


# -- meshes, as a cluster has them ------------------------------------------------------------------------------------

IDENTITY = resource("MeshIdentity", "identity", spec={"provider": {"type": "Spire", "spire": {}}})
PERMISSION = resource("MeshTrafficPermission", "calls-to-api", spec={"rules": []})
MODE = resource("MeshTLS", "mode", spec={"rules": [{"default": {"mode": "Permissive"}}]})
MESH = resource("Mesh", "default", mesh=None, spec={"meshServices": {"mode": "Exclusive"}})
PLAIN = resource("Mesh", "default", mesh=None)


def judged(documents: list[Raw], *before: Raw, prune: bool = False) -> tuple[list[str], list[str]]:
    found = cluster_reading.Policies(
        {key: {**body, "metadata": {"labels": body.get("labels") or {}}} for key, body in there(*before).items()}, {}
    )
    wish = wanted(*documents)
    after = cluster_reading.after(found.resources, wish, "present", "us", prune)
    plan = kubernetes.of_meshes(wish, found, after, "present", set())
    return plan.problems, plan.warnings


def test_warnings_are_about_what_the_cluster_has() -> None:
    assert [text.split(", so")[0].split(" has ")[1] for text in judged([IDENTITY], MESH)[1]] == [
        "no MeshTrafficPermission",
        "no MeshTLS",
    ]
    assert judged([IDENTITY], MESH, PERMISSION, MODE) == ([], [])
    # It is there already: nothing new happens.
    assert judged([IDENTITY], MESH, IDENTITY) == ([], [])
    # A mesh that is still to come.
    assert judged([IDENTITY]) == ([], [])


def test_the_mode_of_the_cluster_counts() -> None:
    assert "needs meshServices.mode Exclusive" in judged([IDENTITY], PLAIN)[0][0]
    assert judged([IDENTITY, {**PLAIN, "meshServices": {"mode": "Exclusive"}}], PLAIN, PERMISSION, MODE) == ([], [])
    assert "can't give up meshServices.mode Exclusive" in judged([PLAIN], MESH, IDENTITY)[0][0]


def test_pruning_the_last_permission_is_told() -> None:
    owned = {**PERMISSION, "labels": {OWNER: "us"}}
    assert "every call in it is denied from then on" in judged([MODE], MESH, IDENTITY, owned, prune=True)[1][0]
    assert judged([MODE], MESH, IDENTITY, owned) == ([], [])
    assert judged([MODE], MESH, IDENTITY, owned, PERMISSION | {"name": "by-hand"}, prune=True) == ([], [])


def test_what_may_not_be_read_is_not_judged() -> None:
    nothing = cluster_reading.Policies({}, {"MeshIdentity": "forbidden"})
    plan = kubernetes.of_meshes(wanted(IDENTITY), nothing, {}, "present", set())
    assert plan.problems == []
    assert plan.warnings == ["whether identities work and calls stay allowed is not known: forbidden"]


@pytest.mark.parametrize(("namespace", "name"), [(None, "default"), (SYSTEM, "default"), ("shop", "default.shop")])
def test_names_of_other_namespaces(namespace: str | None, name: str) -> None:
    assert cluster_reading.name_of("default", namespace, SYSTEM) == name
