# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Carries a plan out on a Kong with a database: checks everything, then writes level by level."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import compare, masks, shapes, writes
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, Refused
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.plan import (
    CREATE,
    DELETE,
    RELEASE,
    UPDATE,
    Change,
    Plan,
)

#: Refusals that read-only addresses give; the first of them is reason enough.
_READ_ONLY = (401, 403, 405)


class Incomplete(KongError):
    """Some writes failed. What was done stays; the next run does the rest."""

    def __init__(self, failed: list[str], done: list[Change], left: int) -> None:
        rest = f"; {left} changes that come after were not tried" if left else ""
        super().__init__(f"{'; '.join(failed)}. {len(done)} changes were made{rest}; the next run does what is missing")
        self.done = done


def validate(admin: Admin, plan: Plan, catalogue: Catalogue) -> None:
    """Asks Kong about the entities that would be written; raises `Problems` with all it finds."""
    wished = [change for change in plan.of(CREATE, UPDATE) if change.entity]
    changes = shapes.representatives(wished, lambda change: (change.kind, writes.validated(change)))

    def check(change: Change) -> list[str]:
        try:
            admin.request(*writes.validation(change))
        except Refused as e:
            if e.status in _READ_ONLY:
                raise KongError(f"{admin.name}: {e.message}; nothing was changed") from e
            known = masks.secrets(change.kind, change.body, catalogue)
            label = change.entity.label if change.entity else change.kind
            return [f"{label}: {masks.scrub(reason, known)}" for reason in writes.reasons(e.body)]
        return []

    problems = [problem for found in admin.each(check, changes) for problem in found]
    if problems:
        raise Problems(problems)


def phases(plan: Plan) -> list[list[Change]]:
    """What can be written at the same time, in the order in which it has to be. Pure."""
    asked = [change for change in plan.changes if not change.via]
    steps: dict[tuple[int, int], list[Change]] = {}
    for change in asked:
        if change.action == DELETE:
            step = (0 if change.early else 3, -change.level)
        elif change.action == RELEASE:
            step = (1, 0)
        else:
            step = (2, change.level)
        steps.setdefault(step, []).append(change)
    return [steps[step] for step in sorted(steps)]


def apply(admin: Admin, plan: Plan, catalogue: Catalogue, transform: bool) -> list[str]:
    """Writes it all. Returns what Kong stored otherwise than asked, which would differ again on the next run."""
    done: list[Change] = []
    surprises: list[str] = []
    steps = phases(plan)

    def work(change: Change) -> str | list[str]:
        """Why it failed, or what is otherwise. Compared here, while Kong is busy with the writes of others."""
        result = _write(admin, change, catalogue)
        return result if isinstance(result, str) else _stored_otherwise(change, result, catalogue, transform)

    for number, changes in enumerate(steps):
        failed: list[str] = []
        for change, result in zip(changes, admin.each(work, changes)):
            if isinstance(result, str):
                failed.append(result)
            else:
                done.append(change)
                surprises += result
        if failed:
            left = sum(len(rest) for rest in steps[number + 1 :])
            raise Incomplete(failed[:20], done, left)
    return surprises


def _write(admin: Admin, change: Change, catalogue: Catalogue) -> Raw | str:
    """Kong's answer, or why there is none."""
    method, path, body = writes.request(change)
    try:
        try:
            return admin.request(method, path, body)
        except Refused as e:
            if e.code == 5 and change.kind == "keyauth_credentials" and change.action == CREATE:
                # A key whose time is over is in no list, but still in the way until Kong clears it up.
                return admin.request(
                    "PUT", f"/consumers/{change.body['consumer']['id']}/key-auth/{_quoted(body)}", body
                )
            raise
    except KongError as e:
        known = list(masks.secrets(change.kind, change.body, catalogue)) if body else []
        reason = "; ".join(writes.reasons(e.body)) if isinstance(e, Refused) and e.body else str(e)
        if isinstance(e, Refused) and e.status in _READ_ONLY:
            reason = e.message
        return f"{change.action} {change.label} failed: {masks.scrub(reason, known)}"


def _quoted(body: Raw | None) -> str:
    return quote(str((body or {}).get("key")), safe="")


def _stored_otherwise(change: Change, stored: t.Any, catalogue: Catalogue, transform: bool) -> list[str]:
    if change.entity is None or not isinstance(stored, dict) or not stored.get("id"):
        return []
    fields = compare.differing(change.entity, stored, catalogue, transform)
    if not fields:
        return []
    return [
        f"{change.entity.label}: Kong stored {', '.join(fields)} otherwise than asked, and the next run will find the "
        "same difference: write it as `kong_config` with state=exported shows it"
    ]
