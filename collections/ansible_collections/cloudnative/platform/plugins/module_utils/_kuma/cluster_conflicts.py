# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What in a cluster is not for a call to write or to delete, known before the first object is sent. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import owner as owners
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import own_secrets
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.cluster_reading import mesh_of
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, Wanted
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import belongs_to_another

#: How people write past this module.
_TOOL = "kubectl"


class Place(t.NamedTuple):
    """A definition, and what is in its place."""

    definition: Definition
    #: the document that it was made of; None for a NetworkPolicy
    wanted: Wanted | None
    there: Raw | None

    @property
    def text(self) -> str:
        return self.wanted.place if self.wanted else f"{self.definition.label} ({self.definition.source})"


def same_object(definitions: t.Iterable[tuple[Definition, Wanted]]) -> list[str]:
    """Resources that are several in a control plane on hosts and one object here."""
    seen: dict[owners.Key, Wanted] = {}
    found: list[str] = []
    for definition, one in definitions:
        first = seen.setdefault(owners.key_of(definition.body), one)
        if first is not one:
            found.append(f"{first.place} and {one.place} would both be {definition.label}: {_give_another_name(one)}")
    return found


def of_present(places: t.Iterable[Place], owner: str | None, identities_have: t.Collection[Key]) -> list[str]:
    """Everything that may not be written over."""
    found: list[str | None] = []
    for place in places:
        if place.there is None:
            continue
        conflict = belongs_to_another(place.text, owners.owner_of(place.there), owner) or _wrong_type(place)
        if conflict is None and place.wanted and _is_of_another_mesh(place):
            conflict = (
                f"{place.text}: {place.definition.label} is there already, of mesh {mesh_of(place.there)}: "
                f"{_give_another_name(place.wanted)}"
            )
        body = place.definition.body
        if conflict is None and is_own_secret(body, identities_have) and _data(place.there) != _data(body):
            conflict = own_secrets.not_replaced(place.text, place.definition.name, _TOOL)
        found.append(conflict)
    return [problem for problem in found if problem]


def of_absent(
    places: t.Iterable[Place], owner: str | None, identities_have: t.Collection[Key]
) -> tuple[list[str], list[Definition]]:
    """What may not be deleted, and what is there and may."""
    problems: list[str] = []
    going: list[Definition] = []
    for place in places:
        # The object of this name is another resource.
        if place.there is None or _is_of_another_mesh(place):
            continue
        conflict = belongs_to_another(place.text, owners.owner_of(place.there), owner) or _wrong_type(place)
        if conflict is None and is_own_secret(place.definition.body, identities_have):
            conflict = own_secrets.not_deleted(place.text, _TOOL)
        if conflict:
            problems.append(conflict)
        else:
            going.append(place.definition)
    return problems, going


def is_own_secret(body: Raw, identities_have: t.Collection[Key]) -> bool:
    """Of any object. Secrets of a mesh and of none are in one namespace, so a name is looked for among both."""
    if body.get("kind") != "Secret":
        return False
    name = body["metadata"]["name"]
    keys = (("Secret", mesh_of(body), name), ("GlobalSecret", "", name))
    return any(own_secrets.is_own(key, identities_have) for key in keys)


def _wrong_type(place: Place) -> str | None:
    wished = place.definition.body.get("type") if place.definition.kind == "Secret" else None
    theirs = (place.there or {}).get("type")
    if not wished or wished == theirs:
        return None
    return f"{place.text}: {place.definition.label} is there and of type {theirs}, not {wished}: it is something else"


def _is_of_another_mesh(place: Place) -> bool:
    if place.wanted is None or place.there is None or not KINDS[place.wanted.kind].in_mesh:
        return False
    return mesh_of(place.there) != place.wanted.mesh


def _give_another_name(one: Wanted) -> str:
    elsewhere = "" if KINDS[one.kind].instead or one.kind == "Secret" else ", or another namespace by a label"
    return f"on Kubernetes names are shared by all meshes; give it another name{elsewhere}"


def _data(body: Raw) -> t.Any:
    return (body.get("data") or {}).get("value")
