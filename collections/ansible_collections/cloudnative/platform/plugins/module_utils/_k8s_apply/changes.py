# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What was done to which object, as a module tells it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import diff
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, ClientError

CREATED, UPDATED, UNCHANGED, DELETED = "created", "updated", "unchanged", "deleted"
_PAST_OF_CHECK = {CREATED: "create", UPDATED: "update", DELETED: "delete"}


class Planned(t.NamedTuple):
    """A definition with its namespace filled in, and what the API calls its kind; None when it doesn't know it."""

    definition: Definition
    resource: Resource | None


class Change(t.NamedTuple):
    """What was, or in check mode would be, done to one object."""

    definition: Definition
    resource: Resource | None
    action: str
    before: diff.Object | None
    after: diff.Object | None
    warning: str = ""


class ApplyError(ClientError):
    """Something failed on the way; `done` tells what had been changed by then."""

    def __init__(self, problems: list[str], done: list[Change]) -> None:
        text = "; ".join(problems)
        names = [f"{change.action} {change.definition.label}" for change in done if change.action != UNCHANGED]
        super().__init__(f"{text}. Before that: {', '.join(names)}" if names else f"{text}. Nothing was changed")
        self.problems = problems
        self.done = done


def sentence(change: Change, check: bool) -> str:
    """One line of a module's `actions`."""
    verb = f"would {_PAST_OF_CHECK[change.action]}" if check else change.action
    return f"{verb} {change.definition.label}"


def summary(changes: list[Change], check: bool, with_diff: bool) -> dict[str, t.Any]:
    """What a module returns of its changes."""
    changed = [change for change in changes if change.action != UNCHANGED]
    result: dict[str, t.Any] = {
        "changed": bool(changed),
        "actions": [sentence(change, check) for change in changed],
        "objects": [
            {
                "api_version": change.definition.api_version,
                "kind": change.definition.kind,
                "name": change.definition.name,
                "namespace": change.definition.namespace,
                "action": change.action,
            }
            for change in changes
        ],
    }
    if with_diff:
        result["diff"] = [diff.render(change.before, change.after) for change in changed]
    return result


def advice(error: ApiError) -> str:
    """An error of the API, and what to do about it where that is known."""
    if error.status == 409 and error.reason == "Conflict" and error.causes:
        fields = ", ".join(f"{cause.get('field')} ({cause.get('message')})" for cause in error.causes)
        return f"other field managers own what this definition sets: {fields}; set force_conflicts to take it over"
    return str(error)
