# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""(observed, desired) -> changes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import advice, plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, Stage, is_its_own_secret
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import Plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.reading import About
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    OWNER,
    load,
    resource,
    stored,
    there,
    timeout,
    wanted,
)


def nobody(_body: t.Any) -> bool:
    return False


def test_nothing_changes_when_all_is_there() -> None:
    made = plan.present(wanted(timeout(), owner="us"), there(stored(timeout(), **{OWNER: "us"})), "us")
    assert (made.changes, made.problems, made.warnings) == ([], [], [])


def test_what_is_missing_is_created_and_what_differs_updated() -> None:
    made = plan.present(wanted(timeout("new"), timeout("old", "2s")), there(stored(timeout("old"))), None)
    assert [change.sentence() for change in made.changes] == [
        "create MeshTimeout default/new",
        "update MeshTimeout default/old: spec.to[0].default.connectionTimeout",
    ]


def test_own_labels_are_replaced_and_computed_ones_left_alone() -> None:
    observed = there(stored(timeout(), a="1", gone="x"))
    (change,) = plan.present(wanted(timeout(labels={"a": "2"})), observed, None).changes
    assert change.paths == ("labels.a", "labels.gone")
    assert change.body is not None
    assert change.body["labels"] == {"a": "2", "kuma.io/origin": "zone", "kuma.io/zone": "default"}
    assert plan.present(wanted(timeout(labels={"a": "1", "gone": "x"})), observed, None).changes == []


def test_a_display_name_that_was_set_once_is_sent_along_for_ever() -> None:
    # Recorded: every later PUT without it is 400, "is immutable, cannot be removed".
    observed = there(stored(timeout(), **{"kuma.io/display-name": "one"}))
    assert plan.present(wanted(timeout()), observed, None).changes == []
    (change,) = plan.present(wanted(timeout(connect="2s")), observed, None).changes
    assert change.body is not None
    assert change.body["labels"]["kuma.io/display-name"] == "one"


@pytest.mark.parametrize(
    ("label", "value"), [("kuma.io/display-name", "other"), ("kuma.io/origin", "global"), ("kuma.io/zone", "z2")]
)
def test_a_label_that_can_never_change_is_refused(label: str, value: str) -> None:
    observed = there(stored(timeout(), **{"kuma.io/display-name": "one"}))
    (problem,) = plan.present(wanted(timeout(labels={label: value})), observed, None).problems
    assert f"label {label} is" in problem
    assert "can never be changed" in problem


def test_labels_for_ever_are_announced() -> None:
    made = plan.present(wanted(timeout(labels={"kuma.io/display-name": "x"})), {}, None)
    assert "can never be taken away" in made.warnings[0]


def test_a_zone_of_a_global_control_plane_gets_its_origin() -> None:
    # Recorded: "the origin label must be set to 'zone'".
    (change,) = plan.present(wanted(timeout(labels={"a": "1"})), {}, None, origin="zone").changes
    assert change.body is not None
    assert change.body["labels"] == {"a": "1", "kuma.io/origin": "zone"}
    (change,) = plan.present(wanted(resource("Mesh", mesh=None)), {}, None, origin="zone").changes
    assert change.body is not None
    assert "labels" not in change.body


def test_a_service_is_not_put_without_its_state() -> None:
    # Recorded: a PUT without it makes the service Unavailable for seconds.
    kept = load("observed")["mesh services"][0]
    body = {"type": "MeshService", "mesh": "default", "name": kept["name"], "labels": {"app": "backend"}}
    spec = {name: kept["spec"][name] for name in ("selector", "ports")}
    assert plan.present(wanted({**body, "spec": spec}), there(kept), None).changes == []
    (change,) = plan.present(wanted({**body, "spec": {**spec, "ports": []}}), there(kept), None).changes
    assert change.body is not None
    assert change.body["spec"]["state"] == kept["spec"]["state"]
    assert change.body["spec"]["identities"] == kept["spec"]["identities"]


