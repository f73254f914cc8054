# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a cluster holds of a mesh: policies, and who is in it. On Kubernetes that is read from custom resources."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.owner import LABEL as OWNER
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import strict
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, Wanted
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, KumaError, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.overview import dataplane
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.strict import Workload

_PAGE = 500
_API = "/apis/kuma.io/v1alpha1"
INJECTION = "kuma.io/sidecar-injection"
_MESH = "kuma.io/mesh"
_ON, _OFF = ("enabled", "true"), ("disabled", "false")
_SIDECAR = "kuma-sidecar"


def policies(cluster: Cluster) -> dict[Key, Raw]:
    """Of all meshes, what their mode follows from."""
    found: dict[Key, Raw] = {}
    for kind in sorted(strict.KINDS):
        for body in _list(cluster, f"{_API}/{KINDS[kind].path}"):
            found[kind, _mesh_of(body), body["metadata"]["name"]] = body
    return found


def after(
    before: strict.Resources, wanted: t.Sequence[Wanted], state: str, owner: str | None, prune: bool
) -> dict[Key, Raw]:
    """Pure: what there will be of it."""
    wished = {one.key: one.body for one in wanted if one.kind in strict.KINDS}
    if state == "absent":
        gone = set(wished) if wanted else {key for key, body in before.items() if _owner_of(body) == owner}
        return {key: body for key, body in before.items() if key not in gone}
    kept = {key: body for key, body in before.items() if not (prune and owner and _owner_of(body) == owner)}
    return {**kept, **wished}


def workloads(cluster: Cluster) -> list[Workload]:
    """Dataplanes, and pods that should have one and were started without."""
    insights = {
        (body["metadata"].get("namespace"), body["metadata"]["name"]): body.get("status") or {}
        for body in _list(cluster, f"{_API}/dataplaneinsights")
    }
    proxies = [
        workload(body, insights.get((body["metadata"].get("namespace"), body["metadata"]["name"])) or {})
        for body in _list(cluster, f"{_API}/dataplanes")
    ]
    namespaces = {body["metadata"]["name"]: body for body in _list(cluster, "/api/v1/namespaces")}
    pods = (unmeshed(body, namespaces) for body in _list(cluster, "/api/v1/pods"))
    return [*proxies, *(one for one in pods if one is not None)]


def workload(body: Raw, insight: Raw) -> Workload:
    """Pure: a Dataplane with what its control plane noted of it."""
    metadata = body["metadata"]
    said = dataplane({"dataplaneInsight": insight}, "")
    name = f"{metadata.get('namespace') or ''}/{metadata['name']}".lstrip("/")
    return Workload(_mesh_of(body), name, said["online"], said["certificate_expiry"])


def unmeshed(pod: Raw, namespaces: t.Mapping[str, Raw]) -> Workload | None:
    """Pure: a running pod that injection is on for and that has no sidecar, as one from before it was switched on."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    namespace = namespaces.get(metadata["namespace"]) or {"metadata": {}}
    labels, around = (one["metadata"].get("labels") or {} if one else {} for one in (pod, namespace))
    own = labels.get(INJECTION)
    # Of one that has no label at all, webhooks are not called, whatever its pods say.
    if INJECTION not in around or own in _OFF or not (own in _ON or around[INJECTION] in _ON):
        return None
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") or metadata.get("deletionTimestamp"):
        return None
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    if any(container.get("name") == _SIDECAR for container in containers):
        return None
    mesh = labels.get(_MESH) or around.get(_MESH) or "default"
    return Workload(mesh, f"{metadata['namespace']}/{metadata['name']}", False, None, sidecar=False)


def _mesh_of(body: Raw) -> str:
    return (body["metadata"].get("labels") or {}).get(_MESH) or body.get("mesh") or "default"


def _owner_of(body: Raw) -> str | None:
    return (body["metadata"].get("labels") or {}).get(OWNER)


def _list(cluster: Cluster, path: str) -> list[Raw]:
    found: list[Raw] = []
    query: dict[str, t.Any] = {"limit": _PAGE}
    while True:
        try:
            answer = cluster.request("GET", path, query)
        except ApiError as e:
            if e.status == 404:  # Before the first installation there is no such kind.
                return []
            if e.status == 403:
                raise KumaError(
                    f"{e}; it has to be read before a mesh becomes strict: allow it, or set strict_gate to false"
                ) from e
            raise
        found += answer.get("items") or []
        query["continue"] = (answer.get("metadata") or {}).get("continue")
        if not query["continue"]:
            return found
