# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What identities lose between two states of a mesh."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import advice, plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import Change, Plan
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    resource,
    there,
    timeout,
    wanted,
)

Raw = dict[str, t.Any]
IDENTITY = resource("MeshIdentity", "identity", spec={"provider": {"type": "Spire", "spire": {}}})
MINE, OTHER = (resource("MeshTrafficPermission", name, spec={"rules": []}) for name in ("calls-to-api", "calls-to-db"))
ELSEWHERE = resource("MeshTrafficPermission", "calls-to-api", mesh="other", spec={"rules": []})
EXCLUSIVE = resource("Mesh", "default", mesh=None, meshServices={"mode": "Exclusive"})
PLAIN = resource("Mesh", "default", mesh=None)
ON_KUBERNETES = resource("Mesh", "default", mesh=None, spec={"meshServices": {"mode": "Exclusive"}})

LOST = (
    "Mesh default can't give up meshServices.mode Exclusive while MeshIdentity default/identity is there, which is not "
    "ready without: its certificates would end. Keep the mode, or take the identity away first"
)
DENIED = (
    "mesh default keeps MeshIdentity default/identity and loses its last MeshTrafficPermission (MeshTrafficPermission "
    "default/calls-to-api): every call in it is denied from then on"
)


@pytest.mark.parametrize(
    ("before", "after", "problems", "warnings"),
    [
        ([EXCLUSIVE, IDENTITY], [PLAIN, IDENTITY], [LOST], []),
        ([ON_KUBERNETES, IDENTITY], [PLAIN, IDENTITY], [LOST], []),
        ([EXCLUSIVE, IDENTITY], [EXCLUSIVE, IDENTITY], [], []),
        ([EXCLUSIVE, IDENTITY], [PLAIN], [], []),
        ([EXCLUSIVE], [PLAIN], [], []),
        # Not ready before either.
        ([PLAIN, IDENTITY], [PLAIN, IDENTITY], [], []),
        ([MINE, IDENTITY], [IDENTITY], [], [DENIED]),
        # In the same call as the first identity.
        ([MINE], [IDENTITY], [], [DENIED]),
        ([MINE, OTHER, IDENTITY], [OTHER, IDENTITY], [], []),
        ([MINE, IDENTITY], [OTHER, IDENTITY], [], []),
        ([MINE, ELSEWHERE, IDENTITY], [ELSEWHERE, IDENTITY], [], [DENIED]),
        ([MINE, IDENTITY], [], [], []),
        ([MINE], [], [], []),
        # There was none before.
        ([IDENTITY], [IDENTITY], [], []),
    ],
)
def test_what_identities_lose(before: list[Raw], after: list[Raw], problems: list[str], warnings: list[str]) -> None:
    made = Plan()
    advice.of_steps(made, there(*before), there(*after))
    assert (made.problems, made.warnings) == (problems, warnings)


def test_a_mesh_that_goes_loses_nothing() -> None:
    made = Plan()
    advice.of_steps(made, there(EXCLUSIVE, MINE, IDENTITY), there(IDENTITY), leaving={"default"})
    assert (made.problems, made.warnings) == ([], [])


def test_an_identity_that_is_written_is_judged_once() -> None:
    wish = wanted(PLAIN, {**IDENTITY, "labels": {"team": "a"}})
    observed = there(EXCLUSIVE, IDENTITY)
    made = plan.present(wish, observed, None)
    advice.of_wanted(made, wish, observed, universal=True)
    advice.of_steps(made, observed, {one.key: one.body for one in wish})
    (problem,) = made.problems
    assert "needs meshServices.mode Exclusive" in problem


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ((plan.DELETE, MINE, None), ({"MeshTrafficPermission", "MeshIdentity"}, {"default"})),
        ((plan.UPDATE, EXCLUSIVE, PLAIN), ({"MeshIdentity"}, {"default"})),
        ((plan.UPDATE, EXCLUSIVE, EXCLUSIVE), (set(), set())),
        ((plan.UPDATE, PLAIN, PLAIN), (set(), set())),
        ((plan.UPDATE, MINE, MINE), (set(), set())),
        ((plan.DELETE, timeout(), None), (set(), set())),
    ],
)
def test_only_such_a_step_costs_requests(change: tuple[str, Raw, Raw | None], asked: tuple[set[str], set[str]]) -> None:
    action, observed, body = change
    made = Plan()
    made.changes = [Change(action, next(iter(there(observed))), body, observed)]
    assert advice.to_ask(made) == asked
