# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a node is, and what has to be done to it: pure functions, no input or output."""

from __future__ import annotations

import typing as t

MANIFESTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

#: preflight checks of kubeadm that fail on a node which an earlier run left half done; every phase behind
#: them is idempotent, so such a node is finished, never reset
RESUME_CHECKS = (
    "DirAvailable--var-lib-etcd",
    "FileAvailable--etc-kubernetes-bootstrap-kubelet.conf",
    "FileAvailable--etc-kubernetes-kubelet.conf",
    "FileAvailable--etc-kubernetes-pki-ca.crt",
    *(f"FileAvailable--etc-kubernetes-manifests-{name}.yaml" for name in MANIFESTS),
    "Port-10250",
    "Port-10257",
    "Port-10259",
    "Port-2379",
    "Port-2380",
    "Port-6443",
)


class NodeStateError(Exception):
    """The node or the cluster is in a state from which no safe step leads on."""


def classify(observed: dict[str, t.Any], role: str) -> str:
    """Return the phase of a node.

    * ``absent``: nothing of kubeadm is there;
    * ``partial``: an earlier run stopped half way;
    * ``unready``: everything is in place but the node's own API server or kubelet does not answer, or the API cannot be
      asked for the node;
    * ``member``: the node is part of the cluster, and healthy.

    *observed* has the keys ``files`` (names of what exists under /etc/kubernetes), ``kubelet_active``,
    ``api_ready`` (control planes), ``asked`` (whether the API answered about the node), ``node`` (None, or the Node
    object's ``labels`` and ``ready``) and ``addons``
    (control planes: what the last phase of ``kubeadm init`` leaves in the cluster is there).
    """
    files = set(observed["files"])
    if role == "control_plane":
        wanted = {"kubelet.conf", "admin.conf", "pki/ca.crt", *(f"manifests/{name}.yaml" for name in MANIFESTS)}
    else:
        wanted = {"kubelet.conf", "pki/ca.crt"}
    if not files & (wanted | {"bootstrap-kubelet.conf", "pki/ca.key"}):
        return "absent"
    if not wanted <= files:
        return "partial"
    if not observed["kubelet_active"] or not observed["asked"]:
        return "unready"
    if role == "worker":
        return "member" if observed["node"] else "partial"
    if not observed["api_ready"]:
        return "unready"
    if not observed["node"] or "node-role.kubernetes.io/control-plane" not in observed["node"]["labels"]:
        return "partial"
    return "member" if observed["addons"] else "partial"


def choose_anchor(nodes: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Choose the control plane on which this run reads and prepares what joining nodes need.

    *nodes* are the control planes in inventory order, each with ``name``, ``phase`` and ``ca`` (whether it holds the
    cluster's CA key). No node is special: any healthy member will do. Only where there is none is one initialised:
    the one on which an earlier run began, else the first.

    Returns ``{"name": ..., "initialise": bool}``. Raises :class:`NodeStateError` where a cluster exists but none of
    its control planes is healthy, because to initialise another one would abandon its data.
    """
    if not nodes:
        raise NodeStateError(
            "no control plane came this far in the run: look at what failed on them above, and do not take them away "
            "with --limit"
        )
    for node in nodes:
        if node["phase"] == "member":
            return {"name": node["name"], "initialise": False}
    unready = [node["name"] for node in nodes if node["phase"] == "unready"]
    begun = [node["name"] for node in nodes if node["phase"] == "partial" and node["ca"]]
    if unready and len(unready) + len(begun) > 1:
        raise NodeStateError(
            "a cluster exists but none of its control planes is healthy ("
            + ", ".join(f"{node['name']}: {node['phase']}" for node in nodes)
            + "): bring one back first (journalctl -u kubelet, crictl ps -a), or restore etcd from a snapshot; "
            "a new cluster would abandon its data"
        )
    return {"name": (unready + begun + [nodes[0]["name"]])[0], "initialise": True}


def converging(nodes: list[dict[str, t.Any]], anchor: dict[str, t.Any]) -> dict[str, dict[str, bool]]:
    """Return which nodes are initialised or reconciled, by name.

    *nodes* are all nodes as observed, *anchor* is what :func:`choose_anchor` chose. ``initialise`` is for the node that
    begins the cluster, ``cluster_wide`` for the one that also keeps the cluster's own settings.
    """
    result = {}
    for node in nodes:
        is_anchor = node["name"] == anchor["name"]
        initialise = is_anchor and anchor["initialise"]
        stored = is_anchor and not initialise and bool(node["pending_cluster"])
        if initialise or stored or node["pending"]:
            result[node["name"]] = {"initialise": initialise, "cluster_wide": is_anchor and not initialise}
    return result


def ignored_checks(host: dict[str, t.Any], phase: str) -> list[str]:
    """Return the kubeadm preflight checks to overlook, each for a reason found on the host.

    *host* has ``cgroup_version`` (1 or 2), ``cgroup_v1_allowed`` and ``bridge_nf`` (whether
    /proc/sys/net/bridge/bridge-nf-call-iptables exists).
    """
    ignore = []
    if host["cgroup_version"] == 1 and host["cgroup_v1_allowed"]:
        ignore.append("SystemVerification")
    if not host["bridge_nf"]:
        ignore.append("FileContent--proc-sys-net-bridge-bridge-nf-call-iptables")
    if phase != "absent":
        ignore += RESUME_CHECKS
    return ignore


def skipped_join_phases(observed: dict[str, t.Any]) -> list[str]:
    """Return the phases of ``kubeadm join`` to leave out when a half-done join is finished.

    ``kubelet-start`` refuses a node of this name that is Ready already, which is what a run killed after that phase
    leaves behind.
    """
    node = observed["node"]
    if node and node["ready"] and observed["kubelet_active"] and "kubelet.conf" in observed["files"]:
        return ["kubelet-start"]
    return []


def join_predecessors(joining: list[dict[str, t.Any]], name: str) -> list[dict[str, t.Any]]:
    """Return the control planes that must be ready before the one called *name* may join.

    etcd takes one learner at a time; each control plane waits for the ones before it in *joining* (the control planes
    that are not members yet, in inventory order).
    """
    result = []
    for node in joining:
        if node["name"] == name:
            break
        result.append(node)
    return result
