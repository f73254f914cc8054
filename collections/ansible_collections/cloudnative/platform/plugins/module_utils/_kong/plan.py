# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From what is there and what is wished to a list of changes. Pure.

Order of work: what must make room goes first (`early` deletes and `release`), then creations and updates level by
level, then what is left to delete, in opposite order. What goes with its parent is named, but costs no request.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import compare
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.document import Document, Entity
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import (
    CREDENTIALS,
    KINDS,
    RELEASABLE,
    Raw,
    singular,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.identity import Identities
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Key, Observed, key_of, owned
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed

MANAGED_BY = "managed-by="
CREATE, UPDATE, DELETE, RELEASE = "create", "update", "delete", "release"


class Change:
    """One entity that changes."""

    __slots__ = ("action", "body", "early", "entity", "fields", "id", "kind", "label", "observed", "via")

    def __init__(self, action: str, kind: str, identifier: str, label: str) -> None:
        self.action = action
        self.kind = kind
        self.id = identifier
        self.label = label
        self.entity: Entity | None = None
        self.observed: Raw | None = None
        #: what is sent
        self.body: Raw = {}
        #: names of the fields that differ
        self.fields: list[str] = []
        self.early = False
        #: label of the parent that takes this one with it
        self.via: str | None = None

    @property
    def level(self) -> int:
        return KINDS[self.kind].level

    def sentence(self) -> str:
        if self.action == DELETE:
            return f"delete {self.label}" + (f" (with {self.via})" if self.via else "")
        if self.action == RELEASE:
            return f"release {', '.join(self.fields)} of {self.label}"
        return f"{self.action} {self.label}" + (f": {', '.join(self.fields)}" if self.fields else "")


class Plan:
    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def of(self, *actions: str) -> list[Change]:
        return [change for change in self.changes if change.action in actions]

    def deletions(self) -> list[Change]:
        return self.of(DELETE)


def compute(
    document: Document,
    observed: Observed,
    catalogue: Catalogue,
    owner_tags: t.Sequence[str] = (),
    prune_tags: t.Sequence[str] | None = None,
    atomic: bool = False,
) -> Plan:
    """What makes the gateway hold the document, and nothing else of what has all of `prune_tags`.

    `atomic` is for a gateway that replaces everything at once, where the order of writes is nobody's concern.
    """
    plan = Plan()
    identities = Identities(catalogue, observed, owner_tags)
    identities.settle(document)
    plan.problems += identities.problems
    plan.warnings += identities.warnings
    if plan.problems:
        return plan
    kept: set[tuple[str, str]] = set()
    for entity in document.entities:
        kept.add((entity.kind, entity.id))
        problem = _other_owner(entity, owner_tags)
        if problem:
            plan.problems.append(problem)
            continue
        plan.warnings += filter(None, [_owner_lost(entity, owner_tags)])
        change = _wish(entity, catalogue, document.transform)
        if change is not None:
            plan.changes.append(change)
        if entity.replaces is not None:
            plan.changes.append(_deletion(entity.kind, entity.replaces, observed))
    if prune_tags is not None:
        gone = kept | {(change.kind, change.id) for change in plan.deletions()}
        for kind, items in observed.lists.items():
            for item in items:
                if (kind, item["id"]) not in gone and owned(item, prune_tags):
                    plan.changes.append(_deletion(kind, item, observed))
    _finish(plan, observed, owner_tags if prune_tags is None else prune_tags, document, atomic)
    return plan


def compute_absence(
    document: Document | None, observed: Observed, catalogue: Catalogue, owner_tags: t.Sequence[str] = ()
) -> Plan:
    """What deletes the entities of the document, or without one everything of the owner's."""
    plan = Plan()
    if document is None:
        for kind, items in observed.lists.items():
            plan.changes += [_deletion(kind, item, observed) for item in items if owned(item, owner_tags)]
    else:
        identities = Identities(catalogue, observed, ())
        identities.settle(document)
        # To name what is gone is enough here: neither its fields nor what it refers to has to be there.
        for entity in document.entities:
            item = entity.observed or entity.replaces
            if item is not None:
                entity.observed = item
                plan.problems += filter(None, [_other_owner(entity, owner_tags)])
                plan.changes.append(_deletion(entity.kind, item, observed))
    _finish(plan, observed, owner_tags, None)
    return plan


def _wish(entity: Entity, catalogue: Catalogue, transform: bool) -> Change | None:
    if entity.observed is None:
        change = Change(CREATE, entity.kind, entity.id, entity.name)
    else:
        fields = compare.differing(entity, entity.observed, catalogue, transform)
        entity.canonical = None
        if not fields:
            return None
        change = Change(UPDATE, entity.kind, entity.id, entity.name)
        change.fields = fields
    change.entity = entity
    change.observed = entity.observed
    change.body = compare.completed(entity, entity.observed, catalogue)
    return change


def _deletion(kind: str, item: Raw, observed: Observed) -> Change:
    change = Change(DELETE, kind, item["id"], observed.label(kind, item))
    change.observed = item
    return change


def _other_owner(entity: Entity, owner_tags: t.Sequence[str]) -> str | None:
    """Two owners of one entity would undo each other's changes for ever."""
    mine = {tag for tag in owner_tags if tag.startswith(MANAGED_BY)}
    for tag in (entity.observed or entity.replaces or {}).get("tags") or []:
        if mine and tag.startswith(MANAGED_BY) and tag not in mine:
            return (
                f"{entity.label}: belongs to owner {tag[len(MANAGED_BY) :]} in the gateway; take it out of one of the "
                f"two configurations, or remove its tag {tag}"
            )
    return None


def _owner_lost(entity: Entity, owner_tags: t.Sequence[str]) -> str | None:
    """A run that names no owner may write what has one, and should be meant to."""
    if any(tag.startswith(MANAGED_BY) for tag in owner_tags):
        return None
    kept = entity.body.get("tags") or []
    for tag in (entity.observed or {}).get("tags") or []:
        if tag.startswith(MANAGED_BY) and tag not in kept:
            return f"{entity.label}: owner {tag[len(MANAGED_BY) :]} loses it, because this run has no owner"
    return None


def _finish(
    plan: Plan, observed: Observed, owner_tags: t.Sequence[str], document: Document | None, atomic: bool = False
) -> None:
    if not atomic:
        _cascades(plan, observed, owner_tags, document)
        _restrictions(plan, observed)
        _handovers(plan, observed)
        _recreations(plan)
    plan.changes.sort(key=lambda change: (change.level, change.kind, change.label, change.id))


def _cascades(plan: Plan, observed: Observed, owner_tags: t.Sequence[str], document: Document | None) -> None:
    """Whatever Kong deletes together with a parent: it needs no request, and must be nobody else's."""
    gone = {(change.kind, change.id): change for change in plan.deletions()}
    if not gone:
        return
    referring = observed.referring()
    kept = {(entity.kind, entity.id) for entity in document.entities} if document else set()
    for parent in sorted(gone.values(), key=lambda change: change.level):
        for kind, field, item in referring.get(parent.id, []):
            mark = (kind, item["id"])
            if field not in KINDS[kind].cascade or KINDS[kind].foreign[field] != parent.kind:
                continue
            if mark in gone:
                gone[mark].via = gone[mark].via or parent.label
            elif mark in kept:
                continue  # it moves to another parent first, or is created anew
            elif owned(item, owner_tags):
                change = _deletion(kind, item, observed)
                change.via = parent.label
                gone[mark] = change
                plan.changes.append(change)
            else:
                plan.problems.append(
                    f"{parent.label} would be deleted, and {observed.label(kind, item)} with it, which is not of "
                    f"this owner (tags {', '.join(owner_tags)}): delete that first, or keep the {singular(parent.kind)}"
                )


def _restrictions(plan: Plan, observed: Observed) -> None:
    """Deletions that Kong refuses, and that would half happen: it drops the SNIs of a certificate that it keeps."""
    gone = {(change.kind, change.id) for change in plan.deletions()}
    guarded = [change for change in plan.deletions() if change.kind in ("services", "certificates", "ca_certificates")]
    if not guarded:
        return
    after = {(change.kind, change.id): change.body for change in plan.of(CREATE, UPDATE)}
    referring = observed.referring()
    for change in guarded:
        holders = []
        for kind, field, item in referring.get(change.id, []):
            if field in KINDS[kind].cascade or (kind, item["id"]) in gone:
                continue
            body = after.get((kind, item["id"]), item)
            value = body.get(field)
            if change.id in (value if isinstance(value, list) else [(value or {}).get("id")]):
                holders.append(observed.label(kind, item))
        if holders:
            plan.problems.append(
                f"{change.label} can't be deleted, because {listed(holders)} still refer{'s' * (len(holders) == 1)} "
                "to it: delete or change that as well"
            )


def _handovers(plan: Plan, observed: Observed) -> None:
    """Names that one entity gives up and another takes: the first must let go before the second is written."""
    gone = {(change.kind, change.id): change for change in plan.deletions()}
    wished = {(change.kind, change.id): change for change in plan.of(CREATE, UPDATE)}
    released: dict[tuple[str, str], Change] = {}
    for change in list(wished.values()):
        for key in KINDS[change.kind].keys:
            values = key_of(change.kind, key, change.body)
            if values is None:
                continue
            holder = observed.by_key(change.kind, key).get(values)
            if holder is None or holder["id"] == change.id:
                continue
            mark = (change.kind, holder["id"])
            if mark in gone:
                if not _releasable(gone[mark], key):
                    _early(gone, gone[mark], observed)
                    continue
            elif mark not in wished or key_of(change.kind, key, wished[mark].body) == values:
                plan.problems.append(_taken(change, key, values, observed.label(change.kind, holder)))
                continue
            elif len(key) > 1 or not _can_release(change.kind, key[0], holder, released.get(mark)):
                plan.problems.append(
                    f"{change.label} and {wished[mark].label} swap their {' and '.join(key)}: do it in two steps"
                )
                continue
            release = released.get(mark)
            if release is None:
                label = observed.label(change.kind, holder)
                release = released[mark] = Change(RELEASE, change.kind, holder["id"], label)
                plan.changes.append(release)
            release.fields.append(key[0])
            release.body[key[0]] = None


def _can_release(kind: str, field: str, holder: Raw, release: Change | None) -> bool:
    """Whether the holder can do without the field until it gets another: a consumer needs one of its two names."""
    if (kind, field) not in RELEASABLE:
        return False
    if kind != "consumers":
        return True
    other = "custom_id" if field == "username" else "username"
    return bool(holder.get(other)) and not (release and other in release.fields)


def _recreations(plan: Plan) -> None:
    """What its parent takes along before it can move is created again."""
    early = {change.id for change in plan.deletions() if change.early}
    for change in plan.of(UPDATE) if early else []:
        for field in KINDS[change.kind].cascade:
            if ((change.observed or {}).get(field) or {}).get("id") in early:
                change.action = CREATE


def _releasable(deletion: Change, key: tuple[str, ...]) -> bool:
    """A service can't go before its routes have moved, so it gives up its name; the others simply go first."""
    return deletion.kind == "services" and len(key) == 1


def _early(gone: dict[tuple[str, str], Change], change: Change, observed: Observed) -> None:
    """It goes first, and before it all that goes with it; whatever refers to it without going is refused elsewhere."""
    change.early = True
    change.via = None
    for kind, field, item in observed.referring().get(change.id, []):
        other = gone.get((kind, item["id"]))
        if other is not None and not other.early and field not in KINDS[kind].cascade:
            _early(gone, other, observed)


def _taken(change: Change, key: tuple[str, ...], values: Key, holder: str) -> str:
    secret = change.kind in CREDENTIALS and key[0] in KINDS[change.kind].secrets
    value = "" if secret or len(key) > 1 else f" {values[0]}"
    return f"{change.label}: its {' and '.join(key)}{value} is already taken by {holder}, which is not in the documents"
