# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Kuma 3.0 removes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import removed
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    resource,
    timeout,
    wanted,
)


def to(**more: t.Any) -> dict[str, t.Any]:
    return {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}, **more}]}


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (
            resource("TrafficPermission"),
            "the kind TrafficPermission is gone in Kuma 3.0; write MeshTrafficPermission instead",
        ),
        (resource("ExternalService"), "write MeshExternalService instead"),
        (resource("VirtualOutbound"), "HostnameGenerator"),
        (resource("MeshGateway"), "a delegated gateway"),
        (resource("ZoneIngress", mesh=None), "MeshZoneAddress"),
        (resource("Mesh", mesh=None, mtls={"enabledBackend": "ca-1"}), "mtls is gone in Kuma 3.0; write MeshIdentity"),
        (resource("Mesh", mesh=None, metrics={"enabledBackend": "p"}), "write MeshMetric instead"),
        (resource("Mesh", mesh=None, tracing={"defaultBackend": "p"}), "write MeshTrace instead"),
        (resource("Mesh", mesh=None, logging={"defaultBackend": "p"}), "write MeshAccessLog instead"),
        (resource("Mesh", "m.3", mesh=None), "the name 'm.3'"),
        (
            timeout(spec={"targetRef": {"kind": "MeshSubset", "tags": {"a": "b"}}, **to()}),
            "spec.targetRef.kind MeshSubset is gone",
        ),
        (
            timeout(spec={"targetRef": {"kind": "MeshService", "name": "x"}, **to()}),
            "spec.targetRef.kind MeshService is gone",
        ),
        (
            timeout(spec={"from": [{"targetRef": {"kind": "Mesh"}, "default": {}}]}),
            "spec.from is gone in Kuma 3.0; write rules",
        ),
        (
            timeout(spec=to(targetRef={"kind": "MeshServiceSubset", "name": "x"})),
            "spec.to[0].targetRef.kind MeshServiceSubset",
        ),
        (
            resource(
                "MeshTCPRoute",
                spec={"to": [{"rules": [{"default": {"backendRefs": [{"kind": "MeshServiceSubset"}]}}]}]},
            ),
            "backendRefs[0].kind MeshServiceSubset",
        ),
        (
            resource("MeshMetric", spec={"default": {"backends": [{"openTelemetry": {"endpoint": "c:4317"}}]}}),
            "openTelemetry.endpoint is gone",
        ),
        (resource("Dataplane", networking={"advertisedAddress": "1.2.3.4"}), "networking.advertisedAddress is gone"),
        (
            resource("Dataplane", networking={"outbound": [{"tags": {"kuma.io/service": "b"}}]}),
            "networking.outbound[0].tags is gone",
        ),
        (resource("Dataplane", networking={"gateway": {"type": "BUILTIN"}}), "a builtin gateway is gone"),
        (
            resource("Dataplane", networking={"transparentProxying": {"reachableServices": ["a"]}}),
            "write reachableBackends instead",
        ),
        (
            resource("Dataplane", networking={"inbound": [{"port": 1, "tags": {"kuma.io/protocol": "http"}}]}),
            "the field protocol",
        ),
    ],
)
def test_what_is_gone_in_3_is_named_with_what_to_write(body: dict[str, t.Any], finding: str) -> None:
    (found,) = removed.findings(wanted(body))
    assert finding in found


def test_what_stays_is_not_refused() -> None:
    inbound = {"port": 1, "protocol": "http", "tags": {"kuma.io/protocol": "http", "kuma.io/service": "a"}}
    assert (
        removed.findings(
            wanted(
                resource("Mesh", "default", mesh=None, meshServices={"mode": "Exclusive"}),
                resource("MeshIdentity", spec={"provider": {"type": "Spire"}}),
                timeout(spec={"targetRef": {"kind": "Dataplane", "labels": {"a": "b"}}, **to()}),
                timeout("rules", spec={"rules": [{"default": {}}]}),
                timeout("service", spec=to(targetRef={"kind": "MeshService", "name": "x"})),
                resource("Dataplane", networking={"inbound": [inbound], "gateway": {"type": "DELEGATED"}}),
            )
        )
        == []
    )
