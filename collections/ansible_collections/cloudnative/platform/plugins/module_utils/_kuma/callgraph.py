# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who may call whom, in one file that a person reads, as MeshTrafficPermissions. Pure.

With mTLS everything that is not allowed is denied, so the file is the whole truth: one MeshTrafficPermission for each
service that somebody calls, with all of its callers in it. A line more or less changes one object.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed, suggestion

_TOP = ("mesh", "zone", "trust_domain", "services", "calls", "allow_cycles", "network")
_OF_SERVICE = (
    "workload",
    "namespace",
    "service_account",
    "labels",
    "pod_labels",
    "ports",
    "spiffe_id",
    "gateway",
    "cidrs",
)
#: What says where in the mesh a service is; one that is outside has none of it.
_INSIDE = ("workload", "namespace", "labels", "pod_labels")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+\Z")
PREFIX = "calls-to-"


class Service(t.NamedTuple):
    name: str
    #: what its certificate says; "" for one outside that has none
    spiffe_id: str
    #: labels of its dataplanes; None for one that is not in this mesh
    labels: dict[str, str] | None
    #: where its pods are, for NetworkPolicies
    namespace: str | None
    pod_labels: dict[str, str]
    ports: list[int]
    #: whether it takes calls from outside, past its proxy: nothing here says who may call it
    gateway: bool
    #: where it is when it is no pod of this cluster
    cidrs: list[str]


class Network(t.NamedTuple):
    """What every pod needs besides the calls of the graph, for NetworkPolicies."""

    default_deny: bool = True
    dns_namespace: str = "kube-system"
    control_plane_namespace: str = "kuma-system"
    monitoring_namespace: str = "monitoring"
    #: where MeshMetric serves the metrics of a pod
    metrics_ports: t.Sequence[int] = (5670,)
    #: of a collector of access logs and traces in the namespace of the monitoring
    telemetry_ports: t.Sequence[int] = ()


class Graph(t.NamedTuple):
    mesh: str
    services: dict[str, Service]
    #: callers of each service, in the order of the file
    callers: dict[str, list[str]]
    network: Network


def read(content: t.Any, mesh: str, origin: str = "call_graph") -> Graph:
    """The checked graph; raises `Problems` with everything that is wrong with it."""
    if not isinstance(content, dict):
        raise KumaError(f"{origin}: a call graph is a mapping with services and calls")
    problems = [f"{name}: unknown field{suggestion(str(name), _TOP)}" for name in content if name not in _TOP]
    own = content.get("mesh") or mesh
    domain = content.get("trust_domain") or f"{own}.{content.get('zone') or 'default'}.mesh.local"
    services: dict[str, Service] = {}
    given = {} if content.get("services") is None else content["services"]
    if not isinstance(given, dict):
        problems.append("services: expected a mapping of names")
        given = {}
    for name, options in given.items():
        found = _service(str(name), options or {}, str(domain))
        if isinstance(found, list):
            problems += [f"services.{name}{problem}" for problem in found]
        else:
            services[str(name)] = found
    calls = {} if content.get("calls") is None else content["calls"]
    if not isinstance(calls, dict):
        problems.append("calls: expected a mapping of each caller to a list of whom it calls")
        calls = {}
    callers = _callers(calls, {str(name) for name in given}, services, problems)
    problems += _twins(services)
    network = _network(content.get("network"), problems)
    if not problems:
        problems += _cycles(callers, content.get("allow_cycles") or [], services)
    if problems:
        raise Problems(f"{origin}: {problem}" for problem in problems)
    return Graph(str(own), services, callers, network)


def _network(given: t.Any, problems: list[str]) -> Network:
    options = {} if given is None else given
    if not isinstance(options, dict):
        problems.append(f"network: expected a mapping of {', '.join(Network._fields)}")
        return Network()
    for name, value in options.items():
        if name not in Network._fields:
            problems.append(f"network.{name}: unknown field{suggestion(str(name), Network._fields)}")
        elif name.endswith("_ports") and not _are_ports(value):
            problems.append(f"network.{name}: expected a list of ports")
        elif name.endswith("_namespace") and not (isinstance(value, str) and _NAME.match(value)):
            problems.append(f"network.{name}: {value!r} is no name of a namespace")
        elif name == "default_deny" and not isinstance(value, bool):
            problems.append("network.default_deny: expected true or false")
    return Network() if problems else Network(**options)


def _are_ports(value: t.Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 for port in value
    )


