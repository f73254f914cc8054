# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References to other resources: which fields each kind of target takes."""

from __future__ import annotations

import re
from typing import Any

_NAME = re.compile(r"[0-9a-z.\-_]*\Z")
_TAG_NAME = re.compile(r"[a-zA-Z0-9.\-_:/]*\Z")
_TAG_VALUE = re.compile(r"[a-zA-Z0-9.\-_:]*\Z")
_EITHER = "either labels or name and namespace must be specified"
_UNRESOLVED = "kuma.io/unresolved-backend"
# Fields that a kind refuses, in the order of the answers.
_REFUSED = {
    "Mesh": ("mesh", "tags", "labels", "namespace", "sectionName"),
    "Dataplane": ("tags", "mesh", "proxyTypes"),
    "MeshSubset": ("name", "mesh", "labels", "namespace", "sectionName"),
    "MeshService": ("mesh", "tags", "proxyTypes"),
    "MeshHTTPRoute": ("mesh", "tags", "proxyTypes", "sectionName"),
    "MeshServiceSubset": ("mesh", "proxyTypes", "labels", "namespace", "sectionName"),
    "MeshGateway": ("mesh", "proxyTypes", "labels", "namespace", "sectionName"),
    "MeshExternalService": ("mesh", "tags", "proxyTypes", "sectionName"),
    "MeshMultiZoneService": (),
}
_BY_NAME_OR_LABELS = {"MeshService", "MeshHTTPRoute", "MeshExternalService"}


def target_ref(ref: dict, kinds: list[str], gateway_tags: bool = True, inbound: bool = False) -> list[tuple[str, str]]:
    """(".field", reason) of everything that is wrong with a reference."""
    kind = ref.get("kind", "")
    if not kind:
        return [(".kind", "must be defined")]
    if kind not in kinds:
        return [(".kind", f"value '{kind}' is not supported")]
    found: list[tuple[str, str]] = []
    name, labels = ref.get("name") or "", ref.get("labels") or {}
    if kind == "Mesh" and name:
        found.append((".name", "using name with kind Mesh is not yet supported"))
    if kind in ("MeshServiceSubset", "MeshGateway") and not name:
        found.append((".name", f"must be set when kind is {kind}"))
    named = kind in (*_BY_NAME_OR_LABELS, "MeshServiceSubset", "MeshGateway") and name != _UNRESOLVED
    if named and not _NAME.match(name):
        reason = "invalid characters: must consist of lower case alphanumeric characters, '-', '.' and '_'."
        found.append((".name", reason))
    for field in _REFUSED[kind]:
        if ref.get(field):
            found.append((f".{field}", f"must not be set with kind {kind}"))
    if kind == "MeshGateway" and ref.get("tags") and not gateway_tags:
        found.append((".tags", "must not be set with kind MeshGateway"))
    if kind in ("MeshSubset", "MeshServiceSubset", "MeshGateway"):
        found += [(f".tags{at}", reason) for at, reason in tags(ref.get("tags") or {}, selector=kind != "MeshSubset")]
    if kind in ("Mesh", "MeshSubset") and ref.get("proxyTypes") == []:
        found.append((".proxyTypes", "must be undefined or have at least one element"))
    if kind in _BY_NAME_OR_LABELS and not labels and not name:
        found.append(("", f"name or labels must be set when kind is {kind}"))
    if kind in (*_BY_NAME_OR_LABELS, "Dataplane") and labels and (name or ref.get("namespace")):
        external = kind == "MeshExternalService"
        found.append((".labels", "either labels or name must be specified" if external else _EITHER))
    if kind == "Dataplane" and ref.get("sectionName") and not inbound:
        found.append((".sectionName", "can only be used with inbound policies"))
    return found


def tags(
    values: dict[str, Any], *, selector: bool = False, service: bool = False, at_least_one: bool = False
) -> list[tuple[str, str]]:
    """('["key"]', reason) of everything that is wrong with tags."""
    found: list[tuple[str, str]] = []
    if at_least_one and not values:
        found.append(("", "must have at least one tag"))
    for key in sorted(values):
        value = values[key]
        at = f'["{key}"]'
        if not key:
            found.append(("", "tag name must be non-empty"))
        if not _TAG_NAME.match(key):
            words = "tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores"
            found.append((at, words))
        if value == "":
            found.append((at, "tag value must be non-empty"))
        if selector and not (_TAG_NAME.match(value) or value == "*"):
            words = 'tag value must consist of alphanumeric characters, dots, dashes, slashes and underscores or be "*"'
            found.append((at, words))
        if not selector and not _TAG_VALUE.match(value):
            found.append((at, "tag value must consist of alphanumeric characters, dots, dashes and underscores"))
    if service and "kuma.io/service" not in values:
        found.append(("", 'mandatory tag "kuma.io/service" is missing'))
    return found
