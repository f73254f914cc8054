# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people get wrong about a mesh, and what they are told. Nothing is written in any of these cases.

What takes more than one step is in test_kuma_resources.py: a policy that the control plane refuses, a mesh that is not
there, labels that stay for ever, a mesh with dataplanes, a control plane that only reads.
"""

from __future__ import annotations

import base64
import json
import socket
import typing as t
import urllib.request

import pytest
from kuma_mesh import MESH, Control, dataplane, mesh, timeout

CONTROL = Control()
#: Loopback is nobody there. It has the keys of the other one, so it takes its tokens.
GUARDED = Control("--no-localhost-admin")
SPEC: dict[str, t.Any] = {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}]}


@pytest.fixture(scope="module", autouse=True)
def fixture_controls() -> t.Iterator[None]:
    with CONTROL.running(), GUARDED.running():
        yield


@pytest.fixture(name="kuma")
def fixture_kuma(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Control:
    CONTROL.start_test(capsys, monkeypatch)
    return CONTROL


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"type": "MeshTimeuot", "name": "a", "spec": SPEC}, "unknown kind 'MeshTimeuot', did you mean MeshTimeout?"),
        ({"type": "Workload", "name": "a", "spec": {}}, "Workload is not written by anybody else"),
        ({"type": "DataplaneInsight", "name": "a"}, "DataplaneInsight is not written by anybody else"),
        ({"name": "a", "spec": SPEC}, "type is missing"),
        ({"kind": "MeshTimeout", "apiVersion": "kuma.io/v1alpha1"}, "this is the form of a custom resource"),
        ({"type": "Mesh", "name": MESH, "mesh": "x"}, "a Mesh is in no mesh"),
        ({"type": "Mesh", "name": MESH, "spec": {}}, "spec"),
        ({"type": "TrafficPermission", "name": "a"}, "the kind TrafficPermission is gone in Kuma 3.0"),
        (
            {"type": "MeshTimeout", "name": "a", "labels": {"kuma.io/mesh": "x"}, "spec": SPEC},
            "but its mesh is contract",
        ),
    ],
)
def test_documents(kuma: Control, wish: dict[str, t.Any], said: str) -> None:
    with pytest.raises(AssertionError) as caught:
        kuma.resources(mesh(), wish)
    assert said in str(caught.value)
    assert kuma.seen == []


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (
            {"services": {"web": {}, "api": {}}, "calls": {"web": ["apy"]}},
            "calls 'apy', no service of this name, did you",
        ),
        (
            {"services": {"web": {}, "api": {}}, "calls": {"web": ["api"], "api": ["web"]}},
            "api, web call each other in a ring; when that is meant, add [api, web] to allow_cycles",
        ),
    ],
)
def test_call_graphs(kuma: Control, graph: dict[str, t.Any], said: str) -> None:
    with pytest.raises(AssertionError) as caught:
        kuma.resources(mesh(), call_graph=graph)
    assert said in str(caught.value)
    assert kuma.seen == []


def test_nobody_answers(kuma: Control) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    for call in (lambda: kuma.resources(timeout(), api_url=url), lambda: kuma.info(api_url=url)):
        with pytest.raises(AssertionError, match=f"the control plane at {url} can't be reached: "):
            call()


def user_token(kuma: Control, **body: t.Any) -> str:
    """Past the module, which asks for no token that has ended."""
    data = json.dumps({"name": "ann", "groups": ["mesh-system:admin"], **body}).encode()
    request = urllib.request.Request(f"{kuma.url}/tokens/user", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def test_tokens_that_ended_or_were_taken_back(
    kuma: Control, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, good = user_token(kuma, validFor="-1h"), user_token(kuma, validFor="1h")
    GUARDED.start_test(capsys, monkeypatch)
    secret = {"type": "Secret", "name": "partner", "mesh": "default", "data": "eA=="}
    with pytest.raises(AssertionError, match=r"the token expired at \d{4}-.* UTC, issue a new one"):
        GUARDED.resources(secret, token=ended)
    assert GUARDED.resources(secret, token=good)["changed"]
    jti = json.loads(base64.urlsafe_b64decode(good.split(".")[1] + "=="))["jti"]
    revoked = {"type": "GlobalSecret", "name": "user-token-revocations"}
    GUARDED.resources({**revoked, "data": base64.b64encode(jti.encode()).decode()}, token=good, owner=None)
    with pytest.raises(
        AssertionError, match="the token is revoked, of another control plane, or its signing key is gone"
    ):
        GUARDED.resources(secret, token=good)


@pytest.mark.parametrize("version", ["2.13.10", "2.15.0", "3.0.0"])
def test_a_version_that_is_not_known(
    version: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Control("--version", version)
    with other.running():
        other.start_test(capsys, monkeypatch)
        with pytest.raises(AssertionError, match=f"is Kuma {version}; supported is 2.14"):
            other.resources(timeout(), mesh="default")
        assert other.writes() == []
        found = other.info()
        assert not found["supported"]
        assert f"Kuma {version} is not a version that this collection knows" in found["problems"]


def test_data_planes_that_are_too_old_for_an_upgrade(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Control("--version", "2.14.1", "--dataplanes-version", "2.11.18", "--dataplanes-connect")
    with other.running():
        other.start_test(capsys, monkeypatch)
        other.resources(mesh(), dataplane("web-1"))
        other.wait_until(lambda found: any(one["online"] for one in found["dataplanes"]))
        found = other.info(target_version="2.14.3")
    name = f"dataplane {MESH}/web-1 runs 2.11.18, more than 2 minor versions from 2.14.1"
    assert name in found["problems"]
    assert not found["upgrade"]["allowed"]
    assert f"({MESH}/web-1 2.11.18): bring them to 2.14.1 first" in found["upgrade"]["problems"][0]


@pytest.mark.parametrize(
    ("target", "allowed", "said"),
    [
        ("2.14.3", True, ""),
        ("2.14.9", True, ""),
        ("3.0.0", False, "Kuma 3.0 is outside of the supported range"),
        ("2.13.1", False, "a control plane does not go back from 2.14 to 2.13"),
        ("newest", False, "target_version 'newest' is no version"),
    ],
)
def test_upgrades(kuma: Control, target: str, allowed: bool, said: str) -> None:
    made = kuma.info(target_version=target)["upgrade"]
    assert (made["target"], made["allowed"]) == (target, allowed)
    assert said in "; ".join(made["problems"])
    assert kuma.writes() == []
