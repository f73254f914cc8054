# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The step from permissive to strict mTLS, taken only when nobody loses calls by it. Pure.

Strict is more than a MeshTLS that says so: without one that says Permissive, mTLS is strict from the moment on that a
MeshIdentity is ready. So taking a Permissive one away, or making an identity where there is none, is the same step.
"""

from __future__ import annotations

import calendar
import re
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, label_of
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed

STRICT, PERMISSIVE = "Strict", "Permissive"
#: What the mode of a mesh follows from.
KINDS = frozenset(("MeshTLS", "MeshIdentity"))
Resources = t.Mapping[Key, Raw]


class Workload(t.NamedTuple):
    """A dataplane, or a pod that should have one."""

    mesh: str
    name: str
    online: bool
    #: when its certificate ends, as the control plane writes times; None without one
    certificate_expiry: str | None
    #: False for a pod that runs without a proxy
    sidecar: bool = True


class Step(t.NamedTuple):
    mesh: str
    why: str
    #: whether it is one only where there is an identity
    if_identified: bool = False


def modes(policy: Raw | None) -> set[str]:
    spec = (policy or {}).get("spec") or {}
    parts = [part for name in ("rules", "from") for part in spec.get(name) or [] if isinstance(part, dict)]
    return {str(mode) for mode in ((part.get("default") or {}).get("mode") for part in parts) if mode}


def steps(before: Resources, after: Resources, leaving: t.Collection[str] = ()) -> list[Step]:
    """What makes meshes strict, between two states of `KINDS`; `leaving` are meshes that go as a whole."""
    found: list[Step] = []
    for key in sorted({*before, *after}):
        kind, mesh, _name = key
        if mesh in leaving:
            continue
        was, will = modes(before.get(key)), modes(after.get(key))
        if kind == "MeshTLS" and STRICT in will - was:
            found.append(Step(mesh, f"{label_of(key)} says {STRICT}"))
        elif kind == "MeshTLS" and PERMISSIVE in was - will:
            found.append(Step(mesh, f"{label_of(key)} says {PERMISSIVE} no more", if_identified=True))
        elif kind == "MeshIdentity" and key not in before and key in after and not _is_permissive(mesh, after):
            found.append(Step(mesh, f"{label_of(key)} is new and no MeshTLS says {PERMISSIVE}"))
    return found


def identified(resources: Resources) -> set[str]:
    """The meshes that have an identity."""
    return {mesh for kind, mesh, _name in resources if kind == "MeshIdentity"}


def _is_permissive(mesh: str, resources: Resources) -> bool:
    return any(PERMISSIVE in modes(body) for key, body in resources.items() if key[0] == "MeshTLS" and key[1] == mesh)


def not_yet(taken: t.Iterable[Step], before: Resources, identified_before: t.Collection[str]) -> list[Step]:
    """Without those of meshes that are strict already, since they have an identity and nothing says Permissive."""
    return [step for step in taken if step.mesh not in identified_before or _is_permissive(step.mesh, before)]


def refusals(
    taken: t.Iterable[Step], workloads: t.Sequence[Workload], identified: t.Collection[str], now: float
) -> list[str]:
    """One sentence for each mesh in which somebody would be cut off. `identified` are the meshes with an identity."""
    reasons: dict[str, str] = {}
    for step in taken:
        if step.mesh in identified or not step.if_identified:
            reasons.setdefault(step.mesh, step.why)
    found = []
    for mesh, why in sorted(reasons.items()):
        all_of_it = [one for one in workloads if one.mesh == mesh]
        cut_off = [text for text in (_problem(one, now) for one in sorted(all_of_it)) if text]
        if cut_off:
            found.append(
                f"mesh {mesh} can't become strict ({why}) while {len(cut_off)} of {len(all_of_it)} workloads could not "
                f"call or be called any more: {listed(cut_off, 5)}; {_remedy(mesh in identified)}, or set strict_gate "
                "to false to cut them off"
            )
    return found


def _problem(one: Workload, now: float) -> str | None:
    if not one.sidecar:
        return f"pod {one.name} has no sidecar"
    if not one.online:
        return f"{one.name} is offline"
    if not one.certificate_expiry:
        return f"{one.name} has no certificate"
    if _seconds(one.certificate_expiry) <= now:
        return f"the certificate of {one.name} ended at {one.certificate_expiry}"
    return None


def _remedy(identified: bool) -> str:
    if not identified:
        return (
            "write a MeshIdentity that selects all of them, with a MeshTLS that says Permissive, and wait until it is "
            "ready"
        )
    return (
        "see to it that a MeshIdentity selects each, restart what has no sidecar or no certificate, and delete the "
        "Dataplanes of what is gone"
    )


def _seconds(text: str) -> float:
    """Of a time as Go writes it, in UTC; one that can't be read is no reason to stop."""
    match = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?=(\.\d+)?Z\Z)", text)
    if not match:
        return float("inf")
    parsed = time.strptime(match[0], "%Y-%m-%dT%H:%M:%S")
    return float(calendar.timegm(parsed))
