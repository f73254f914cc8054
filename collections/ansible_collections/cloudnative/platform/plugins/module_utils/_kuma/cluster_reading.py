# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a cluster holds of a mesh: policies, and who is in it. On Kubernetes that is read from custom resources."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import reading
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Catalog, Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import WORKERS
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.owner import LABEL as OWNER
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import advice
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, Wanted
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, KumaError, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.overview import dataplane
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.strict import Workload

_PAGE = 500
_GROUP = "kuma.io"
_API = f"/apis/{_GROUP}/v1alpha1"
INJECTION = "kuma.io/sidecar-injection"
_MESH = "kuma.io/mesh"
_ON, _OFF = ("enabled", "true"), ("disabled", "false")
_SIDECAR = "kuma-sidecar"
_HEAD, _HEADS = (
    f"application/json;as={kind};g=meta.k8s.io;v=v1" for kind in ("PartialObjectMetadata", "PartialObjectMetadataList")
)


class Policies(t.NamedTuple):
    """Of all meshes, what is judged of them."""

    resources: dict[Key, Raw]
    #: of each kind that was not to be read: why
    forbidden: dict[str, str]


def policies(cluster: Cluster, namespace: str) -> Policies:
    found = Policies({}, {})
    for kind in sorted(advice.JUDGED):
        try:
            bodies = _list(cluster, f"{_API}/{KINDS[kind].path}")
        except ApiError as e:
            if e.status != 403:
                raise
            found.forbidden[kind] = str(e)
            continue
        for body in bodies:
            mesh = mesh_of(body) if KINDS[kind].in_mesh else ""
            metadata = body["metadata"]
            found.resources[kind, mesh, name_of(metadata["name"], metadata.get("namespace"), namespace)] = body
    return found


def name_of(name: str, namespace: str | None, system: str) -> str:
    """Pure: a name that is told from those in other namespaces, as a control plane does it."""
    return name if namespace in (None, system) else f"{name}.{namespace}"


def after(
    before: t.Mapping[Key, Raw], wanted: t.Sequence[Wanted], state: str, owner: str | None, prune: bool
) -> dict[Key, Raw]:
    """Pure: what there will be of it. A Mesh goes only when it is named."""

    def is_owned(key: Key) -> bool:
        return bool(owner) and _owner_of(before[key]) == owner and key[0] != "Mesh"

    wished = {one.key: one.body for one in wanted if one.kind in advice.JUDGED}
    if state == "absent":
        return {key: body for key, body in before.items() if not (key in wished if wanted else is_owned(key))}
    return {**{key: body for key, body in before.items() if not (prune and is_owned(key))}, **wished}


def heads(cluster: Cluster, catalog: Catalog, definitions: t.Sequence[Definition]) -> list[Raw | None]:
    """What there is of each: its metadata, and of those that say more elsewhere all, asked for one by one."""
    paths: list[str | None] = []
    groups: dict[tuple[Resource, str | None], dict[str, str]] = {}
    for one in definitions:
        resource = catalog.get((one.api_version, one.kind))
        path = resource.path(one.name, one.namespace) if resource else None
        paths.append(path)
        if resource and path:
            groups.setdefault((resource, one.namespace), {})[path] = one.name
    found: dict[str, Raw | None] = {}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for several in pool.map(lambda place: _heads_of_group(cluster, place, groups[place]), groups):
            found.update(several)
        alone = [path for group in groups.values() for path in group if path not in found]
        whole = {path for (resource, _namespace), group in groups.items() if _is_whole(resource) for path in group}
        found.update(zip(alone, pool.map(lambda path: _head(cluster, path, path in whole), alone)))
    return [found[path] if path else None for path in paths]


def _is_whole(resource: Resource) -> bool:
    """A Secret has a type; the old kinds have their mesh next to the spec."""
    if resource.kind == "Secret":
        return True
    return resource.group == _GROUP and resource.kind in KINDS and bool(KINDS[resource.kind].instead)


def _heads_of_group(
    cluster: Cluster, place: tuple[Resource, str | None], paths: t.Mapping[str, str]
) -> dict[str, Raw | None]:
    resource, namespace = place
    if len(paths) < reading.LIST_FROM or _is_whole(resource):
        return {}
    try:
        bodies = _list(cluster, resource.path(namespace=namespace), _HEADS)
    except ApiError as e:
        if e.status == 403:  # Whoever may not list may still ask for each.
            return {}
        raise
    there = {body["metadata"]["name"]: body for body in bodies}
    return {path: there.get(name) for path, name in paths.items()}


def _head(cluster: Cluster, path: str, whole: bool) -> Raw | None:
    try:
        return cluster.request("GET", path, accept="application/json" if whole else _HEAD)
    except ApiError as e:
        if e.status == 404:
            return None
        raise


def workloads(cluster: Cluster) -> list[Workload]:
    """Dataplanes, and pods that should have one and were started without."""
    try:
        return _workloads(cluster)
    except ApiError as e:
        if e.status != 403:
            raise
        raise KumaError(not_read(str(e))) from e


def not_read(why: str) -> str:
    return f"{why}; it has to be read before a mesh becomes strict: allow it, or set strict_gate to false"


def _workloads(cluster: Cluster) -> list[Workload]:
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
    return Workload(mesh_of(body), name, said["online"], said["certificate_expiry"])


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


def mesh_of(body: Raw) -> str:
    return (body["metadata"].get("labels") or {}).get(_MESH) or body.get("mesh") or "default"


def _owner_of(body: Raw) -> str | None:
    return (body["metadata"].get("labels") or {}).get(OWNER)


def _list(cluster: Cluster, path: str, accept: str = "application/json") -> list[Raw]:
    found: list[Raw] = []
    query: dict[str, t.Any] = {"limit": _PAGE}
    while True:
        try:
            answer = cluster.request("GET", path, query, accept=accept)
        except ApiError as e:
            if e.status == 404:  # Before the first installation there is no such kind.
                return []
            raise
        found += answer.get("items") or []
        query["continue"] = (answer.get("metadata") or {}).get("continue")
        if not query["continue"]:
            return found
