# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The identities of a mesh on Kubernetes, and the zone that is part of them."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import AUTH_ARG_SPEC
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, ClientError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.callgraph import Graph
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Wanted, label_of
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.identities import (
    KIND,
    PATH_ON_KUBERNETES,
    Identity,
    against,
    identity,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, KumaError, Raw

_CONTROL_PLANE = "kuma-control-plane"
_ZONE, _MODE = "KUMA_MULTIZONE_ZONE_NAME", "KUMA_MODE"
_DEFAULT = "default"


def of_cluster(options: t.Mapping[str, t.Any], graph: Graph, wanted: t.Iterable[Wanted]) -> tuple[list[str], int]:
    """What is wrong, and how many requests it took."""
    try:
        cluster = Cluster(**{name: options[name] for name in AUTH_ARG_SPEC})
        found = against(
            graph,
            wanted,
            PATH_ON_KUBERNETES,
            lambda: _observed(cluster, graph.mesh),
            lambda: _zone(cluster, options["namespace"]),
        )
    except ClientError as e:
        raise KumaError(str(e)) from e
    return found, cluster.requests


def _observed(cluster: Cluster, mesh: str) -> list[Identity]:
    found = _get(cluster, f"/apis/kuma.io/v1alpha1/{KINDS[KIND].path}")
    return [
        identity(label_of((KIND, mesh, body["metadata"]["name"])), body, PATH_ON_KUBERNETES)
        for body in (found or {}).get("items") or []
        if ((body["metadata"].get("labels") or {}).get("kuma.io/mesh") or _DEFAULT) == mesh
    ]


def _zone(cluster: Cluster, namespace: str) -> str | None:
    """By how its control plane is started; None where that says nothing."""
    found = _get(cluster, f"/apis/apps/v1/namespaces/{namespace}/deployments/{_CONTROL_PLANE}")
    return zone_of(found) if found else None


def zone_of(deployment: Raw) -> str | None:
    """Pure. A global control plane is in no zone, and its permissions are for all."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    settings = {one["name"]: one.get("value") for container in containers for one in container.get("env") or []}
    if settings.get(_MODE) == "global":
        return None
    # One that is taken from elsewhere is there, and not known: that is no default.
    return settings.get(_ZONE, _DEFAULT)


def _get(cluster: Cluster, path: str) -> Raw | None:
    """None of what is not there, or may not be read: then nothing can be said of it."""
    try:
        return cluster.request("GET", path)
    except ApiError as e:
        if e.status in (403, 404):
            return None
        raise
