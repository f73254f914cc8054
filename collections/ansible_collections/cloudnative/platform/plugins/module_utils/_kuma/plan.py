# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What has to be done so that a control plane holds what is wished: observed and desired in, changes out. Pure."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.owner import LABEL as OWNER
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import canonical, own_secrets
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, Wanted, key_of, label_of
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import (
    KINDS,
    Raw,
    Stage,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed, too_many

CREATE, UPDATE, DELETE = "create", "update", "delete"

DISPLAY_NAME = "kuma.io/display-name"
ORIGIN = "kuma.io/origin"
ZONE = "kuma.io/zone"
MANAGED_BY = "kuma.io/managed-by"
#: Once there they can never be taken back: a PUT without them is refused, so what is there is sent along.
STICKY = (DISPLAY_NAME, ORIGIN, ZONE)
#: Labels that the control plane sets itself; compared only where a document names them.
COMPUTED = (
    *STICKY,
    MANAGED_BY,
    "kuma.io/mesh",
    "kuma.io/env",
    "kuma.io/proxy-type",
    "kuma.io/policy-role",
    "kuma.io/deletion-grace-period-started-at",
)
COMPUTED_PREFIX = "k8s.kuma.io/"
#: How people write past this module.
_TOOL = "kumactl"


class Change(t.NamedTuple):
    """One write. Create and update are both a PUT of `body`."""

    action: str
    key: Key
    body: Raw | None
    observed: Raw | None
    paths: tuple[str, ...] = ()
    where: str = ""

    @property
    def label(self) -> str:
        return label_of(self.key)

    @property
    def stage(self) -> Stage:
        return KINDS[self.key[0]].stage

    def sentence(self) -> str:
        return f"{self.action} {self.label}" + (f": {listed(self.paths, 5)}" if self.action == UPDATE else "")


class Plan:
    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def of(self, action: str) -> list[Change]:
        return [change for change in self.changes if change.action == action]

    def writes(self) -> list[list[Change]]:
        """Creates and updates, stage after stage."""
        return self._staged((CREATE, UPDATE), list(Stage))

    def deletes(self) -> list[list[Change]]:
        return self._staged((DELETE,), list(Stage)[::-1])

    def _staged(self, actions: tuple[str, ...], stages: list[Stage]) -> list[list[Change]]:
        found = [[one for one in self.changes if one.stage is stage and one.action in actions] for stage in stages]
        return [group for group in found if group]


def present(
    wanted: t.Sequence[Wanted],
    observed: t.Mapping[Key, Raw],
    owner: str | None,
    origin: str = "",
    identities_have: t.Collection[Key] = (),
) -> Plan:
    """Creates and updates.

    `origin` is what a zone of a global control plane insists on for what it makes itself, `identities_have` the secrets
    of identities.
    """
    plan = Plan()
    for one in sorted(wanted, key=lambda one: (KINDS[one.kind].stage, one.key)):
        there = observed.get(one.key)
        if there is None:
            body = one.body
            if origin and KINDS[one.kind].in_mesh and ORIGIN not in one.labels:
                body = {**body, "labels": {**one.labels, ORIGIN: origin}}
            plan.changes.append(Change(CREATE, one.key, body, None, where=one.where))
            _warn_of_labels(one, plan)
            continue
        conflict = belongs_to_another(one.place, owner_of(there), owner)
        if conflict:
            plan.problems.append(conflict)
            continue
        paths = _changed(one, there, plan)
        if "data" in paths and own_secrets.is_own(one.key, identities_have):
            plan.problems += filter(None, [own_secrets.not_replaced(one.place, one.name, _TOOL)])
        if paths:
            body = _to_send(one, there)
            plan.changes.append(Change(UPDATE, one.key, body, there, tuple(paths), one.where))
    return plan


def absent(
    wanted: t.Iterable[Wanted],
    observed: t.Mapping[Key, Raw],
    owner: str | None,
    identities_have: t.Collection[Key] = (),
) -> Plan:
    """Deletes what the documents name."""
    plan = Plan()
    for one in wanted:
        there = observed.get(one.key)
        if there is None:
            continue
        conflict = belongs_to_another(one.place, owner_of(there), owner)
        if conflict:
            plan.problems.append(conflict)
        elif own_secrets.is_own(one.key, identities_have):
            plan.problems.append(own_secrets.not_deleted(one.place, _TOOL))
        else:
            plan.changes.append(Change(DELETE, one.key, None, there, where=one.where))
    return plan


def prune(
    plan: Plan,
    wanted: t.Iterable[Wanted],
    owned: t.Iterable[Raw],
    owner: str,
    limit: int,
    foreign: t.Callable[[Raw], bool],
    identities_have: t.Collection[Key] = (),
) -> None:
    """Adds deletes of what has the owner's label and stands in no document.

    `foreign` tells what was copied here, label included, from another control plane.
    """
    keep = {one.key for one in wanted}
    doomed: list[Change] = []
    for body in owned:
        key = key_of(body)
        if key in keep or owner_of(body) != owner or key[0] not in KINDS or foreign(body):
            continue
        if own_secrets.is_own(key, identities_have):
            plan.warnings.append(own_secrets.not_pruned(label_of(key)))
        elif key[0] == "Mesh":
            plan.warnings.append(mesh_not_pruned(key[2]))
        else:
            doomed.append(Change(DELETE, key, None, body, where=f"owner {owner}"))
    refusal = too_many([change.label for change in doomed], limit, "resources")
    if refusal:
        plan.problems.append(refusal)
    plan.changes += sorted(doomed, key=lambda change: change.key)


def mesh_not_pruned(name: str) -> str:
    return (
        f"Mesh {name} stands in no document any more; a mesh takes all that is in it along, so it is not pruned: "
        "delete it with state=absent"
    )


def belongs_to_another(place: str, theirs: str | None, owner: str | None) -> str | None:
    """Why a resource is not for this call to write or to delete."""
    if not theirs or theirs == owner:
        return None
    return (
        f"{place} belongs to owner {theirs}, not to {owner or 'nobody'}; take it out of the documents there first, or "
        "give that owner"
    )


def owner_of(body: Raw) -> str | None:
    return (body.get("labels") or {}).get(OWNER)


def is_computed(label: str) -> bool:
    return label in COMPUTED or label.startswith(COMPUTED_PREFIX)


def _changed(one: Wanted, there: Raw, plan: Plan) -> list[str]:
    before = canonical.content(one.kind, there, one.body)
    after = canonical.content(one.kind, one.body, there)
    paths = canonical.differences(before, after, "" if KINDS[one.kind].flat else "spec")
    theirs = there.get("labels") or {}
    for name in STICKY:
        if name in one.labels and name in theirs and theirs[name] != one.labels[name]:
            plan.problems.append(
                f"{one.place}: label {name} is {theirs[name]!r} and can never be changed, the document says "
                f"{one.labels[name]!r}: delete the resource first, or leave the label as it is"
            )
    counted = {name: value for name, value in theirs.items() if name in one.labels or not is_computed(name)}
    paths += [f"labels.{name}" for name in sorted({*counted, *one.labels}) if counted.get(name) != one.labels.get(name)]
    if paths and theirs.get(MANAGED_BY) == "meshservice-generator":
        plan.warnings.append(
            f"{one.place}: the control plane generates a MeshService of this name for a kuma.io/service tag, and will "
            "log an error every two seconds about yours: give it another name, or take the tag away"
        )
    return paths


def _to_send(one: Wanted, there: Raw) -> Raw:
    """What a PUT replaces everything with, so what has to stay is in it: labels that can't go, and what is not ours."""
    theirs = there.get("labels") or {}
    labels = {**{name: theirs[name] for name in STICKY if name in theirs}, **one.labels}
    body = {**one.body, "labels": labels} if labels else one.body
    return canonical.with_owned(one.kind, body, there)


def _warn_of_labels(one: Wanted, plan: Plan) -> None:
    for name in STICKY:
        if name in one.labels and name != ZONE:
            plan.warnings.append(f"{one.place}: label {name} can never be taken away or changed again")


# -- how a change is shown --------------------------------------------------------------------------------------------


def difference(change: Change) -> dict[str, str]:
    """One entry of a module's `diff`: what is compared, without secrets."""
    kind = change.key[0]
    sides: list[t.Any] = []
    for body, other in ((change.observed, change.body), (change.body, change.observed)):
        sides.append(None if body is None else _shown(kind, body, other))
    before, after = sides
    if before is not None and after is not None:
        before["content"], after["content"] = (
            canonical.masked(kind, before["content"], after["content"], "old"),
            canonical.masked(kind, after["content"], before["content"], "new"),
        )
    else:
        for side in filter(None, sides):
            side["content"] = canonical.masked(kind, side["content"], None, "")
    return {
        "before_header": change.label,
        "after_header": f"{change.label}{' (deleted)' if change.action == DELETE else ''}",
        "before": _text(kind, before),
        "after": _text(kind, after),
    }


def _shown(kind: str, body: Raw, other: Raw | None) -> Raw:
    """What of one side is worth a look: of the labels that are computed or kept only those that change."""
    theirs = (other or {}).get("labels") or {}
    labels = {
        name: value
        for name, value in (body.get("labels") or {}).items()
        if not is_computed(name) or theirs.get(name, value) != value
    }
    return {"labels": labels, "content": canonical.content(kind, body, other)}


def _text(kind: str, side: Raw | None) -> str:
    if side is None:
        return ""
    content = side["content"] if KINDS[kind].flat else {"spec": side["content"]}
    shown = {**({"labels": side["labels"]} if side["labels"] else {}), **(content or {})}
    return json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
