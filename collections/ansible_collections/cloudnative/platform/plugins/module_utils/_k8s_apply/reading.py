# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reads objects as they are right before they are applied."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.changes import Planned
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.diff import Object
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import CRD_GROUP, Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster

# From so many objects of a kind in a namespace on, one list costs less than asking for each.
LIST_FROM = 3
# Objects of these kinds can be so large that one must not read others along with those that are meant.
_LARGE = frozenset({("", "Secret"), (CRD_GROUP, "CustomResourceDefinition")})

Known = dict[str, t.Optional[Object]]


def get(cluster: Cluster, path: str) -> Object | None:
    try:
        return cluster.request("GET", path)
    except ApiError as e:
        if e.status == 404:
            return None
        raise


def groups(wave: t.Iterable[Planned]) -> list[tuple[Resource, str | None, list[str]]]:
    """Pure: which objects are worth a list: (resource, namespace, names)."""
    found: dict[tuple[Resource, str | None], list[str]] = {}
    for definition, resource in wave:
        if resource is None or resource.from_crd or (resource.group, resource.kind) in _LARGE:
            continue
        found.setdefault((resource, definition.namespace), []).append(definition.name)
    return [(*place, names) for place, names in found.items() if len(names) >= LIST_FROM]


def read_group(cluster: Cluster, resource: Resource, namespace: str | None, names: list[str]) -> Known:
    """path → object, None for one that isn't there. What a bounded list can't tell is left out."""
    limit = 4 * len(names)
    try:
        answer = cluster.request("GET", resource.path(namespace=namespace), {"limit": limit})
    except ApiError as e:
        if e.status in (403, 404, 405):  # asked for one after another, or not served yet
            return {}
        raise
    api_version = f"{resource.group}/{resource.version}" if resource.group else resource.version
    # Items of a list don't say what they are.
    there = {
        body["metadata"]["name"]: {"apiVersion": api_version, "kind": resource.kind, **body}
        for body in answer.get("items") or []
    }
    complete = not (answer.get("metadata") or {}).get("continue")
    return {resource.path(name, namespace): there.get(name) for name in names if complete or name in there}
