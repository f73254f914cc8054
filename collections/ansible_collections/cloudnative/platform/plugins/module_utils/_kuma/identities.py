# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Whether the callers of a call graph are who a mesh says they are.

A permission names its callers by their SPIFFE IDs, which MeshIdentities make of templates. Where it names somebody whom
no identity makes, the control plane takes it, and everybody is denied.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import reading
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.callgraph import Graph
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import ControlPlane, Refused
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.documents import Wanted, key_of, label_of
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, KumaError, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.services import Service
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed

KIND = "MeshIdentity"
#: What one has that says nothing of it.
_DOMAIN = "{{ .Mesh }}.{{ .Zone }}.mesh.local"
_PATH_ON_HOSTS = "/workload/{{ .Workload }}"
PATH_ON_KUBERNETES = "/ns/{{ .Namespace }}/sa/{{ .ServiceAccount }}"
_TEMPLATE = re.compile(r"{{-?\s*(.*?)\s*-?}}")


class Identity(t.NamedTuple):
    """The templates of a MeshIdentity."""

    label: str
    domain: str
    path: str


def identity(label: str, body: Raw, path: str) -> Identity:
    said = (body.get("spec") or {}).get("spiffeID") or {}
    return Identity(label, str(said.get("trustDomain") or _DOMAIN), str(said.get("path") or path))


def of_universal(control: ControlPlane, graph: Graph, wanted: t.Iterable[Wanted]) -> list[str]:
    def observed() -> list[Identity]:
        try:
            found = control.pages(KINDS[KIND].collection(quote(graph.mesh)))
        except Refused as e:
            if e.no_mesh or e.status == 403:  # of what may not be read, nothing can be said
                return []
            raise
        return [identity(label_of(key_of(body)), body, _PATH_ON_HOSTS) for body in found]

    def zone() -> str | None:
        try:
            return reading.about(control).zone
        except KumaError as e:
            if isinstance(e.__cause__, Refused):  # whoever only looks may not see how it is set up
                return None
            raise

    return against(graph, wanted, _PATH_ON_HOSTS, observed, zone)


def against(
    graph: Graph,
    wanted: t.Iterable[Wanted],
    path: str,
    observed: t.Callable[[], list[Identity]],
    zone: t.Callable[[], str | None],
) -> list[str]:
    """What is there is asked for only when what is wished does not settle it."""
    found = [identity(one.label, one.body, path) for one in wanted if (one.kind, one.mesh) == (KIND, graph.mesh)]
    where = zone() if _have_zone(found) else None
    wrong = problems(graph, found, where)
    if found and not wrong:
        return []
    wished = {one.label for one in found}
    found += [one for one in observed() if one.label not in wished]
    return problems(graph, found, where or (zone() if _have_zone(found) else None))


def _have_zone(identities: t.Iterable[Identity]) -> bool:
    return any(".Zone" in text for one in identities for text in (one.domain, one.path))


def problems(graph: Graph, identities: t.Sequence[Identity], zone: str | None) -> list[str]:
    """Callers that none of the identities makes. Where there are none, nobody is known by one. Pure.

    What of a template is not known, as the zone may be, is taken to fit.
    """
    callers = sorted({name for names in graph.callers.values() for name in names})
    named = [graph.services[name] for name in callers if graph.services[name].named]
    if not identities or not named:
        return []
    known = {".Mesh": graph.mesh, **({".Zone": zone} if zone else {})}
    inside = [one for one in identities if _fits(one.domain, known, graph.trust_domain)]
    if not inside:
        shown = listed([f"{_shown(one.domain, known)} ({one.label})" for one in identities], 5)
        return [
            f"{graph.origin}: its trust domain is {graph.trust_domain}, that of the mesh is {shown}: every call "
            "would be denied; correct zone or trust_domain"
        ]
    shown = listed([f"{_shown(one.path, known)} ({one.label})" for one in inside], 5)
    found = []
    for one in named:
        path = one.spiffe_id[len(f"spiffe://{graph.trust_domain}") :]
        if not any(_fits(other.path, known, path) for other in inside):
            found.append(
                f"{graph.origin}: services.{one.name}: it would call as {path}, and the mesh makes {shown}: every call "
                f"of it would be denied; {_remedy(one)}, or say its spiffe_id"
            )
    return found


def _remedy(service: Service) -> str:
    return "take its namespace out" if service.namespace else "give it namespace and service_account"


def _fits(template: str, known: t.Mapping[str, str], text: str) -> bool:
    pattern, at = "", 0
    for match in _TEMPLATE.finditer(template):
        pattern += re.escape(template[at : match.start()])
        pattern += re.escape(known[match[1]]) if match[1] in known else "[^/]+"
        at = match.end()
    return re.fullmatch(pattern + re.escape(template[at:]), text) is not None


def _shown(template: str, known: t.Mapping[str, str]) -> str:
    return _TEMPLATE.sub(lambda match: known.get(match[1], match[0]), template)
