# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kuma_resources, kuma_token and kuma_info against a control plane: the double of this repository, or the real one that
`KUMA_API_URL` names. What they make there is in one mesh, and gone afterwards."""

from __future__ import annotations

import base64
import json
import time
import typing as t

import pytest
from kuma_mesh import MESH, OWNER, Control, dataplane, everything, mesh, timeout

CONTROL = Control()
TIMEOUTS = f"/meshes/{MESH}/meshtimeouts"


@pytest.fixture(scope="module", autouse=True)
def fixture_control() -> t.Iterator[None]:
    with CONTROL.running():
        yield


@pytest.fixture(name="kuma", autouse=True)
def fixture_kuma(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Control]:
    with CONTROL.alone(capsys, monkeypatch) as control:
        yield control


def test_everything_comes_to_rest(kuma: Control) -> None:
    wish = everything()
    first = kuma.resources(*wish, allow_removed=True)
    assert first["counts"] == {"created": len(wish), "updated": 0, "deleted": 0}
    assert len(kuma.writes()) == len(wish) > 30
    kuma.seen.clear()
    second = kuma.resources(*wish, allow_removed=True, prune=True)
    assert (second["changed"], second["actions"]) == (False, [])
    assert kuma.writes() == []


def test_check_mode_tells_what_the_run_does(kuma: Control) -> None:
    wish = everything()
    told = kuma.resources(*wish, allow_removed=True, check=True, diff=True)
    assert kuma.writes() == []
    assert kuma.get(f"/meshes?name={MESH}")["items"] == []
    done = kuma.resources(*wish, allow_removed=True, diff=True)
    assert (told["actions"], told["diff"]) == (done["actions"], done["diff"])


def test_one_change_is_one_write(kuma: Control) -> None:
    kuma.resources(*everything(), allow_removed=True)
    kuma.seen.clear()
    wish = [{**one, "data": "bmV3LXNlY3JldA=="} if one["type"] == "Secret" else one for one in everything()]
    done = kuma.resources(*wish, allow_removed=True, prune=True, diff=True)
    assert done["actions"] == [f"update Secret {MESH}/partner: data"]
    assert kuma.writes() == [f"PUT /meshes/{MESH}/secrets/partner"]
    assert '"data": "<hidden, new value>"' in done["diff"][0]["after"]
    assert "bmV3" not in kuma.output


def test_a_call_graph_of_which_one_line_changes(kuma: Control) -> None:
    graph: dict[str, t.Any] = {"services": {"web": {}, "api": {}, "db": {}}, "calls": {"web": ["api"], "api": ["db"]}}
    kuma.resources(mesh(), call_graph=graph)
    kuma.seen.clear()
    done = kuma.resources(mesh(), call_graph={**graph, "calls": {"web": ["api", "db"], "api": ["db"]}}, prune=True)
    assert done["counts"] == {"created": 0, "updated": 1, "deleted": 0}
    assert kuma.writes() == [f"PUT /meshes/{MESH}/meshtrafficpermissions/calls-to-db-{MESH}"]
    done = kuma.resources(mesh(), call_graph={**graph, "calls": {"web": ["api"]}}, prune=True)
    assert done["actions"] == [f"delete MeshTrafficPermission {MESH}/calls-to-db-{MESH}"]


def test_prune_takes_ours_and_leaves_theirs(kuma: Control) -> None:
    kuma.resources(mesh(), timeout("keep"), timeout("drop"))
    kuma.ask("PUT", f"{TIMEOUTS}/by-hand", {**timeout("by-hand"), "mesh": MESH})
    secrets = kuma.get(f"/meshes/{MESH}/secrets")["total"]
    assert secrets > 0
    with pytest.raises(AssertionError, match="1 resources would be deleted, more than prune_max=0 allows"):
        kuma.resources(mesh(), timeout("keep"), prune=True, prune_max=0)
    done = kuma.resources(mesh(), timeout("keep"), prune=True)
    assert done["actions"] == [f"delete MeshTimeout {MESH}/drop"]
    names = {item["name"] for item in kuma.get(TIMEOUTS)["items"]}
    assert {"keep", "by-hand"} <= names
    assert kuma.get(f"/meshes/{MESH}/secrets")["total"] == secrets


def test_the_signing_key_stays(kuma: Control) -> None:
    kuma.resources(mesh())
    key = f"dataplane-token-signing-key-{MESH}-1"
    with pytest.raises(AssertionError, match="never makes again"):
        kuma.resources({"type": "Secret", "name": key, "data": "eA=="}, state="absent")
    assert kuma.get(f"/meshes/{MESH}/secrets/{key}")["name"] == key


def test_a_refused_policy_is_told_with_field_and_reason(kuma: Control) -> None:
    bad = timeout(spec={"to": [{"targetRef": {"kind": "MeshService"}, "default": {"connectionTimeout": "1s"}}]})
    with pytest.raises(AssertionError) as caught:
        kuma.resources(mesh(), bad)
    assert f"MeshTimeout {MESH}/slow (resources[1])" in str(caught.value)
    assert "spec.to[0].targetRef: name or labels must be set when kind is MeshService" in str(caught.value)
    assert "1 changes were made, 1 were not" in str(caught.value)


def test_a_misspelt_field_is_not_sent(kuma: Control) -> None:
    with pytest.raises(AssertionError, match="unknown field, did you mean connectionTimeout"):
        kuma.resources(timeout(spec={"to": [{"targetRef": {"kind": "Mesh"}, "default": {"conectionTimeout": "1s"}}]}))
    assert kuma.seen == []


def test_a_missing_mesh(kuma: Control) -> None:
    with pytest.raises(AssertionError, match=f"there is no mesh {MESH}; add a document of type Mesh"):
        kuma.resources(timeout())
    with pytest.raises(AssertionError, match="there is no mesh nowhere"):
        kuma.resources(mesh(), timeout(), timeout(mesh="nowhere"))
    assert kuma.writes() == []


def test_warnings_of_the_control_plane_are_shown(kuma: Control) -> None:
    old = timeout(
        spec={
            "targetRef": {"kind": "Mesh"},
            "from": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}],
        }
    )
    with pytest.raises(AssertionError, match=r"spec\.from is gone in Kuma 3\.0; write rules"):
        kuma.resources(mesh(), old)
    kuma.resources(mesh(), old, allow_removed=True)
    assert "'from' field is deprecated, use 'rules' instead" in json.dumps(json.loads(kuma.output)["warnings"])


def test_labels_that_stay_for_ever(kuma: Control) -> None:
    kuma.resources(mesh(), timeout(labels={"kuma.io/display-name": "slow", "team": "a"}))
    kuma.seen.clear()
    assert not kuma.resources(mesh(), timeout(labels={"team": "a"}))["changed"]
    done = kuma.resources(mesh(), timeout(connect="2s", labels={"team": "b"}))
    assert done["actions"] == [f"update MeshTimeout {MESH}/slow: spec.to[0].default.connectionTimeout, labels.team"]
    labels = kuma.get(f"{TIMEOUTS}/slow")["labels"]
    assert (labels["kuma.io/display-name"], labels["team"]) == ("slow", "b")
    with pytest.raises(AssertionError, match="can never be changed"):
        kuma.resources(mesh(), timeout(labels={"kuma.io/display-name": "other"}))


def test_two_owners_do_not_fight(kuma: Control) -> None:
    kuma.resources(mesh(), timeout())
    with pytest.raises(AssertionError, match=f"belongs to owner {OWNER}, not to somebody"):
        kuma.resources(timeout(), owner="somebody")


def test_a_mesh_with_dataplanes_stays(kuma: Control) -> None:
    kuma.resources(mesh(), dataplane("web-1"))
    with pytest.raises(AssertionError, match=r"still has 1 dataplanes \(web-1\)"):
        kuma.resources(mesh(), state="absent", check=True)
    done = kuma.resources(mesh(), dataplane("web-1"), state="absent")
    assert done["actions"] == [f"delete Dataplane {MESH}/web-1", f"delete Mesh {MESH}"]


def test_a_thousand_unchanged_are_few_requests(kuma: Control) -> None:
    wish = [mesh(), *[timeout(f"t{number}") for number in range(1000)]]
    kuma.resources(*wish)
    kuma.seen.clear()
    done = kuma.resources(*wish)
    assert not done["changed"]
    # The version, the meshes, and two pages: a new mesh has two timeouts of its own.
    assert done["requests"] == len(kuma.seen) <= 4
    kuma.seen.clear()
    kuma.resources(*wish[:-1], timeout("t999", "2s"))
    assert kuma.writes() == [f"PUT {TIMEOUTS}/t999"]


def test_what_proxies_tell(kuma: Control) -> None:
    wish = {"access_log": "otlp", "otlp_endpoint": "127.0.0.1:4317", "applications": [{"port": 8080}]}
    assert kuma.resources(mesh(), observability=wish)["counts"]["created"] == 5
    assert not kuma.resources(mesh(), observability=wish, prune=True)["changed"]
    done = kuma.resources(mesh(), observability={**wish, "access_log": "none"}, prune=True)
    assert done["actions"] == [f"delete MeshAccessLog {MESH}/access-log-{MESH}"]
    assert kuma.resources(mesh(), observability={"access_log": "stdout"}, prune=True)["changed"]
    assert not kuma.resources(mesh(), observability={"access_log": "stdout"}, prune=True)["changed"]


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_kept_and_replaced_in_time(kuma: Control, tmp_path: t.Any) -> None:
    kuma.resources(mesh())
    path = tmp_path / "token"
    wish = {"path": str(path), "mesh": MESH, "name": "web-1"}
    told = kuma.token(check=True, **wish)
    assert told["changed"]
    assert not path.exists()
    first = kuma.token(**wish)
    token = path.read_text()
    assert (first["reason"], path.stat().st_mode & 0o777) == ("there is none", 0o600)
    assert token not in kuma.output
    again = kuma.token(**wish)
    assert (again["changed"], again["actions"], path.read_text()) == (False, [], token)
    path.chmod(0o644)
    assert kuma.token(**wish)["actions"] == [f"change {path}: mode 0644 to 0600"]
    soon = kuma.token(**wish, valid_for="1000h", renew_before="800h")
    assert soon["reason"].startswith("it expires at")
    assert path.read_text() != token
    assert kuma.token(**{**wish, "name": "web-2"})["reason"] == "it is for another name"


def test_a_revoked_token_is_replaced(kuma: Control, tmp_path: t.Any) -> None:
    kuma.resources(mesh())
    path = tmp_path / "token"
    kuma.token(path=str(path), mesh=MESH)
    middle = path.read_text().split(".")[1]
    jti = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))["jti"]
    name = f"dataplane-token-revocations-{MESH}"
    body = {"type": "Secret", "mesh": MESH, "name": name, "data": base64.b64encode(jti.encode()).decode()}
    kuma.ask("PUT", f"/meshes/{MESH}/secrets/{name}", body)
    assert kuma.token(path=str(path), mesh=MESH)["reason"] == "it is revoked"


def test_tokens_of_zones_and_users(kuma: Control, tmp_path: t.Any) -> None:
    for wish in (
        {"type": "zone", "zone": "default", "scope": ["egress"]},
        {"type": "user", "name": "al", "groups": ["team-a"]},
    ):
        path = str(tmp_path / wish["type"])
        assert kuma.token(path=path, **wish)["changed"]
        assert not kuma.token(path=path, **wish)["changed"]


def test_a_token_for_no_mesh(kuma: Control, tmp_path: t.Any) -> None:
    with pytest.raises(AssertionError, match="is there such a mesh"):
        kuma.token(path=str(tmp_path / "t"), mesh="nowhere")
    with pytest.raises(AssertionError, match="does not exist: make it first"):
        kuma.token(path=str(tmp_path / "none" / "t"), mesh=MESH)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "0644"}, "name the group that is to read it"),
        ({"mode": "rw"}, "is not an octal mode"),
        ({"owner": "nosuchuser"}, "owner nosuchuser of .* is not a user of this host"),
        ({"group": "nosuchgroup"}, "group nosuchgroup of .* is not a group of this host"),
        ({"path": "."}, "should be a file, but something else is there"),
    ],
)
def test_no_token_is_issued_that_can_not_be_kept(
    kuma: Control, tmp_path: t.Any, options: dict[str, str], said: str
) -> None:
    kuma.resources(mesh())
    kuma.seen.clear()
    path = str(tmp_path / options.get("path", "token"))
    for check in (True, False):
        with pytest.raises(AssertionError, match=said):
            kuma.token(check=check, **{"mesh": MESH, **options, "path": path})
    assert kuma.seen == []


# -- what it says of itself -------------------------------------------------------------------------------------------


def test_what_a_control_plane_says(kuma: Control) -> None:
    kuma.resources(mesh(), dataplane("web-1"))
    for _second in range(20):
        found = kuma.info()
        if f"{MESH}/web-1" in [f"{one['mesh']}/{one['name']}" for one in found["dataplanes"]]:
            break
        time.sleep(1)
    assert found["version"].startswith("2.14.")
    assert (found["mode"], found["environment"], found["supported"]) == ("zone", "universal", True)
    assert f"{MESH}/web-1" in found["offline"]
    assert f"dataplane {MESH}/web-1 is offline" in found["problems"]
    assert MESH in [one["name"] for one in found["meshes"]]
    assert found["requests"] <= 10


def test_which_policies_a_dataplane_has_where(kuma: Control) -> None:
    ours = {"targetRef": {"kind": "Dataplane", "labels": {"app": "web"}}}
    allow = [{"default": {"allow": [{"spiffeID": {"type": "Prefix", "value": "spiffe://contract.mesh/web"}}]}}]
    back = {"selector": {"dataplaneLabels": {"matchLabels": {"app": "back"}}}, "ports": [{"name": "main", "port": 80}]}
    metric = {"default": {"backends": [{"type": "Prometheus", "prometheus": {}}]}}
    proxy = dataplane("web-1")
    ref = {"kind": "MeshService", "name": "back", "port": 80}
    proxy["networking"]["outbound"] = [{"port": 20001, "backendRef": ref}]
    kuma.resources(
        mesh(),
        {"type": "MeshService", "name": "back", "spec": back},
        {"type": "MeshTrafficPermission", "name": "to-web", "spec": {**ours, "rules": allow}},
        {"type": "MeshMetric", "name": "scraped", "spec": metric},
        timeout(),
        proxy,
    )
    found = {one["name"]: one["policies"] for one in kuma.info(policies=True)["dataplanes"] if one["mesh"] == MESH}
    places = {(one["kind"], one["name"]): (one["inbounds"], one["outbounds"]) for one in found["web-1"]}
    assert places[("MeshTrafficPermission", "to-web")] == (["http"], [])
    assert places[("MeshTimeout", "slow")] == ([], ["MeshService back main"])
    assert places[("MeshMetric", "scraped")] == ([], [])
    assert places[("MeshTimeout", f"mesh-timeout-all-{MESH}")] == (["http"], ["MeshService back main"])
    kuma.resources({"type": "Mesh", "name": MESH})
    assert [one["policies"] for one in kuma.info(policies=True)["dataplanes"] if one["mesh"] == MESH] == [None]


# -- other control planes, by the double only ------------------------------------------------------------------------


def test_one_that_only_reads(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    other = Control("--environment", "kubernetes")
    with other.running():
        other.start_test(capsys, monkeypatch)
        for check in (True, False):
            with pytest.raises(AssertionError, match="use mode=kubernetes"):
                other.resources(timeout(), mesh="default", check=check)


def test_a_federated_zone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    other = Control("--mode", "federated-zone", "--zone", "zone-1")
    with other.running():
        other.start_test(capsys, monkeypatch)
        assert other.resources(timeout(), mesh="default")["changed"]
        assert not other.resources(timeout(), mesh="default", prune=True)["changed"]
        with pytest.raises(AssertionError, match="This API is read-only for that"):
            other.resources(mesh())


def test_two_writers(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    other = Control("--conflict-every", "3")
    with other.running():
        other.start_test(capsys, monkeypatch)
        wish = [mesh(), *[timeout(f"t{number}") for number in range(20)]]
        # One after another: of ten at a time one could meet every third conflict of all, four times in a row.
        assert other.resources(*wish, parallel=1)["counts"]["created"] == 21
        assert not other.resources(*wish)["changed"]


def test_no_admin_without_a_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any
) -> None:
    other = Control("--no-localhost-admin")
    with other.running():
        other.start_test(capsys, monkeypatch)
        other.resources(timeout(), mesh="default")
        with pytest.raises(AssertionError, match="this takes the token of an administrator"):
            other.token(path=str(tmp_path / "t"))
        with pytest.raises(AssertionError, match="issue a new one"):
            other.resources(timeout(), mesh="default", token="bad.token.here")
