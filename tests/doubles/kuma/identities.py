# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MeshIdentity: what becomes of it, and which SPIFFE id a proxy gets."""

from __future__ import annotations

import re
from typing import Any

from . import rsa
from .lifecycle import secret
from .node import Node
from .store import Resource

_DISABLED = (
    "MeshIdentity requires MeshServices to be enabled on the mesh. To enable, set `spec.meshServices.mode: Exclusive` "
    "on the mesh."
)
_TRUST_DOMAIN = "{{ .Mesh }}.{{ .Zone }}.mesh.local"
_PATH = "/workload/{{ .Workload }}"


def _condition(kind: str, good: bool, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": str(good), "reason": reason, "message": message}


def status(node: Node, resource: Resource, exclusive: bool) -> tuple[dict, dict]:
    if not exclusive:
        found = [_condition("DependenciesReady", False, "MeshServicesDisabled", _DISABLED)]
        found.append(_condition("Ready", False, "Failure", "One of initialization steps failed"))
        return resource.spec, {"conditions": found}
    bundled = (resource.spec.get("provider") or {}).get("bundled") or {}
    made = (bundled.get("autogenerate") or {}).get("enabled")
    if not bundled or (made and not bundled.get("insecureAllowSelfSigned")):
        # Never becomes ready, and says nothing about it.
        return resource.spec, resource.status or {}
    if made:
        for part, text in (("private-key", rsa.MADE["dataplane"].pem()), ("root-ca", rsa.CERTIFICATE)):
            name = f"{resource.name}-{part}"
            if node.store.get("Secret", resource.mesh, name) is None:
                node.store.make("Secret", resource.mesh, name, secret(text))
    found = [_condition("Provider", True, "ProviderInitialized", "Provider successfully initialized")]
    if bundled.get("meshTrustCreation", "Enabled") == "Enabled":
        trust(node, resource)
        created = "MeshTrust has been successfully created"
        found.append(_condition("MeshTrustCreated", True, "MeshTrustCreated", created))
    found.append(_condition("Ready", True, "Ready", "Successfully initialized"))
    return resource.spec, {"conditions": found}


def trust(node: Node, resource: Resource) -> None:
    if node.store.get("MeshTrust", resource.mesh, resource.name) is not None:
        return
    domain = render(trust_domain(resource), node, resource.mesh, {})
    bundle = {"type": "Pem", "pem": {"value": rsa.CERTIFICATE}}
    origin = {"kri": f"kri_mid_{resource.mesh}_{node.options.zone}__{resource.name}_"}
    spec = {"trustDomain": domain, "caBundles": [bundle]}
    node.store.make("MeshTrust", resource.mesh, resource.name, spec, status={"origin": origin})


def trust_domain(resource: Resource) -> str:
    return (resource.spec.get("spiffeID") or {}).get("trustDomain") or _TRUST_DOMAIN


def render(template: str, node: Node, mesh: str, labels: dict[str, str]) -> str:
    values = {"Mesh": mesh, "Zone": node.options.zone, "Workload": labels.get("kuma.io/workload", "")}
    text = re.sub(r'{{-?\s*label "([^"]*)"\s*-?}}', lambda match: labels.get(match.group(1), ""), template)
    return re.sub(r"{{-?\s*\.(\w+)\s*-?}}", lambda match: values.get(match.group(1), ""), text)


def identity_of(node: Node, proxy: Resource) -> Resource | None:
    """The ready MeshIdentity that selects a proxy; the one with the most labels wins."""
    best: tuple[int, Resource] | None = None
    for identity in node.store.list("MeshIdentity", proxy.mesh):
        selector = (identity.spec.get("selector") or {}).get("dataplane")
        wanted = (selector or {}).get("matchLabels") or {}
        ready = any(
            one["type"] == "Ready" and one["status"] == "True" for one in (identity.status or {}).get("conditions", [])
        )
        fits = selector is not None and all(proxy.labels.get(key) == value for key, value in wanted.items())
        if ready and fits and (best is None or len(wanted) > best[0]):
            best = (len(wanted), identity)
    return best[1] if best else None


def spiffe_id(node: Node, proxy: Resource) -> str:
    identity: Any = identity_of(node, proxy)
    if identity is None:
        return ""
    path = (identity.spec.get("spiffeID") or {}).get("path") or _PATH
    domain = render(trust_domain(identity), node, proxy.mesh, proxy.labels)
    return f"spiffe://{domain}{render(path, node, proxy.mesh, proxy.labels)}"
