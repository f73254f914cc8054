# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A Kong with a database: read everything, plan, check, write level by level. One node speaks for all of them."""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import guard, run, sync
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Problems
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Plan,
    compute,
    compute_absence,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.reading import Node, Schemas
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.run import Outcome, Wish
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import too_many


def carry_out(admin: Admin, about: Node, schemas: Schemas, wish: Wish, outcome: Outcome) -> None:
    if wish.params["dest"] and wish.state != "exported":
        raise KongError("dest is for state=exported, state=rendered and nodes without a database; this one has one")
    observed, catalogue = run.observe(admin, about, schemas, wish)
    if wish.state == "exported":
        run.exported(observed, catalogue, wish, outcome)
        return

    def make(known: Catalogue) -> Plan:
        if wish.state == "absent":
            if wish.document is None and not wish.owner_tags:
                raise KongError("state=absent needs config, src, owner or select_tags: nothing says what to delete")
            return compute_absence(wish.document, observed, known, wish.owner_tags)
        prune_tags = wish.owner_tags if wish.params["prune"] else None
        return compute(wish.wanted(), observed, known, wish.owner_tags, prune_tags)

    plan, catalogue = run.planned(make, schemas, catalogue, lambda: run.catalogue(schemas, wish, observed))
    outcome.warnings += plan.warnings
    _guard(plan, wish)
    outcome.facts["counts"] = {
        name: len(plan.of(action)) for name, action in (("created", CREATE), ("updated", UPDATE), ("deleted", DELETE))
    }
    if not plan.changes:
        return
    if wish.params["validate"]:
        sync.validate(admin, plan, catalogue)
    if wish.check_mode:
        outcome.changed = True
        outcome.tell(plan.changes, catalogue, wish.with_diff)
        return
    transform = wish.document.transform if wish.document else True
    try:
        outcome.warnings += sync.apply(admin, plan, catalogue, transform)
    except sync.Incomplete as e:
        outcome.changed = bool(e.done)
        outcome.tell(e.done, catalogue, wish.with_diff)
        raise
    outcome.changed = True
    outcome.tell(plan.changes, catalogue, wish.with_diff)


def _guard(plan: Plan, wish: Wish) -> None:
    problems = guard.hashes(plan, wish.document.transform) if wish.document else []
    # Whoever names what is to go has said so; the guard is for what follows from a document that lacks it.
    if wish.state == "present" or wish.document is None:
        reason = too_many([change.label for change in plan.of(DELETE)], wish.params["prune_max"])
        problems += [reason] if reason else []
    if problems:
        raise Problems(problems)
