# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue of resource types."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import data_files, schema

CATALOGUE: dict[str, Any] = data_files.load("catalogue")
_OVERVIEWS = {
    "Dataplane": "dataplanes+insights",
    "Zone": "zones+insights",
    "ZoneIngress": "zoneingresses+insights",
    "ZoneEgress": "zoneegressoverviews",
}


class Kind(NamedTuple):
    name: str
    path: str
    mesh_scoped: bool
    # "" where the type has no KRI.
    short: str
    # Has a spec; the others are flat.
    plugin: bool
    policy: bool
    read_only: bool
    admin: bool
    # Who may write it.
    by_zone: bool
    by_global: bool
    # The status before a controller has seen it; None without one.
    status: dict | None
    # Path of the overviews, as older versions had it.
    legacy_overview: str


def _kind(entry: dict) -> Kind:
    more = CATALOGUE["kinds"][entry["name"]]
    return Kind(
        name=entry["name"],
        path=entry["path"],
        mesh_scoped=entry["scope"] == "Mesh",
        short=entry["shortName"],
        plugin=entry["name"] in schema.KINDS,
        policy="policy" in entry,
        read_only=entry["readOnly"],
        admin=more.get("admin", False),
        by_zone=more.get("zone", False),
        by_global=more.get("global", False),
        status=more.get("status"),
        legacy_overview=_OVERVIEWS.get(entry["name"], ""),
    )


KINDS = {entry["name"]: _kind(entry) for entry in CATALOGUE["resources"]}
BY_PATH = {kind.path: kind for kind in KINDS.values()}
# Listed without a dash, and known with one.
BY_PATH["global-secrets"] = KINDS["GlobalSecret"]
BY_PATH["zone-ingresses"] = KINDS["ZoneIngress"]
BY_SHORT = {kind.short: kind for kind in KINDS.values() if kind.short}


def kri(kind: Kind, mesh: str, zone: str, name: str, section: str = "") -> str:
    return f"kri_{kind.short}_{mesh}_{zone}__{name}_{section}"
