# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of services: virtual IPs and the host names that HostnameGenerators make."""

from __future__ import annotations

import ipaddress
import itertools
import re
from typing import Any

from .node import Node
from .render import display_name
from .store import Resource

_NETWORKS = {"MeshService": "241.0.0.0", "MeshExternalService": "242.0.0.0", "MeshMultiZoneService": "243.0.0.0"}


def vip(node: Node, resource: Resource) -> str:
    """The address of a service; it stays the same as long as the control plane runs."""
    key = (resource.kind, resource.mesh, resource.name)
    given = (resource.status or {}).get("vips")
    if key not in node.vips and given:
        # From an earlier start, or from another instance on the same database.
        node.vips[key] = given[0]["ip"]
    if key not in node.vips:
        taken = {one["ip"] for other in node.store.list(resource.kind) for one in (other.status or {}).get("vips", [])}
        taken |= {address for (kind, _, _), address in node.vips.items() if kind == resource.kind}
        number = next(number for number in itertools.count() if _address(resource.kind, number) not in taken)
        node.vips[key] = _address(resource.kind, number)
    return node.vips[key]


def _address(kind: str, number: int) -> str:
    return str(ipaddress.ip_address(_NETWORKS[kind]) + number)


def render(template: str, node: Node, resource: Resource) -> str:
    values = {
        "DisplayName": display_name(resource),
        "Name": resource.name,
        "Mesh": resource.mesh,
        "Zone": node.options.zone,
        "Namespace": "",
    }
    text = re.sub(r'{{-?\s*label "([^"]*)"\s*-?}}', lambda match: resource.labels.get(match.group(1), ""), template)
    return re.sub(r"{{-?\s*\.(\w+)\s*-?}}", lambda match: values.get(match.group(1), ""), text)


def _names(node: Node, resource: Resource) -> dict[str, Any]:
    field = resource.kind[0].lower() + resource.kind[1:]
    addresses, states = [], []
    for generator in node.store.list("HostnameGenerator"):
        selector = generator.spec.get("selector", {}).get(field)
        wanted = (selector or {}).get("matchLabels") or {}
        if selector is None or any(resource.labels.get(key) != value for key, value in wanted.items()):
            continue
        reference = {"coreName": generator.name}
        host = render(generator.spec["template"], node, resource)
        addresses.append({"hostname": host, "origin": "HostnameGenerator", "hostnameGeneratorRef": reference})
        condition = {"type": "Generated", "status": "True", "reason": "Generated", "message": ""}
        states.append({"hostnameGeneratorRef": reference, "conditions": [condition]})
    return {"addresses": addresses, "hostnameGenerators": states} if states else {}


def service(node: Node, resource: Resource) -> dict[str, Any]:
    return {**_names(node, resource), "vips": [{"ip": vip(node, resource)}]}


def external(node: Node, resource: Resource) -> tuple[dict, dict]:
    return resource.spec, {"vip": {"ip": vip(node, resource)}, **_names(node, resource)}


def multizone(node: Node, resource: Resource) -> tuple[dict, dict]:
    wanted = resource.spec["selector"]["meshService"].get("matchLabels") or {}
    services = node.store.list("MeshService", resource.mesh)
    found = [one for one in services if all(one.labels.get(key) == value for key, value in wanted.items())]
    condition = {"type": "MeshServicesMatched", "status": "True", "reason": "MeshServicesMatched", "message": ""}
    if not found:
        message = "Selector does not match any MeshService in this zone"
        condition.update(status="False", reason="NoMatchesFound", message=message)
    status: dict[str, Any] = {"vips": [{"ip": vip(node, resource)}], "conditions": [condition]}
    if found:
        status["meshServices"] = [
            {"name": one.name, "namespace": "", "zone": node.options.zone, "mesh": one.mesh} for one in found
        ]
    return resource.spec, {**status, **_names(node, resource)}
