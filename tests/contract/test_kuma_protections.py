# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kuma_resources does not let happen on a control plane that would let it; the same on Kubernetes is in
test_kuma_cluster_conflicts.py."""

from __future__ import annotations

import typing as t

import pytest
from kuma_mesh import MESH, OWNER, Control, mesh, timeout

from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule

CONTROL = Control()
SECRETS = f"/meshes/{MESH}/secrets"
KEY = f"dataplane-token-signing-key-{MESH}-"
GRAPH: dict[str, t.Any] = {
    "trust_domain": f"{MESH}.mesh.local",
    "services": {"web": {}, "api": {}},
    "calls": {"web": ["api"]},
}
MODE: dict[str, t.Any] = {
    "type": "MeshTLS",
    "name": "mode",
    "spec": {"rules": [{"default": {"mode": "Permissive"}}]},
}
BUNDLED: dict[str, t.Any] = {
    "meshTrustCreation": "Enabled",
    "insecureAllowSelfSigned": True,
    "autogenerate": {"enabled": True},
}
IDENTITY: dict[str, t.Any] = {
    "type": "MeshIdentity",
    "name": "identity",
    "spec": {
        "selector": {"dataplane": {"matchLabels": {}}},
        "spiffeID": {"trustDomain": "{{ .Mesh }}.mesh.local", "path": "/workload/{{ .Workload }}"},
        "provider": {"type": "Bundled", "bundled": BUNDLED},
    },
}
Run = t.Callable[..., tuple[dict[str, t.Any], str]]


@pytest.fixture(scope="module", autouse=True)
def fixture_control() -> t.Iterator[None]:
    with CONTROL.running():
        yield


@pytest.fixture(name="kuma", autouse=True)
def fixture_kuma(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Control]:
    with CONTROL.alone(capsys, monkeypatch) as control:
        yield control


@pytest.fixture(name="run")
def fixture_run(kuma: Control, monkeypatch: pytest.MonkeyPatch) -> Run:
    # Those of a process add up over all of its modules.
    warnings: list[str] = []
    monkeypatch.setattr(MaskedModule, "warn", lambda _module, text: warnings.append(text))

    def run(*documents: t.Any, **options: t.Any) -> tuple[dict[str, t.Any], str]:
        warnings.clear()
        return kuma.resources(*documents, **options), "; ".join(warnings)

    return run


def key(number: int, data: str = "bmV3") -> dict[str, t.Any]:
    return {"type": "Secret", "name": f"{KEY}{number}", "data": data}


def secrets(kuma: Control) -> dict[str, str]:
    return {one["name"]: one["data"] for one in kuma.get(SECRETS)["items"]}


def test_absent_leaves_what_belongs_to_somebody_else(kuma: Control) -> None:
    kuma.resources(mesh(), timeout())
    for owner, said in {"somebody": "not to somebody", None: "not to nobody"}.items():
        for check in (True, False):
            with pytest.raises(AssertionError, match=f"belongs to owner {OWNER}, {said}"):
                kuma.resources(timeout(), state="absent", owner=owner, check=check)
    assert kuma.resources(timeout(), state="absent")["counts"]["deleted"] == 1


def test_a_signing_key_is_not_written_over(kuma: Control, run: Run) -> None:
    kuma.resources(mesh())
    before = secrets(kuma)
    for check in (True, False):
        with pytest.raises(AssertionError, match="Write a key with the next number"):
            run(mesh(), key(1), check=check)
    assert secrets(kuma) == before
    # With what is in it already, and as the next one, it is written: that is how keys are rotated.
    run(mesh(), key(1, before[f"{KEY}1"]), key(2))
    assert secrets(kuma).keys() == {*before, f"{KEY}2"}
    _result, said = run(mesh(), prune=True)
    assert said.count("own secrets, it is not pruned") == 2


def test_secrets_of_an_identity_are_left_alone(kuma: Control) -> None:
    kuma.resources(mesh(), IDENTITY, MODE, call_graph=GRAPH)
    kuma.wait_until(lambda _found: "identity-root-ca" in secrets(kuma))
    for part in ("root-ca", "private-key"):
        secret = {"type": "Secret", "name": f"identity-{part}", "data": "bmV3"}
        with pytest.raises(AssertionError, match="own secrets, which it never makes again"):
            kuma.resources(secret, state="absent")
        with pytest.raises(AssertionError, match="own secrets and holds something else"):
            kuma.resources(secret)
    kuma.resources({"type": "Secret", "name": "partner-root-ca", "data": "bmV3"})
    kuma.resources({"type": "Secret", "name": "partner-root-ca", "data": "bmV3"}, state="absent")
    # They go with it.
    kuma.resources(IDENTITY, state="absent")
    assert "identity-root-ca" not in secrets(kuma)


def test_a_mesh_keeps_what_its_identity_needs(kuma: Control, run: Run) -> None:
    kuma.resources(mesh(), IDENTITY, MODE, call_graph=GRAPH)
    plain = {"type": "Mesh", "name": MESH}
    for check in (True, False):
        with pytest.raises(AssertionError, match=r"can't give up meshServices\.mode Exclusive"):
            run(plain, check=check)
    kuma.resources(IDENTITY, state="absent")
    assert run(plain)[0]["changed"]


def test_the_last_permission_does_not_go_without_a_word(kuma: Control, run: Run) -> None:
    wish = [mesh(), IDENTITY, MODE]
    denied = f"mesh {MESH} keeps MeshIdentity {MESH}/identity and loses its last MeshTrafficPermission"
    kuma.resources(*wish, call_graph=GRAPH)
    assert run(*wish, call_graph=GRAPH, prune=True)[1] == ""
    caller = {"spiffeID": {"type": "Exact", "value": "spiffe://elsewhere/web"}}
    spec = {"rules": [{"default": {"allow": [caller]}}]}
    permission: dict[str, t.Any] = {"type": "MeshTrafficPermission", "name": f"calls-to-api-{MESH}", "spec": spec}
    for check in (True, False):
        assert denied in run(permission, state="absent", check=check)[1]
    kuma.resources(*wish, call_graph=GRAPH)
    for check in (True, False):
        result, said = run(*wish, prune=True, check=check)
        assert result["actions"] == [f"delete MeshTrafficPermission {MESH}/calls-to-api-{MESH}"]
        assert denied in said
    kuma.resources(*wish, call_graph=GRAPH)
    # Of a mesh that has others, or no identity any more, nothing is lost.
    by_hand = {**permission, "name": "by-hand", "mesh": MESH}
    kuma.ask("PUT", f"/meshes/{MESH}/meshtrafficpermissions/by-hand", by_hand)
    assert run(*wish, prune=True)[1] == ""
