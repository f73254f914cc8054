# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Admin API of pods, which listens on their loopback only, through the Kubernetes API.

The proxy subresource of a pod connects to the pod's address, where nothing listens. Port forwarding enters the pod's
network and reaches its loopback: who may forward ports of these pods can configure the gateway, and nobody else.
"""

from __future__ import annotations

import socket
import threading
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import AUTH_ARG_SPEC
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ClientError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, Trust
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Raw

#: Each connection is a websocket of its own with a thread of its own; a few are enough for one node.
MOST_CONNECTIONS = 4


def pods(
    options: t.Mapping[str, t.Any],
    trust: Trust,
    headers: t.Mapping[str, str],
    timeout: float,
    parallel: int,
    ready_only: bool = False,
) -> list[Admin]:
    """One `Admin` for each pod that runs; with `ready_only` for each that is ready, if there is any."""
    try:
        cluster = Cluster(timeout=timeout, **{name: options[name] for name in AUTH_ARG_SPEC})
        namespace, selector = options["namespace"], options["selector"]
        answer = cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": selector})
    except ClientError as e:
        raise KongError(str(e)) from e
    names = running(answer.get("items") or [], ready_only)
    if not names and not ready_only:
        raise KongError(f"no pod of {selector} runs in namespace {namespace}")
    port = options["port"]
    return [
        Admin(
            f"{options['scheme']}://localhost:{port}",
            trust,
            headers,
            timeout,
            min(parallel, MOST_CONNECTIONS),
            connect=Forwarder(cluster, namespace, name, port),
            name=f"pod {namespace}/{name}",
        )
        for name in names
    ]


def running(items: t.Iterable[Raw], ready_only: bool = False) -> list[str]:
    """Pods to configure: ready or not, for without a configuration they never become ready. Pure."""
    return sorted(
        item["metadata"]["name"]
        for item in items
        if (item.get("status") or {}).get("phase") == "Running"
        and not item["metadata"].get("deletionTimestamp")
        and (not ready_only or _is_ready(item["status"]))
    )


def _is_ready(status: Raw) -> bool:
    conditions = status.get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


class Forwarder:
    """Makes connections to one port of one pod."""

    # The library replaces a method of its client while it dials.
    _dialling = threading.Lock()

    def __init__(self, cluster: Cluster, namespace: str, name: str, port: int) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.name = name
        self.port = port

    def __call__(self) -> socket.socket:
        from kubernetes.client import CoreV1Api
        from kubernetes.client.exceptions import ApiException
        from kubernetes.stream import portforward

        api = CoreV1Api(self.cluster.api_client)
        try:
            with self._dialling:
                forward = portforward(
                    api.connect_get_namespaced_pod_portforward, self.name, self.namespace, ports=str(self.port)
                )
        except ApiException as e:
            reason = " ".join(str(e.reason or e).split())[:200]
            raise ConnectionError(
                f"port {self.port} of pod {self.namespace}/{self.name} can't be forwarded ({e.status}): {reason}"
            ) from e
        forwarded: socket.socket = forward.socket(self.port)
        forwarded.setblocking(True)
        return forwarded
