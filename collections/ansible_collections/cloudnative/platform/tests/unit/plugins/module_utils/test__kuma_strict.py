# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step to strict mTLS: what is one, and who is in its way."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import cluster_reading, strict
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.strict import Step, Workload
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    OWNER,
    load,
    there,
    wanted,
)

Raw = dict[str, t.Any]
NOON = 1795435200.0  # 2026-11-23T12:00:00Z
IDENTITY: Raw = {"type": "MeshIdentity", "mesh": "default", "name": "identity", "spec": {}}


def tls(*modes: str | None, name: str = "mode", part: str = "rules") -> Raw:
    spec = {part: [{"default": {"mode": mode} if mode else {"tlsVersion": {"min": "TLS13"}}} for mode in modes]}
    return {"type": "MeshTLS", "mesh": "default", "name": name, "spec": spec}


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ([], [], None),
        ([tls("Permissive")], [tls("Permissive")], None),
        ([tls("Strict")], [tls("Strict")], None),
        ([tls("Strict")], [tls("Permissive")], None),
        ([tls("Strict")], [], None),
        ([tls("Permissive")], [tls("Strict")], "MeshTLS default/mode says Strict"),
        ([tls("Permissive", part="from")], [tls("Strict", part="from")], "MeshTLS default/mode says Strict"),
        ([], [tls("Strict")], "MeshTLS default/mode says Strict"),
        ([tls("Permissive")], [tls("Permissive"), tls("Strict", name="db")], "MeshTLS default/db says Strict"),
        ([tls("Permissive")], [tls("Permissive", "Strict")], "MeshTLS default/mode says Strict"),
        # Without a mode, an identity is strict.
        ([tls("Permissive")], [tls(None)], "MeshTLS default/mode says Permissive no more"),
        ([tls("Permissive")], [], "MeshTLS default/mode says Permissive no more"),
        ([], [IDENTITY], "MeshIdentity default/identity is new and no MeshTLS says Permissive"),
        ([], [IDENTITY, tls("Permissive")], None),
        ([tls("Permissive")], [IDENTITY, tls("Permissive")], None),
        ([IDENTITY], [IDENTITY], None),
        ([tls(None)], [tls(None), IDENTITY], "MeshIdentity default/identity is new and no MeshTLS says Permissive"),
    ],
)
def test_what_is_a_step(before: list[Raw], after: list[Raw], why: str | None) -> None:
    assert [step.why for step in strict.steps(there(*before), there(*after))] == ([why] if why else [])


def test_a_mesh_that_goes_takes_no_step() -> None:
    assert strict.steps(there(tls("Permissive"), IDENTITY), {}, leaving={"default"}) == []


def workload(name: str = "web-1", **changes: t.Any) -> Workload:
    plain = Workload("default", f"default/{name}", True, "2026-11-24T12:00:00.133259284Z")
    return plain._replace(**changes)


SAYS_STRICT = [Step("default", "MeshTLS default/mode says Strict")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"certificate_expiry": None}, "default/web-1 has no certificate"),
        ({"online": False}, "default/web-1 is offline"),
        ({"online": False, "certificate_expiry": None}, "default/web-1 is offline"),
        (
            {"certificate_expiry": "2026-11-23T12:00:00Z"},
            "the certificate of default/web-1 ended at 2026-11-23T12:00:00Z",
        ),
        ({"certificate_expiry": "2026-11-23T12:00:01.5Z"}, None),
        ({"sidecar": False, "online": False}, "pod default/web-1 has no sidecar"),
        ({"mesh": "other", "certificate_expiry": None}, None),
        # A time in another form is not for us to judge.
        ({"certificate_expiry": "tomorrow"}, None),
    ],
)
def test_who_is_in_the_way(changes: dict[str, t.Any], said: str | None) -> None:
    workloads = [workload("good"), workload(**changes)]
    found = strict.refusals(SAYS_STRICT, workloads, {"default"}, NOON)
    if said is None:
        assert found == []
        return
    assert found == [
        "mesh default can't become strict (MeshTLS default/mode says Strict) while 1 of 2 workloads could not call or "
        f"be called any more: {said}; see to it that a MeshIdentity selects each, restart what has no sidecar or no "
        "certificate, and delete the Dataplanes of what is gone, or set strict_gate to false to cut them off"
    ]


def test_many_are_counted_and_some_named() -> None:
    workloads = [workload(f"w{number}", online=False) for number in range(7)]
    (found,) = strict.refusals(SAYS_STRICT, workloads, {"default"}, NOON)
    assert "7 of 7 workloads" in found
    assert "default/w4 is offline and 2 more" in found


def test_a_mesh_without_workloads_starts_strict() -> None:
    assert strict.refusals(SAYS_STRICT, [], set(), NOON) == []


def test_without_an_identity_one_is_written_first() -> None:
    (found,) = strict.refusals(SAYS_STRICT, [workload(certificate_expiry=None)], set(), NOON)
    assert "write a MeshIdentity that selects all of them, with a MeshTLS that says Permissive" in found


