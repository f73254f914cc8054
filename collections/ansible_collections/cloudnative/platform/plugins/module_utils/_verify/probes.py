# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Runs the probe pods and drives connections between them through the API server's pod proxy."""

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, ClientError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._verify import probe
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.result import Result, skipped
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.state import name_of, pod_trouble

Object = dict[str, t.Any]

CORE = "/api/v1"
NAMESPACE_PATH = f"{CORE}/namespaces/{probe.NAMESPACE}"
PODS = f"{NAMESPACE_PATH}/pods"
# As many as the client keeps connections.
WORKERS = 16
ATTEMPTS = 5
# The probe gives a connection up after five seconds.
DIAL_TIMEOUT = 15.0
# How long a policy may take until it is enforced on the server's node.
POLICY_TIMEOUT = 15.0
REMOVAL_TIMEOUT = 120.0


class ProbeError(Exception):
    """The probes could not be run at all; str() says why."""


def pods_of(items: t.Iterable[Object]) -> dict[str, Object]:
    return {name_of(item): item for item in items}


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def in_parallel(calls: t.Sequence[t.Callable[[], t.Any]]) -> list[t.Any]:
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


class Probes:
    """One run of the probe pods: `start()`, then the checks, then `remove()` whatever happened."""

    def __init__(
        self,
        cluster: Cluster,
        image: str,
        nodes: t.Sequence[str],
        domain: str,
        with_policy: bool,
        stop: threading.Event,
    ) -> None:
        self.cluster = cluster
        self.image = image
        self.nodes = list(nodes)
        self.domain = domain
        # Set from outside when the run is to end early; what was created is removed all the same.
        self.stop = stop
        self.policy_pods = [probe.POLICY_SERVER, probe.POLICY_ALLOWED, probe.POLICY_DENIED] if with_policy else []
        self.pods: dict[str, Object] = {}
        # Nodes and policy pods that are not Ready, and why.
        self.missing: dict[str, str] = {}
        self.cluster_ip = ""

    # Life cycle

    def start(self) -> None:
        """Create everything; what a killed run left behind is removed first."""
        self.remove()
        self.cluster.request("POST", f"{CORE}/namespaces", body=probe.namespace())
        self.cluster.request("POST", f"{NAMESPACE_PATH}/serviceaccounts", body=probe.service_account())
        apps = f"/apis/apps/v1/namespaces/{probe.NAMESPACE}/daemonsets"
        self.cluster.request("POST", apps, body=probe.daemon_set(self.image))
        for name in self.policy_pods:
            self.cluster.request("POST", PODS, body=probe.policy_pod(name, self.image))
        service = self.cluster.request("POST", f"{NAMESPACE_PATH}/services", body=probe.service())
        self.cluster_ip = service["spec"]["clusterIP"]

    def wait(self, timeout: float) -> None:
        """Until every pod is Ready, or the time is over: a node without a pod is a finding, not the end."""
        deadline = time.monotonic() + timeout
        while True:
            pods = pods_of(self.cluster.request("GET", PODS)["items"])
            by_node = {probe.node_of(pod): pod for name, pod in pods.items() if name not in self.policy_pods}
            waiting = {
                node: pod_trouble(by_node[node]) if node in by_node else "no pod was created for it"
                for node in self.nodes
                if node not in by_node or not is_ready(by_node[node])
            }
            for name in self.policy_pods:
                if name not in pods or not is_ready(pods[name]):
                    waiting[name] = pod_trouble(pods[name]) if name in pods else "the pod is gone"
            if not waiting or time.monotonic() > deadline:
                self.pods, self.missing = pods, waiting
                return
            self.pause(0.5)

    def pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise ProbeError("interrupted")

    def remove(self) -> None:
        """Delete the namespace and wait until it is gone."""
        deadline = time.monotonic() + REMOVAL_TIMEOUT
        try:
            self.cluster.request("DELETE", NAMESPACE_PATH)
            while time.monotonic() < deadline:
                self.cluster.request("GET", NAMESPACE_PATH)
                time.sleep(0.25)
        except ApiError as error:
            if error.status == 404:
                return
            raise
        raise ProbeError(
            f"namespace {probe.NAMESPACE} is still being deleted after {REMOVAL_TIMEOUT:.0f} s; see "
            f"kubectl get namespace {probe.NAMESPACE} -o yaml for what holds it"
        )

    def check_removed(self) -> Result:
        self.remove()
        return probe.verdict("cleanup", [], f"namespace {probe.NAMESPACE} is gone")

    # Connections

    def ready_probes(self) -> dict[str, Object]:
        """By node. Policy pods do not count, they run on some nodes only."""
        return {
            probe.node_of(pod): pod for name, pod in self.pods.items() if name not in self.policy_pods and is_ready(pod)
        }

    def dial(self, pod: str, source: str, host: str, target: str, port: int = probe.PORT, tries: int = 1) -> probe.Dial:
        query = {"host": host, "port": port, "protocol": "http", "request": "hostname", "tries": tries}
        path = f"{PODS}/{pod}:{probe.PORT}/proxy/dial"
        try:
            answer = self.cluster.request("GET", path, query=query, timeout=DIAL_TIMEOUT, accept="*/*")
        except ApiError as error:
            return probe.Dial(source, target, error=error.message or error.reason, asked=False)
        except ClientError as error:
            return probe.Dial(source, target, error=str(error), asked=False)
        return probe.parse_dial(source, target, answer)

    def reach(self, *arguments: t.Any, **options: t.Any) -> probe.Dial:
        """A connection that must be made, but the first packet may come before the last rule is programmed."""
        attempt = 1
        dial = self.dial(*arguments, **options)
        while (dial.error or not dial.responses) and attempt < ATTEMPTS:
            self.pause(1)
            attempt += 1
            dial = self.dial(*arguments, **options)
        dial.attempts = attempt
        return dial

    # Checks

    def lacking(self) -> dict[str, str]:
        """Nodes without a Ready probe pod, and why."""
        return {node: why for node, why in self.missing.items() if node not in self.policy_pods}

    def check_probe_pods(self) -> Result:
        faults = [f"no probe pod is Ready on {node}: {why}" for node, why in sorted(self.lacking().items())]
        return probe.verdict(
            "probe-pods", faults, f"{len(self.nodes)} nodes run a pod of Pod Security level restricted"
        )

    def check_image_pull(self) -> Result:
        """Events are written late, so they are waited for a little."""
        pods = list(self.ready_probes().values())
        names = {name_of(pod) for pod in pods}
        for _attempt in range(10):
            events = self.cluster.request("GET", f"{NAMESPACE_PATH}/events")["items"]
            if names <= {
                event.get("involvedObject", {}).get("name") for event in events if event["reason"] == "Pulled"
            }:
                break
            self.pause(0.5)
        return probe.image_pull(self.image, pods, events, self.lacking())

    def check_logs(self) -> Result:
        """The API server reaches every kubelet."""

        def log(node: str, pod: Object) -> probe.Dial:
            try:
                text = self.cluster.request("GET", f"{PODS}/{name_of(pod)}/log", accept="*/*", timeout=DIAL_TIMEOUT)
            except ClientError as error:
                return probe.Dial("the API server", f"the kubelet of {node}", error=str(error))
            return probe.Dial("the API server", f"the kubelet of {node}", responses=[str(text)])

        calls = [partial(log, node, pod) for node, pod in self.ready_probes().items()]
        what = "kubelets give the API server the log of a pod"
        return probe.connections("kubelet-logs", in_parallel(calls), what)

    def check_pod_network(self) -> Result:
        probes = self.ready_probes()
        if len(self.nodes) < 2:
            return skipped("pod-network", "there is only one node")

        def connect(source: str, target: str) -> probe.Dial:
            right = name_of(probes[target])
            dial = self.reach(name_of(probes[source]), source, probes[target]["status"]["podIP"], target)
            if dial.responses and dial.responses[0] != right:
                dial.error = f"{dial.responses[0]} answered instead of {right}"
            return dial

        calls = [partial(connect, a, b) for a in probes for b in probes if a != b]
        return probe.pod_pairs(in_parallel(calls))

    def check_dns(self) -> Result:
        """From every node: a name of ours and the API's own."""
        targets = [
            (f"{probe.PROBE}.{probe.NAMESPACE}.svc.{self.domain}", probe.PORT),
            (f"kubernetes.default.svc.{self.domain}", 443),
        ]
        calls = [
            partial(self.reach, name_of(pod), f"pod on {node}", host, host, port=port)
            for node, pod in self.ready_probes().items()
            for host, port in targets
        ]
        return probe.connections("dns", in_parallel(calls), "names resolved and reached")

    def check_service(self) -> Result:
        probes = self.ready_probes()
        target = f"Service {self.cluster_ip}:{probe.PORT}"
        # Enough for each backend to be missed by chance only rarely.
        tries = max(4, 24 // max(1, len(probes)))
        calls = [
            partial(self.reach, name_of(pod), f"pod on {node}", self.cluster_ip, target, tries=tries)
            for node, pod in probes.items()
        ]
        backends = {name_of(pod): node for node, pod in probes.items()}
        dials = in_parallel(calls)
        for _attempt in range(ATTEMPTS - 1):
            if len(backends) < 2 or len(probe.answered_by(dials)) != 1:
                break
            # A pod is Ready some time before kube-proxy, which batches its work, sends connections to it.
            self.pause(1)
            dials = in_parallel(calls)
        return probe.service_spread(dials, backends)

    def check_policy(self) -> Result:
        name = "network-policy"
        absent = {pod: why for pod, why in self.missing.items() if pod in self.policy_pods}
        if absent:
            return probe.verdict(name, [f"pod {pod} is not Ready: {why}" for pod, why in sorted(absent.items())], "")
        server = self.pods[probe.POLICY_SERVER]
        address, target = server["status"]["podIP"], f"pod {probe.POLICY_SERVER} on {server['spec']['nodeName']}"

        def source(pod: str) -> str:
            return f"pod {pod} on {self.pods[pod]['spec']['nodeName']}"

        clients = (probe.POLICY_ALLOWED, probe.POLICY_DENIED)
        before = in_parallel([partial(self.reach, pod, source(pod), address, target) for pod in clients])
        path = f"/apis/networking.k8s.io/v1/namespaces/{probe.NAMESPACE}/networkpolicies"
        self.cluster.request("POST", path, body=probe.network_policy())
        deadline = time.monotonic() + POLICY_TIMEOUT
        while time.monotonic() < deadline:
            if not self.dial(probe.POLICY_DENIED, source(probe.POLICY_DENIED), address, target).responses:
                break
            self.pause(0.25)
        # Once more, side by side: what is denied stays denied while what is allowed gets through.
        allowed, again = in_parallel(
            [
                partial(self.reach, probe.POLICY_ALLOWED, source(probe.POLICY_ALLOWED), address, target),
                partial(self.dial, probe.POLICY_DENIED, source(probe.POLICY_DENIED), address, target),
            ]
        )
        return probe.policy(before, [allowed], [again])
