# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Kong's declarative format, nested or flat, from one or several files, as one flat list of entities. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import (
    CREDENTIALS,
    ELSEWHERE,
    KINDS,
    Problems,
    Raw,
    name_of,
    reference_of,
    singular,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed, suggestion

FORMATS = ("3.0", "2.1", "1.1")
#: Stands in an output for a secret; a document in which it stands was exported without them.
MASK = "<hidden>"
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")


class Entity:
    """One entity that somebody wishes. A reference is an `Entity`, or what the document says until it is resolved."""

    __slots__ = ("body", "canonical", "fields", "id", "kind", "observed", "origin", "replaces", "where")

    def __init__(self, kind: str, fields: Raw, where: str, origin: str) -> None:
        self.kind = kind
        self.fields = fields
        self.id: str = ""
        #: the fields as Kong stores them: references as ids, tags of the owner among the tags
        self.body: Raw = {}
        #: their canonical form, kept from the check of the fields until they are compared
        self.canonical: Raw | None = None
        #: what the gateway has of it now, and what it has under the same name with another id than the wished one
        self.observed: Raw | None = None
        self.replaces: Raw | None = None
        #: path in the document, "services[3].routes[0]", and the document's name
        self.where = where
        self.origin = origin

    @property
    def place(self) -> str:
        return f"{self.origin}: {self.where}"

    @property
    def name(self) -> str:
        return f"{singular(self.kind)} {name_of(self.kind, self.shown())}"

    @property
    def label(self) -> str:
        return f"{self.name} ({self.place})"

    def shown(self) -> Raw:
        """The fields with references by the names that the user knows."""
        known = {name: value for name, value in self.fields.items() if not isinstance(value, Entity)}
        for name, value in self.fields.items():
            if isinstance(value, Entity):
                known[name] = name_of(value.kind, value.shown())
        if self.id:
            known.setdefault("id", self.id)
        return known


class Document:
    """All that is wished, with what the documents say about themselves."""

    def __init__(self) -> None:
        self.entities: list[Entity] = []
        self.select_tags: list[str] = []
        #: whether passwords are clear text that Kong hashes; an export has the hashes
        self.transform = True
        #: where each secret placeholder of a masked export stands
        self.problems: list[str] = []

    def by_kind(self) -> dict[str, list[Entity]]:
        found: dict[str, list[Entity]] = {kind: [] for kind in KINDS}
        for entity in self.entities:
            found[entity.kind].append(entity)
        return found


def is_uuid(value: t.Any) -> bool:
    return isinstance(value, str) and bool(_UUID.match(value))


def merge(sources: t.Iterable[tuple[str, t.Any]]) -> Document:
    """One document of several; raises `Problems` with everything that is wrong about their form."""
    document = Document()
    transforms: dict[bool, str] = {}
    for origin, content in sources:
        if not isinstance(content, dict):
            document.problems.append(f"{origin}: a document is a mapping, not {_type(content)}")
            continue
        transforms.setdefault(bool(content.get("_transform", True)), origin)
        _header(document, origin, content)
        for name, items in content.items():
            if not name.startswith("_"):
                _collect(document, origin, name, items, name, None)
    if len(transforms) > 1:
        document.problems.append(
            f"{transforms[False]} has _transform: false (its passwords are hashes) and {transforms[True]} has not: "
            "give both in one form"
        )
    document.transform = False not in transforms
    _check_duplicates(document)
    if document.problems:
        raise Problems(document.problems)
    return document


def _header(document: Document, origin: str, content: Raw) -> None:
    version = content.get("_format_version")
    if version is None:
        document.problems.append(f'{origin}: _format_version is missing, write _format_version: "{FORMATS[0]}"')
    elif str(version) not in FORMATS:
        document.problems.append(f"{origin}: _format_version {version!r} is not known, expected {FORMATS[0]}")
    info = content.get("_info") or {}
    if isinstance(info, dict):
        document.select_tags += [tag for tag in info.get("select_tags") or [] if tag not in document.select_tags]
    workspace = content.get("_workspace")
    if workspace not in (None, "default"):
        document.problems.append(f"{origin}: _workspace {workspace!r}: Kong Gateway OSS has no workspaces")
    known = ("_format_version", "_transform", "_comment", "_ignore", "_info", "_workspace")
    for name in content:
        if not isinstance(name, str):
            document.problems.append(f"{origin}: {name!r} is not the name of a kind of entity")
        elif name.startswith("_") and name not in known:
            document.problems.append(f"{origin}: unknown field {name}{suggestion(name, known)}")


