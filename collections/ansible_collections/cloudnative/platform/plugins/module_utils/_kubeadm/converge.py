# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One host on its way into the cluster, and in it: observe, plan, act, wait."""

from __future__ import annotations

import base64
import os
import secrets
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import (
    documents,
    node,
    reconcile,
    render,
    state,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.api import ApiError
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.rollout import NotNow, Rollout
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.stored import Stored
from ansible_collections.cloudnative.platform.plugins.module_utils._openssl import OpenSSL
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import Systemd, SystemdError
from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import CertificateError, normal_name

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class Node:
    """The host that the module runs on."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params: dict[str, t.Any] = module.params
        self.cluster: dict[str, t.Any] = self.params["cluster"] or {}
        self.own = {key: self.params[key] for key in ("name", "role", "address", "cri_socket", "taints")}
        self.policy: dict[str, str] = self.params["policy"] if self.own["role"] == "control_plane" else {}
        self.timeout: float = self.params["timeout"]
        self.stored = Stored(self.cluster, self.own, self.timeout) if self.cluster else None
        self.changes: list[reconcile.Change] = []
        self.stored_changes: list[reconcile.Change] = []
        self.found: dict[str, str] = {}

    # -- observe --

    def observe(self) -> dict[str, t.Any]:
        """Read the state of the node and, where it runs already, what differs from its settings."""
        # Nothing that check mode could wait for is on its way.
        observed = node.observe(self.own) if self.module.check_mode else node.observe_settled(self.own)
        if self.stored is not None and observed["phase"] in ("member", "unready"):
            self._compare()
            if observed["phase"] == "member" and self.own["role"] == "control_plane":
                self.stored_changes = self.stored.observe()
        return observed

    def _compare(self) -> None:
        wanted = render.wanted_files(self.cluster, self.own, self.policy)
        self.found = {path: node.read_text(path) for path in {**wanted, **self.policy}}
        names: tuple[list[str], list[str]] = ([], [])
        if self.own["role"] == "control_plane":
            pem = node.read_text(reconcile.SERVING_CERTIFICATE)
            served = OpenSSL(self.module).describe(pem, reconcile.SERVING_CERTIFICATE).names if pem else frozenset()
            names = ([normal_name(n) for n in reconcile.certificate_names(self.cluster, self.own)], sorted(served))
        self.changes = reconcile.plan(wanted, self.found, self.policy, self._kubelet_stale(wanted), names)

    def _kubelet_stale(self, wanted: reconcile.Files) -> bool:
        started = Systemd(self.module).show(["kubelet.service"])["kubelet.service"].started_us
        files = [path for path in wanted if path.startswith(reconcile.KUBELET_DIR) and os.path.exists(path)]
        return started is not None and any(os.stat(path).st_mtime_ns // 1000 > started for path in files)

    # -- plan --

    def plan(self, observed: dict[str, t.Any]) -> str:
        """Return the step this node needs: ``none``, ``wait``, ``start``, ``reconcile``, ``initialise`` or ``join``."""
        if observed["phase"] in ("member", "unready") and (self.changes or self.cluster_changes()):
            return "reconcile"
        if observed["phase"] == "member":
            return "none"
        if observed["phase"] == "unready":
            return "wait" if observed["kubelet_active"] else "start"
        return "initialise" if self.params["initialise"] else "join"

    def cluster_changes(self) -> list[reconcile.Change]:
        """Return what this node has to change in the cluster's own settings: one node of a run does that."""
        return self.stored_changes if self.params["cluster_wide"] else []

    def sentences(self, step: str) -> list[str]:
        """Return what a step does, in words."""
        words = {
            "none": [],
            "wait": [],
            "start": [f"start the kubelet of {self.own['name']}"],
            "reconcile": [change.text for change in (*self.changes, *self.cluster_changes())],
            "initialise": [f"initialise cluster {self.cluster.get('name')} on {self.own['name']}"],
            "join": [f"join {self.own['name']} as {self.own['role'].replace('_', ' ')}"],
        }
        return words[step]

    # -- act --

    def converge(self) -> dict[str, t.Any]:
        """Do what the node needs, or in check mode say what it would be."""
        # An observation is of no use either while a module of a killed run still works on the host.
        with lock_for(self.module):
            return self._converge()

    def _converge(self) -> dict[str, t.Any]:
        if not self.module.check_mode:
            node.remove_leftovers()
        observed = self.observe()
        if self.params["state"] == "observed":
            return self.result(observed, observed, "none")
        step = self.plan(observed)
        if step == "none" or self.module.check_mode:
            return self.result(observed, observed if step == "none" else dict(observed, phase="member"), step)
        steps = {"initialise": self.initialise, "join": self.join, "reconcile": self.reconcile}
        if step == "start":
            node.start_kubelet()
        elif step in steps:
            steps[step](observed)
        after = node.wait_for_member(self.own, self.timeout)
        if step == "initialise" and self.stored is not None:
            for name in self.stored.wanted:
                self.stored.note(name)
        return self.result(observed, after, step)

    def host(self) -> dict[str, t.Any]:
        """Return what decides which preflight checks do not fit this host."""
        return {
            "cgroup_version": 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
            "cgroup_v1_allowed": self.cluster["cgroup_v1"],
            "bridge_nf": os.path.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"),
        }

    def _prepare(self, observed: dict[str, t.Any]) -> list[str]:
        """Write what kubeadm and the API server read, return the preflight checks to overlook."""
        node.remove_empty()
        for path, text in self.policy.items():
            node.write_private(path, text, 0o644)
        node.write_patches(self.policy)
        return state.ignored_checks(self.host(), observed["phase"])

    def initialise(self, observed: dict[str, t.Any]) -> None:
        if not os.path.exists(documents.ENCRYPTION_FILE):
            key = self.params["encryption_key"] or base64.b64encode(secrets.token_bytes(32)).decode()
            node.write_private(documents.ENCRYPTION_FILE, documents.encryption_configuration("key1", key))
        ignore = self._prepare(observed)
        configuration = documents.init_documents(self.cluster, self.own, ignore, self.policy, node.new_token())
        arguments = ["init", "--skip-token-print", "--skip-certificate-key-print"]
        node.kubeadm(arguments, documents.render(configuration), "kubeadm-init", self.timeout)

    def join(self, observed: dict[str, t.Any]) -> None:
        material = self.params["material"]
        if not material:
            raise node.NodeError(
                f"node {self.own['name']} has to join but got no credentials: run this play on the control planes as "
                "well (do not take them away with --limit)"
            )
        for predecessor in self.params["after"]:
            node.wait_for_api(predecessor["address"], material["ca_pem"], self.timeout, predecessor["name"])
        if self.own["role"] == "control_plane":
            node.write_private(documents.ENCRYPTION_FILE, material["encryption_configuration"])
        ignore = self._prepare(observed)
        configuration = documents.join_documents(self.cluster, self.own, material, ignore, self.policy)
        arguments = ["join"]
        skipped = state.skipped_join_phases(observed)
        if skipped:
            arguments.append(f"--skip-phases={','.join(skipped)}")
        node.kubeadm(arguments, documents.render(configuration), "kubeadm-join", self.timeout)

    def reconcile(self, observed: dict[str, t.Any]) -> None:
        """Change one component after the other; tell the other control planes when one does not run afterwards."""
        rollout = Rollout(self.cluster, self.own, self.timeout)
        stored = t.cast(Stored, self.stored)
        peers = self.params["control_planes"]
        settings = reconcile.content_hash({**stored.wanted, **self.policy})
        if self.own["role"] == "control_plane" and self.changes:
            names = [peer["name"] for peer in peers]
            rollout.wait_until_allowed(
                peers, reconcile.why_not_after(stored.failure, settings, self.own["name"], names)
            )
        try:
            for change in self.changes:
                rollout.apply(change)
        except NotNow:
            raise
        except node.NodeError as error:
            if observed["phase"] == "member" and len(peers) > 1 and self.own["role"] == "control_plane":
                stored.remember_failure(settings, str(error))
            raise
        for change in self.cluster_changes():
            stored.apply(change)
        if not any(change.component == "kubeadm-config" for change in self.cluster_changes()):
            stored.forget_failure()

    def result(self, before: dict[str, t.Any], after: dict[str, t.Any], step: str) -> dict[str, t.Any]:
        """Return what the module returns."""
        actions = self.sentences(step)
        diff = []
        if step == "reconcile":
            diff = reconcile.diff(self.changes, self.found)
            diff += t.cast(Stored, self.stored).diff(self.cluster_changes())
        elif actions and before["phase"] != after["phase"]:
            header = f"node {self.own['name']}"
            phases = {"before": f"phase: {before['phase']}\n", "after": f"phase: {after['phase']}\n"}
            diff = [{"before_header": header, "after_header": header, **phases}]
        return {
            "changed": bool(actions),
            "actions": actions,
            "diff": diff,
            "node": {
                "name": self.own["name"],
                "role": self.own["role"],
                "address": self.own["address"],
                "phase": before["phase"] if self.params["state"] == "observed" else after["phase"],
                "ca": "pki/ca.key" in after["files"],
                "version": (after["node"] or {}).get("kubelet_version", ""),
                "pending": [change.text for change in self.changes] if self.params["state"] == "observed" else [],
                "pending_cluster": [change.text for change in self.stored_changes]
                if self.params["state"] == "observed"
                else [],
            },
        }


#: what the module turns into a failure; anything else is a mistake of ours and shows its traceback
FAILURES = (node.NodeError, state.NodeStateError, ApiError, HostLockError, CertificateError, SystemdError, OSError)
