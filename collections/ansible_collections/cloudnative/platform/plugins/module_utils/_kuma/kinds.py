# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The kinds of resources that a Kuma control plane has: paths, shapes, order. Pure.

On Universal there are two shapes: policies and their like carry `spec`, while Mesh, Dataplane, secrets and all old
kinds are flat. A flat kind sent with a `spec` is accepted and loses all that is in it, so the table says which is
which.
"""

from __future__ import annotations

import enum
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._wording import suggestion

Raw = dict[str, t.Any]

#: Fields around what a resource says, by which it is found or which the control plane fills in.
ENVELOPE = ("type", "mesh", "name", "labels")
ANSWERED = ("creationTime", "modificationTime", "kri", "snis", "status")


class KumaError(Exception):
    """Anything this package reports to a user; str() is the whole text."""


class Problems(KumaError):
    """All that is wrong with the input or the plan, found before anything was written."""

    def __init__(self, problems: t.Iterable[str]) -> None:
        self.problems = list(dict.fromkeys(problems))
        super().__init__("; ".join(self.problems))


class Stage(enum.IntEnum):
    """What is written before what, and deleted after it.

    Permissions and the mode of mTLS come before identity: from the moment on that an identity is ready, everything that
    no permission allows is denied, and plain text is cut where no MeshTLS says otherwise.
    """

    MESH = 0
    SECRET = 1
    PERMISSION = 2
    IDENTITY = 3
    SERVICE = 4
    POLICY = 5
    DATAPLANE = 6


class Kind(t.NamedTuple):
    name: str
    #: the last part of the path of its list
    path: str
    stage: Stage
    #: whether it is inside of a mesh
    in_mesh: bool = True
    #: whether its fields stand next to its name rather than in `spec`
    flat: bool = False
    #: how the custom resource is placed: in a namespace, or for the whole cluster
    namespaced: bool = True
    #: of those that Kuma 3.0 removes: what to write instead
    instead: str = ""
    #: the control plane makes objects of this kind itself on Kubernetes
    from_pods: bool = False

    def collection(self, mesh: str | None) -> str:
        """Path of the list: of one mesh, or of all."""
        return f"/meshes/{mesh}/{self.path}" if self.in_mesh and mesh else f"/{self.path}"


def _policy(name: str, path: str = "", stage: Stage = Stage.POLICY) -> Kind:
    return Kind(name, path or f"{name.lower()}s", stage)


def _old(name: str, path: str, instead: str, in_mesh: bool = True, namespaced: bool = False) -> Kind:
    return Kind(name, path, Stage.POLICY, in_mesh, flat=True, namespaced=namespaced, instead=instead)


_ZONE_PROXY = "a MeshZoneAddress and zone proxies of the mesh (the chart's meshes[].ingress and meshes[].egress)"
_GATEWAY = "a delegated gateway, as Kong Gateway is: a Dataplane with networking.gateway.type DELEGATED"

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Mesh", "meshes", Stage.MESH, in_mesh=False, flat=True, namespaced=False),
        Kind("Zone", "zones", Stage.MESH, in_mesh=False, flat=True, namespaced=False),
        Kind("GlobalSecret", "global-secrets", Stage.SECRET, in_mesh=False, flat=True),
        Kind("Secret", "secrets", Stage.SECRET, flat=True),
        _policy("MeshTrafficPermission", stage=Stage.PERMISSION),
        _policy("MeshTLS", "meshtlses", Stage.PERMISSION),
        _policy("MeshTrust", stage=Stage.IDENTITY),
        _policy("MeshIdentity", "meshidentities", Stage.IDENTITY),
        Kind("HostnameGenerator", "hostnamegenerators", Stage.SERVICE, in_mesh=False),
        _policy("MeshService", stage=Stage.SERVICE),
        _policy("MeshExternalService", stage=Stage.SERVICE),
        _policy("MeshMultiZoneService", stage=Stage.SERVICE),
        _policy("MeshOpenTelemetryBackend", stage=Stage.SERVICE),
        _policy("MeshZoneAddress", "meshzoneaddresses", Stage.SERVICE),
        _policy("MeshAccessLog"),
        _policy("MeshCircuitBreaker"),
        _policy("MeshFaultInjection"),
        _policy("MeshHealthCheck"),
        _policy("MeshHTTPRoute"),
        _policy("MeshLoadBalancingStrategy", "meshloadbalancingstrategies"),
        _policy("MeshMetric"),
        _policy("MeshPassthrough"),
        _policy("MeshProxyPatch", "meshproxypatches"),
        _policy("MeshRateLimit"),
        _policy("MeshRetry", "meshretries"),
        _policy("MeshTCPRoute"),
        _policy("MeshTimeout"),
        _policy("MeshTrace"),
        Kind("Dataplane", "dataplanes", Stage.DATAPLANE, flat=True, from_pods=True),
        _old("CircuitBreaker", "circuit-breakers", "MeshCircuitBreaker"),
        _old("ExternalService", "external-services", "MeshExternalService"),
        _old("FaultInjection", "fault-injections", "MeshFaultInjection"),
        _old("HealthCheck", "health-checks", "MeshHealthCheck"),
        _old("MeshGateway", "meshgateways", _GATEWAY),
        _old("MeshGatewayRoute", "meshgatewayroutes", _GATEWAY),
        _old("ProxyTemplate", "proxytemplates", "MeshProxyPatch"),
        _old("RateLimit", "rate-limits", "MeshRateLimit"),
        _old("Retry", "retries", "MeshRetry"),
        _old("Timeout", "timeouts", "MeshTimeout"),
        _old("TrafficLog", "traffic-logs", "MeshAccessLog"),
        _old("TrafficPermission", "traffic-permissions", "MeshTrafficPermission"),
        _old("TrafficRoute", "traffic-routes", "MeshHTTPRoute or MeshTCPRoute"),
        _old("TrafficTrace", "traffic-traces", "MeshTrace"),
        _old("VirtualOutbound", "virtual-outbounds", "MeshService with a HostnameGenerator"),
        _old("ZoneEgress", "zoneegresses", _ZONE_PROXY, in_mesh=False, namespaced=True),
        _old("ZoneIngress", "zoneingresses", _ZONE_PROXY, in_mesh=False, namespaced=True),
    )
}

#: Kinds of the API that only the control plane writes.
NOT_WRITTEN = {
    "Workload": "the control plane makes it of the label kuma.io/workload of dataplanes",
    "DataplaneInsight": "the control plane makes it",
    "MeshInsight": "the control plane makes it",
    "ServiceInsight": "the control plane makes it",
    "ZoneInsight": "the control plane makes it",
    "ZoneIngressInsight": "the control plane makes it",
    "ZoneEgressInsight": "the control plane makes it",
}

#: Secrets that the control plane made or lives by. It never makes a signing key again: all tokens would end with it.
_ITS_OWN_SECRETS = ("-token-signing-key-", ".ca-builtin-", "-token-revocations")
_ITS_OWN_GLOBAL_SECRETS = ("admin-user-token", "envoy-admin-ca", "inter-cp-ca", "user-token-signing-key-")


def unknown(name: t.Any) -> str:
    """Why this is not a kind that can be written."""
    if name in NOT_WRITTEN:
        return f"{name} is not written by anybody else: {NOT_WRITTEN[name]}"
    return f"unknown kind {name!r}{suggestion(str(name), KINDS)}"


def is_its_own_secret(kind: str, name: str) -> bool:
    """Whether a secret is one of the control plane's, which no pruning may touch."""
    if kind not in ("Secret", "GlobalSecret"):
        return False
    parts = _ITS_OWN_SECRETS + (_ITS_OWN_GLOBAL_SECRETS if kind == "GlobalSecret" else ())
    return any(part in name for part in parts)
