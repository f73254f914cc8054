# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which kinds the API serves and under which paths. Pure."""

from __future__ import annotations

import difflib
import typing as t
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    Definition,
    group_of,
)

# Two requests, to /api and to /apis, tell everything the API serves.
ROOTS = ("/api", "/apis")
ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

CRD_GROUP = "apiextensions.k8s.io"

# Groups that every cluster serves: a kind that is missing here is a mistake, not something yet to be installed.
# Not by the suffix .k8s.io: the Gateway API, snapshots and metrics have it too, and come later or never.
BUILT_IN = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)


class Resource(t.NamedTuple):
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    from_crd: bool = False
    # Whether objects of it can be listed and deleted.
    prunable: bool = True

    @property
    def group_kind(self) -> str:
        """`Deployment.apps`, as kubectl takes it."""
        return group_kind(self.group, self.kind)

    def path(self, name: str | None = None, namespace: str | None = None) -> str:
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


Catalog = dict[tuple[str, str], Resource]


def group_kind(group: str, kind: str) -> str:
    return f"{kind}.{group}" if group else kind


def parse(answers: t.Iterable[t.Any]) -> Catalog:
    """(apiVersion, kind) → resource, from the answers of aggregated discovery."""
    catalog: Catalog = {}
    for answer in answers:
        for item in answer.get("items") or []:
            group = (item.get("metadata") or {}).get("name") or ""
            for version in item.get("versions") or []:
                name = version["version"]
                api_version = f"{group}/{name}" if group else name
                for entry in version.get("resources") or []:
                    kind = (entry.get("responseKind") or {}).get("kind")
                    verbs = set(entry.get("verbs") or ())
                    if kind and "patch" in verbs:
                        catalog[(api_version, kind)] = Resource(
                            group,
                            name,
                            entry["resource"],
                            kind,
                            entry.get("scope") == "Namespaced",
                            prunable={"list", "delete"} <= verbs,
                        )
    return catalog


def from_crds(definitions: t.Iterable[Definition]) -> Catalog:
    """What the CustomResourceDefinitions among the definitions are going to serve. The server says which are wrong."""
    catalog: Catalog = {}
    for definition in definitions:
        if definition.kind != "CustomResourceDefinition" or definition.group != CRD_GROUP:
            continue
        spec = _mapping(definition.body.get("spec"))
        names = _mapping(spec.get("names"))
        versions = spec.get("versions")
        for version in map(_mapping, versions if isinstance(versions, list) else []):
            if version.get("served", True):
                group, name, kind = (
                    str(value) for value in (spec.get("group"), version.get("name"), names.get("kind"))
                )
                catalog[(f"{group}/{name}", kind)] = Resource(
                    group, name, str(names.get("plural")), kind, spec.get("scope") == "Namespaced", from_crd=True
                )
    return catalog


def _mapping(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def preferred(catalog: Catalog) -> dict[str, Resource]:
    """`Deployment.apps` → resource, in the version that the API prefers: it lists that one first."""
    found: dict[str, Resource] = {}
    for resource in catalog.values():
        found.setdefault(resource.group_kind, resource)
    return found


def is_built_in(api_version: str) -> bool:
    return group_of(api_version) in BUILT_IN


def unknown_kind(definition: Definition, catalog: Catalog) -> str:
    """Why a kind isn't there, with the nearest thing that is."""
    text = f"{definition.source}: the cluster serves no {definition.kind} in {definition.api_version}"
    versions = sorted(api for api, kind in catalog if kind == definition.kind)
    if versions:
        return f"{text}; it serves {definition.kind} in {', '.join(versions)}"
    kinds = sorted(kind for api, kind in catalog if api == definition.api_version)
    near = difflib.get_close_matches(definition.kind, kinds, n=2, cutoff=0.7)
    if near:
        return f"{text}; did you mean {' or '.join(near)}?"
    if kinds:
        return f"{text}; kinds in {definition.api_version}: {', '.join(kinds)}"
    near = difflib.get_close_matches(definition.api_version, sorted({api for api, _kind in catalog}), n=1, cutoff=0.85)
    meant = f"did you mean {near[0]}, or " if near else ""
    return f"{text}; {meant}is its CustomResourceDefinition installed?"
