# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a person or a check wants to know about a mesh, out of a control plane's overviews."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import overview, reading, upgrade
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import ControlPlane, Refused
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.overview import dataplane, is_online
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.versions import (
    SKEW,
    SUPPORTED,
    is_near,
    numbers,
)


def gather(control: ControlPlane, with_policies: bool, target: str | None = None) -> Raw:
    """Everything in a handful of requests; when policies are asked for, two more for each dataplane and one for each of
    its inbounds and outbounds.

    With the version that it is to go to, also whether that may be.
    """
    index = control.get("/")
    if index.get("product") != "Kuma":
        raise KumaError(f"{control.name} does not answer as a Kuma control plane does, check api_url")
    about = reading.about(control)
    paths = ("/zones/_overview", "/mesh-insights", "/dataplanes/_overview", "/meshidentities", "/meshes")
    zones, insights, proxies, identities, meshes = control.each(control.pages, paths)
    found = summary(str(index.get("version") or ""), about, zones, insights, proxies, identities, meshes)
    found["cluster_id"] = str(index.get("clusterId") or "")
    found["instance_id"] = str(index.get("instanceId") or "")
    if with_policies:
        for one, policies in zip(found["dataplanes"], control.each(_policies(control), found["dataplanes"])):
            one["policies"] = policies
    if target:
        logs, services = control.each(control.pages, ("/meshaccesslogs", "/meshmultizoneservices"))
        found["upgrade"] = upgrade.check(target, found, upgrade.Content(control.get("/config"), meshes, logs, services))
    return found


def _policies(control: ControlPlane) -> t.Callable[[Raw], list[Raw] | None]:
    """What is asked of one dataplane. Its own list has only what is about the whole of it, so each inbound and outbound
    is asked for as well."""

    def ask(path: str) -> Raw | None:
        try:
            return control.get(path)
        except Refused as e:
            # Without meshServices there are no such answers; a dataplane or a service may be gone by now.
            if e.status in (400, 404):
                return None
            raise

    def listed(path: str) -> list[Raw] | None:
        answer = ask(f"{path}/_policies")
        return None if answer is None else answer.get("policies") or []

    def read(dataplane: Raw) -> list[Raw] | None:
        path = f"/meshes/{quote(dataplane['mesh'])}/dataplanes/{quote(dataplane['name'])}"
        whole, layout = listed(path), ask(f"{path}/_layout")
        if whole is None or layout is None:
            return None
        sides = []
        for side in ("inbounds", "outbounds"):
            names = [str(one.get("kri")) for one in layout.get(side) or []]
            answers = {name: listed(f"{path}/_{side}/{quote(name)}") for name in names}
            sides.append({name: answer for name, answer in answers.items() if answer is not None})
        return overview.policies(whole, *sides)

    return read


def summary(
    version: str,
    about: reading.About,
    zones: t.Sequence[Raw],
    insights: t.Sequence[Raw],
    proxies: t.Sequence[Raw],
    identities: t.Sequence[Raw],
    meshes: t.Sequence[Raw],
) -> Raw:
    """Pure: the answers in one form, and what is wrong in sentences."""
    dataplanes = [dataplane(item, version) for item in proxies]
    found_zones = [zone(item, about) for item in zones]
    found_identities = [identity(item) for item in identities]
    expiries = sorted(one["certificate_expiry"] for one in dataplanes if one["certificate_expiry"])
    identified = {one["mesh"] for one in found_identities}
    legacy = {str(item.get("name")) for item in meshes if (item.get("mtls") or {}).get("enabledBackend")}
    by_name = {str(item.get("name")): item for item in insights}
    result: Raw = {
        "version": version,
        "supported": numbers(version)[:2] == SUPPORTED,
        "mode": about.mode,
        "environment": about.environment,
        "zone": about.zone,
        "federated": about.federated,
        "read_only": about.read_only,
        "store": about.store,
        "zones": found_zones,
        "meshes": [_mesh(item, by_name.get(str(item.get("name"))) or {}) for item in meshes],
        "dataplanes": dataplanes,
        "offline": [f"{one['mesh']}/{one['name']}" for one in dataplanes if not one["online"]],
        "without_certificate": [
            f"{one['mesh']}/{one['name']}"
            for one in dataplanes
            if one["online"] and not one["certificate_expiry"] and one["mesh"] in identified | legacy
        ],
        "identities": found_identities,
        "certificate_expiry": expiries[0] if expiries else None,
    }
    result["problems"] = list(_problems(result))
    return result


def zone(item: Raw, about: reading.About) -> Raw:
    subscriptions = (item.get("zoneInsight") or {}).get("subscriptions") or []
    streams = (item.get("zoneInsight") or {}).get("kdsStreams") or {}
    name = str(item.get("name") or "")
    enabled = (item.get("zone") or {}).get("enabled", True)
    # Streams stay when a zone goes, and are all there is of one that has just come. Of itself a control plane has no
    # insight; it answers, so it is there.
    came = is_online(subscriptions) if subscriptions else any(one.get("connectTime") for one in streams.values())
    online = name == about.zone or came
    last = subscriptions[-1] if subscriptions else {}
    return {
        "name": name,
        "enabled": bool(enabled),
        "online": online,
        "version": str(((last.get("version") or {}).get("kumaCp") or {}).get("version") or ""),
    }


def identity(item: Raw) -> Raw:
    conditions = (item.get("status") or {}).get("conditions") or []
    wrong = [
        f"{one.get('type')}: {one.get('message') or one.get('reason')}"
        for one in conditions
        if one.get("status") != "True"
    ]
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return {
        "mesh": str(item.get("mesh") or ""),
        "name": str(item.get("name") or ""),
        "ready": ready,
        "conditions": wrong,
    }


def _mesh(mesh: Raw, insight: Raw) -> Raw:
    counts = insight.get("dataplanes") or {}
    return {
        "name": str(mesh.get("name") or ""),
        "mesh_services": str((mesh.get("meshServices") or {}).get("mode") or "Disabled"),
        "dataplanes": {
            "total": int(counts.get("total") or 0),
            "online": int(counts.get("online") or 0),
            "offline": int(counts.get("offline") or 0),
        },
        "policies": {kind: int(count.get("total") or 0) for kind, count in (insight.get("policies") or {}).items()},
    }


def _problems(found: Raw) -> t.Iterator[str]:
    if not found["supported"]:
        yield f"Kuma {found['version']} is not a version that this collection knows"
    for one in found["zones"]:
        if one["enabled"] and not one["online"]:
            yield f"zone {one['name']} is offline"
        if one["version"] and not is_near(found["version"], one["version"]):
            yield f"zone {one['name']} runs {one['version']}, more than {SKEW} minor versions from {found['version']}"
    for one in found["dataplanes"]:
        name = f"dataplane {one['mesh']}/{one['name']}"
        if not one["online"]:
            yield f"{name} is offline"
        if not one["compatible"]:
            yield f"{name} runs {one['version']}, more than {SKEW} minor versions from {found['version']}"
    for name in found["without_certificate"]:
        yield f"dataplane {name} has no certificate"
    for one in found["identities"]:
        if not one["ready"]:
            reasons = "; ".join(one["conditions"]) or "the control plane says no reason"
            yield f"MeshIdentity {one['mesh']}/{one['name']} is not ready: {reasons}"
