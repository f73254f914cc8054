# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Conditions that a user waits for, as JMESPath expressions. Pure."""

from __future__ import annotations

import difflib
import json
import traceback
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import DefinitionError
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import (
    Catalog,
    Resource,
    preferred,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import (
    READY,
    Object,
    Readiness,
    Rule,
    State,
)

LIBRARY_ERROR: str | None = None
try:
    import jmespath
    import jmespath.exceptions
    import jmespath.functions
except ImportError:
    LIBRARY_ERROR = traceback.format_exc()

SHOWN = 200
NUMBERS = "numbers stand in backticks, as in spec.replicas >= `1`, and only numbers compare with numbers"


def compiled(expression: str, source: str) -> Rule:
    """A rule that holds when the expression is true as JMESPath sees it: not null, not false, not empty."""
    try:
        parsed = jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as e:
        problem = " ".join(str(e).split())
        raise DefinitionError(f"{source}: {expression!r} is no JMESPath expression: {problem}") from e
    _check_functions(parsed.parsed, expression, source)

    def rule(body: Object) -> Readiness:
        try:
            value = parsed.search(body)
        except jmespath.exceptions.JMESPathError as e:
            # A function was given null, because what it is about isn't there yet.
            return Readiness(State.WAITING, f"{expression}: {' '.join(str(e).split())}")
        except (TypeError, ValueError) as e:
            # Of what the library leaves to Python's own operators.
            return Readiness(State.FAILED, f"{expression} can't be evaluated: {e}; {NUMBERS}")
        if value or (value == 0 and not isinstance(value, bool)):
            return READY
        text = json.dumps(value, ensure_ascii=False)
        return Readiness(State.WAITING, f"{expression} is {text[:SHOWN]}")

    return rule


def _check_functions(node: t.Any, expression: str, source: str) -> None:
    """The library looks at functions only when it calls them, which may be never or after an hour."""
    if node["type"] == "function_expression":
        table = jmespath.functions.Functions.FUNCTION_TABLE
        name, count = node["value"], len(node["children"])
        if name not in table:
            near = difflib.get_close_matches(name, table, n=1)
            hint = f"; did you mean {near[0]}()?" if near else f"; there are {', '.join(sorted(table))}"
            raise DefinitionError(f"{source}: {expression!r} calls {name}(), which JMESPath does not have{hint}")
        signature = table[name]["signature"]
        variadic = bool(signature) and signature[-1].get("variadic")
        if count < len(signature) or (count > len(signature) and not variadic):
            raise DefinitionError(
                f"{source}: {expression!r} calls {name}() with {count} arguments; it takes "
                f"{len(signature)}{' or more' if variadic else ''}"
            )
    for child in node["children"]:
        if isinstance(child, dict):
            _check_functions(child, expression, source)


def resource_of(kind: str, api_version: str | None, catalog: Catalog, source: str) -> Resource:
    """What a kind is called in the API; by the kind alone, where only one group has it."""
    if api_version:
        found = [catalog[(api_version, kind)]] if (api_version, kind) in catalog else []
    else:
        found = [resource for resource in preferred(catalog).values() if resource.kind == kind]
    if len(found) == 1:
        return found[0]
    if found:
        groups = ", ".join(f"{one.group}/{one.version}" if one.group else one.version for one in found)
        raise DefinitionError(f"{source}: {kind} is served in {groups}; say which by api_version")
    near = difflib.get_close_matches(kind, sorted({name for _api, name in catalog}), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    where = f" in {api_version}" if api_version else ""
    raise DefinitionError(f"{source}: the cluster serves no {kind}{where}{hint}")
