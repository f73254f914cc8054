# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that a control plane lives by."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import own_secrets, plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import Plan
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    OWNER,
    resource,
    stored,
    there,
    wanted,
)

KEY = "dataplane-token-signing-key-default-1"


def bundled(**fields: t.Any) -> dict[str, t.Any]:
    return resource("MeshIdentity", "identity", spec={"provider": {"type": "Bundled", "bundled": fields}})


OF_IDENTITY = own_secrets.of_identities(there(bundled(autogenerate={"enabled": True})))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (KEY, "holds another signing key: every token that was signed with it would be refused"),
        ("default.ca-builtin-key-ca-1", "one of the control plane's own secrets and holds something else"),
        ("identity-private-key", "one of the control plane's own secrets and holds something else"),
        ("identity-root-ca", "one of the control plane's own secrets and holds something else"),
        # That is how a token is revoked.
        ("dataplane-token-revocations-default", None),
        ("other-root-ca", None),
        ("partner", None),
    ],
)
def test_what_may_not_be_written_over(name: str, said: str | None) -> None:
    def present(data: str, *observed: dict[str, t.Any], **labels: str) -> Plan:
        wish = wanted(resource("Secret", name, data=data, labels=labels))
        return plan.present(wish, there(*observed), None, identities_have=OF_IDENTITY)

    kept = stored(resource("Secret", name, data="b2xk"))
    problems = present("bmV3", kept).problems
    assert len(problems) == (1 if said else 0)
    assert (said or "") in "".join(problems)
    assert "bmV3" not in "".join(problems)
    # The same once more, with a label, or a new one: no token ends.
    assert present("b2xk", kept).changes == []
    assert present("b2xk", kept, team="a").problems == []
    (change,) = present("bmV3").changes
    assert change.action == plan.CREATE


@pytest.mark.parametrize(
    ("name", "own"), [(KEY, True), ("identity-private-key", True), ("identity-root-ca", True), ("partner-ca", False)]
)
def test_what_is_not_deleted(name: str, own: bool) -> None:
    body = stored(resource("Secret", name, data="eA=="), **{OWNER: "us"})
    made = plan.absent(wanted(resource("Secret", name, data="eA==")), there(body), "us", OF_IDENTITY)
    assert [len(made.problems), len(made.changes)] == ([1, 0] if own else [0, 1])
    made = Plan()
    plan.prune(made, [], [body], "us", -1, lambda _body: False, OF_IDENTITY)
    assert [len(made.warnings), len(made.changes)] == ([1, 0] if own else [0, 1])


def test_secrets_of_an_identity_are_those_of_an_authority_that_it_made() -> None:
    assert {key[2] for key in OF_IDENTITY} == {"identity-private-key", "identity-root-ca"}
    # With an authority of your own, the secrets are yours as well, whatever they are called.
    assert own_secrets.of_identities(there(bundled(ca={}))) == set()
    assert own_secrets.of_identities(there(resource("MeshIdentity", spec={"provider": {"type": "Spire"}}))) == set()
    assert own_secrets.may_be_of_identity(("Secret", "default", "identity-root-ca"))
    assert not own_secrets.may_be_of_identity(("GlobalSecret", "", "identity-root-ca"))
