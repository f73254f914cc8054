# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which versions of Kuma run in a cluster, as its objects say: a control plane that is to be replaced may be down."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import reading
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import upgrade
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.control_plane import NAME, NAMESPACE
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.overview import dataplane
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.versions import numbers

_API = "/apis/kuma.io/v1alpha1"
_PAGE = 500
_VERSION_LABEL = "app.kubernetes.io/version"
_DOMAIN = "KUMA_DNS_SERVER_DOMAIN"


def control_plane(cluster: Cluster) -> str | None:
    """Version of the control plane that is there, None without one."""
    found = reading.get(cluster, f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}")
    return None if found is None else version_of(found)


def version_of(deployment: Raw) -> str:
    """Pure: by its image; where a site has tags of its own, by the chart's label."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    tag = str(containers[0].get("image") or "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    label = str((deployment["metadata"].get("labels") or {}).get(_VERSION_LABEL) or "")
    return next((text for text in (tag, label) if numbers(text)), tag or label)


def mesh(cluster: Cluster, version: str, environment: t.Mapping[str, t.Any]) -> tuple[Raw, upgrade.Content]:
    """What an upgrade depends on, in the form in which `upgrade.check` takes it.

    `environment` is that of the control plane that is to come: with it the new one starts, or does not.
    """
    insights = {_key(body): body.get("status") or {} for body in _list(cluster, "dataplaneinsights")}
    proxies = [
        dataplane({**_head(body), "dataplaneInsight": insights.get(_key(body)) or {}}, version)
        for body in _list(cluster, KINDS["Dataplane"].path)
    ]
    found = {
        **upgrade.bare(version, "kubernetes", "kubernetes"),
        "dataplanes": proxies,
        "offline": [f"{one['mesh']}/{one['name']}" for one in proxies if not one["online"]],
    }
    bodies = {
        kind: [{**_head(body), **(body.get("spec") or {}), "spec": body.get("spec")} for body in _list(cluster, path)]
        for kind, path in ((kind, KINDS[kind].path) for kind in ("Mesh", "MeshAccessLog", "MeshMultiZoneService"))
    }
    config = {"dnsServer": {"domain": str(environment.get(_DOMAIN) or "")}}
    return found, upgrade.Content(config, bodies["Mesh"], bodies["MeshAccessLog"], bodies["MeshMultiZoneService"])


def _key(body: Raw) -> tuple[str, str]:
    return body["metadata"].get("namespace") or "", body["metadata"]["name"]


def _head(body: Raw) -> Raw:
    """Name and mesh as the control plane has them."""
    namespace, name = _key(body)
    labels = body["metadata"].get("labels") or {}
    mesh = labels.get("kuma.io/mesh") or body.get("mesh") or "default"
    return {"name": f"{name}.{namespace}" if namespace else name, "mesh": mesh, "labels": labels}


def _list(cluster: Cluster, plural: str) -> t.Iterator[Raw]:
    query: dict[str, t.Any] = {"limit": _PAGE}
    while True:
        try:
            answer = cluster.request("GET", f"{_API}/{plural}", query)
        except ApiError as e:
            if e.status == 404:  # An older version may not have the kind.
                return
            raise
        yield from answer.get("items") or []
        query["continue"] = (answer.get("metadata") or {}).get("continue")
        if not query["continue"]:
            return
