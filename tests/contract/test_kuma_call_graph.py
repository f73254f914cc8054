# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a call graph together with what else there is of a mesh on hosts."""

from __future__ import annotations

import typing as t

import pytest
from kuma_mesh import MESH, Control, identity, mesh
from test_kuma_bad_input import user_token

CONTROL = Control()
ON_HOSTS: dict[str, t.Any] = {"services": {"web": {}, "api": {}}, "calls": {"web": ["api"]}}


@pytest.fixture(scope="module", autouse=True)
def fixture_control() -> t.Iterator[None]:
    with CONTROL.running():
        yield


@pytest.fixture(name="kuma")
def fixture_kuma(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Control]:
    with CONTROL.alone(capsys, monkeypatch) as control:
        yield control


def test_a_graph_of_another_zone_is_refused(kuma: Control) -> None:
    elsewhere = {**ON_HOSTS, "zone": "prod"}
    said = f"its trust domain is {MESH}.prod.mesh.local, that of the mesh is {MESH}.default.mesh.local"
    for check in (True, False):
        with pytest.raises(AssertionError, match=said):
            kuma.resources(mesh(), identity(), call_graph=elsewhere, check=check)
    assert kuma.writes() == []
    kuma.resources(mesh(), identity(), call_graph=ON_HOSTS)
    # The identity comes from elsewhere and is there already.
    with pytest.raises(AssertionError, match=said):
        kuma.resources(call_graph=elsewhere)


def test_a_graph_of_accounts_is_refused_where_identities_are_of_workloads(kuma: Control) -> None:
    web = {"namespace": "shop", "service_account": "web"}
    of_accounts = {**ON_HOSTS, "services": {"web": web, "api": {}}}
    with pytest.raises(AssertionError, match=r"services\.web: it would call as /ns/shop/sa/web, and the mesh makes"):
        kuma.resources(mesh(), identity(), call_graph=of_accounts)
    assert kuma.writes() == []


def test_who_only_looks_may_not_know_the_zone(
    kuma: Control, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How a control plane is set up is for administrators; that nothing differs, others may see as well."""
    guarded = Control("--no-localhost-admin")
    token = user_token(kuma, validFor="1h")
    with guarded.running():
        guarded.start_test(capsys, monkeypatch)
        guarded.resources(mesh(), identity(), call_graph=ON_HOSTS, token=token)
        guarded.seen.clear()
        assert not guarded.resources(mesh(), identity(), call_graph=ON_HOSTS)["changed"]
        assert ("GET", "/config") in guarded.seen


def test_a_graph_in_which_nobody_may_call_takes_permissions_away(kuma: Control) -> None:
    kuma.resources(mesh())
    kuma.resources(call_graph=ON_HOSTS, owner="graph")
    nobody = {**ON_HOSTS, "calls": {}}
    assert not kuma.resources(call_graph=nobody, owner="graph")["changed"]
    done = kuma.resources(call_graph=nobody, owner="graph", prune=True)
    assert done["actions"] == [f"delete MeshTrafficPermission {MESH}/calls-to-api-{MESH}"]
    assert not kuma.resources(call_graph=nobody, owner="graph", prune=True)["changed"]