def _collect(document: Document, origin: str, kind: str, items: t.Any, where: str, parent: Entity | None) -> None:
    if kind not in KINDS:
        reason = ELSEWHERE.get(kind) or f"unknown kind of entity {kind}{suggestion(kind, KINDS)}"
        document.problems.append(f"{origin}: {where}: {reason}")
        return
    if items is None:
        return
    if not isinstance(items, list):
        document.problems.append(f"{origin}: {where}: expected a list of {kind}, not {_type(items)}")
        return
    for number, item in enumerate(items):
        place = f"{where}[{number}]"
        if kind == "snis" and isinstance(item, str):
            item = {"name": item}
        if not isinstance(item, dict):
            document.problems.append(f"{origin}: {place}: expected a mapping, not {_type(item)}")
            continue
        _entity(document, origin, kind, item, place, parent)


def _entity(document: Document, origin: str, kind: str, item: Raw, where: str, parent: Entity | None) -> None:
    nested = KINDS[kind].nested
    entity = Entity(kind, {name: value for name, value in item.items() if name not in nested}, where, origin)
    for name in ("_comment", "_ignore"):
        entity.fields.pop(name, None)
    if parent is not None:
        field = reference_of(parent.kind)
        given = entity.fields.get(field)
        if given is not None and not _same(given, parent):
            document.problems.append(
                f"{entity.place}: {field} is {given!r}, but the {singular(kind)} stands inside of "
                f"{singular(parent.kind)} {name_of(parent.kind, parent.shown())}"
            )
        entity.fields[field] = parent
    identifier = entity.fields.get("id")
    if identifier is not None:
        if not is_uuid(identifier):
            document.problems.append(f"{entity.place}: id {identifier!r} is not a UUID")
        entity.fields["id"] = str(identifier).lower()
    for path in _masked(entity.fields, ""):
        document.problems.append(
            f"{entity.place}: {path} is {MASK}: this document was shown without its secrets; "
            "export it to a file, which has them"
        )
    document.entities.append(entity)
    for name in nested:
        if name in item:
            _collect(document, origin, name, item[name], f"{where}.{name}", entity)


def _same(given: t.Any, parent: Entity) -> bool:
    if isinstance(given, dict):
        given = next(iter(given.values()), None)
    return given in [parent.fields.get(name) for name in ("id", "name", "username", "custom_id")]


def _masked(value: t.Any, path: str) -> t.Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _masked(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _masked(item, f"{path}[{number}]")
    elif isinstance(value, str) and value.startswith(MASK[:-1]) and value.endswith(">"):
        yield path


def _type(value: t.Any) -> str:
    names = {list: "a list", dict: "a mapping", str: "a string", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")


def _check_duplicates(document: Document) -> None:
    """Two entities with one name, or one id. What needs resolved references is checked again by `identity`."""
    seen: dict[tuple[t.Any, ...], Entity] = {}
    for entity in document.entities:
        marks: list[tuple[t.Any, ...]] = []
        if entity.fields.get("id"):
            marks.append((entity.kind, "id", entity.fields["id"]))
        for key in KINDS[entity.kind].keys:
            values = [entity.fields.get(field) for field in key]
            if len(key) == 1 and isinstance(values[0], str) and values[0]:
                marks.append((entity.kind, key[0], values[0]))
        for mark in marks:
            other = seen.setdefault(mark, entity)
            if other is not entity:
                document.problems.append(duplicate(other, entity, mark[1]))


def duplicate(first: Entity, second: Entity, field: str) -> str:
    secret = second.kind in CREDENTIALS and field in KINDS[second.kind].secrets
    value = "" if secret else f" {second.fields.get(field)}" if field in second.fields else ""
    return (
        f"two {second.kind} have the same {field}{value}: {first.place} and {second.place}; "
        "an entity stands in one place only"
    )


def origins(entities: t.Iterable[Entity]) -> str:
    return listed(sorted({entity.origin for entity in entities}))
