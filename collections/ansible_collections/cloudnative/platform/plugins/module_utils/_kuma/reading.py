# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a control plane says of itself and holds, in as few requests as there are kinds asked for."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.owner import LABEL as OWNER
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import ControlPlane, Refused, owned_by
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Key, key_of
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, KumaError, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.overview import dataplane
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.plan import ORIGIN
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.strict import Workload
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.versions import SUPPORTED, numbers


class About(t.NamedTuple):
    """How a control plane is set up."""

    mode: str
    environment: str
    zone: str
    #: whether it gets policies from a global control plane
    federated: bool
    read_only: bool
    store: str

    @property
    def origin(self) -> str:
        """What a zone wants to see on whatever is made right there."""
        return "zone" if self.federated else ""

    def foreign(self, body: Raw) -> bool:
        """Whether a resource, with all its labels, is a copy from another control plane."""
        origin = (body.get("labels") or {}).get(ORIGIN)
        if self.mode == "global":
            return origin == "zone"
        return self.federated and origin != "zone"


class Observed(t.NamedTuple):
    resources: dict[Key, Raw]
    #: of each kind that was not to be read: why
    forbidden: dict[str, str]
    #: meshes that something was to be read of and that don't exist
    missing: set[str]


def version(control: ControlPlane) -> str:
    """The version, once it is one that this collection knows."""
    found = control.get("/")
    text = str(found.get("version") or "")
    if found.get("product") != "Kuma" or not text:
        raise KumaError(f"{control.name} does not answer as a Kuma control plane does, check api_url")
    if numbers(text)[:2] != SUPPORTED:
        raise KumaError(
            f"{control.name} is Kuma {text}; supported is {SUPPORTED[0]}.{SUPPORTED[1]}: other versions have other "
            "fields and defaults"
        )
    return text


def about(control: ControlPlane) -> About:
    try:
        config = control.get("/config")
    except Refused as e:
        if e.status != 403:
            raise
        raise KumaError(
            f"{e}; how a control plane is set up has to be known before anything is written: allow the user of the "
            "token to see it (KUMA_ACCESS_STATIC_CONTROL_PLANE_METADATA_USERS)"
        ) from e
    zone = (config.get("multizone") or {}).get("zone") or {}
    mode = str(config.get("mode") or "")
    return About(
        mode=mode,
        environment=str(config.get("environment") or ""),
        zone="" if mode == "global" else str(zone.get("name") or ""),
        federated=mode != "global" and bool(zone.get("globalAddress")),
        read_only=bool((config.get("apiServer") or {}).get("readOnly")),
        store=str((config.get("store") or {}).get("type") or ""),
    )


def resources(control: ControlPlane, kinds: t.Iterable[str], meshes: t.Collection[str]) -> Observed:
    """Whole lists of kinds: of one mesh, or when there are several of all meshes."""
    asked = sorted(kinds)
    mesh = next(iter(meshes)) if len(meshes) == 1 else None
    found = Observed({}, {}, set())

    def read(kind: str) -> list[Raw] | Refused:
        try:
            return control.pages(KINDS[kind].collection(mesh))
        except Refused as e:
            return e

    for answer in control.each(read, asked):
        if not isinstance(answer, Refused):
            found.resources.update({key_of(item): item for item in answer})
        elif answer.no_mesh and mesh:
            found.missing.add(mesh)
        else:
            raise answer
    return found


def owned(control: ControlPlane, owner: str, kinds: t.Iterable[str]) -> Observed:
    """Of all meshes, what has the label of an owner."""
    asked = sorted(kinds)
    found = Observed({}, {}, set())

    def read(kind: str) -> list[Raw] | Refused:
        try:
            return control.pages(KINDS[kind].collection(None), owned_by(OWNER, owner))
        except Refused as e:
            return e

    for kind, answer in zip(asked, control.each(read, asked)):
        if not isinstance(answer, Refused):
            found.resources.update({key_of(item): item for item in answer})
        elif answer.status == 403:
            found.forbidden[kind] = str(answer)
        else:
            raise answer
    return found


def workloads(
    control: ControlPlane, meshes: t.Iterable[str], without: t.Collection[Key] = ()
) -> tuple[list[Workload], set[str]]:
    """The dataplanes of meshes, and which of those have an identity; `without` is what is about to go."""
    asked = sorted(meshes)

    def read(path: str) -> list[Raw]:
        try:
            return control.pages(path)
        except Refused as e:
            if e.no_mesh:
                return []
            raise

    proxies = control.each(read, [f"/meshes/{quote(mesh)}/dataplanes/_overview" for mesh in asked])
    identities = control.each(read, [KINDS["MeshIdentity"].collection(quote(mesh)) for mesh in asked])
    found = []
    for mesh, overviews in zip(asked, proxies):
        for one in (dataplane(overview, "") for overview in overviews):
            if ("Dataplane", mesh, one["name"]) not in without:
                found.append(Workload(mesh, f"{mesh}/{one['name']}", one["online"], one["certificate_expiry"]))
    identified = {mesh for mesh, items in zip(asked, identities) if any(key_of(item) not in without for item in items)}
    return found, identified
