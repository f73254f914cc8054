# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The half of node_removal that talks: to the API server and the etcd member of the control plane it runs on."""

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import documents, rollout
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import node as kubeadm
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.api import Api, ApiError
from ansible_collections.cloudnative.platform.plugins.module_utils._reset import cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.cluster import Object, RemovalError, Step

OWN_ETCD = ("127.0.0.1",)
HEALTH_SECONDS = 60


class OwnApi(Api):
    """The API server of this control plane; the proxy may lead to that of a node which is just leaving."""

    def __init__(self, path: str = kubeadm.ADMIN_CONF) -> None:
        super().__init__(path)
        self._access = dataclasses.replace(self._access, host="127.0.0.1", port=documents.API_PORT)

    def items(self, path: str) -> list[Object]:
        found = self.get(path)
        if found is None:
            raise RemovalError(f"the API server of this control plane does not know {path}")
        return list(found["items"])


def observe() -> Object:
    """Whether this host holds a part of a cluster as a control plane, and whether its API server answers."""
    held = (kubeadm.ADMIN_CONF, f"{kubeadm.KUBERNETES_DIR}/manifests/etcd.yaml", f"{kubeadm.KUBERNETES_DIR}/pki/ca.key")
    if not any(os.path.exists(path) for path in held):
        return {"present": False, "ready": False, "reason": ""}
    try:
        OwnApi().probe("/readyz")
    except (ApiError, OSError) as e:
        return {"present": True, "ready": False, "reason": f"its API server is not ready: {e}"}
    return {"present": True, "ready": True, "reason": ""}


def members() -> list[Object]:
    found = rollout.etcd_members(OWN_ETCD)
    if not found:
        raise RemovalError("the etcd member of this control plane does not tell who the others are (crictl logs etcd)")
    return found


def _remove_member(identity: str) -> None:
    certificates = [f"--cacert={rollout.ETCD_PKI}/ca.crt", f"--cert={rollout.ETCD_PKI}/healthcheck-client.crt"]
    command = ["etcdctl", "--endpoints=https://127.0.0.1:2379", *certificates]
    command.append(f"--key={rollout.ETCD_PKI}/healthcheck-client.key")
    status, output, error = kubeadm.run([*command, "member", "remove", identity])
    if status != 0:
        raise RemovalError(f"etcd does not remove member {identity}: {error.strip() or output.strip()}")


def nodes(api: OwnApi) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in api.items("/api/v1/nodes")}


def pods_on(api: OwnApi, name: str) -> list[Object]:
    """Those that a drain moves."""
    return [pod for pod in api.items(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}") if cluster.is_evicted(pod)]


def budgets(api: OwnApi) -> list[Object]:
    return api.items("/apis/policy/v1/poddisruptionbudgets")


class Removal:
    """Takes nodes out of the cluster, step by step."""

    def __init__(self, api: OwnApi, drain_timeout: int) -> None:
        self._api = api
        self._drain_timeout = drain_timeout
        self._cordoned: list[str] = []
        self.warnings: list[str] = []

    def apply(self, step: Step) -> None:
        if step.kind == "cordon":
            self._set_unschedulable(step.target, True)
            self._cordoned.append(step.target)
        elif step.kind == "drain":
            try:
                self._drain(step.target)
            except (RemovalError, ApiError) as e:
                raise RemovalError(f"{e}{self._give_back()}") from e
        elif step.kind == "member":
            _remove_member(str(step.detail))
            self._wait_for_members()
        elif step.kind == "node":
            self._api.delete(f"/api/v1/nodes/{step.target}")

    def _set_unschedulable(self, name: str, value: bool | None) -> None:
        self._api.merge(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": value}})

    def _give_back(self) -> str:
        """A drain that fails leaves no node behind that nobody may use."""
        for name in self._cordoned:
            self._set_unschedulable(name, None)
        listed = ", ".join(self._cordoned)
        return f"\nNo node was removed, and {listed} takes pods again" if listed else "\nNo node was removed"

    def _drain(self, name: str) -> None:
        deadline = time.monotonic() + self._drain_timeout
        refusals: dict[str, str] = {}
        while True:
            left = pods_on(self._api, name)
            if not left:
                return
            # It takes the cluster the better part of a minute to see that a host is dead.
            node = self._api.get(f"/api/v1/nodes/{name}")
            if node is None or not cluster.is_ready(node):
                self.warnings.append(cluster.not_drained(name))
                return
            if time.monotonic() > deadline:
                raise RemovalError(self._not_drained(name, left, refusals))
            for pod in left:
                if not pod["metadata"].get("deletionTimestamp"):
                    refusals[pod["metadata"]["uid"]] = self._evict(pod)
            time.sleep(1)

    def _evict(self, pod: Object) -> str:
        """Ask for an eviction; returns why it was refused, empty when it was not."""
        metadata = pod["metadata"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            # Not the next pod of that name, which may be somewhere else already.
            "deleteOptions": {"preconditions": {"uid": metadata["uid"]}},
        }
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"
        try:
            self._api.create(path, body)
        except ApiError as e:
            return str(e)
        return ""

    def _not_drained(self, name: str, left: list[Object], refusals: t.Mapping[str, str]) -> str:
        found = budgets(self._api)
        reasons = [cluster.why_there(pod, found, refusals.get(pod["metadata"]["uid"], "")) for pod in left]
        listed = "".join(f"\n- {reason}" for reason in reasons)
        return (
            f"node {name} was not drained within {self._drain_timeout} s; still there:{listed}\n"
            "Make room for these pods on other nodes, loosen the budget, or wait longer (reset_drain_timeout)"
        )

    def _wait_for_members(self) -> None:
        """One member leaves at a time: the next one only when those that stay agree again."""
        deadline = time.monotonic() + HEALTH_SECONDS
        while True:
            # None answers while they elect a new leader.
            found = [member for member in rollout.etcd_members(OWN_ETCD) if not member["learner"]]
            healthy = sum(member["healthy"] for member in found)
            needed = len(found) // 2 + 1
            if found and healthy >= needed:
                return
            if time.monotonic() > deadline:
                raise RemovalError(
                    f"{healthy} of {len(found)} etcd members are healthy {HEALTH_SECONDS} s after one was removed, "
                    f"{needed} are needed: {'; '.join(m['name'] + ': ' + m['error'] for m in found if m['error'])}"
                )
            time.sleep(1)
