# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kuma_resources with mode=kubernetes does not touch in a real API server, and what it warns of."""

from __future__ import annotations

import typing as t

import pytest
from kuma_mesh import mesh, timeout
from kuma_on_kubernetes import GRAPH, SYSTEM, Run, fixture_cluster, fixture_run, tls  # noqa: F401 (fixtures)

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster

OWNER = "conflicts"
SECRETS = f"/api/v1/namespaces/{SYSTEM}/secrets"
POLICIES = f"/apis/kuma.io/v1alpha1/namespaces/{SYSTEM}"


@pytest.fixture(name="secret")
def fixture_secret(cluster: Cluster) -> t.Iterator[t.Callable[..., None]]:
    """Makes secrets as the control plane does, by a POST and without an owner; takes away what tests left there."""

    def make(name: str, kind: str = "system.kuma.io/secret", mesh: str = "contract") -> None:
        metadata = {"name": name, "labels": {"kuma.io/mesh": mesh} if mesh else {}}
        cluster.request("POST", SECRETS, body={"metadata": metadata, "type": kind, "data": {"value": "b2xk"}})

    yield make
    for one in cluster.request("GET", SECRETS)["items"]:
        cluster.request("DELETE", f"{SECRETS}/{one['metadata']['name']}")


def names(cluster: Cluster, path: str) -> set[str]:
    return {one["metadata"]["name"] for one in cluster.request("GET", path)["items"]}


def test_names_are_shared_by_all_meshes(run: Run, cluster: Cluster) -> None:
    second = {**timeout("one"), "mesh": "second"}
    for check in (True, False):
        with pytest.raises(AssertionError, match=f"would both be MeshTimeout {SYSTEM}/one"):
            run(mesh(), timeout("one"), second, check=check)
    assert names(cluster, f"{POLICIES}/meshtimeouts") == set()
    run(mesh(), timeout("one"))
    with pytest.raises(AssertionError, match="is there already, of mesh contract"):
        run(second)
    # There is none of this name in that mesh.
    assert not run(second, state="absent")["changed"]
    assert names(cluster, f"{POLICIES}/meshtimeouts") == {"one"}
    assert run(mesh(), timeout("one"), {**second, "name": "other"}, prune=True)["changed"]
    again = run(mesh(), timeout("one"), {**second, "name": "other"}, prune=True)
    assert (again["changed"], again["actions"]) == (False, [])


def test_absent_leaves_what_the_control_plane_lives_by(
    run: Run, cluster: Cluster, secret: t.Callable[..., None]
) -> None:
    key = "dataplane-token-signing-key-contract-1"
    secret(key)
    secret("admin-user-token", "system.kuma.io/global-secret", mesh="")
    secret("kuma-tls-cert", "example/other", mesh="contract")
    made = names(cluster, SECRETS)
    for name, said in {
        key: "never makes again",
        "admin-user-token": "global-secret",
        "kuma-tls-cert": "of type example/other",
    }.items():
        wish = {"type": "Secret", "name": name, "mesh": "default" if name == "admin-user-token" else "contract"}
        for check in (True, False):
            with pytest.raises(AssertionError, match=said):
                run(wish, state="absent", check=check)
    with pytest.raises(AssertionError, match="never makes again"):
        run({"type": "GlobalSecret", "name": "admin-user-token"}, state="absent")
    assert names(cluster, SECRETS) == made


def test_absent_leaves_what_belongs_to_somebody_else(run: Run, cluster: Cluster) -> None:
    run(mesh(), timeout("one"), *(timeout(f"theirs-{number}") for number in range(4)))
    wish = [timeout(f"theirs-{number}") for number in range(4)]
    for owner, said in {"somebody": "not to somebody", None: "not to nobody"}.items():
        for check in (True, False):
            with pytest.raises(AssertionError, match=f"belongs to owner {OWNER}, {said}"):
                run(timeout("one"), state="absent", owner=owner, check=check)
            with pytest.raises(AssertionError, match=f"belongs to owner {OWNER}, {said}"):
                run(*wish, state="absent", owner=owner, check=check)
    assert len(names(cluster, f"{POLICIES}/meshtimeouts")) == 5
    assert run(*wish, state="absent")["counts"]["deleted"] == 4


