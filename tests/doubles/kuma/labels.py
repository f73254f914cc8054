# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels: which ones the control plane adds, refuses and never lets go of."""

from __future__ import annotations

from .errors import Violation
from .golang import label_problems
from .kinds import Kind

ORIGIN, ZONE, MESH, ENV = "kuma.io/origin", "kuma.io/zone", "kuma.io/mesh", "kuma.io/env"
DISPLAY_NAME = "kuma.io/display-name"
_IMMUTABLE = (ORIGIN, ZONE, DISPLAY_NAME)


def compute(kind: Kind, given: dict[str, str], mesh: str, zone: str, environment: str, spec: dict) -> dict[str, str]:
    labels = dict(given)
    if kind.mesh_scoped:
        labels.setdefault(MESH, mesh or "default")
    if kind.by_zone:
        labels.setdefault(ORIGIN, "zone")
        if labels[ORIGIN] != "global":
            labels.setdefault(ZONE, zone)
            labels.setdefault(ENV, environment)
    if kind.name == "Dataplane":
        networking = spec.get("networking", {})
        labels["kuma.io/proxy-type"] = "gateway" if networking.get("gateway") is not None else "sidecar"
        listeners = {listener.get("type") for listener in networking.get("listeners", [])}
        for listener, label in (("ZoneIngress", "zoneingress"), ("ZoneEgress", "zoneegress")):
            name = f"kuma.io/listener-{label}"
            if listener in listeners:
                labels[name] = "enabled"
            else:
                labels.pop(name, None)
    return dict(sorted(labels.items()))


def violations(labels: dict[str, str], mesh: str, zone: str) -> list[Violation]:
    found: list[Violation] = []
    origin = labels.get(ORIGIN)
    if origin is not None and origin not in ("zone", "global"):
        found.append((f'labels["{ORIGIN}"]', f'unknown resource origin "{origin}"'))
    if origin != "global":
        if labels.get(ZONE, zone) != zone:
            found.append((f'labels["{ZONE}"]', f"{ZONE} label should have {zone} value"))
        if labels.get(MESH, mesh) != mesh:
            found.append((f'labels["{MESH}"]', f"{MESH} label must not differ from mesh set on resource"))
    for key in sorted(labels):
        found += [(f'labels["{key}"]', problem) for problem in label_problems(key, labels[key])]
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> list[Violation]:
    """Immutable labels that a write would change."""
    found: list[Violation] = []
    for label in _IMMUTABLE:
        if label not in before:
            continue
        if label not in after:
            found.append((f'labels["{label}"]', f'is immutable, cannot be removed (was "{before[label]}")'))
        elif after[label] != before[label]:
            words = f'is immutable, cannot be changed from "{before[label]}" to "{after[label]}"'
            found.append((f'labels["{label}"]', words))
    return found
