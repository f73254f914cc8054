# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Definitions of Kubernetes objects: read from YAML, checked, named. Pure, apart from reading files."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils import _unique_keys

yaml: t.Any = None
with contextlib.suppress(ImportError):  # the `kubernetes` library brings it; a module reports that one as missing
    import yaml

# What PyYAML does beyond what Kubernetes' own reader does: a date becomes an object, a bare `=` an error.
_UNWANTED_TAGS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")

_loader: t.Any = None


class DefinitionError(Exception):
    """A definition that can't be sent; str() names it and what is wrong."""


class Definition(t.NamedTuple):
    """One desired object and where it was written."""

    body: dict[str, t.Any]
    source: str

    @property
    def api_version(self) -> str:
        return self.body["apiVersion"]

    @property
    def group(self) -> str:
        return group_of(self.api_version)

    @property
    def kind(self) -> str:
        return self.body["kind"]

    @property
    def name(self) -> str:
        return self.body["metadata"]["name"]

    @property
    def namespace(self) -> str | None:
        return self.body["metadata"].get("namespace")

    def within(self, namespace: str) -> Definition:
        """The same object with a namespace, unless it names one."""
        if self.namespace:
            return self
        return self._replace(body={**self.body, "metadata": {**self.body["metadata"], "namespace": namespace}})

    @property
    def label(self) -> str:
        return label_of(self.body)


def group_of(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def label_of(body: dict[str, t.Any]) -> str:
    """How an object is called in every message: `Deployment shop/web`."""
    metadata = body.get("metadata") or {}
    namespace = metadata.get("namespace")
    return f"{body.get('kind')} {namespace + '/' if namespace else ''}{metadata.get('name')}"


def parse_yaml(text: str, source: str) -> list[t.Any]:
    """Documents of a YAML text; errors name the source and the line."""
    try:
        return [document for document in yaml.load_all(text, Loader=_yaml_loader()) if document is not None]
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise DefinitionError(f"{source}{where}: not valid YAML: {_problem(e)}") from e


def _problem(error: Exception) -> str:
    """What the parser says, but for names of tags and aliases: a password that begins with ! or * is read as one."""
    text = getattr(error, "problem", None) or str(error).splitlines()[0]
    if re.search(r"\b(tag|alias)\b", text):
        return re.sub(r" '.*'$", "", text) + "; a text that begins with ! or * must be quoted"
    return text


def _yaml_loader() -> t.Any:
    global _loader
    if _loader is None:
        resolvers = {
            first: [(tag, pattern) for tag, pattern in entries if tag not in _UNWANTED_TAGS]
            for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        _loader = _unique_keys.yaml_loader(yaml, resolvers)
    return _loader


def read_files(paths: t.Iterable[str]) -> list[tuple[str, str]]:
    """(path, text) of each file; a directory stands for its *.yml, *.yaml and *.json, sorted."""
    found: list[tuple[str, str]] = []
    for path in paths:
        names = [path]
        if os.path.isdir(path):
            names = sorted(
                os.path.join(path, name) for name in os.listdir(path) if name.endswith((".yml", ".yaml", ".json"))
            )
            if not names:
                raise DefinitionError(f"{path}: the directory holds no *.yml, *.yaml or *.json file")
        for name in names:
            try:
                with open(name, encoding="utf-8") as file:
                    found.append((name, file.read()))
            except (OSError, UnicodeDecodeError) as e:
                raise DefinitionError(f"{name}: can't be read: {e}") from e
    return found


def listed(given: t.Any) -> list[t.Any]:
    """The option as a list: one text or one mapping stands for itself, as in kubernetes.core."""
    if given is None or given == "":
        return []
    return list(given) if isinstance(given, list) else [given]


def documents_of(items: t.Iterable[tuple[str, t.Any]]) -> list[tuple[str, t.Any]]:
    """(source, object) from (source, object or YAML text) pairs; lists are taken apart, nothing is checked yet."""
    found: list[tuple[str, t.Any]] = []
    for source, item in items:
        documents = parse_yaml(item, source) if isinstance(item, str) else [item]
        for number, document in enumerate(documents, start=1):
            where = f"{source} document {number}" if isinstance(item, str) and len(documents) > 1 else source
            # Nothing else makes values that JSON doesn't have, and looking at each takes its time.
            for field in _foreign(document) if isinstance(item, str) and "!!" in item else ():
                raise DefinitionError(f"{where}: {field} can't be sent as JSON: leave out the tag that begins with !!")
            found += [(where, body) for body in _expanded(document, where)]
    return found


def collect(items: t.Iterable[tuple[str, t.Any]]) -> list[Definition]:
    """Definitions from (source, object or YAML text) pairs; each object is checked."""
    return checked(documents_of(items))


def checked(documents: t.Iterable[tuple[str, t.Any]]) -> list[Definition]:
    """Definitions from (source, object) pairs, if each can be one and none is there twice."""
    definitions = [_checked(body, source) for source, body in documents]
    seen: dict[tuple[str, str, str | None, str], str] = {}
    for definition in definitions:
        key = (definition.group, definition.kind, definition.namespace, definition.name)
        if key in seen:
            raise DefinitionError(f"{definition.label} is defined twice: in {seen[key]} and in {definition.source}")
        seen[key] = definition.source
    return definitions


def _expanded(document: t.Any, source: str) -> list[t.Any]:
    if isinstance(document, list):
        return [body for item in document for body in _expanded(item, source)]
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and "items" in document:
        if not isinstance(document["items"] or [], list):
            raise DefinitionError(f"{source}: {document['kind']}: items must be a list")
        return list(document["items"] or [])
    return [document]


def _foreign(value: t.Any, at: str = "") -> t.Iterator[str]:
    """Where there are values that JSON does not have: bytes, a date, a set."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _foreign(one, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _foreign(one, f"{at}[{number}]")
    elif value is not None and not isinstance(value, (str, bool, int, float)):
        yield at


def _checked(body: t.Any, source: str) -> Definition:
    if not isinstance(body, dict):
        raise DefinitionError(f"{source}: an object must be a mapping, not {type(body).__name__}")
    for field in ("apiVersion", "kind"):
        if not isinstance(body.get(field), str) or not body[field]:
            raise DefinitionError(f"{source}: {field} is missing or not a string")
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise DefinitionError(f"{source}: {body['kind']}: metadata.name is missing or not a string")
    own = metadata.get("namespace")
    if own is not None and not isinstance(own, str):
        raise DefinitionError(f"{source}: {body['kind']} {metadata['name']}: metadata.namespace must be a string")
    return Definition(body, source)
