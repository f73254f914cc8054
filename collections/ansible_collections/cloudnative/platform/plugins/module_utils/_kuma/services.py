# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The services of a call graph: where each is, and who it is to the others. Pure."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import labels as label_syntax
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.network import are_ports, is_namespace
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import suggestion

_FIELDS = (
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
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
#: Longer ones exist, and are not the value of a label, by which the mesh knows whose account it is.
_ACCOUNT = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+\Z")


class Service(t.NamedTuple):
    name: str
    #: what its certificate says; "" for one outside that has none
    spiffe_id: str
    #: whether that is what a MeshIdentity makes of its name or its account, rather than said in the graph
    named: bool
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


def read(given: Raw, domain: str, problems: list[str]) -> dict[str, Service]:
    """Those that are in order, by their names."""
    services: dict[str, Service] = {}
    for name, options in given.items():
        found = _problems(name, {} if options is None else options, domain)
        if found:
            problems += [f"services.{name}{problem}" for problem in found]
        else:
            services[name] = _service(name, options or {}, domain)
    problems += _twins(services)
    return services


def _problems(name: t.Any, options: t.Any, domain: str) -> list[str]:
    if not isinstance(options, dict):
        return [": expected a mapping, which may be empty"]
    problems = [f".{key}: unknown field{suggestion(str(key), _FIELDS)}" for key in options if key not in _FIELDS]
    if not (isinstance(name, str) and _NAME.match(name)):
        problems.append(
            ": a name has lower case letters, digits and dashes only, at most 63, and is a text: a number, yes or no "
            "stand in quotes"
        )
    for key in ("labels", "pod_labels"):
        value = options.get(key) or {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            problems.append(f".{key}: expected a mapping of texts")
        else:
            problems += [f".{key}.{label}: {problem}" for label, problem in label_syntax.problems(value)]
    problems += _identity_problems(options, domain)
    if not are_ports(options.get("ports") or []):
        problems.append(".ports: expected a list of ports")
    if not isinstance(options.get("gateway", False), bool):
        problems.append(".gateway: expected true or false")
    return [*problems, *_cidr_problems(options.get("cidrs") or [], options)]


def _identity_problems(options: Raw, domain: str) -> t.Iterator[str]:
    namespace, account, workload = (options.get(key) for key in ("namespace", "service_account", "workload"))
    if namespace is not None and not is_namespace(namespace):
        yield f".namespace: {namespace!r} is no name of a namespace"
    if account is not None and not (isinstance(account, str) and _ACCOUNT.match(account)):
        yield f".service_account: {account!r} is no name of a service account, at most 63 characters long"
    elif account and not namespace:
        yield ".service_account: needs namespace"
    if workload is not None and not (isinstance(workload, str) and workload and label_syntax.is_value(workload)):
        yield f".workload: {workload!r} is no value of the label kuma.io/workload"
    if options.get("spiffe_id") and not _SPIFFE.match(str(options["spiffe_id"])):
        yield f".spiffe_id: {options['spiffe_id']!r} is none, expected one like spiffe://{domain}/workload/web"


def _cidr_problems(cidrs: t.Any, options: Raw) -> t.Iterator[str]:
    if not isinstance(cidrs, list):
        yield ".cidrs: expected a list of networks"
        return
    for cidr in cidrs:
        try:
            # A number would be taken as an address.
            ipaddress.ip_network(cidr if isinstance(cidr, str) else "")
        except ValueError:
            yield f".cidrs: {cidr!r} is no network, expected one like 203.0.113.0/24"
    inside = [name for name in _INSIDE if options.get(name)]
    if cidrs and inside:
        yield f".cidrs: they are of a service outside, and {inside[0]} is of one in the mesh"


def _service(name: str, options: Raw, domain: str) -> Service:
    namespace, account, cidrs = options.get("namespace"), options.get("service_account"), options.get("cidrs") or []
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
    said = options.get("spiffe_id")
    return Service(
        name,
        said or identity,
        bool(identity and not said),
        labels,
        namespace,
        options.get("pod_labels") or {},
        list(options.get("ports") or []),
        options.get("gateway", False),
        list(cidrs),
    )


def _twins(services: dict[str, Service]) -> t.Iterator[str]:
    """Services that nothing tells apart: what one may, the other could as well."""
    seen: dict[t.Any, str] = {}
    permission = (
        "so a permission of one is a permission of both: give each a service_account, a workload or labels of its own"
    )
    policy = "so a NetworkPolicy of one is one of both: give each pod_labels of its own"
    for name, service in services.items():
        labels = tuple(sorted(service.labels.items())) if service.labels else None
        is_placed = service.namespace and service.pod_labels
        pods = (service.namespace, *sorted(service.pod_labels.items())) if is_placed else None
        for mark, what, so in (
            (service.spiffe_id, service.spiffe_id, permission),
            (labels, "the labels of its dataplanes", permission),
            (pods, f"the pod_labels in namespace {service.namespace}", policy),
        ):
            if not mark:
                continue
            if mark in seen:
                yield f"services.{name}: {what} is what {seen[mark]} has too, {so}"
                break
            seen[mark] = name
