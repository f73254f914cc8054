# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How much one run may delete, and what a mode can't be given. Pure."""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.document import Document
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import CREDENTIALS, KINDS
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.plan import CREATE, Plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.rewrites import is_password_hash

#: Credentials whose missing field each node without a database would make up for itself.
_MADE_UP = {kind: KINDS[kind].generated for kind in CREDENTIALS if KINDS[kind].generated}


def hashes(plan: Plan, transform: bool) -> list[str]:
    """Passwords of which only the hash is there can be compared, but not given to a Kong with a database."""
    if transform:
        return []
    return [
        f"{change.label}: the document has only the hash of its password (_transform: false), which a Kong with a "
        "database would hash again: give the password itself"
        for change in plan.changes
        if change.kind == "basicauth_credentials" and (change.action == CREATE or "password" in change.fields)
    ]


def without_database(document: Document, now: float) -> list[str]:
    """What a node without a database takes and then gets wrong."""
    problems = []
    for entity in document.entities:
        made_up = [name for name in _MADE_UP.get(entity.kind, ()) if not entity.fields.get(name)]
        if made_up == ["secret"] and entity.fields.get("rsa_public_key"):
            made_up = []
        if made_up:
            problems.append(
                f"{entity.label}: without a database every node would make up its own {' and '.join(made_up)}: give it"
            )
        ttl = entity.fields.get("ttl")
        if isinstance(ttl, (int, float)) and 0 < ttl <= now:
            problems.append(
                f"{entity.label}: ttl {ttl} has passed: without a database it is the moment at which the key ends, in "
                "seconds since 1970, not how long it lives"
            )
        password = entity.fields.get("password")
        if entity.kind == "basicauth_credentials" and not document.transform and not is_password_hash(password):
            problems.append(f"{entity.label}: the document says _transform: false, but its password is no hash")
    return problems