def test_taking_permissive_away_matters_where_there_is_an_identity() -> None:
    step = [Step("default", "MeshTLS default/mode says Permissive no more", if_identified=True)]
    plain = [workload(certificate_expiry=None)]
    assert strict.refusals(step, plain, set(), NOON) == []
    assert len(strict.refusals(step, plain, {"default"}, NOON)) == 1


@pytest.mark.parametrize(
    ("before", "identified", "left"),
    [
        ([], set(), 1),
        ([], {"default"}, 0),
        ([tls(None)], {"default"}, 0),
        ([tls("Permissive")], {"default"}, 1),
        ([], {"other"}, 1),
    ],
)
def test_a_mesh_that_is_strict_already_takes_no_step(before: list[Raw], identified: set[str], left: int) -> None:
    assert len(strict.not_yet(SAYS_STRICT, there(*before), identified)) == left


def test_one_sentence_for_a_mesh() -> None:
    steps = [*SAYS_STRICT, Step("default", "another"), Step("prod", "MeshTLS prod/mode says Strict")]
    workloads = [workload(online=False), workload(mesh="prod", name="prod/x", online=False)]
    found = strict.refusals(steps, workloads, {"default"}, NOON)
    assert [text.split(" can't")[0] for text in found] == ["mesh default", "mesh prod"]


# -- on Kubernetes ----------------------------------------------------------------------------------------------------


def test_a_dataplane_with_what_is_noted_of_it() -> None:
    """The insight of a custom resource is what an overview on Universal has in it."""
    body = {"metadata": {"name": "web-1", "namespace": "shop", "labels": {"kuma.io/mesh": "prod"}}, "mesh": "prod"}
    insight = load("observed")["connected"]["dataplaneInsight"]
    expected = Workload("prod", "shop/web-1", True, "2026-11-23T12:00:59.133259284Z")
    assert cluster_reading.workload(body, insight) == expected
    assert cluster_reading.workload(body, {}) == Workload("prod", "shop/web-1", False, None)


@pytest.mark.parametrize(
    ("namespace", "pod", "mesh"),
    [
        ({"kuma.io/sidecar-injection": "enabled"}, {}, "default"),
        ({"kuma.io/sidecar-injection": "true", "kuma.io/mesh": "prod"}, {}, "prod"),
        ({"kuma.io/sidecar-injection": "enabled"}, {"labels": {"kuma.io/mesh": "own"}}, "own"),
        ({"kuma.io/sidecar-injection": "disabled"}, {"labels": {"kuma.io/sidecar-injection": "enabled"}}, "default"),
        ({"kuma.io/sidecar-injection": "enabled"}, {"labels": {"kuma.io/sidecar-injection": "disabled"}}, None),
        ({"kuma.io/sidecar-injection": "disabled"}, {}, None),
        ({}, {"labels": {"kuma.io/sidecar-injection": "enabled"}}, None),
        ({"kuma.io/sidecar-injection": "enabled"}, {"phase": "Succeeded"}, None),
        ({"kuma.io/sidecar-injection": "enabled"}, {"deletionTimestamp": "2026-11-23T12:00:00Z"}, None),
        # A native sidecar is an init container.
        ({"kuma.io/sidecar-injection": "enabled"}, {"init": "kuma-sidecar"}, None),
        ({"kuma.io/sidecar-injection": "enabled"}, {"container": "kuma-sidecar"}, None),
    ],
)
def test_pods_that_should_have_a_sidecar(namespace: Raw, pod: Raw, mesh: str | None) -> None:
    metadata = {"name": "web", "namespace": "shop", "labels": pod.get("labels")}
    if "deletionTimestamp" in pod:
        metadata["deletionTimestamp"] = pod["deletionTimestamp"]
    body = {
        "metadata": metadata,
        "spec": {
            "initContainers": [{"name": pod.get("init", "setup")}],
            "containers": [{"name": pod.get("container", "app")}],
        },
        "status": {"phase": pod.get("phase", "Running")},
    }
    found = cluster_reading.unmeshed(body, {"shop": {"metadata": {"name": "shop", "labels": namespace}}})
    assert found == (Workload(mesh, "shop/web", False, None, sidecar=False) if mesh else None)


@pytest.mark.parametrize(
    ("state", "documents", "owner", "prune", "left"),
    [
        (
            "present",
            [tls("Strict")],
            "us",
            False,
            {"mode": {"Strict"}, "old": {"Permissive"}, "theirs": {"Permissive"}},
        ),
        ("present", [tls("Strict")], "us", True, {"mode": {"Strict"}, "theirs": {"Permissive"}}),
        ("absent", [tls(None)], "us", False, {"old": {"Permissive"}, "theirs": {"Permissive"}}),
        ("absent", [], "us", False, {"mode": {"Permissive"}, "theirs": {"Permissive"}}),
    ],
)
def test_what_there_will_be(
    state: str, documents: list[Raw], owner: str, prune: bool, left: dict[str, set[str]]
) -> None:
    def custom(name: str, owned_by: str = "") -> Raw:
        return {**tls("Permissive", name=name), "metadata": {"name": name, "labels": {OWNER: owned_by}}}

    before = there(custom("mode"), custom("old", "us"), custom("theirs", "them"))
    after = cluster_reading.after(before, wanted(*documents), state, owner, prune)
    assert {key[2]: strict.modes(body) for key, body in after.items()} == left