def test_taking_over_a_generated_service_is_warned_of() -> None:
    labels = {"kuma.io/managed-by": "meshservice-generator", "kuma.io/display-name": "web"}
    kept = stored(resource("MeshService", "web", spec={"ports": [{"port": 80}]}), **labels)
    made = plan.present(wanted(resource("MeshService", "web", spec={"ports": [{"port": 81}]})), there(kept), None)
    assert "log an error every two seconds" in made.warnings[0]
    assert made.changes[0].body is not None
    assert "kuma.io/managed-by" not in made.changes[0].body["labels"]


def test_another_owners_resource_is_refused() -> None:
    made = plan.present(wanted(timeout(), owner="us"), there(stored(timeout(), **{OWNER: "them"})), "us")
    assert "belongs to owner them, not to us" in made.problems[0]


def test_order_of_writes_and_deletes() -> None:
    kinds = [
        "Dataplane",
        "MeshTimeout",
        "MeshService",
        "MeshIdentity",
        "MeshTLS",
        "MeshTrafficPermission",
        "Secret",
        "Mesh",
    ]
    made = Plan()
    for action in (plan.CREATE, plan.DELETE):
        made.changes += [plan.Change(action, (kind, "default", action), {}, {}) for kind in kinds]
    order = [
        "Mesh",
        "Secret",
        "MeshTLS|MeshTrafficPermission",
        "MeshIdentity",
        "MeshService",
        "MeshTimeout",
        "Dataplane",
    ]

    def names(groups: list[list[plan.Change]]) -> list[str]:
        return ["|".join(sorted(change.key[0] for change in group)) for group in groups]

    assert names(made.writes()) == order
    assert names(made.deletes()) == order[::-1]
    assert Stage.PERMISSION < Stage.IDENTITY


# -- prune ------------------------------------------------------------------------------------------------------------


