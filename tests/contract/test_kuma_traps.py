# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane does that nobody expects: each is shown to happen there, and not to catch kuma_resources.

First `kuma.ask`, past the module, then the module. Other files have the rest: what the control plane fills in
(test__kuma_forms.py), its errors (test__kuma_client.py), identity and permissions (test_kuma_strict.py).
"""

from __future__ import annotations

import time
import typing as t
import urllib.error

import pytest
from kuma_mesh import MESH, Control, dataplane, mesh, timeout

CONTROL = Control()
TIMEOUTS = f"/meshes/{MESH}/meshtimeouts"
SECRETS = f"/meshes/{MESH}/secrets"


@pytest.fixture(scope="module", autouse=True)
def fixture_control() -> t.Iterator[None]:
    with CONTROL.running():
        yield


@pytest.fixture(name="kuma", autouse=True)
def fixture_kuma(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Control]:
    with CONTROL.alone(capsys, monkeypatch) as control:
        control.resources(mesh())
        control.seen.clear()
        yield control


def test_a_flat_kind_with_a_spec_loses_all_that_is_in_it(kuma: Control) -> None:
    flat = {"type": "Secret", "mesh": MESH, "name": "partner"}
    kuma.ask("PUT", f"{SECRETS}/partner", {**flat, "data": "eA=="})
    kuma.ask("PUT", f"{SECRETS}/partner", {**flat, "spec": {"data": "eQ=="}})
    assert not kuma.get(f"{SECRETS}/partner").get("data")
    with pytest.raises(AssertionError, match=f"Secret {MESH}/partner .*spec"):
        kuma.resources({**flat, "spec": {"data": "eQ=="}})


def test_a_misspelt_field_is_dropped_without_a_word(kuma: Control) -> None:
    wrong = timeout(
        spec={"to": [{"targetRef": {"kind": "Mesh"}, "default": {"idleTimeout": "1h", "conectionTimeout": "1s"}}]}
    )
    answer = kuma.ask("PUT", f"{TIMEOUTS}/slow", {**wrong, "mesh": MESH})
    assert answer == {}
    assert "conectionTimeout" not in str(kuma.get(f"{TIMEOUTS}/slow"))
    with pytest.raises(AssertionError, match="did you mean connectionTimeout"):
        kuma.resources(wrong)


def test_every_put_is_a_modification(kuma: Control) -> None:
    kuma.resources(timeout())
    before = kuma.get(f"{TIMEOUTS}/slow")
    time.sleep(0.01)
    assert not kuma.resources(timeout())["changed"]
    assert kuma.get(f"{TIMEOUTS}/slow")["modificationTime"] == before["modificationTime"]
    kuma.ask("PUT", f"{TIMEOUTS}/slow", before)
    assert kuma.get(f"{TIMEOUTS}/slow")["modificationTime"] != before["modificationTime"]


def test_durations_come_back_in_another_form(kuma: Control) -> None:
    kuma.resources(timeout(connect="60s"))
    kept = kuma.get(f"{TIMEOUTS}/slow")["spec"]["to"][0]["default"]
    assert kept["connectionTimeout"] == "1m0s"
    assert not kuma.resources(timeout(connect="60000ms"))["changed"]


def test_a_service_keeps_what_the_control_plane_wrote_into_its_spec(kuma: Control) -> None:
    port = {"port": 80, "targetPort": 8080, "appProtocol": "http"}
    selector = {"dataplaneLabels": {"matchLabels": {"app": "web"}}}
    service = {"type": "MeshService", "name": "front", "spec": {"selector": selector, "ports": [port]}}
    kuma.resources(service)
    assert "state" in kuma.get(f"/meshes/{MESH}/meshservices/front")["spec"]
    assert not kuma.resources(service)["changed"]
    state = kuma.get(f"/meshes/{MESH}/meshservices/front")["spec"]["state"]
    kuma.seen.clear()
    kuma.resources({**service, "labels": {"team": "a"}})
    assert kuma.get(f"/meshes/{MESH}/meshservices/front")["spec"]["state"] == state


def test_an_inbound_keeps_what_its_probe_found(kuma: Control) -> None:
    proxy = dataplane("web-1")
    proxy["networking"]["inbound"][0]["serviceProbe"] = {"tcp": {}}
    path = f"/meshes/{MESH}/dataplanes/web-1"
    kuma.resources(proxy)
    assert kuma.get(path)["networking"]["inbound"][0]["state"] == "NotReady"
    again = kuma.resources(proxy)
    assert (again["changed"], again["actions"]) == (False, [])
    changed = kuma.resources({**proxy, "labels": {**proxy["labels"], "team": "a"}})
    assert changed["actions"] == [f"update Dataplane {MESH}/web-1: labels.team"]
    assert kuma.get(path)["networking"]["inbound"][0]["state"] == "NotReady"


def test_a_label_that_was_set_once_can_never_go(kuma: Control) -> None:
    labelled = {**timeout(labels={"kuma.io/display-name": "slow"}), "mesh": MESH}
    kuma.ask("PUT", f"{TIMEOUTS}/slow", labelled)
    with pytest.raises(urllib.error.HTTPError) as caught:
        kuma.ask("PUT", f"{TIMEOUTS}/slow", {**timeout(), "mesh": MESH})
    assert caught.value.code == 400
    assert kuma.resources(timeout(connect="2s"))["changed"]


def test_a_mesh_that_is_missing_is_not_found(kuma: Control) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        kuma.ask("PUT", "/meshes/nowhere/meshtimeouts/slow", {**timeout(), "mesh": "nowhere"})
    assert caught.value.code == 404
    with pytest.raises(AssertionError, match="there is no mesh nowhere"):
        kuma.resources(timeout(mesh="nowhere"))


def test_a_mesh_takes_everything_in_it_along_but_dataplanes(kuma: Control) -> None:
    kuma.resources(mesh(), timeout(), dataplane("web-1"))
    with pytest.raises(urllib.error.HTTPError) as caught:
        kuma.ask("DELETE", f"/meshes/{MESH}")
    assert caught.value.code == 400
    with pytest.raises(AssertionError, match="still has 1 dataplanes"):
        kuma.resources(mesh(), state="absent")
    # Out of the documents is not out of the control plane.
    assert not [
        text for text in kuma.resources(timeout(), dataplane("web-1"), prune=True)["actions"] if "Mesh " in text
    ]


def test_signing_keys_are_members_of_the_list(kuma: Control) -> None:
    names = {item["name"] for item in kuma.get(SECRETS)["items"]}
    key = f"dataplane-token-signing-key-{MESH}-1"
    assert key in names
    kuma.resources(mesh(), prune=True)
    kuma.resources(state="absent", prune_max=-1)
    assert key in {item["name"] for item in kuma.get(SECRETS)["items"]}


def test_an_identity_without_exclusive_services_never_becomes_ready(kuma: Control) -> None:
    identity = {
        "type": "MeshIdentity",
        "name": "identity",
        "spec": {"selector": {"dataplane": {"matchLabels": {}}}, "provider": {"type": "Spire", "spire": {}}},
    }
    plain = {"type": "Mesh", "name": MESH}
    kuma.resources(plain)
    kuma.ask("PUT", f"/meshes/{MESH}/meshidentities/identity", {**identity, "mesh": MESH})
    kuma.ask("DELETE", f"/meshes/{MESH}/meshidentities/identity")
    with pytest.raises(AssertionError, match=r"never becomes ready: it needs meshServices\.mode Exclusive"):
        kuma.resources(plain, identity)


def test_router_errors_are_no_json(kuma: Control) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        kuma.ask("GET", "/nowhere")
    assert caught.value.read().decode().strip() == "404: Page Not Found"
    with pytest.raises(AssertionError, match="check api_url"):
        kuma.info(api_url=f"{kuma.url}/nowhere")


def test_all_kinds_say_read_only_on_a_zone_that_takes_writes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Control("--mode", "federated-zone", "--zone", "zone-1")
    with other.running():
        other.start_test(capsys, monkeypatch)
        assert all(one["readOnly"] for one in other.get("/_resources")["resources"])
        assert other.resources(timeout(), mesh="default")["changed"]


def test_who_deletes_a_dataplane_is_told_that_its_proxy_stays(kuma: Control) -> None:
    kuma.resources(mesh(), dataplane("web-1"))
    kuma.resources(dataplane("web-1"), state="absent")
    assert "a kuma-dp that still runs does not register it again" in kuma.output


def test_the_index_does_not_say_how_it_is_set_up(kuma: Control) -> None:
    index = kuma.get("/")
    assert not {"mode", "environment", "store"} & set(index)
    found = kuma.info()
    assert (found["mode"], found["environment"], found["store"]) == ("zone", "universal", "memory")
    assert isinstance(found["cluster_id"], str)
