# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who may call whom, in one file that a person reads, as MeshTrafficPermissions and NetworkPolicies. Pure.

With mTLS everything that is not allowed is denied, so the file is the whole truth: one MeshTrafficPermission for each
service that somebody calls, with all of its callers in it. A line more or less changes one object.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import listed, suggestion

_TOP = ("mesh", "zone", "trust_domain", "services", "calls", "allow_cycles")
_OF_SERVICE = ("workload", "namespace", "service_account", "labels", "pod_labels", "ports", "spiffe_id")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+\Z")
PREFIX = "calls-to-"


class Service(t.NamedTuple):
    name: str
    #: what its certificate says
    spiffe_id: str
    #: labels of its dataplanes; None for a caller that is not in this mesh
    labels: dict[str, str] | None
    #: where its pods are, for NetworkPolicies
    namespace: str | None
    pod_labels: dict[str, str]
    ports: list[int]


class Graph(t.NamedTuple):
    mesh: str
    services: dict[str, Service]
    #: callers of each service, in the order of the file
    callers: dict[str, list[str]]


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
    if not problems:
        problems += _cycles(callers, content.get("allow_cycles") or [])
    if problems:
        raise Problems(f"{origin}: {problem}" for problem in problems)
    return Graph(str(own), services, callers)


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
    if not isinstance(ports, list) or not all(isinstance(port, int) and 0 < port < 65536 for port in ports):
        problems.append(".ports: expected a list of ports")
    if problems:
        return problems
    workload = options.get("workload") or name
    labels: dict[str, str] | None = options.get("labels")
    if namespace:
        identity = f"spiffe://{domain}/ns/{namespace}/sa/{account or 'default'}"
        labels = labels or {"k8s.kuma.io/namespace": namespace, "k8s.kuma.io/service-account": account or "default"}
    else:
        identity = f"spiffe://{domain}/workload/{workload}"
        labels = labels or (None if options.get("spiffe_id") else {"kuma.io/workload": workload})
    return Service(
        name, options.get("spiffe_id") or identity, labels, namespace, options.get("pod_labels") or {}, list(ports)
    )


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
            elif str(callee) in services and services[str(callee)].labels is None:
                problems.append(f"calls.{caller}: {callee} is outside of the mesh (it has a spiffe_id and no labels)")
            elif caller in callers.get(callee, []):
                problems.append(f"calls.{caller}: {callee} stands there twice")
            else:
                callers.setdefault(str(callee), []).append(str(caller))
    return callers


def _cycles(callers: dict[str, list[str]], allowed: t.Any) -> list[str]:
    """Services that call each other in a ring: none of them works without all others, and retries multiply.

    That a service calls itself, as the members of a database do, is no ring.
    """
    if not isinstance(allowed, list) or not all(isinstance(item, list) for item in allowed):
        return ["allow_cycles: expected a list of lists of services"]
    accepted = [{str(name) for name in item} for item in allowed]
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
    """One MeshTrafficPermission for each service that is called."""
    found = []
    for callee in sorted(graph.callers):
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


def network_policies(graph: Graph) -> list[Raw]:
    """The same as NetworkPolicies, for the services whose pods are known; who calls one from elsewhere is refused.

    A service that nobody calls gets one as well, which lets nothing in.
    """
    problems: list[str] = []
    found: list[Raw] = []
    for name, service in sorted(graph.services.items()):
        if not service.namespace or not service.pod_labels:
            continue
        sources = []
        for caller in (graph.services[one] for one in graph.callers.get(name, [])):
            if not caller.namespace or not caller.pod_labels:
                problems.append(
                    f"{caller.name} calls {name}, so a NetworkPolicy needs to know where its pods are: give it "
                    "namespace and pod_labels"
                )
                continue
            sources.append(
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": caller.namespace}},
                    "podSelector": {"matchLabels": caller.pod_labels},
                }
            )
        rule: Raw = {"from": sources}
        if service.ports:
            rule["ports"] = [{"port": port, "protocol": "TCP"} for port in service.ports]
        spec: Raw = {"podSelector": {"matchLabels": service.pod_labels}, "policyTypes": ["Ingress"]}
        if sources:
            # An empty list would be the same, but the server leaves it out and writes anew each time it is applied.
            spec["ingress"] = [rule]
        found.append(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": f"{PREFIX}{name}", "namespace": service.namespace},
                "spec": spec,
            }
        )
    if problems:
        raise Problems(problems)
    return found
