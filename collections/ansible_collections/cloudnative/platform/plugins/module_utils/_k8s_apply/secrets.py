# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is secret in definitions, and what is wrong with a Secret. Pure."""

from __future__ import annotations

import base64
import contextlib
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition

_TYPES = {dict: "a mapping", list: "a list", bool: "true or false", int: "a number", float: "a number"}


def secrets_of(definitions: t.Iterable[Definition]) -> set[str]:
    """Every value in the Secrets among the definitions, as it is and encoded."""
    return secrets_in([one.body for one in definitions])


def secrets_in(documents: t.Any) -> set[str]:
    """The same of documents that nobody has checked yet.

    What only looks like a Secret counts too: a mistake in its kind or in its values makes them no less secret.
    """
    found: set[str] = set()
    for body in _mappings(documents):
        if "stringData" not in body and str(body.get("kind")).casefold() not in ("secret", "secrets"):
            continue
        for text in _leaves(body.get("stringData")):
            found |= {text, base64.b64encode(text.encode()).decode()}
        for text in _leaves(body.get("data")):
            found |= {text, _joined(text)}
            with contextlib.suppress(ValueError):
                found.add(_decoded(text).decode())
    # Masking a word of one or two letters would hide nothing but garble everything.
    return {value for value in found if len(value) > 2}


def problems_of(definition: Definition) -> list[str]:
    """What an API server would refuse in a Secret. Its own answers show the value, or don't name the key."""
    if definition.kind != "Secret" or definition.group:
        return []
    where = f"{definition.source}: {definition.label}"
    problems: list[str] = []
    for field in ("stringData", "data"):
        values = definition.body.get(field)
        if values is None:
            continue
        if not isinstance(values, dict):
            problems.append(f"{where}: {field} must be a mapping of keys to texts, not {_type(values)}")
            continue
        wrong = {key: _wrong(value, encoded=field == "data") for key, value in values.items()}
        problems += [f"{where}: {field}.{key} {problem}" for key, problem in wrong.items() if problem]
    return problems


def _wrong(value: t.Any, encoded: bool) -> str:
    """What is wrong with one value, without showing it; nothing when it is right."""
    if value is None:
        return ""
    if not isinstance(value, str):
        remedy = "a text of several lines needs | before it" if isinstance(value, (dict, list)) else "put it in quotes"
        return f"must be text, not {_type(value)}: {remedy}"
    try:
        if encoded:
            _decoded(value)
    except ValueError:
        return "is not base64: put plain text into stringData"
    return ""


def _type(value: t.Any) -> str:
    return "a text" if isinstance(value, str) else _TYPES.get(type(value), type(value).__name__)


def _joined(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


def _decoded(text: str) -> bytes:
    """As an API server decodes: across lines, and strict about everything else."""
    return base64.b64decode(_joined(text), validate=True)


def _mappings(documents: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Everything that may be an object, also in lists and in objects of a kind that ends with List."""
    if isinstance(documents, list):
        for one in documents:
            yield from _mappings(one)
    elif isinstance(documents, dict):
        yield documents
        yield from _mappings(documents.get("items"))


def _leaves(value: t.Any) -> t.Iterator[str]:
    """Texts and numbers at any depth: a forgotten | makes a mapping of a text."""
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
