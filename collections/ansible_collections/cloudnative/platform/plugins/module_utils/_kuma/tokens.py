# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tokens of dataplanes, zones and users: what to ask for, and whether one in a file is still good. Pure.

The control plane keeps none of them, so the file is all there is: what its token says decides.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import durations
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import claims
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Raw

#: Options that each type of token takes, besides those that all take.
OPTIONS = {
    "dataplane": ("mesh", "name", "tags", "workload", "proxy_type"),
    "zone": ("zone", "scope"),
    "user": ("name", "groups"),
}
REQUIRED = {"dataplane": ("mesh",), "zone": ("zone", "scope"), "user": ("name",)}


class Wish(t.NamedTuple):
    type: str
    #: what the token should say, in the control plane's names of the request
    request: Raw
    valid_for: float
    renew_before: float

    @property
    def path(self) -> str:
        return f"/tokens/{self.type}"

    def body(self) -> Raw:
        return {**self.request, "validFor": durations.written(round(self.valid_for * 10**9))}

    @property
    def revocations(self) -> str:
        """Where the ids of revoked tokens of this type are."""
        if self.type == "dataplane":
            mesh = self.request["mesh"]
            return f"/meshes/{mesh}/secrets/dataplane-token-revocations-{mesh}"
        return f"/global-secrets/{self.type}-token-revocations"


def wish(params: t.Mapping[str, t.Any]) -> Wish:
    """The options as a wish; a KumaError for those that don't fit together."""
    kind = params["type"]
    for name in sorted({name for names in OPTIONS.values() for name in names}):
        given = params[name] not in (None, [], {}, "")
        if given and name not in OPTIONS[kind] and not (name == "mesh" and params[name] == "default"):
            raise KumaError(f"{name} says nothing in a token of type {kind}, which takes {', '.join(OPTIONS[kind])}")
        if not given and name in REQUIRED[kind]:
            raise KumaError(f"a token of type {kind} needs {name}")
    valid_for = _seconds("valid_for", params["valid_for"])
    renew_before = valid_for / 3 if params["renew_before"] is None else _seconds("renew_before", params["renew_before"])
    if renew_before >= valid_for:
        raise KumaError(
            f"renew_before {params['renew_before']} is not less than valid_for {params['valid_for']}: every run would "
            "issue a token"
        )
    request: Raw = {}
    for name in OPTIONS[kind]:
        value = params[name]
        if name == "tags" and value:
            value = {key: item if isinstance(item, list) else [str(item)] for key, item in value.items()}
        if value not in (None, [], {}, ""):
            request["type" if name == "proxy_type" else name] = value
    return Wish(kind, request, valid_for, renew_before)


def _seconds(option: str, text: str) -> float:
    found = durations.seconds(str(text))
    if found is None or found <= 0:
        raise KumaError(f"{option} {text!r} is no length of time, expected one like 720h or 30d")
    return found


def reason(text: str, wished: Wish, now: float, revoked: t.Collection[str]) -> str | None:
    """Why a new token is needed, in a few words; None when the one that is there will do."""
    if not text.strip():
        return "there is none"
    said = claims(text)
    if not said:
        return "what is there is no token"
    for claim, value in _expected(wished).items():
        found = said.get(claim)
        if (sorted(found) if isinstance(found, list) else found or None) != (value or None):
            return f"it is for another {claim.lower()}"
    expires = said.get("exp")
    if not isinstance(expires, (int, float)):
        return "it never expires"
    if expires <= now:
        return f"it expired at {_written(expires)}"
    if expires - now <= wished.renew_before:
        return f"it expires at {_written(expires)}"
    if said.get("jti") in revoked:
        return "it is revoked"
    return None


def _expected(wished: Wish) -> Raw:
    """Claims, as the control plane spells them."""
    request = wished.request
    if wished.type == "dataplane":
        names = ("name", "mesh", "tags", "type", "workload")
        return {name.capitalize(): request.get(name) for name in names}
    if wished.type == "zone":
        return {"Zone": request["zone"], "Scope": sorted(request["scope"])}
    return {"Name": request["name"], "Groups": sorted(request.get("groups") or [])}


def expiry(text: str) -> str | None:
    expires = claims(text).get("exp")
    return _written(expires) if isinstance(expires, (int, float)) else None


def _written(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
