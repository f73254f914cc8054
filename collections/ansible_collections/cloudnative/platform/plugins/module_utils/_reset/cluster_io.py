# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The half of node_removal that talks: to the API server and the etcd member of the control plane it runs on."""

from __future__ import annotations

import concurrent.futures
import json
import os
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._etcd_members import join_members
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import node as kubeadm
from ansible_collections.cloudnative.platform.plugins.module_utils._reset import cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.cluster import Object, RemovalError, Step

# The proxy of this host may lead to the API server of a node that is just leaving.
SERVER = "https://127.0.0.1:6443"
ETCD_PKI = "/etc/kubernetes/pki/etcd"
ETCD_SECONDS = 5
HEALTH_SECONDS = 60
PARALLEL = 8


def observe() -> Object:
    """Whether this host holds a part of a cluster as a control plane, and whether its API server answers."""
    held = (kubeadm.ADMIN_CONF, f"{kubeadm.KUBERNETES_DIR}/manifests/etcd.yaml", f"{kubeadm.KUBERNETES_DIR}/pki/ca.key")
    if not any(os.path.exists(path) for path in held):
        return {"present": False, "ready": False, "reason": ""}
    status, output, error = kubectl("get", "--raw", "/readyz")
    reason = "" if status == 0 else f"its API server is not ready: {_last(error or output)}"
    return {"present": True, "ready": not reason, "reason": reason}


def kubectl(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    return kubeadm.kubectl([f"--server={SERVER}", *arguments], stdin=stdin)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no answer"])[-1]


def _get(path: str) -> list[Object]:
    status, output, error = kubectl("get", "--raw", path)
    if status != 0:
        raise RemovalError(f"the API server at {SERVER} does not list {path}: {_last(error)}")
    return list(json.loads(output)["items"])


def _etcdctl(*arguments: str, partial: bool = False) -> t.Any:
    """With `partial` some members may be silent as long as etcdctl prints what it knows."""
    status, output, error = kubeadm.run(
        [
            "etcdctl",
            "--endpoints=https://127.0.0.1:2379",
            f"--cacert={ETCD_PKI}/ca.crt",
            f"--cert={ETCD_PKI}/healthcheck-client.crt",
            f"--key={ETCD_PKI}/healthcheck-client.key",
            f"--dial-timeout={ETCD_SECONDS}s",
            f"--command-timeout={ETCD_SECONDS}s",
            "--write-out=json",
            *arguments,
        ]
    )
    try:
        parsed = json.loads(output.strip() or "null")
    except ValueError:
        parsed = None
    if (status != 0 and not partial) or parsed is None:
        raise RemovalError(f"etcdctl {' '.join(arguments)} failed: {_last(error or output)}")
    return parsed


def members() -> list[Object]:
    return join_members(
        _etcdctl("member", "list"),
        _etcdctl("endpoint", "status", "--cluster", partial=True),
        _etcdctl("endpoint", "health", "--cluster", partial=True),
        {},
    )


def nodes() -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in _get("/api/v1/nodes")}


def pods_on(name: str) -> list[Object]:
    """Those that a drain moves."""
    return [pod for pod in _get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}") if cluster.is_evicted(pod)]


def budgets() -> list[Object]:
    return _get("/apis/policy/v1/poddisruptionbudgets")


class Removal:
    """Takes nodes out of the cluster, step by step."""

    def __init__(self, drain_timeout: int) -> None:
        self._drain_timeout = drain_timeout
        self._cordoned: list[str] = []

    def apply(self, step: Step) -> None:
        if step.kind == "cordon":
            self._command("cordon", step.target)
            self._cordoned.append(step.target)
        elif step.kind == "drain":
            try:
                self._drain(step.target)
            except RemovalError as e:
                raise RemovalError(f"{e}{self._give_back()}") from e
        elif step.kind == "member":
            _etcdctl("member", "remove", str(step.detail))
            self._wait_for_members()
        elif step.kind == "node":
            self._command("delete", "node", step.target, "--ignore-not-found", "--wait=false")

    def _command(self, *arguments: str) -> None:
        status, output, error = kubectl(*arguments)
        if status != 0:
            raise RemovalError(f"`kubectl {' '.join(arguments)}` failed: {_last(error or output)}")

    def _give_back(self) -> str:
        """A drain that fails leaves no node behind that nobody may use."""
        for name in self._cordoned:
            self._command("uncordon", name)
        listed = ", ".join(self._cordoned)
        return f"\nNo node was removed, and {listed} takes pods again" if listed else "\nNo node was removed"

    def _drain(self, name: str) -> None:
        deadline = time.monotonic() + self._drain_timeout
        refusals: dict[str, str] = {}
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            while True:
                left = pods_on(name)
                if not left:
                    return
                if time.monotonic() > deadline:
                    raise RemovalError(self._not_drained(name, left, refusals))
                todo = [pod for pod in left if not pod["metadata"].get("deletionTimestamp")]
                for pod, refusal in zip(todo, pool.map(_evict, todo)):
                    refusals[pod["metadata"]["uid"]] = refusal
                time.sleep(1)

    def _not_drained(self, name: str, left: list[Object], refusals: t.Mapping[str, str]) -> str:
        found = budgets()
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
            found = [member for member in members() if not member["learner"]]
            healthy = sum(member["healthy"] for member in found)
            needed = len(found) // 2 + 1
            if healthy >= needed:
                return
            if time.monotonic() > deadline:
                raise RemovalError(
                    f"{healthy} of {len(found)} etcd members are healthy {HEALTH_SECONDS} s after one was removed, "
                    f"{needed} are needed: {'; '.join(m['name'] + ': ' + m['error'] for m in found if m['error'])}"
                )
            time.sleep(1)


def _evict(pod: Object) -> str:
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
    status, output, error = kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
    if status == 0 or "(NotFound)" in error or "(Conflict)" in error:
        return ""
    return _last(error or output)
