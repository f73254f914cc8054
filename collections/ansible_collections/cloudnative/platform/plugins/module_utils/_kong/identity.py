# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which entity of the gateway is which of the document, and what id a new one gets. Pure.

An entity keeps the id that it has in the gateway. A new one gets an id that is computed from what names it, so that a
plan knows all ids before anything is written, and every run and every node without a database comes to the same.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
import uuid

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.document import (
    REFERENCE_NAMES,
    Document,
    Entity,
    duplicate,
    is_uuid,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import (
    CREDENTIALS,
    KINDS,
    Kind,
    Raw,
    by_level,
    singular,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed, key_of
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.rewrites import rewritten
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import suggestion

_NULL = "{} is null, leave it out to get its default"
NAMESPACE = uuid.UUID("5a0f3c0e-6d0c-5d0b-9f0f-3f8f0b0a6b53")
#: What tells entities without a name apart.
_CONTENT = {
    "routes": (
        "service",
        "protocols",
        "methods",
        "hosts",
        "paths",
        "headers",
        "snis",
        "sources",
        "destinations",
        "expression",
    ),
    "services": ("protocol", "host", "port", "path"),
}


class Identities:
    """Finds the counterparts of all wished entities, level by level, because names contain the ids of other levels."""

    def __init__(self, catalogue: Catalogue | None, observed: Observed, owner_tags: t.Sequence[str]) -> None:
        self.catalogue = catalogue
        self.observed = observed
        self.owner_tags = list(owner_tags)
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._names: dict[str, dict[t.Any, Entity]] = {kind: {} for kind in KINDS}

    def settle(self, document: Document) -> None:
        """Fills in `body`, `id`, `observed` and `replaces` of every entity."""
        wanted = document.by_kind()
        for kind in by_level():
            entities = wanted[kind.name]
            if self.catalogue is not None and kind.name not in self.catalogue.raw:
                self.problems += [
                    f"{entity.label}: this Kong has no {kind.name}, because it does not have the plugin {kind.plugin}"
                    for entity in entities
                ]
                continue
            for entity in entities:
                self._body(kind, entity)
            self._match(kind, entities)
            for entity in entities:
                entity.body["id"] = entity.id
            self._check(kind, entities)
            names = self._names[kind.name]
            for entity in entities:
                names[entity.id] = entity
                for key in kind.keys[:1]:
                    if len(key) == 1 and entity.body.get(key[0]):
                        names.setdefault(entity.body[key[0]], entity)

    def _body(self, kind: Kind, entity: Entity) -> None:
        if kind.name == "plugins" and self.catalogue is not None:
            problem = self.catalogue.plugin_problem(entity.fields.get("name"))
            if problem:
                self.problems.append(f"{entity.place}: {problem}")
        warnings: list[str] = []
        problems: list[str] = []
        body = rewritten(kind.name, entity.fields, warnings)
        if self.catalogue is not None:
            record = self.catalogue.record(kind.name, body)
            if record.has_shorthands:
                body = record.without_shorthands(body, problems)
        self.warnings += [f"{entity.label}: {warning}" for warning in warnings]
        self.problems += [f"{entity.label}: {problem}" for problem in problems]
        for field, target in kind.foreign.items():
            if body.get(field) is not None:
                body[field] = self._reference(entity, field, target, body[field])
        if self.owner_tags:
            tags = body.get("tags") or []
            body["tags"] = [*tags, *(tag for tag in self.owner_tags if tag not in tags)]
        entity.body = body

    def _reference(self, entity: Entity, field: str, target: str, value: t.Any) -> Raw | None:
        if isinstance(value, Entity):
            return {"id": value.id}
        given = value
        if isinstance(value, dict):
            given = next((value[name] for name in REFERENCE_NAMES if value.get(name)), None)
        if is_uuid(given):
            given = str(given).lower()
        other = self._names[target].get(given)
        if other is not None:
            entity.fields[field] = other
            return {"id": other.id}
        item = self.observed.named(target, given)
        if item is not None:
            return {"id": item["id"]}
        known = [str(name) for name in self._names[target] if not is_uuid(name)]
        self.problems.append(
            f"{entity.label}: there is no {singular(target)} {given}, neither in the documents nor in the gateway"
            f"{suggestion(str(given), known)}"
        )
        return None

    def _match(self, kind: Kind, entities: list[Entity]) -> None:
        claimed: dict[str, Entity] = {}
        by_id = self.observed.by_id[kind.name]
        rest: list[Entity] = []
        for entity in entities:
            identifier = entity.body.get("id")
            if identifier:
                entity.id = identifier
                entity.observed = by_id.get(identifier)
                claimed[identifier] = entity
            else:
                rest.append(entity)
        for key in (*kind.keys, ()):
            left: list[Entity] = []
            for entity in rest:
                item = self._counterpart(kind, key, entity)
                if item is not None and item["id"] not in claimed:
                    entity.id, entity.observed = item["id"], item
                    claimed[item["id"]] = entity
                else:
                    left.append(entity)
            rest = left
        for entity in rest:
            self._allocate(kind, entity, claimed)
        for entity in entities:
            if entity.observed is None and entity.fields.get("id"):
                self._replaced(kind, entity, claimed)

    def _counterpart(self, kind: Kind, key: tuple[str, ...], entity: Entity) -> Raw | None:
        """By one key of the kind; with none, by content where the kind has no name or the entity got none."""
        if key:
            values = key_of(kind.name, key, entity.body)
            return None if values is None else self.observed.by_key(kind.name, key).get(values)
        if kind.name == "certificates":
            wanted = ["".join(str(entity.body.get(name)).split()) for name in ("cert", "key")]
            for item in self.observed.lists["certificates"]:
                if wanted == ["".join(str(item.get(name)).split()) for name in ("cert", "key")]:
                    return item
        if kind.name in _CONTENT and not entity.body.get("name"):
            unnamed = [item for item in self.observed.lists[kind.name] if not item.get("name")]
            if unnamed and self.catalogue is not None:
                content = _content(kind.name, self.catalogue.canonical(kind.name, entity.body))
                for item in unnamed:
                    if _content(kind.name, self.catalogue.canonical(kind.name, item, defaults=False)) == content:
                        return item
        return None

    def _allocate(self, kind: Kind, entity: Entity, claimed: dict[str, Entity]) -> None:
        """A new id; the same that an earlier run made, unless somebody else has it by now."""
        text = self._naming(kind, entity)
        if text is None:
            text = entity.place
            if kind.name != "plugins":  # one without a name is reported as such
                self.problems.append(f"{entity.place}: a {singular(kind.name)} needs {_needs(kind)}")
        number = 0
        while True:
            identifier = str(uuid.uuid5(NAMESPACE, f"{kind.name}\0{text}\0{number}"))
            item = self.observed.by_id[kind.name].get(identifier)
            if identifier not in claimed and (item is None or not self._speaks_for_itself(kind, item, entity)):
                entity.id, entity.observed = identifier, item
                claimed[identifier] = entity
                return
            number += 1

    def _speaks_for_itself(self, kind: Kind, item: Raw, entity: Entity) -> bool:
        """Whether what has this id is a credential with a key that is not the wished one: another credential."""
        return any(item.get(key[0]) and entity.body.get(key[0]) for key in kind.keys) and kind.name in CREDENTIALS

    def _naming(self, kind: Kind, entity: Entity) -> str | None:
        if kind.name == "certificates":
            return hashlib.sha256(str(entity.body.get("cert")).encode()).hexdigest()
        if kind.name in CREDENTIALS and kind.secrets and kind.keys[0][0] in kind.generated + kind.secrets:
            # Of a secret not even a hash shows: the owner and a running number name it.
            field = kind.keys[0][0]
            if field in kind.secrets or not entity.body.get(field):
                return f"of {(entity.body.get('consumer') or {}).get('id')}"
        for key in kind.keys:
            values = key_of(kind.name, key, entity.body)
            if values is not None:
                return json.dumps([key[0], *values])
        if kind.name in _CONTENT:
            # As written: the id must not depend on what one version of Kong has for a default.
            return _content(kind.name, entity.body)
        return None

    def _replaced(self, kind: Kind, entity: Entity, claimed: dict[str, Entity]) -> None:
        for key in kind.keys[:1]:
            values = key_of(kind.name, key, entity.body)
            item = None if values is None else self.observed.by_key(kind.name, key).get(values)
            if item is not None and item["id"] not in claimed:
                entity.replaces = item

    def _check(self, kind: Kind, entities: list[Entity]) -> None:
        """Fields that nobody knows, required ones that are missing, and names that only references make equal."""
        seen: dict[t.Any, Entity] = {}
        for entity in entities:
            self.problems += [f"{entity.label}: {problem}" for problem in self._fields(kind, entity)]
            for key in kind.keys:
                values = key_of(kind.name, key, entity.body)
                if values is None or (len(key) == 1 and key[0] != "cert" and values == (entity.fields.get(key[0]),)):
                    continue  # equal as written: found when the documents were merged
                other = seen.setdefault((key, values), entity)
                if other is not entity:
                    self.problems.append(duplicate(other, entity, " and ".join(key)))

    def _fields(self, kind: Kind, entity: Entity) -> list[str]:
        problems: list[str] = []
        name = str(entity.body.get("name"))
        known = kind.name not in ("plugins", "vaults")
        if self.catalogue is not None and (known or self.catalogue.knows(kind.name, name)):
            entity.canonical = self.catalogue.canonical(kind.name, entity.body, True, problems)
            for missing in self.catalogue.record(kind.name, entity.body).missing(entity.body):
                null = missing in entity.body
                problems.append(_NULL.format(missing) if null else f"{missing} is missing")
        if kind.name == "upstreams" and "slots" in entity.body and entity.body["slots"] is None:
            # Kong takes it for a wrong primary key.
            problems.append(_NULL.format("slots"))
        return problems


def _content(kind: str, fields: Raw) -> str:
    return json.dumps([fields.get(name) for name in _CONTENT[kind]], sort_keys=True)


def _needs(kind: Kind) -> str:
    names = [" and ".join(key) for key in kind.keys]
    return f"{', '.join(names)} or id" if names else "an id"
