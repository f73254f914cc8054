# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control plane as a whole: its options, its store, what it makes when it starts and for each mesh."""

from __future__ import annotations

import argparse
import base64
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

from . import rsa, tokens
from .kinds import KINDS, Kind
from .labels import compute
from .store import Resource, Store, now

VERSION = "2.14.3"
_TEN_YEARS = 10 * 365 * 86400
_MESH = {"kind": "Mesh"}
_BACKOFF = {"baseInterval": "25ms", "maxInterval": "250ms"}
_RETRY = {"numRetries": 5, "perTryTimeout": "16s", "backOff": _BACKOFF}


def _rule(conf: dict) -> list[dict]:
    return [{"targetRef": _MESH, "default": conf}]


# Name (before "-<mesh>"), kind, spec of the policies of a new mesh.
_POLICIES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "mesh-gateways-timeout-all",
        "MeshTimeout",
        {
            "targetRef": {"kind": "Mesh", "proxyTypes": ["Gateway"]},
            "to": _rule({"idleTimeout": "1h0m0s", "http": {"streamIdleTimeout": "5s"}}),
            "from": _rule(
                {"idleTimeout": "5m0s", "http": {"streamIdleTimeout": "5s", "requestHeadersTimeout": "500ms"}}
            ),
        },
    ),
    (
        "mesh-timeout-all",
        "MeshTimeout",
        {
            "targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]},
            "to": _rule(
                {
                    "connectionTimeout": "5s",
                    "idleTimeout": "1h0m0s",
                    "http": {"requestTimeout": "15s", "streamIdleTimeout": "30m0s"},
                }
            ),
            "from": _rule(
                {
                    "connectionTimeout": "10s",
                    "idleTimeout": "2h0m0s",
                    "http": {"requestTimeout": "0s", "streamIdleTimeout": "1h0m0s", "maxStreamDuration": "0s"},
                }
            ),
        },
    ),
    (
        "mesh-circuit-breaker-all",
        "MeshCircuitBreaker",
        {
            "targetRef": _MESH,
            "to": _rule(
                {
                    "connectionLimits": {
                        "maxConnections": 1024,
                        "maxPendingRequests": 1024,
                        "maxRetries": 3,
                        "maxRequests": 1024,
                    }
                }
            ),
        },
    ),
    (
        "mesh-retry-all",
        "MeshRetry",
        {"targetRef": _MESH, "to": _rule({"tcp": {"maxConnectAttempt": 5}, "http": _RETRY, "grpc": _RETRY})},
    ),
]
_GENERATORS = {
    "local-mesh-external-service": ("meshExternalService", "{{ .DisplayName }}.extsvc.mesh.local"),
    "local-universal-mesh-service": ("meshService", "{{ .DisplayName }}.svc.mesh.local"),
}


class Node:
    def __init__(self, options: argparse.Namespace, store: Store | None = None) -> None:
        self.options = options
        self.store = Store() if store is None else store
        self.started = time.monotonic()
        self.cluster_id = str(uuid.uuid4())
        self.hostname = socket.gethostname()
        self.instance_id = f"{self.hostname}-{uuid.uuid4().hex[:4]}"
        self.writes = 0
        # What an insight is about -> (revision of the store, when it was made of it).
        self.moments: dict[tuple[str, str], tuple[int, str]] = {}
        # (kind, mesh, name) -> virtual IP.
        self.vips: dict[tuple[str, str, str], str] = {}
        # (mesh, name) of proxies that are connected, where something connects.
        self.online: Callable[[str, str], bool] = lambda mesh, name: False
        # A store that is kept has all of this from an earlier start.
        with self.store.lock:
            for name in ("envoy-admin-ca", "inter-cp-ca"):
                pair = rsa.CERTIFICATE + rsa.MADE["dataplane"].pem()
                self.ensure("GlobalSecret", "", name, {"data": base64.b64encode(pair.encode()).decode()})
            if options.mode != "global":
                self.ensure("Zone", "", options.zone, {})
            if self.store.get("Mesh", "", "default") is None:
                self.create_mesh("default", {})

    def ensure(self, kind: str, mesh: str, name: str, spec: dict, **more: Any) -> None:
        if self.store.get(kind, mesh, name) is None:
            self.store.make(kind, mesh, name, spec, **more)

    @property
    def settled(self) -> bool:
        """Whether the control plane has run long enough for what it does in the background."""
        return time.monotonic() - self.started >= self.options.delay

    def is_old(self, resource: Resource) -> bool:
        """Whether controllers have had time to see a resource."""
        return time.monotonic() - resource.written >= self.options.delay

    def moment(self, kind: str, name: str) -> str:
        """When an insight was counted: a new time only after something was written."""
        key, revision = (kind, name), self.store.revision
        if key not in self.moments or self.moments[key][0] != revision:
            self.moments[key] = (revision, now())
        return self.moments[key][1]

    def labels(self, kind: Kind, given: dict[str, str], mesh: str, spec: dict) -> dict[str, str]:
        if self.options.mode == "global":
            kind = kind._replace(by_zone=False)
        return compute(kind, given, mesh, self.options.zone, self.options.environment, spec)

    def create_mesh(self, name: str, spec: dict, labels: dict[str, str] | None = None) -> None:
        self.store.make("Mesh", "", name, spec, labels=labels or {})
        tokens.make_key(self.store, tokens.DATAPLANE, name)
        skipped = spec.get("skipCreatingInitialPolicies", [])
        for prefix, kind, policy in _POLICIES:
            if "*" not in skipped and kind not in skipped:
                labelled = self.labels(KINDS[kind], {}, name, policy)
                self.store.make(kind, name, f"{prefix}-{name}", policy, labels=labelled)

    def finish_start(self) -> None:
        """What is there a second or two after the start."""
        for name, (service, template) in _GENERATORS.items():
            labels = {} if self.options.mode == "global" else {"kuma.io/origin": "zone"}
            selector = {service: {"matchLabels": {"kuma.io/origin": "zone"}}}
            spec = {"selector": selector, "template": template}
            self.ensure("HostnameGenerator", "", name, spec, labels=labels)
        if self.store.get("GlobalSecret", "", "admin-user-token") is not None:
            return
        tokens.make_key(self.store, tokens.USER)
        if self.options.mode != "federated-zone":
            tokens.make_key(self.store, tokens.ZONE)
        claims = {"Name": "mesh-system:admin", "Groups": ["mesh-system:admin"]}
        token = tokens.issue(self.store, tokens.USER, "", claims, _TEN_YEARS)
        self.store.make("GlobalSecret", "", "admin-user-token", {"data": base64.b64encode(token.encode()).decode()})
