# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a write or delete of one resource does to others."""

from __future__ import annotations

import base64

from . import rsa
from .errors import Violation, invalid
from .kinds import Kind
from .node import Node
from .store import Resource

_CHANGED_CA = "Changing CA when mTLS is enabled is forbidden. Disable mTLS first and then change the CA"


def prepare(node: Node, kind: Kind, mesh: str, name: str, spec: dict, before: Resource | None) -> dict:
    """The checks that need the store, and the authorities of a mesh."""
    if kind.name == "Dataplane":
        return _dataplane(node, mesh, spec, before)
    if kind.name != "Mesh":
        return spec
    found: list[Violation] = []
    mtls = spec.get("mtls", {})
    old = before.spec.get("mtls", {}).get("enabledBackend") if before is not None else None
    if len(name) > 63:
        found.append(("name", "cannot be longer than 63 characters"))
    if old and mtls.get("enabledBackend") and mtls["enabledBackend"] != old:
        found.append(("mtls.enabledBackend", _CHANGED_CA))
    for number, backend in enumerate(mtls.get("backends", [])):
        if backend.get("type") == "provided":
            found += _provided(node, name, f"mtls.backends[{number}].conf", backend.get("conf", {}))
    if found:
        raise invalid(found, f"Failed to {'create' if before is None else 'update'} a resource")
    for backend in mtls.get("backends", []):
        if backend.get("type") == "builtin" and mtls.get("enabledBackend") == backend.get("name"):
            _builtin(node, name, backend["name"])
    return spec


def _dataplane(node: Node, mesh: str, spec: dict, before: Resource | None) -> dict:
    """The tag of the zone; a probe starts as not ready."""
    networking, zone = dict(spec["networking"]), {"kuma.io/zone": node.options.zone}
    owner = node.store.get("Mesh", "", mesh)
    exclusive = owner is not None and owner.spec.get("meshServices", {}).get("mode") == "Exclusive"
    inbounds = []
    for inbound in networking.get("inbound", []):
        if inbound.get("tags") or not exclusive:
            inbound = {**inbound, "tags": dict(sorted({**inbound.get("tags", {}), **zone}.items()))}
        if before is None and "serviceProbe" in inbound:
            inbound = {**inbound, "state": "NotReady"}
        inbounds.append(inbound)
    if inbounds:
        networking["inbound"] = inbounds
    if networking.get("gateway") is not None:
        values = {**networking["gateway"].get("tags", {}), **zone}
        networking["gateway"] = {**networking["gateway"], "tags": dict(sorted(values.items()))}
    return {**spec, "networking": networking}


def _provided(node: Node, mesh: str, at: str, conf: dict) -> list[Violation]:
    found: list[Violation] = []
    for part in ("cert", "key"):
        source = conf.get(part)
        if source is None:
            found.append((f"{at}.{part}", "has to be defined"))
        elif source.get("secret") and node.store.get("Secret", mesh, source["secret"]) is None:
            what = f'resource not found: type="Secret" name="{source["secret"]}" mesh="{mesh}"'
            found.append((f"{at}.{part}", f"could not load data: {what}"))
    return found


def secret(text: str) -> dict[str, str]:
    return {"data": base64.b64encode(text.encode()).decode()}


def _builtin(node: Node, mesh: str, backend: str) -> None:
    for part, text in (("cert", rsa.CERTIFICATE), ("key", rsa.MADE["dataplane"].pem())):
        name = f"{mesh}.ca-builtin-{part}-{backend}"
        if node.store.get("Secret", mesh, name) is None:
            node.store.make("Secret", mesh, name, secret(text))


def remove(node: Node, resource: Resource) -> None:
    store = node.store
    if resource.kind == "Mesh":
        if store.list("Dataplane", resource.name):
            reason = "unable to delete mesh, there are still some dataplanes attached"
            raise invalid([("mesh", reason)], "Could not delete a resource")
        for child in store.of_mesh(resource.name):
            store.delete(child.kind, child.mesh, child.name)
    if resource.kind == "MeshIdentity":
        # Its secrets go with it, the MeshTrust stays.
        for part in ("root-ca", "private-key"):
            store.delete("Secret", resource.mesh, f"{resource.name}-{part}")
    store.delete(resource.kind, resource.mesh, resource.name)
