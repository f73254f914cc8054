# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mTLS from permissive to strict against a control plane with dataplanes, step by step."""

from __future__ import annotations

import typing as t

import pytest
from kuma_mesh import MESH, Control, dataplane, mesh

CONNECTED = Control("--dataplanes-connect")
OFFLINE = Control()
GRAPH: dict[str, t.Any] = {
    "trust_domain": f"{MESH}.mesh.local",
    "services": {"web": {}, "api": {}},
    "calls": {"web": ["api"]},
}


@pytest.fixture(scope="module", autouse=True)
def fixture_controls() -> t.Iterator[None]:
    with CONNECTED.running(), OFFLINE.running():
        yield


@pytest.fixture(name="kuma", params=[CONNECTED], ids=["connected"])
def fixture_kuma(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Control]:
    control: Control = request.param
    control.start_test(capsys, monkeypatch)
    control.clean()
    yield control
    control.clean()


def tls(mode: str, **spec: t.Any) -> dict[str, t.Any]:
    return {"type": "MeshTLS", "name": "mode", "spec": {**spec, "rules": [{"default": {"mode": mode}}]}}


def identity(**labels: str) -> dict[str, t.Any]:
    return {
        "type": "MeshIdentity",
        "name": "identity",
        "spec": {
            "selector": {"dataplane": {"matchLabels": labels}},
            "spiffeID": {"trustDomain": "{{ .Mesh }}.mesh.local", "path": "/workload/{{ .Workload }}"},
            "provider": {
                "type": "Bundled",
                "bundled": {
                    "meshTrustCreation": "Enabled",
                    "insecureAllowSelfSigned": True,
                    "autogenerate": {"enabled": True},
                },
            },
        },
    }


def has_certificate(found: dict[str, t.Any]) -> bool:
    return any(one["mesh"] == MESH and one["certificate_expiry"] for one in found["dataplanes"])


def is_online(found: dict[str, t.Any]) -> bool:
    return any(one["mesh"] == MESH and one["online"] for one in found["dataplanes"])


def test_permissive_then_strict(kuma: Control) -> None:
    """The way it is meant: everybody gets an identity under Permissive, then one line makes it strict."""
    wish = [mesh(), identity(), dataplane("web-1")]
    kuma.resources(*wish, tls("Permissive"), call_graph=GRAPH)
    kuma.wait_until(has_certificate)
    kuma.seen.clear()
    done = kuma.resources(*wish, tls("Strict"), call_graph=GRAPH)
    assert done["actions"] == [f"update MeshTLS {MESH}/mode: spec.rules[0].default.mode"]
    kuma.seen.clear()
    # Once it is strict, nobody is asked any more.
    assert not kuma.resources(*wish, tls("Strict"), call_graph=GRAPH)["changed"]
    assert not [path for _method, path in kuma.seen if "_overview" in path]


def test_permissions_are_written_before_the_identity(kuma: Control) -> None:
    kuma.resources(mesh(), identity(), tls("Permissive"), dataplane("web-1"), call_graph=GRAPH)
    order = [path.rsplit("/", 2)[1] for path in (write.split()[1] for write in kuma.writes())]
    kinds = list(dict.fromkeys(order))
    assert kinds.index("meshtrafficpermissions") < kinds.index("meshidentities")
    assert kinds.index("meshtlses") < kinds.index("meshidentities")


def test_strict_is_refused_while_a_workload_has_no_identity(kuma: Control) -> None:
    other = {**dataplane("api-1"), "labels": {"app": "api", "kuma.io/workload": "api"}}
    wish = [mesh(), identity(app="web"), dataplane("web-1"), other]
    kuma.resources(*wish, tls("Permissive"), call_graph=GRAPH)
    kuma.wait_until(has_certificate)
    kuma.seen.clear()
    for check in (True, False):
        with pytest.raises(AssertionError) as caught:
            kuma.resources(*wish, tls("Strict"), call_graph=GRAPH, check=check)
        said = str(caught.value)
        assert f"mesh {MESH} can't become strict (MeshTLS {MESH}/mode says Strict) while 1 of 2 workloads" in said
        assert f"{MESH}/api-1 has no certificate" in said
    assert kuma.writes() == []
    assert kuma.resources(*wish, tls("Strict"), call_graph=GRAPH, strict_gate=False)["changed"]


def test_taking_permissive_away_is_the_same_step(kuma: Control) -> None:
    wish = [mesh(), identity(app="web"), dataplane("web-1")]
    other = {**dataplane("api-1"), "labels": {"app": "api", "kuma.io/workload": "api"}}
    kuma.resources(*wish, other, tls("Permissive"), call_graph=GRAPH)
    kuma.wait_until(has_certificate)
    with pytest.raises(AssertionError, match="says Permissive no more"):
        kuma.resources(*wish, other, call_graph=GRAPH, prune=True)
    with pytest.raises(AssertionError, match="says Permissive no more"):
        kuma.resources(tls("Permissive"), state="absent")
    # The one in the way goes in the same run.
    assert kuma.resources(*wish, call_graph=GRAPH, prune=True)["counts"]["deleted"] == 2


def test_a_first_identity_without_permissive_is_refused_where_there_are_workloads(kuma: Control) -> None:
    kuma.resources(mesh(), dataplane("web-1"))
    kuma.wait_until(is_online)
    with pytest.raises(AssertionError, match="MeshIdentity contract/identity is new and no MeshTLS says Permissive"):
        kuma.resources(mesh(), identity(), dataplane("web-1"), call_graph=GRAPH)


def test_saying_what_is_so_already_is_no_step(kuma: Control) -> None:
    """With an identity and no MeshTLS a mesh is strict."""
    other = {**dataplane("api-1"), "labels": {"app": "api", "kuma.io/workload": "api"}}
    wish = [mesh(), identity(app="web"), dataplane("web-1"), other]
    kuma.resources(*wish, call_graph=GRAPH)
    kuma.wait_until(has_certificate)
    assert kuma.resources(*wish, tls("Strict"), call_graph=GRAPH)["changed"]


def test_a_new_mesh_may_be_strict_at_once(kuma: Control) -> None:
    assert kuma.resources(mesh(), tls("Strict"), identity(), dataplane("web-1"), call_graph=GRAPH)["changed"]


def test_an_offline_workload_is_in_the_way(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    OFFLINE.start_test(capsys, monkeypatch)
    wish = [mesh(), identity(), dataplane("web-1")]
    OFFLINE.resources(*wish, tls("Permissive"), call_graph=GRAPH)
    with pytest.raises(AssertionError, match=f"{MESH}/web-1 is offline"):
        OFFLINE.resources(*wish, tls("Strict"), call_graph=GRAPH)
    OFFLINE.clean()
