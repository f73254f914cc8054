# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Nodes without a database: the same bytes for each of them, given only to those that have others."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import dbless, guard, run, sync
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, NodeError
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
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.reading import DBLESS, Node, Schemas
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.run import Outcome, Wish
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import too_many

Nodes = list[tuple[Admin, Node]]
SchemasOf = t.Callable[[Admin, Node], Schemas]


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


def keep(text: str, wish: Wish, outcome: Outcome) -> None:
    """Puts the text where nodes that start later find it: the file `dest`, the Secret of the cluster."""
    run.store(text, wish, outcome)
    if wish.params["kubernetes_secret"]:
        # Only here: the library that it needs is on the controller, and hosts have no use for it.
        from ansible_collections.cloudnative.platform.plugins.module_utils._kong import kubernetes_secret

        kubernetes_secret.keep(text, wish, outcome)


def before_the_first_pod(wish: Wish, outcome: Outcome) -> None:
    """With `ready_only`, that no pod is there is no error: it is going to start with what is kept for it here."""
    if wish.state != "present":
        options = wish.params["kubernetes"]
        raise KongError(
            f"state={wish.state}: no pod of {options['selector']} is ready in namespace {options['namespace']}"
        )
    outcome.facts.update(mode=DBLESS, nodes=[])
    keep(rendered(wish, outcome), wish, outcome)


def carry_out(found: Nodes, down: list[str], schemas: SchemasOf, wish: Wish, outcome: Outcome) -> None:
    if wish.state == "exported":
        _export(found, down, schemas, wish, outcome)
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
    hashes: dict[str, str] = {}
    for admin, _about in found:
        try:
            hashes[admin.name] = dbless.current_hash(admin)
        except NodeError as e:
            down.append(str(e))
    outcome.facts["nodes"] = [
        {"name": name, "configuration_hash": known, "changed": known != wanted} for name, known in hashes.items()
    ]
    behind = [(admin, about) for admin, about in found if hashes.get(admin.name, wanted) != wanted]
    given: set[str] = set()
    if behind:
        try:
            given = _bring(behind, down, schemas, wish, outcome, text)
        except KongError as e:
            raise KongError("; ".join([str(e), *down])) from e
    if given or wanted in hashes.values():
        # Not what no node took: Kong may refuse it, and the next pod would start with it.
        keep(text, wish, outcome)
    if down:
        done = [item["name"] for item in outcome.facts["nodes"] if item["configuration_hash"] == wanted]
        rest = f"{', '.join(done)} {'have' if len(done) > 1 else 'has'} the configuration" if done else "no node has it"
        raise KongError(f"{'; '.join(down)}; {rest}, the next run does what is missing")


def _export(found: Nodes, down: list[str], schemas: SchemasOf, wish: Wish, outcome: Outcome) -> None:
    """What the first node holds that tells it. Others may hold something else, so those that say nothing are named."""
    for admin, about in found:
        try:
            observed, catalogue = run.observe(admin, about, schemas(admin, about), wish, everything=True)
        except NodeError as e:
            down.append(str(e))
            continue
        outcome.warnings += [f"{reason}; the export is what {admin.name} holds" for reason in down]
        run.exported(observed, catalogue, wish, outcome)
        return
    raise KongError("; ".join(down))


def _bring(behind: Nodes, down: list[str], schemas: SchemasOf, wish: Wish, outcome: Outcome, text: str) -> set[str]:
    """Names of the nodes that have it now, or would have it."""
    compared = _compared(behind, down, schemas, wish)
    if compared is None:
        return set()
    plan, catalogue, behind = compared
    outcome.warnings += plan.warnings
    outcome.facts["counts"] = {
        name: len(plan.of(action)) for name, action in (("created", CREATE), ("updated", UPDATE), ("deleted", DELETE))
    }
    if wish.check_mode:
        given = {admin.name for admin, _about in behind}
    else:
        given = _push(behind, down, _settled(wish), outcome.facts["configuration_hash"], text)
        for item in outcome.facts["nodes"]:
            if item["name"] in given:
                item["configuration_hash"] = outcome.facts["configuration_hash"]
    if given:
        outcome.changed = True
        outcome.tell(plan.changes, catalogue, wish.with_diff)
        outcome.actions += [
            f"give node {admin.name} the configuration" for admin, _about in behind if admin.name in given
        ]
    return given


def _compared(behind: Nodes, down: list[str], schemas: SchemasOf, wish: Wish) -> tuple[Plan, Catalogue, Nodes] | None:
    """What changes on the first node that tells what it holds, and the nodes that are left from there on."""
    for number, (admin, about) in enumerate(behind):
        try:
            plan, catalogue = _difference(admin, about, schemas(admin, about), wish)
            reason = too_many([change.label for change in plan.of(DELETE)], wish.params["prune_max"])
            if reason:
                raise Problems([reason])
            if wish.check_mode and wish.params["validate"]:
                # A real push is checked as a whole by the node, which takes all or nothing.
                sync.validate(admin, plan, catalogue)
        except NodeError as e:
            down.append(str(e))
        else:
            return plan, catalogue, behind[number:]
    return None


def _push(behind: Nodes, down: list[str], document: Document, wanted: str, text: str) -> set[str]:
    """Names of the nodes that have it now. A document that the first refuses, all would; the rest goes at once."""
    rest = [admin for admin, _about in behind]
    given: set[str] = set()
    while rest and not given:
        admin = rest.pop(0)
        try:
            dbless.push(admin, text, wanted, document)
            given.add(admin.name)
        except NodeError as e:
            down.append(str(e))
    with ThreadPoolExecutor(10) as pool:
        for admin, coming in [(admin, pool.submit(dbless.push, admin, text, wanted, document)) for admin in rest]:
            try:
                coming.result()
                given.add(admin.name)
            except KongError as e:
                down.append(str(e))
    return given


def _settled(wish: Wish) -> Document:
    """The document with the ids that the text has; the comparison with a node gave it that node's."""
    document = _unsettled(wish)
    Identities(None, Observed({}), wish.owner_tags).settle(document)
    return document


def _unsettled(wish: Wish) -> Document:
    """The document without what the comparison with a node left in it."""
    document = wish.wanted()
    for entity in document.entities:
        entity.observed = entity.replaces = None
    return document


def _difference(admin: Admin, about: Node, schemas: Schemas, wish: Wish) -> tuple[Plan, Catalogue]:
    """What the document changes on a node: the same comparison as with a database."""
    observed, catalogue = run.observe(admin, about, schemas, wish, everything=True)

    def make(known: Catalogue) -> Plan:
        return compute(_unsettled(wish), observed, known, wish.owner_tags, (), atomic=True)

    return run.planned(make, schemas, catalogue, lambda: run.catalogue(schemas, wish, observed))