def owned(*bodies: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    return [stored(body, **{OWNER: "us"}) for body in bodies]


def test_prune_takes_what_is_ours_and_not_wished() -> None:
    made = Plan()
    bodies = [
        *owned(timeout("keep"), timeout("drop")),
        stored(timeout("theirs"), **{OWNER: "them"}),
        stored(timeout("hand")),
    ]
    plan.prune(made, wanted(timeout("keep")), bodies, "us", 20, nobody)
    assert [change.label for change in made.changes] == ["MeshTimeout default/drop"]


def test_secrets_of_the_control_plane_are_never_pruned() -> None:
    # Recorded: a deleted signing key is never made again, and every token ends with it. They have no labels.
    recorded = load("observed")["secrets"]
    assert [is_its_own_secret("Secret", item["name"]) for item in recorded] == [True, True, True]
    assert [item for item in recorded if item.get("labels")] == []
    made = Plan()
    plan.prune(made, [], recorded, "us", -1, nobody)
    assert made.changes == []
    labelled = owned(*[{name: item[name] for name in ("type", "mesh", "name")} for item in recorded])
    plan.prune(made, [], labelled, "us", -1, nobody)
    assert made.changes == []
    assert len(made.warnings) == 3
    (problem,) = plan.absent(wanted({**recorded[0], "data": "eA=="}), there(recorded[0]), None).problems
    assert "never makes again" in problem


@pytest.mark.parametrize(
    ("kind", "name", "own"),
    [
        ("GlobalSecret", "admin-user-token", True),
        ("GlobalSecret", "envoy-admin-ca", True),
        ("GlobalSecret", "inter-cp-ca", True),
        ("GlobalSecret", "zone-token-signing-key-1", True),
        ("Secret", "dataplane-token-revocations-default", True),
        ("Secret", "partner-ca", False),
        ("MeshTimeout", "admin-user-token", False),
        ("Secret", "admin-user-token", False),
    ],
)
def test_whose_secrets(kind: str, name: str, own: bool) -> None:
    assert is_its_own_secret(kind, name) is own


def test_meshes_are_not_pruned() -> None:
    made = Plan()
    plan.prune(made, [], owned(resource("Mesh", "m1", mesh=None)), "us", 20, nobody)
    assert made.changes == []
    assert "a mesh takes all that is in it along" in made.warnings[0]


def test_pruning_too_many_is_refused() -> None:
    bodies = owned(*[timeout(f"t{number}") for number in range(3)])
    made = Plan()
    plan.prune(made, [], bodies, "us", 2, nobody)
    assert "3 resources would be deleted, more than prune_max=2 allows" in made.problems[0]
    made = Plan()
    plan.prune(made, [], bodies, "us", -1, nobody)
    assert made.problems == []


def test_copies_from_other_control_planes_are_not_pruned() -> None:
    zone = About("zone", "universal", "zone-1", federated=True, read_only=False, store="memory")
    (copy,) = load("observed")["synced"]
    copy["labels"][OWNER] = "us"
    made = Plan()
    plan.prune(made, [], [copy], "us", 20, zone.foreign)
    assert made.changes == []
    plan.prune(made, [], owned(timeout("made-here")), "us", 20, zone.foreign)
    assert len(made.changes) == 1
    upstairs = zone._replace(mode="global", federated=False)
    assert upstairs.foreign(stored(timeout()))
    assert not upstairs.foreign(timeout())
    assert not zone._replace(federated=False).foreign(stored(timeout(), **{"kuma.io/origin": "global"}))


# -- absent -----------------------------------------------------------------------------------------------------------


def test_absent_deletes_what_is_there() -> None:
    made = plan.absent(wanted(timeout(), timeout("gone")), there(stored(timeout())), None)
    assert [change.sentence() for change in made.changes] == ["delete MeshTimeout default/one"]


@pytest.mark.parametrize(("owner", "problems"), [("them", 0), ("us", 1), (None, 1)])
def test_absent_leaves_what_belongs_to_somebody_else(owner: str | None, problems: int) -> None:
    made = plan.absent(wanted(timeout()), there(stored(timeout(), **{OWNER: "them"})), owner)
    assert (len(made.problems), len(made.changes)) == (problems, 1 - problems)
    if problems:
        assert f"belongs to owner them, not to {owner or 'nobody'}" in made.problems[0]


def test_a_mesh_with_dataplanes_is_not_deleted() -> None:
    observed = there(resource("Mesh", "default", mesh=None), resource("Dataplane", "dp-1", networking={}))
    made = plan.absent(wanted(resource("Mesh", "default", mesh=None)), observed, None)
    advice.of_deleted(made, observed)
    assert "still has 1 dataplanes (dp-1)" in made.problems[0]
    made = plan.absent(
        wanted(resource("Mesh", "default", mesh=None), resource("Dataplane", "dp-1", networking={})), observed, None
    )
    advice.of_deleted(made, observed)
    assert made.problems == []
    # Recorded: the proxy serves its old configuration for ever.
    assert "does not register it again" in made.warnings[0]
    assert [group[0].key[0] for group in made.deletes()] == ["Dataplane", "Mesh"]


# -- what a control plane takes without a word ------------------------------------------------------------------------

IDENTITY = resource(
    "MeshIdentity",
    "identity",
    spec={
        "provider": {"type": "Bundled", "bundled": {"autogenerate": {"enabled": True}, "insecureAllowSelfSigned": True}}
    },
)
EXCLUSIVE = resource("Mesh", "default", mesh=None, meshServices={"mode": "Exclusive"})


def judged(*bodies: dict[str, t.Any], observed: t.Any = None) -> Plan:
    wishes = wanted(*bodies)
    made = plan.present(wishes, observed or {}, None)
    advice.of_wanted(made, wishes, observed or {}, universal=True)
    return made


def test_an_identity_needs_exclusive_mesh_services() -> None:
    # Recorded: 201, and only status.conditions say MeshServicesDisabled.
    for mesh in ([], [resource("Mesh", "default", mesh=None)]):
        assert "needs meshServices.mode Exclusive" in judged(*mesh, IDENTITY).problems[0]
    assert judged(EXCLUSIVE, IDENTITY).problems == []
    assert judged(IDENTITY, observed=there(EXCLUSIVE)).problems == []


def test_an_identity_without_permissions_denies_everything() -> None:
    warnings = judged(EXCLUSIVE, IDENTITY).warnings
    assert "has no MeshTrafficPermission" in warnings[0]
    assert "has no MeshTLS" in warnings[1]
    permission = resource("MeshTrafficPermission", spec={"rules": []})
    mode = resource("MeshTLS", spec={"rules": [{"default": {"mode": "Permissive"}}]})
    assert judged(EXCLUSIVE, IDENTITY, permission, mode).warnings == []
    assert judged(IDENTITY, observed=there(EXCLUSIVE, permission, mode)).warnings == []


def test_an_authority_that_is_never_made() -> None:
    identity = resource(
        "MeshIdentity", spec={"provider": {"type": "Bundled", "bundled": {"autogenerate": {"enabled": True}}}}
    )
    assert "insecureAllowSelfSigned" in judged(EXCLUSIVE, identity).problems[0]


def test_a_reference_by_a_display_name_that_nobody_sets() -> None:
    spec = {
        "to": [
            {
                "targetRef": {"kind": "MeshService", "labels": {"kuma.io/display-name": "web"}},
                "default": {"connectionTimeout": "1s"},
            }
        ]
    }
    service = resource("MeshService", "web", spec={"ports": []})
    assert "which it does not have on Universal" in judged(timeout(spec=spec), service).warnings[0]
    generated = stored(service, **{"kuma.io/display-name": "web"})
    assert judged(timeout(spec=spec), observed=there(generated)).warnings == []


def test_a_mesh_that_is_not_there() -> None:
    wishes = wanted(timeout(mesh="prod"))
    made = Plan()
    advice.of_missing(made, wishes, {"prod"}, {})
    assert "there is no mesh prod" in made.problems[0]
    made = Plan()
    advice.of_missing(made, [*wishes, *wanted(resource("Mesh", "prod", mesh=None))], {"prod"}, {})
    assert made.problems == []


def test_the_table_of_kinds_is_whole() -> None:
    assert all(kind.instead for kind in KINDS.values() if kind.flat and kind.stage is Stage.POLICY)
    assert KINDS["Secret"].collection("m1") == "/meshes/m1/secrets"
    assert KINDS["Secret"].collection(None) == "/secrets"
    assert KINDS["HostnameGenerator"].collection("m1") == "/hostnamegenerators"


# -- diffs ------------------------------------------------------------------------------------------------------------


def test_a_diff_shows_what_is_compared_and_no_secret() -> None:
    observed = there(stored(resource("Secret", "s", data="b2xk"), a="1"))
    (change,) = plan.present(wanted(resource("Secret", "s", data="bmV3")), observed, None).changes
    shown = plan.difference(change)
    assert '"data": "<hidden, old value>"' in shown["before"]
    assert '"data": "<hidden, new value>"' in shown["after"]
    assert "b2xk" not in str(shown)
    assert "kuma.io" not in str(shown)
    (change,) = plan.present(wanted(resource("Secret", "s", data="bmV3")), {}, None).changes
    assert plan.difference(change)["before"] == ""
    assert "bmV3" not in str(plan.difference(change))


def test_a_diff_has_no_noise() -> None:
    (change,) = plan.present(wanted(timeout(connect="60s")), there(stored(timeout(connect="1s"))), None).changes
    shown = plan.difference(change)
    assert shown["after"].replace("1m0s", "1s") == shown["before"]
