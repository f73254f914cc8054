# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What Kuma 2.14 still takes and Kuma 3.0 does not, and what to write instead. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Wanted
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, Raw

_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")

OF_MESH = {
    "mtls": "MeshIdentity (with MeshTLS for its mode)",
    "metrics": "MeshMetric",
    "tracing": "MeshTrace",
    "logging": "MeshAccessLog",
}
_REF_KINDS = {
    "MeshSubset": "kind Dataplane with labels",
    "MeshServiceSubset": "kind Dataplane with labels",
    "MeshGateway": "kind Dataplane with the labels of a delegated gateway",
    "MeshService": "kind Dataplane with labels",
}
_TARGETS = {
    "MeshSubset": "kind MeshService with labels or a name",
    "MeshServiceSubset": "kind MeshService with labels or a name",
}
_OF_NETWORKING = {
    "advertisedAddress": "an address that can be reached directly",
    "outbound[].tags": "backendRef",
    "transparentProxying.reachableServices": "reachableBackends",
    "transparentProxying.directAccessServices": "MeshPassthrough",
}


def findings(wanted: t.Iterable[Wanted]) -> list[str]:
    """One sentence for everything of it."""
    return [f"{one.place}: {finding}" for one in wanted for finding in _findings(one)]


def _gone(what: str, instead: str) -> str:
    return f"{what} is gone in Kuma 3.0; write {instead} instead"


def _findings(one: Wanted) -> t.Iterator[str]:
    kind = KINDS[one.kind]
    if kind.instead:
        yield _gone(f"the kind {one.kind}", kind.instead)
        return
    if one.kind in ("Mesh", "Zone") and not _LABEL.match(one.name):
        yield _gone(f"the name {one.name!r}", "one of lower case letters, digits and dashes that starts with a letter")
    if one.kind == "Mesh":
        for name, instead in OF_MESH.items():
            if one.body.get(name):
                yield _gone(name, instead)
    elif one.kind == "Dataplane":
        yield from _of_dataplane(one.body.get("networking") or {})
    elif not kind.flat and isinstance(one.body.get("spec"), dict):
        yield from _of_spec(one.body["spec"])


def _of_dataplane(networking: Raw) -> t.Iterator[str]:
    if networking.get("advertisedAddress"):
        yield _gone("networking.advertisedAddress", _OF_NETWORKING["advertisedAddress"])
    for number, outbound in enumerate(networking.get("outbound") or []):
        if outbound.get("tags"):
            yield _gone(f"networking.outbound[{number}].tags", _OF_NETWORKING["outbound[].tags"])
    proxying = networking.get("transparentProxying") or {}
    for name in ("reachableServices", "directAccessServices"):
        if proxying.get(name):
            path = f"transparentProxying.{name}"
            yield _gone(f"networking.{path}", _OF_NETWORKING[path])
    if (networking.get("gateway") or {}).get("type") == "BUILTIN":
        yield _gone("a builtin gateway", "type DELEGATED, with Kong Gateway or another one behind it")
    for number, inbound in enumerate(networking.get("inbound") or []):
        # What is in tags nobody checked: they are texts of one's own.
        tags = inbound.get("tags")
        if isinstance(tags, dict) and tags.get("kuma.io/protocol") and not inbound.get("protocol"):
            yield _gone(f"tag kuma.io/protocol of networking.inbound[{number}]", "the field protocol, next to it or")


def _of_spec(spec: Raw) -> t.Iterator[str]:
    reference = _kind(spec.get("targetRef"))
    if reference in _REF_KINDS:
        yield _gone(f"spec.targetRef.kind {reference}", _REF_KINDS[reference])
    if spec.get("from"):
        yield _gone("spec.from", "rules (in an object of its own: rules stand next to neither from nor to)")
    for path, value in _walk(spec.get("to") or [], "spec.to"):
        is_reference = re.search(r"(targetRef|backendRef|backendRefs\[\d+\])\Z", path)
        if is_reference and _kind(value) in _TARGETS:
            yield _gone(f"{path}.kind {_kind(value)}", _TARGETS[_kind(value)])
    for path, value in _walk(spec, "spec"):
        if path.endswith(".openTelemetry") and isinstance(value, dict) and value.get("endpoint"):
            yield _gone(f"{path}.endpoint", "a MeshOpenTelemetryBackend, and its labels in backendRef,")


def _kind(reference: t.Any) -> str:
    """Of what is referred to; what is no text is nothing that was removed, and refused by the control plane."""
    kind = reference.get("kind") if isinstance(reference, dict) else None
    return kind if isinstance(kind, str) else ""


def _walk(value: t.Any, path: str) -> t.Iterator[tuple[str, t.Any]]:
    yield path, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _walk(item, f"{path}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, f"{path}[{number}]")
