# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Kong's declarative format, nested or flat, from one or several files, as one flat list of entities. Pure."""

from __future__ import annotations

import itertools
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import (
    CREDENTIALS,
    ELSEWHERE,
    KINDS,
    Kind,
    Problems,
    Raw,
    name_of,
    reference_of,
    singular,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed, suggestion

FORMATS = ("3.0", "2.1", "1.1")
#: By which fields a reference can name what it refers to.
REFERENCE_NAMES = ("id", "name", "username", "prefix")
#: Stands in an output for a secret; a document in which it stands was exported without them.
MASK = "<hidden>"
_DECK_ENVIRONMENT = re.compile(r"\$\{\{\s*env\b")
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
    _info(document, origin, content.get("_info"))
    workspace = content.get("_workspace")
    if workspace not in (None, "default"):
        document.problems.append(f"{origin}: _workspace {workspace!r}: Kong Gateway OSS has no workspaces")
    known = ("_format_version", "_transform", "_comment", "_ignore", "_info", "_workspace")
    for name in content:
        if not isinstance(name, str):
            document.problems.append(f"{origin}: {name!r} is not the name of a kind of entity")
        elif name.startswith("_") and name not in known:
            document.problems.append(f"{origin}: unknown field {name}{suggestion(name, known)}")


def _info(document: Document, origin: str, info: t.Any) -> None:
    """Which entities a document is about. decK knows defaults there, too, which nobody would fill in here."""
    if info is None:
        return
    if not isinstance(info, dict):
        document.problems.append(f"{origin}: _info is a mapping, not {_type(info)}")
        return
    tags = info.get("select_tags") or []
    if _are_strings(tags):
        document.select_tags += [tag for tag in tags if tag not in document.select_tags]
    else:
        document.problems.append(f"{origin}: _info.select_tags {tags!r} is not a list of tags: write [tag, …]")
    for name in info:
        if name == "defaults":
            document.problems.append(f"{origin}: _info.defaults is decK's own: write the values where they are meant")
        elif name != "select_tags":
            document.problems.append(f"{origin}: unknown field _info.{name}{suggestion(str(name), ('select_tags',))}")


def _are_strings(value: t.Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


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
    document.problems += [f"{entity.place}: {problem}" for problem in _malformed(KINDS[kind], entity.fields)]
    document.problems += [f"{entity.place}: {problem}" for problem in _placeholders(entity.fields, "")]
    document.entities.append(entity)
    for name in nested:
        if name in item:
            _collect(document, origin, name, item[name], f"{where}.{name}", entity)


def _same(given: t.Any, parent: Entity) -> bool:
    if isinstance(given, dict):
        given = next(iter(given.values()), None)
    return given in [parent.fields.get(name) for name in ("id", "name", "username", "custom_id")]


def _malformed(kind: Kind, fields: Raw) -> t.Iterator[str]:
    """What an entity is found and told by has to be text before anybody looks for it; the rest Kong's schemas judge."""
    tags = fields.get("tags")
    if tags is not None and not _are_strings(tags):
        yield f"tags {tags!r} is not a list of strings"
    for field in dict.fromkeys(itertools.chain(*kind.keys)):
        value = fields.get(field)
        if field not in kind.foreign and value is not None and not isinstance(value, str):
            shown = "" if field in kind.secrets else f" {value!r}"
            yield f"{field}{shown} is {_type(value)}, expected a string"
    for field, target in kind.foreign.items():
        value = fields.get(field)
        if value is None or isinstance(value, (str, Entity)):
            continue
        given = [value.get(name) for name in REFERENCE_NAMES] if isinstance(value, dict) else []
        if not any(isinstance(name, str) and name for name in given):
            names = "id or username" if target == "consumers" else "id or name"
            yield f"{field} {value!r} refers to nothing: write the {singular(target)}'s {names}"


def _placeholders(value: t.Any, path: str) -> t.Iterator[str]:
    """What stands for a value that is elsewhere, which nobody would put in."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _placeholders(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _placeholders(item, f"{path}[{number}]")
    elif isinstance(value, str):
        if value.startswith(MASK[:-1]) and value.endswith(">"):
            yield f"{path} is {MASK}: this document was shown without its secrets; export it to a file, which has them"
        elif "${{" in value and _DECK_ENVIRONMENT.search(value):
            yield (
                f"{path} has a variable that only decK fills in: take Kong's {{vault://env/…}}, or a lookup or a "
                "vaulted variable of Ansible"
            )


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
