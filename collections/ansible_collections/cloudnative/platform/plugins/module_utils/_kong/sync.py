# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Carries a plan out on a Kong with a database: checks everything, then writes level by level."""

from __future__ import annotations

import threading
import typing as t
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import compare, masks, shapes, writes
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import (
    Admin,
    NodeError,
    Refused,
    Unreachable,
)
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
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed

#: Refusals that read-only addresses give; the first of them is reason enough.
_READ_ONLY = (401, 403, 405)
#: Server errors without a good answer in between, after which nothing else is tried.
_ERRORS_IN_A_ROW = 10
_MOST_REASONS = 20


class Failure(t.NamedTuple):
    """What was not written, as "create service a", and why. Reasons of one `sort` are told once."""

    what: str
    sort: str
    reason: str


class Incomplete(KongError):
    """Some writes failed. What was done stays; the next run does the rest."""

    def __init__(self, failed: list[Failure], done: list[Change], left: int) -> None:
        rest = f", {left} not tried" if left else ""
        super().__init__(f"{told(failed)}. {len(done)} changes were made{rest}; the next run does what is missing")
        self.done = done


def validate(admin: Admin, plan: Plan, catalogue: Catalogue) -> None:
    """Asks Kong about the entities that would be written; raises `Problems` with all it finds."""
    wished = [change for change in plan.of(CREATE, UPDATE) if change.entity]
    changes = shapes.representatives(wished, lambda change: (change.kind, writes.validated(change)))

    def check(change: Change) -> list[str]:
        try:
            admin.request(*writes.validation(change))
        except Refused as e:
            label = change.entity.label if change.entity else change.kind
            if e.status != 400:
                # An answer about the node, mostly. A plugin of one's own can be the reason, too.
                raise NodeError(f"{e} (asked about {label}); nothing was changed") from e
            known = masks.secrets(change.kind, change.body, catalogue)
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
    patience = Patience()

    def work(change: Change) -> Failure | list[str] | None:
        """Why it failed, or what is otherwise. Compared here, while Kong is busy with the writes of others."""
        if patience.over:
            return None
        try:
            result = _write(admin, change)
        except KongError as e:
            patience.note(e)
            return _failure(change, e, catalogue)
        patience.note(None)
        return _stored_otherwise(change, result, catalogue, transform)

    for changes in phases(plan):
        failed: list[Failure] = []
        for change, result in zip(changes, admin.each(work, changes)):
            if isinstance(result, Failure):
                failed.append(result)
            elif result is not None:
                done.append(change)
                surprises += result
        if failed:
            asked = sum(not change.via for change in plan.changes)
            raise Incomplete(failed, done, asked - len(done) - len(failed))
    return surprises


class Patience:
    """Whether a node is worth another write: one that does not answer makes each of thousands wait for its time out.

    Safe to share between threads. What they asked before it was over is waited for.
    """

    def __init__(self) -> None:
        self.over = False
        self._errors = 0
        self._lock = threading.Lock()

    def note(self, error: KongError | None) -> None:
        """How a write ended."""
        status = error.status if isinstance(error, Refused) else 0
        with self._lock:
            self._errors = self._errors + 1 if status >= 500 else 0
            if isinstance(error, Unreachable) or status in _READ_ONLY or self._errors >= _ERRORS_IN_A_ROW:
                self.over = True


def told(failed: t.Iterable[Failure]) -> str:
    """What failed, with each reason once. Pure."""
    by_sort: dict[str, list[Failure]] = {}
    for failure in failed:
        by_sort.setdefault(failure.sort, []).append(failure)
    lines = [
        f"{listed([failure.what for failure in alike], 5)} failed: {alike[0].reason}" for alike in by_sort.values()
    ]
    more = f"; and {len(lines) - _MOST_REASONS} more reasons" if len(lines) > _MOST_REASONS else ""
    return "; ".join(lines[:_MOST_REASONS]) + more


def _write(admin: Admin, change: Change) -> Raw:
    """Kong's answer."""
    method, path, body = writes.request(change)
    try:
        return admin.request(method, path, body)
    except Refused as e:
        if e.code == 5 and change.kind == "keyauth_credentials" and change.action == CREATE:
            # A key whose time is over is in no list, but still in the way until Kong clears it up.
            return admin.request("PUT", f"/consumers/{change.body['consumer']['id']}/key-auth/{_quoted(body)}", body)
        raise


def _quoted(body: Raw | None) -> str:
    return quote(str((body or {}).get("key")), safe="")


def _failure(change: Change, error: KongError, catalogue: Catalogue) -> Failure:
    reason = str(error)
    if isinstance(error, Refused) and error.status < 500 and error.status not in _READ_ONLY and error.body:
        reason = "; ".join(writes.reasons(error.body))
    elif isinstance(error, Refused):
        # Without its path, which is another one for each.
        reason = f"{error.node} answered {error.status}: {error.message}"
    secrets = list(masks.secrets(change.kind, change.body, catalogue)) if change.body else []
    reason = masks.scrub(reason, [*secrets, *(quote(secret, safe="") for secret in secrets)])
    # The request that had no answer is named in the reason, and is a different one for each.
    sort = type(error).__name__ if isinstance(error, Unreachable) else reason
    return Failure(f"{change.action} {change.label}", sort, reason)


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
