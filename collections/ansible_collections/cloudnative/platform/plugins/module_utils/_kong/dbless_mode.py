# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Nodes without a database: the same bytes for each of them, given only to those that have others."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import dbless, guard, run, sync
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, Unreachable
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.document import Document
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Problems
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.identity import Identities
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Plan,
    compute,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.reading import Node, Schemas
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.run import Outcome, Wish


def rendered(wish: Wish, outcome: Outcome) -> str:
    """The canonical text. It needs no Kong, so a first node can be started with it."""
    document = wish.wanted()
    identities = Identities(None, Observed({}), wish.owner_tags)
    identities.settle(document)
    problems = identities.problems + guard.without_database(document, time.time())
    if problems:
        raise Problems(problems)
    text = dbless.render(document)
    outcome.facts["configuration_hash"] = dbless.expected_hash(text, not document.entities)
    return text


def carry_out(found: list[tuple[Admin, Node]], down: list[str], schemas: Schemas, wish: Wish, outcome: Outcome) -> None:
    if wish.state == "exported":
        observed, catalogue = run.observe(*found[0], schemas, wish, everything=True)
        run.exported(observed, catalogue, wish, outcome)
        return
    if wish.state == "absent":
        raise KongError(
            "state=absent: a Kong without a database holds one document as a whole; give the one that remains with "
            "state=present"
        )
    text = rendered(wish, outcome)
    wanted = outcome.facts["configuration_hash"]
    if not wish.wanted().entities:
        outcome.warnings.append("the document has no entities: with it, a node without a database is never ready")
    hashes = {admin.name: dbless.current_hash(admin) for admin, _about in found}
    outcome.facts["nodes"] = [
        {"name": admin.name, "configuration_hash": hashes[admin.name], "changed": hashes[admin.name] != wanted}
        for admin, _about in found
    ]
    behind = [(admin, about) for admin, about in found if hashes[admin.name] != wanted]
    if behind:
        _bring(behind, down, schemas, wish, outcome, text)
    run.store(text, wish, outcome)
    if down:
        names = ", ".join(admin.name for admin, _about in found)
        raise KongError(f"{'; '.join(down)}; the other nodes ({names}) have the configuration, run again for the rest")


def _bring(
    behind: list[tuple[Admin, Node]], down: list[str], schemas: Schemas, wish: Wish, outcome: Outcome, text: str
) -> None:
    admin, about = behind[0]
    plan, catalogue = _difference(admin, about, schemas, wish)
    reason = guard.too_many([change.label for change in plan.of(DELETE)], wish.params["prune_max"])
    if reason:
        raise Problems([reason])
    outcome.warnings += plan.warnings
    outcome.facts["counts"] = {
        name: len(plan.of(action)) for name, action in (("created", CREATE), ("updated", UPDATE), ("deleted", DELETE))
    }
    if wish.check_mode and wish.params["validate"]:
        # A real push is checked as a whole by the node, which takes all or nothing.
        sync.validate(admin, plan, catalogue)
    outcome.tell(plan.changes, catalogue, wish.with_diff)
    if wish.check_mode:
        outcome.changed = True
        outcome.actions += [f"give node {one.name} the configuration" for one, _about in behind]
        return
    document = _settled(wish)
    wanted = outcome.facts["configuration_hash"]
    # One node first: what it refuses, all would.
    dbless.push(admin, text, wanted, document)
    outcome.changed = True
    outcome.actions.append(f"give node {admin.name} the configuration")
    with ThreadPoolExecutor(min(10, len(behind))) as pool:
        pushes = [(one, pool.submit(dbless.push, one, text, wanted, document)) for one, _about in behind[1:]]
        for one, coming in pushes:
            try:
                coming.result()
                outcome.actions.append(f"give node {one.name} the configuration")
            except Unreachable as e:
                down.append(str(e))
    for item in outcome.facts["nodes"]:
        if item["changed"] and not any(item["name"] in reason for reason in down):
            item["configuration_hash"] = wanted


def _settled(wish: Wish) -> Document:
    """The document with the ids that the text has; the comparison with a node gave it that node's."""
    document = wish.wanted()
    for entity in document.entities:
        entity.observed = entity.replaces = None
    Identities(None, Observed({}), wish.owner_tags).settle(document)
    return document


def _difference(admin: Admin, about: Node, schemas: Schemas, wish: Wish) -> tuple[Plan, Catalogue]:
    """What the document changes on a node: the same comparison as with a database."""
    observed, catalogue = run.observe(admin, about, schemas, wish, everything=True)

    def make(known: Catalogue) -> Plan:
        return compute(wish.wanted(), observed, known, wish.owner_tags, (), atomic=True)

    return run.planned(make, schemas, catalogue, lambda: run.catalogue(schemas, wish, observed))
