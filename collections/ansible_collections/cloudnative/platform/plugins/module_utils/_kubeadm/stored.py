# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What kubeadm keeps in the cluster: the settings that nodes to come will get, and kube-proxy's."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import documents, node, reconcile
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.api import PATIENCE, Api

NAMESPACE = "/api/v1/namespaces/kube-system"
KUBEADM_CONFIG = f"{NAMESPACE}/configmaps/kubeadm-config"
KUBE_PROXY = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"
#: the phase of ``kubeadm init`` that writes each of the ConfigMaps
PHASES = {
    "kubeadm-config": ["upload-config", "kubeadm"],
    "kubelet-config": ["upload-config", "kubelet"],
    "kube-proxy": ["addon", "kube-proxy"],
}


def sources(cluster: dict[str, t.Any]) -> dict[str, str]:
    """Return the settings behind each ConfigMap, by its name."""
    return {
        "kubeadm-config": reconcile.source_text(documents.cluster_configuration(cluster)),
        "kubelet-config": reconcile.source_text(documents.kubelet_configuration(cluster)),
        "kube-proxy": reconcile.source_text(documents.kube_proxy_configuration(cluster)),
    }


class Stored:
    """The ConfigMaps of kubeadm, through the administrator's kubeconfig of this control plane."""

    def __init__(self, cluster: dict[str, t.Any], own: dict[str, t.Any], timeout: float) -> None:
        self.cluster = cluster
        self.own = own
        self.timeout = timeout
        self.wanted = sources(cluster)
        self.found: dict[str, reconcile.Stored] = {}
        self.failure = ""

    def observe(self) -> list[reconcile.Change]:
        """Return which ConfigMaps have to be written; also note what failed on another control plane."""
        api = Api(node.ADMIN_CONF, PATIENCE)
        try:
            for name in PHASES:
                config_map = api.get(f"{NAMESPACE}/configmaps/{name}")
                self.found[name] = reconcile.read_stored(config_map)
                if name == "kubeadm-config" and config_map:
                    annotations = config_map["metadata"].get("annotations") or {}
                    self.failure = annotations.get(reconcile.FAILURE_ANNOTATION, "")
        finally:
            api.close()
        return reconcile.plan_stored(self.wanted, self.found)

    def diff(self, changes: t.Sequence[reconcile.Change]) -> list[dict[str, str]]:
        """Return the settings behind the ConfigMaps, before and after."""
        headers = {change.component: f"ConfigMap kube-system/{change.component} (settings)" for change in changes}
        return [
            {
                "before_header": header,
                "after_header": header,
                "before": self.found.get(name, reconcile.Stored()).source + "\n",
                "after": self.wanted[name] + "\n",
            }
            for name, header in headers.items()
        ]

    def apply(self, change: reconcile.Change) -> None:
        """Let kubeadm write a ConfigMap, and note beside it what it was made from."""
        name = change.component
        configuration = [
            documents.init_configuration(self.own, [], {}),
            documents.cluster_configuration(self.cluster),
            documents.kubelet_configuration(self.cluster),
            documents.kube_proxy_configuration(self.cluster),
        ]
        arguments = ["init", "phase", *PHASES[name]]
        log = "kubeadm-" + "-".join(PHASES[name])
        node.kubeadm(arguments, documents.render(configuration), log, self.timeout)
        self.note(name)
        if name == "kube-proxy":
            self._restart_proxies()

    def note(self, name: str) -> None:
        """Note beside a ConfigMap which settings it was made from, so that a later run sees what changed."""
        api = Api(node.ADMIN_CONF, PATIENCE)
        try:
            path = f"{NAMESPACE}/configmaps/{name}"
            config_map = api.get(path)
            if config_map is None:
                raise node.NodeError(f"ConfigMap kube-system/{name} is not there after kubeadm wrote it")
            annotations = {
                reconcile.SOURCE_ANNOTATION: self.wanted[name],
                reconcile.CONTENT_ANNOTATION: reconcile.content_hash(config_map.get("data") or {}),
            }
            api.merge(path, {"metadata": {"annotations": annotations}})
        finally:
            api.close()

    def remember_failure(self, settings: str, reason: str) -> None:
        """Tell the other control planes that this one did not run with these settings."""
        self._annotate(reconcile.failure_text(self.own["name"], settings, reason))

    def forget_failure(self) -> None:
        """Take the note back, where there is one."""
        if self.failure:
            self._annotate(None)

    def _annotate(self, text: str | None) -> None:
        api = Api(node.ADMIN_CONF, PATIENCE)
        try:
            api.merge(KUBEADM_CONFIG, {"metadata": {"annotations": {reconcile.FAILURE_ANNOTATION: text}}})
        finally:
            api.close()

    def _restart_proxies(self) -> None:
        """kube-proxy reads its settings when it starts: replace its pods, node by node, and wait for them."""
        settings = reconcile.content_hash({"": self.wanted["kube-proxy"]})[:16]
        annotations = {"cloudnative.platform/config-sha256": settings}
        api = Api(node.ADMIN_CONF, PATIENCE)
        try:
            api.merge(KUBE_PROXY, {"spec": {"template": {"metadata": {"annotations": annotations}}}})
            deadline = time.monotonic() + self.timeout
            while True:
                reason = _not_rolled_out(api.get(KUBE_PROXY) or {}, _silent(api.get("/api/v1/nodes") or {}))
                if not reason:
                    return
                if time.monotonic() > deadline:
                    raise node.NodeError(
                        f"kube-proxy is not on every node with its new settings after {self.timeout:.0f} s: {reason}; "
                        "look at: kubectl --namespace kube-system get pods --selector k8s-app=kube-proxy --output wide"
                    )
                time.sleep(1)
        finally:
            api.close()


def _silent(nodes: t.Mapping[str, t.Any]) -> int:
    """Count the nodes that do not report: no pod of theirs can be waited for."""
    return sum(
        condition["type"] == "Ready" and condition["status"] == "Unknown"
        for one in nodes.get("items") or []
        for condition in one["status"].get("conditions") or []
    )


def _not_rolled_out(daemon_set: t.Mapping[str, t.Any], silent: int) -> str:
    status = daemon_set.get("status") or {}
    if status.get("observedGeneration") != daemon_set.get("metadata", {}).get("generation"):
        return "it was not looked at yet"
    desired = status.get("desiredNumberScheduled", 0) - silent
    updated, ready = status.get("updatedNumberScheduled", 0), status.get("numberReady", 0)
    return "" if min(updated, ready) >= desired else f"{updated} of {desired} pods updated, {ready} ready"