def test_a_signing_key_is_neither_written_over_nor_pruned(
    run: Run, cluster: Cluster, secret: t.Callable[..., None]
) -> None:
    def key(number: int, data: str = "bmV3") -> dict[str, t.Any]:
        return {"type": "Secret", "name": f"dataplane-token-signing-key-contract-{number}", "data": data}

    secret(key(1)["name"])
    for check in (True, False):
        with pytest.raises(AssertionError, match="holds another signing key"):
            run(mesh(), key(1), check=check)
    assert cluster.request("GET", f"{SECRETS}/{key(1)['name']}")["data"]["value"] == "b2xk"
    # That is how keys are rotated.
    assert f"created Secret {SYSTEM}/{key(2)['name']}" in run(mesh(), key(2))["actions"]
    for options in ({"prune": True}, {"state": "absent"}):
        told = run(*([mesh()] if "prune" in options else []), prune_max=-1, **options)
        assert "it is not pruned" in "".join(told["warnings"])
    assert {key(1)["name"], key(2)["name"]} <= names(cluster, SECRETS)


def test_another_owner_is_told_of_before_anything_is_sent(run: Run, cluster: Cluster) -> None:
    run(mesh(), call_graph=GRAPH)
    run(state="absent", owner="somebody")
    try:
        for check in (True, False):
            with pytest.raises(AssertionError) as caught:
                run(timeout("new"), call_graph=GRAPH, network_policies=True, owner="somebody", check=check)
            assert f"calls-to-api-contract (call_graph) belongs to owner {OWNER}, not to somebody" in str(caught.value)
            assert "Before that" not in str(caught.value)
        assert names(cluster, f"{POLICIES}/meshtimeouts") == set()
        assert names(cluster, "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies") == set()
    finally:
        run(state="absent", owner="somebody", prune_max=-1)


def test_who_may_not_list_is_checked_object_by_object(
    run: Run, kubernetes_api: dict[str, t.Any], cluster: Cluster
) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/kuma-system"
    rule = {"apiGroups": ["kuma.io"], "resources": ["*"], "verbs": ["get", "patch", "create"]}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "writer"}
    cluster.request("POST", f"{path}/roles", body={"metadata": {"name": "writer"}, "rules": [rule]})
    binding = {"metadata": {"name": "writer"}, "roleRef": ref, "subjects": [subject]}
    cluster.request("POST", f"{path}/rolebindings", body=binding)
    try:
        as_limited: dict[str, t.Any] = {
            "kubernetes": {"kubeconfig": kubernetes_api, "context": "limited"},
            "owner": None,
        }
        wish = [timeout(f"t{number}") for number in range(3)]
        run(*wish[:1])
        with pytest.raises(AssertionError, match=rf"t0 .*belongs to owner {OWNER}, not to nobody"):
            run(*wish, **as_limited)
        permission = {"type": "MeshTrafficPermission", "name": "one", "spec": {"rules": [{"default": {"allow": []}}]}}
        told = run(*wish[1:], permission, **as_limited, check=True)
        assert told["counts"]["created"] == 3
        assert "is not known" in "".join(told["warnings"])
    finally:
        cluster.request("DELETE", f"{path}/rolebindings/writer")
        cluster.request("DELETE", f"{path}/roles/writer")


# -- identities -------------------------------------------------------------------------------------------------------

IDENTITY: dict[str, t.Any] = {
    "type": "MeshIdentity",
    "name": "identity",
    "spec": {"selector": {"dataplane": {"matchLabels": {}}}, "provider": {"type": "Spire", "spire": {}}},
}


def test_warnings_are_about_the_cluster_not_the_documents(run: Run) -> None:
    run(mesh(), tls("Permissive"), call_graph=GRAPH)
    # Both are in the cluster, and in no document of this call.
    for wish in ([mesh(), IDENTITY], [IDENTITY]):
        assert run(*wish)["warnings"] == []


def test_an_identity_is_warned_of_when_it_is_made_and_not_for_ever(run: Run) -> None:
    for check in (True, False):
        said = run(mesh(), IDENTITY, check=check)["warnings"]
        assert ["has no MeshTrafficPermission" in said[0], "has no MeshTLS" in said[1]] == [True, True]
    again = run(mesh(), IDENTITY)
    assert (again["changed"], again["warnings"]) == (False, [])


def test_an_identity_of_a_mesh_in_the_cluster_that_does_not_carry_it(run: Run) -> None:
    run({"type": "Mesh", "name": "contract"})
    with pytest.raises(AssertionError, match=r"needs meshServices\.mode Exclusive"):
        run(IDENTITY)


def test_who_takes_from_identities_what_they_need_is_told(run: Run) -> None:
    run(mesh(), IDENTITY, tls("Permissive"), call_graph=GRAPH)
    with pytest.raises(AssertionError, match=r"can't give up meshServices\.mode Exclusive"):
        run({"type": "Mesh", "name": "contract"})
    for check in (True, False):
        told = run(mesh(), IDENTITY, tls("Permissive"), prune=True, check=check)
        assert "loses its last MeshTrafficPermission" in "".join(told["warnings"])
    assert not run(mesh(), IDENTITY, tls("Permissive"), prune=True)["warnings"]
