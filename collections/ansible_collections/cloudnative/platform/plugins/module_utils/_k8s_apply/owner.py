# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which objects belong to an owner, and which of them have to go. Pure.

Every object that an owner applies carries the owner's label. A ConfigMap, the owner's record, notes of which kinds and
in which namespaces there are or were any, as a parent object does in KEP-3659 (ApplySet): so a run asks for a handful
of kinds, not for all that the API serves. The record is widened before anything is applied and narrowed after
everything is pruned; a run that was killed in between leaves one that says too much, which is harmless.
"""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    Definition,
    DefinitionError,
    group_of,
    label_of,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource

LABEL = "cloudnative.platform/owner"
# A label's value has 63 characters, and so has the record's name with its prefix.
_PREFIX = "owner-"
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,55}[a-z0-9])?$")

Object = dict[str, t.Any]
# group, kind, namespace, name
Key = tuple[str, str, t.Optional[str], str]


class Record(t.NamedTuple):
    """Where objects of an owner may be."""

    kinds: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    def union(self, other: Record) -> Record:
        return Record(self.kinds | other.kinds, self.namespaces | other.namespaces)


def check_name(owner: str) -> str:
    if not _NAME.match(owner):
        raise DefinitionError(
            f"owner {owner!r} can't be the value of a label and part of a name: use 1 to 57 lower case letters, digits "
            "and dashes, no dash at either end"
        )
    return owner


def key_of(body: Object) -> Key:
    metadata = body["metadata"]
    return group_of(body["apiVersion"]), body["kind"], metadata.get("namespace"), metadata["name"]


# -- the label --------------------------------------------------------------------------------------------------


def labelled(definition: Definition, owner: str) -> Definition:
    """The definition with the owner's label."""
    metadata = definition.body["metadata"]
    labels = metadata.get("labels") or {}
    if not isinstance(labels, dict):
        raise DefinitionError(f"{definition.source}: {definition.label}: metadata.labels must be a mapping")
    if labels.get(LABEL, owner) != owner:
        raise DefinitionError(f"{definition.source}: {definition.label} says {LABEL}={labels[LABEL]}, not {owner}")
    return definition._replace(
        body={**definition.body, "metadata": {**metadata, "labels": {**labels, LABEL: owner}}},
    )


def owner_of(body: Object | None) -> str | None:
    """The owner that applied an object.

    Only a label that was applied counts. Controllers copy labels of a Service to its Endpoints, and people copy whole
    objects: neither makes the copy a part of what the owner applied.
    """
    metadata = (body or {}).get("metadata") or {}
    owner = (metadata.get("labels") or {}).get(LABEL)
    for entry in metadata.get("managedFields") or []:
        labels = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:labels") or {}
        if entry.get("operation") == "Apply" and f"f:{LABEL}" in labels:
            return owner
    return None


# -- the record -------------------------------------------------------------------------------------------------


def record_name(owner: str) -> str:
    return _PREFIX + owner


def record_of(placed: t.Iterable[tuple[Resource, str | None]]) -> Record:
    """From (resource, namespace) of each object."""
    kinds: set[str] = set()
    namespaces: set[str] = set()
    for resource, namespace in placed:
        kinds.add(resource.group_kind)
        if namespace:
            namespaces.add(namespace)
    return Record(frozenset(kinds), frozenset(namespaces))


def write_record(owner: str, namespace: str, record: Record) -> Definition:
    """The ConfigMap of a record, as it is applied."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(owner),
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "cloudnative.platform"},
            "annotations": {
                f"{LABEL}-record": f"Where objects labelled {LABEL}={owner} may be. Without it, all kinds are searched."
            },
        },
        "data": {
            name: "".join(f"{item}\n" for item in sorted(items))
            for name, items in (("kinds", record.kinds), ("namespaces", record.namespaces))
        },
    }
    return Definition(body, f"record of owner {owner}")


def read_record(body: Object | None) -> Record | None:
    """None when there is no record, or none that can be read."""
    data = (body or {}).get("data")
    if not data or "kinds" not in data:
        return None
    return Record(*(frozenset(str(data.get(name) or "").split()) for name in ("kinds", "namespaces")))


# -- the plan ---------------------------------------------------------------------------------------------------


def doomed(owned: t.Iterable[Object], desired: t.Iterable[Key]) -> list[Object]:
    """What belongs to the owner and is not defined any more; what is on its way out already isn't counted."""
    wanted = set(desired)
    return [
        body
        for body in owned
        if key_of(body) not in wanted and not (body.get("metadata") or {}).get("deletionTimestamp")
    ]


def most(limit: str, owned: int) -> int:
    """How many of `owned` objects may go: a count, or a percentage that is rounded down, but not to none."""
    match = re.fullmatch(r"\s*(\d+)\s*(%?)\s*", limit)
    if not match or (match[2] and int(match[1]) > 100):
        raise DefinitionError(f"prune_max {limit!r} is neither a number of objects nor a percentage such as 50%")
    number = int(match[1])
    if not match[2]:
        return number
    return max(math.floor(owned * number / 100), 1 if number and owned > 1 else 0)


def guard(owner: str, going: t.Sequence[Object], owned: int, limit: str) -> None:
    """Refuse to prune more than is plausible: a wrong directory or an empty template must not take a platform away."""
    allowed = most(limit, owned)
    if len(going) <= allowed:
        return
    names = [label_of(body) for body in going]
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    raise DefinitionError(
        f"{len(going)} of {owned} objects of owner {owner} are not defined any more, and prune_max {limit} allows "
        f"{allowed} to go: {shown}. Nothing was changed. Check that the definitions are complete; if these objects "
        "are to go, raise prune_max for this run"
    )
