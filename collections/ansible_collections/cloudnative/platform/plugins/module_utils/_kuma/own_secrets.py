# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Secrets that a control plane made or lives by, and what stands against touching them. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Raw, is_its_own_secret

#: How the two secrets of an authority are called that the control plane makes for a MeshIdentity, after its name.
_OF_AUTHORITY = ("-root-ca", "-private-key")
_SIGNING_KEY = "-token-signing-key-"
#: The one that people write: a token is revoked by it.
_REVOCATIONS = "-token-revocations"


def may_be_of_identity(key: Key) -> bool:
    """By its name alone; whose it is depends on which identities there are."""
    return key[0] == "Secret" and key[2].endswith(_OF_AUTHORITY)


def of_identities(resources: t.Mapping[Key, Raw]) -> set[Key]:
    """The secrets of the authorities that the control plane makes itself."""
    found: set[Key] = set()
    for (kind, mesh, name), body in resources.items():
        bundled = ((body.get("spec") or {}).get("provider") or {}).get("bundled") or {}
        if kind == "MeshIdentity" and (bundled.get("autogenerate") or {}).get("enabled"):
            found |= {("Secret", mesh, name + part) for part in _OF_AUTHORITY}
    return found


def is_own(key: Key, identities_have: t.Collection[Key]) -> bool:
    return key in identities_have or is_its_own_secret(key[0], key[2])


def not_deleted(place: str, tool: str) -> str:
    return (
        f"{place} is one of the control plane's own secrets, which it never makes again: tokens and certificates would "
        f"end with it. When that is meant, delete it with {tool}"
    )


def not_pruned(label: str) -> str:
    return f"{label} is one of the control plane's own secrets, it is not pruned"


def not_replaced(place: str, name: str, tool: str) -> str | None:
    """Why other data may not be put into one that is there; making one that is not there is how keys are rotated."""
    if _REVOCATIONS in name:
        return None
    if _SIGNING_KEY not in name:
        return (
            f"{place} is one of the control plane's own secrets and holds something else: what was issued by it would "
            f"end. When that is meant, write it with {tool}"
        )
    return (
        f"{place} holds another signing key: every token that was signed with it would be refused. Write a key with "
        "the next number, by which new tokens are signed, and leave this one; when ending them all is meant, write it "
        f"with {tool}"
    )