def _twins(services: dict[str, Service]) -> t.Iterator[str]:
    """Services that nothing tells apart: what one may, the other could as well."""
    seen: dict[t.Any, str] = {}
    for name, service in services.items():
        labels = tuple(sorted(service.labels.items())) if service.labels else None
        for mark, what in ((service.spiffe_id, service.spiffe_id), (labels, "the labels of its dataplanes")):
            if not mark:
                continue
            if mark in seen:
                yield (
                    f"services.{name}: {what} is what {seen[mark]} has too, so a permission of one is a permission of "
                    "both: give each a service_account, a workload or labels of its own"
                )
                break
            seen[mark] = name


def _service(name: str, options: t.Any, domain: str) -> Service | list[str]:
    if not isinstance(options, dict):
        return [": expected a mapping, which may be empty"]
    problems = [
        f".{key}: unknown field{suggestion(str(key), _OF_SERVICE)}" for key in options if key not in _OF_SERVICE
    ]
    if not _NAME.match(name):
        problems.append(": a name has lower case letters, digits and dashes only")
    for key in ("labels", "pod_labels"):
        value = options.get(key) or {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            problems.append(f".{key}: expected a mapping of texts")
    namespace, account = options.get("namespace"), options.get("service_account")
    if account and not namespace:
        problems.append(".service_account: needs namespace")
    if options.get("spiffe_id") and not _SPIFFE.match(str(options["spiffe_id"])):
        problems.append(
            f".spiffe_id: {options['spiffe_id']!r} is none, expected one like spiffe://{domain}/workload/web"
        )
    ports = options.get("ports") or []
    if not _are_ports(ports):
        problems.append(".ports: expected a list of ports")
    gateway, cidrs = options.get("gateway", False), options.get("cidrs") or []
    if not isinstance(gateway, bool):
        problems.append(".gateway: expected true or false")
    problems += _cidr_problems(cidrs, options)
    if problems:
        return problems
    workload = options.get("workload") or name
    labels: dict[str, str] | None = options.get("labels")
    if namespace:
        identity = f"spiffe://{domain}/ns/{namespace}/sa/{account or 'default'}"
        labels = labels or {"k8s.kuma.io/namespace": namespace, "k8s.kuma.io/service-account": account or "default"}
    elif cidrs:
        identity = ""
    else:
        identity = f"spiffe://{domain}/workload/{workload}"
        labels = labels or (None if options.get("spiffe_id") else {"kuma.io/workload": workload})
    return Service(
        name,
        options.get("spiffe_id") or identity,
        labels,
        namespace,
        options.get("pod_labels") or {},
        list(ports),
        gateway,
        list(cidrs),
    )


def _cidr_problems(cidrs: t.Any, options: Raw) -> t.Iterator[str]:
    if not isinstance(cidrs, list):
        yield ".cidrs: expected a list of networks"
        return
    for cidr in cidrs:
        try:
            ipaddress.ip_network(cidr)
        except (TypeError, ValueError):
            yield f".cidrs: {cidr!r} is no network, expected one like 203.0.113.0/24"
    inside = [name for name in _INSIDE if options.get(name)]
    if cidrs and inside:
        yield f".cidrs: they are of a service outside, and {inside[0]} is of one in the mesh"


def _callers(calls: Raw, names: set[str], services: dict[str, Service], problems: list[str]) -> dict[str, list[str]]:
    callers: dict[str, list[str]] = {}
    for caller, callees in calls.items():
        if caller not in names:
            problems.append(f"calls.{caller}: no service of this name{suggestion(str(caller), names)}")
        if not isinstance(callees, list):
            problems.append(f"calls.{caller}: expected a list of services")
            continue
        for callee in callees:
            if callee not in names:
                problems.append(
                    f"calls.{caller}: calls {callee!r}, no service of this name{suggestion(str(callee), names)}"
                )
            elif caller in callers.get(str(callee), []):
                problems.append(f"calls.{caller}: {callee} stands there twice")
            else:
                problems += _call_problems(services.get(str(caller)), services.get(str(callee)))
                callers.setdefault(str(callee), []).append(str(caller))
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
                "name": f"{PREFIX}{callee}",
                "spec": {
                    "targetRef": {"kind": "Dataplane", "labels": graph.services[callee].labels},
                    "rules": [
                        {"default": {"allow": [{"spiffeID": {"type": "Exact", "value": value}} for value in allow]}}
                    ],
                },
            }
        )
    return found
