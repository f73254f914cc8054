# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who may call whom, in one file that a person reads, as MeshTrafficPermissions. Pure.

With mTLS everything that is not allowed is denied, so the file is the whole truth: one MeshTrafficPermission for each
service that somebody calls, with all of its callers in it. A line more or less changes one object.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import network as networks
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import services as members
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.network import Network
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.services import Service
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed, suggestion

_FIELDS = ("mesh", "zone", "trust_domain", "services", "calls", "allow_cycles", "network")
_DOMAIN = re.compile(r"[a-z0-9._-]{1,253}\Z")
#: Of a mesh or a zone. Kuma still takes dots.
_PLACE = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z")
_DEFAULT = "default"
PREFIX = "calls-to-"


class Graph(t.NamedTuple):
    mesh: str
    services: dict[str, Service]
    #: callers of each service, in the order of the file
    callers: dict[str, list[str]]
    network: Network
    trust_domain: str
    #: how messages call it
    origin: str

    def named(self, name: str) -> str:
        """The name of an object that is made of it. On Kubernetes those of all meshes are in one namespace."""
        return name if self.mesh == _DEFAULT else f"{name}-{self.mesh}"


def read(
    content: t.Any,
    mesh: str,
    origin: str = "call_graph",
    around: t.Callable[[str], Network] = lambda _mesh: Network(),
) -> Graph:
    """The checked graph; raises `Problems` with everything that is wrong with it.

    `around` says of a mesh what its network is where the graph does not.
    """
    if not isinstance(content, dict):
        raise KumaError(f"{origin}: a call graph is a mapping with services and calls")
    problems = [f"{name}: unknown field{suggestion(str(name), _FIELDS)}" for name in content if name not in _FIELDS]
    own, zone = content.get("mesh") or mesh, content.get("zone") or _DEFAULT
    for what, name in (("mesh", own), ("zone", zone)):
        if not (isinstance(name, str) and _PLACE.match(name)):
            problems.append(f"{what}: {name!r} is no name of a {what}")
    domain = content.get("trust_domain") or f"{own}.{zone}.mesh.local"
    if content.get("trust_domain") and not (isinstance(domain, str) and _DOMAIN.match(domain)):
        problems.append(f"trust_domain: {domain!r} is none, it has lower case letters, digits, dashes and dots")
    given = {} if content.get("services") is None else content["services"]
    if not isinstance(given, dict):
        problems.append("services: expected a mapping of names")
        given = {}
    services = members.read(given, domain, problems)
    calls = {} if content.get("calls") is None else content["calls"]
    if not isinstance(calls, dict):
        problems.append("calls: expected a mapping of each caller to a list of whom it calls")
        calls = {}
    callers = _callers(calls, {str(name) for name in given}, services, problems)
    network = networks.read(content.get("network"), around(str(own)), problems)
    if not problems:
        problems += _cycles(callers, content.get("allow_cycles") or [], services)
    if problems:
        raise Problems(f"{origin}: {problem}" for problem in problems)
    return Graph(own, services, callers, network, domain, origin)


def _callers(calls: Raw, names: set[str], services: dict[str, Service], problems: list[str]) -> dict[str, list[str]]:
    callers: dict[str, list[str]] = {}
    for caller, callees in calls.items():
        if caller not in names:
            problems.append(f"calls.{caller}: no service of this name{suggestion(str(caller), names)}")
        if not isinstance(callees, list):
            problems.append(f"calls.{caller}: expected a list of services")
            continue
        for callee in callees:
            if not isinstance(callee, str):
                problems.append(f"calls.{caller}: calls {callee!r}, which is no name of a service")
            elif callee not in names:
                problems.append(f"calls.{caller}: calls {callee!r}, no service of this name{suggestion(callee, names)}")
            elif caller in callers.get(callee, []):
                problems.append(f"calls.{caller}: {callee} stands there twice")
            else:
                problems += _call_problems(services.get(str(caller)), services.get(callee))
                callers.setdefault(callee, []).append(str(caller))
    return callers


def _call_problems(caller: Service | None, callee: Service | None) -> t.Iterator[str]:
    """What stands against a call between services that are themselves in order."""
    if caller is None or callee is None:
        return
    call = f"calls.{caller.name}: {callee.name}"
    if callee.gateway:
        yield f"{call} is a gateway, which takes calls past its proxy: no permission can say who may call it"
    elif callee.labels is None and not callee.cidrs:
        yield f"{call} is outside of the mesh (it has a spiffe_id and no labels); give it cidrs to let it be called"
    elif callee.labels is None and caller.labels is None:
        yield f"{call} is outside of the mesh, and so is {caller.name}"
    elif callee.labels is not None and not caller.spiffe_id:
        yield f"{call} is in the mesh and knows its callers by their certificate: give {caller.name} a spiffe_id"


def _cycles(callers: dict[str, list[str]], allowed: t.Any, services: t.Collection[str]) -> list[str]:
    """Services that call each other in a ring: none of them works without all others, and retries multiply.

    That a service calls itself, as the members of a database do, is no ring.
    """
    if not isinstance(allowed, list) or not all(isinstance(item, list) for item in allowed):
        return ["allow_cycles: expected a list of lists of services"]
    accepted = [{str(name) for name in item} for item in allowed]
    unknown = sorted({name for item in accepted for name in item if name not in services})
    if unknown:
        return [f"allow_cycles: {name}, no service of this name{suggestion(name, services)}" for name in unknown]
    rings = rings_of({callee: [one for one in froms if one != callee] for callee, froms in callers.items()})
    return [
        f"{listed(ring, 100)} call each other in a ring; when that is meant, add "
        f"[{listed(sorted(ring), 100)}] to allow_cycles"
        for ring in rings
        if not any(set(ring) <= item for item in accepted)
    ]


def rings_of(callers: t.Mapping[str, t.Sequence[str]]) -> list[list[str]]:
    """Strongly connected components of more than one member (Tarjan), each as a sorted list."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for start in sorted(callers):
        if start in order:
            continue
        work = [(start, iter(callers.get(start, ())))]
        order[start] = low[start] = len(order)
        stack.append(start)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in order:
                    order[other] = low[other] = len(order)
                    stack.append(other)
                    work.append((other, iter(callers.get(other, ()))))
                    break
                if other in stack:
                    low[node] = min(low[node], order[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    at = stack.index(node)
                    ring, stack[at:] = stack[at:], []
                    if len(ring) > 1:
                        found.append(sorted(ring))
    return found


def permissions(graph: Graph) -> list[Raw]:
    """One MeshTrafficPermission for each service of the mesh that is called; what is outside asks no permission."""
    found = []
    for callee in sorted(name for name in graph.callers if graph.services[name].labels is not None):
        allow = sorted({graph.services[caller].spiffe_id for caller in graph.callers[callee]})
        found.append(
            {
                "type": "MeshTrafficPermission",
                "mesh": graph.mesh,
                "name": graph.named(f"{PREFIX}{callee}"),
                "spec": {
                    "targetRef": {"kind": "Dataplane", "labels": graph.services[callee].labels},
                    "rules": [
                        {"default": {"allow": [{"spiffeID": {"type": "Exact", "value": value}} for value in allow]}}
                    ],
                },
            }
        )
    return found
