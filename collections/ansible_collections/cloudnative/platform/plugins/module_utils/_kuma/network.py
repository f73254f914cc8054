# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What every pod needs besides the calls of the graph, for NetworkPolicies. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._wording import suggestion

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


class Network(t.NamedTuple):
    default_deny: bool = True
    dns_namespace: str = "kube-system"
    control_plane_namespace: str = "kuma-system"
    monitoring_namespace: str = "monitoring"
    #: where MeshMetric serves the metrics of a pod
    metrics_ports: t.Sequence[int] = (5670,)
    #: of a collector of access logs and traces in the namespace of the monitoring
    telemetry_ports: t.Sequence[int] = ()


class Collector(t.NamedTuple):
    """Where proxies send access logs and traces."""

    address: str
    port: int


def read(given: t.Any, defaults: Network, problems: list[str]) -> Network:
    options = {} if given is None else given
    if not isinstance(options, dict):
        problems.append(f"network: expected a mapping of {', '.join(Network._fields)}")
        return defaults
    found = []
    for name, value in options.items():
        if name not in Network._fields:
            found.append(f"network.{name}: unknown field{suggestion(str(name), Network._fields)}")
        elif name.endswith("_ports") and not are_ports(value):
            found.append(f"network.{name}: expected a list of ports")
        elif name.endswith("_namespace") and not is_namespace(value):
            found.append(f"network.{name}: {value!r} is no name of a namespace")
        elif name == "default_deny" and not isinstance(value, bool):
            found.append("network.default_deny: expected true or false")
    problems += found
    return defaults if found else defaults._replace(**options)


def are_ports(value: t.Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 for port in value
    )


def is_namespace(value: t.Any) -> bool:
    return isinstance(value, str) and bool(_NAMESPACE.match(value))
