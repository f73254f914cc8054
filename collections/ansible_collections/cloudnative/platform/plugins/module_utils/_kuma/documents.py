# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Documents as people write them, YAML texts or mappings, as one list of checked resources."""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils import _unique_keys
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import definitions, owner
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import labels as label_syntax
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import schema
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.canonical import MASK
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import (
    ANSWERED,
    KINDS,
    KumaError,
    Problems,
    Raw,
    unknown,
)

#: (kind, mesh or "", name)
Key = tuple[str, str, str]
Source = tuple[str, t.Any]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LONGEST = 253
_LONGEST_OF = {"Mesh": 63, "Zone": 63}


class Wanted(t.NamedTuple):
    """One resource that somebody wishes, in the form that the API of a Universal control plane takes."""

    kind: str
    mesh: str
    name: str
    body: Raw
    #: where it was written
    where: str

    @property
    def key(self) -> Key:
        return self.kind, self.mesh, self.name

    @property
    def label(self) -> str:
        return label_of(self.key)

    @property
    def labels(self) -> dict[str, str]:
        return self.body.get("labels") or {}

    @property
    def place(self) -> str:
        return f"{self.label} ({self.where})"


def label_of(key: Key) -> str:
    """How a resource is called in every message: MeshTimeout default/slow."""
    kind, mesh, name = key
    return f"{kind} {mesh + '/' if mesh else ''}{name}"


def key_of(body: Raw) -> Key:
    kind = str(body.get("type"))
    return kind, str(body.get("mesh") or "") if kind in KINDS and KINDS[kind].in_mesh else "", str(body.get("name"))


def parse(text: str, origin: str) -> list[t.Any]:
    """The documents of a text. JSON needs no PyYAML, which a host may not have."""
    try:
        if text.lstrip().startswith(("{", "[")):
            return [json.loads(text, object_pairs_hook=_unique_keys.in_json)]
    except ValueError as e:
        if definitions.yaml is None:
            raise KumaError(f"{origin} is not JSON: {e}") from e
    if definitions.yaml is None:
        raise KumaError(f"{origin} is YAML, and PyYAML is not there where this module runs: install it, or give JSON")
    try:
        return definitions.parse_yaml(text, origin)
    except definitions.DefinitionError as e:
        raise KumaError(str(e)) from e


def sources(resources: t.Any, paths: t.Sequence[str]) -> list[Source]:
    """Everything that a call names, each with what it is called in messages."""
    found: list[Source] = []
    for number, item in enumerate(definitions.listed(resources)):
        found += _flattened(item, f"resources[{number}]")
    try:
        files = definitions.read_files(paths)
    except definitions.DefinitionError as e:
        raise KumaError(str(e)) from e
    for name, text in files:
        found += _flattened(text, name)
    return found


def _flattened(item: t.Any, origin: str) -> list[Source]:
    if isinstance(item, str):
        texts = parse(item, origin)
        return [
            one
            for number, document in enumerate(texts, start=1)
            for one in _flattened(document, f"{origin} document {number}" if len(texts) > 1 else origin)
        ]
    if isinstance(item, list):
        return [one for number, part in enumerate(item) for one in _flattened(part, f"{origin}[{number}]")]
    return [(origin, item)]


def read(given: t.Iterable[Source], mesh: str, owned_by: str | None, names_only: bool = False) -> list[Wanted]:
    """Checked resources, with the label of their owner; raises `Problems` with everything that is wrong with them.

    To take resources away, their names will do.
    """
    found: list[Wanted] = []
    problems: list[str] = []
    seen: dict[Key, str] = {}
    for where, content in given:
        head = _head(content, mesh)
        if isinstance(head, str):
            problems.append(f"{where}: {head}")
            continue
        one = Wanted(*head, _body(content, head, owned_by), where)
        if not names_only:
            problems += [f"{one.place}: {problem}" for problem in _problems(one, content)]
        if one.key in seen:
            problems.append(
                f"{one.label} stands in {seen[one.key]} and in {where}: a resource stands in one place only"
            )
        seen.setdefault(one.key, where)
        found.append(one)
    if problems:
        raise Problems(problems)
    return found


def _head(content: t.Any, mesh: str) -> tuple[str, str, str] | str:
    """Kind, mesh and name, or why there are none."""
    if not isinstance(content, dict):
        return f"a resource is a mapping, not {type(content).__name__}"
    if "apiVersion" in content or ("kind" in content and "type" not in content):
        return (
            "this is the form of a custom resource; write type, mesh and name next to spec, in both modes: "
            "the module makes custom resources of it itself"
        )
    kind, name = content.get("type"), content.get("name")
    if not isinstance(kind, str):
        return "type is missing" if kind is None else f"type is {json.dumps(kind, default=str)}, it must be a text"
    if kind not in KINDS:
        return unknown(kind)
    if not isinstance(name, str) or not name:
        return f"{kind}: name is missing or no text"
    if not KINDS[kind].in_mesh:
        return (kind, "", name) if not content.get("mesh") else f"{kind} {name}: mesh: a {kind} is in no mesh"
    own = content.get("mesh") or mesh
    return (kind, own, name) if isinstance(own, str) else f"{kind} {name}: mesh must be a text"


def _body(content: Raw, head: tuple[str, str, str], owned_by: str | None) -> Raw:
    kind, mesh, name = head
    body: Raw = {"type": kind, "name": name}
    if mesh:
        body["mesh"] = mesh
    body.update((key, value) for key, value in content.items() if key not in (*ANSWERED, *body) and value is not None)
    labels = content.get("labels") or {}
    if owned_by and isinstance(labels, dict):
        labels = {**labels, owner.LABEL: owned_by}
    body.pop("labels", None)
    return {**body, "labels": labels} if labels else body


def _problems(one: Wanted, content: Raw) -> t.Iterator[str]:
    longest = _LONGEST_OF.get(one.kind, _LONGEST)
    if not _NAME.match(one.name) or len(one.name) > longest:
        yield (
            f"name {one.name!r} must be of lower case letters, digits, dashes and dots, at most {longest} characters, "
            "with a letter or digit at both ends"
        )
    yield from _label_problems(one, content)
    yield from schema.problems(one.kind, content)
    if one.kind in ("Secret", "GlobalSecret"):
        data = content.get("data")
        if not isinstance(data, str) or not data:
            yield "data is missing: the secret in base64"
        elif data.startswith(MASK[:-1]):
            yield f"data is {MASK}: this document was shown without its secrets"
        else:
            try:
                base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError):
                yield "data is not base64: use the filter b64encode"


def _label_problems(one: Wanted, content: Raw) -> t.Iterator[str]:
    labels = content.get("labels") or {}
    if not isinstance(labels, dict):
        yield "labels must be a mapping"
        return
    for name, value in labels.items():
        if not isinstance(value, str):
            yield f"labels.{name} is {json.dumps(value, default=str)}: a label is a text, write it in quotes"
    texts = {name: value for name, value in labels.items() if isinstance(value, str)}
    yield from (f"labels.{name}: {problem}" for name, problem in label_syntax.problems(texts))
    given = labels.get(owner.LABEL)
    if given is not None and given != one.labels.get(owner.LABEL):
        yield f"labels say {owner.LABEL}={given}, the option owner says {one.labels.get(owner.LABEL)}"
    if labels.get("kuma.io/mesh", one.mesh) != one.mesh:
        yield f"labels say kuma.io/mesh={labels['kuma.io/mesh']}, but its mesh is {one.mesh or 'none'}"
