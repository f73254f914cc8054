# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The whole proof of a cluster: reads the API, runs the probes, and returns one result per check."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, ClientError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._verify import hosts, state
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.probes import ProbeError, Probes, in_parallel
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.result import FAILED, Result, skipped

Object = dict[str, t.Any]
Check = t.Callable[[], Result]

API_CHECKS = (
    "api-servers",
    "nodes",
    "control-plane",
    "workloads",
    "leaders",
    "kubelet-certificates",
    "images",
)
HOST_CHECKS = ("etcd", "api-endpoints", "api-failover")
PROBE_CHECKS = ("probe-pods", "image-pull", "kubelet-logs", "pod-network", "dns", "service", "network-policy")
# Whoever starts pods says on which nodes, and removes them.
CLEANUP = "cleanup"
ALWAYS = ("api-servers", "probe-pods", CLEANUP)
CHECKS = (*API_CHECKS, *HOST_CHECKS, *PROBE_CHECKS)

KUBELET_PORT = 10250
LEASE_TIMEOUT = 15.0


@dataclass
class Options:
    """What to check beside the expectation, and what the hosts have seen."""

    checks: tuple[str, ...] = CHECKS
    image: str = ""
    domain: str = "cluster.local"
    namespaces: tuple[str, ...] = ("kube-system",)
    network_policy: bool = True
    api_port: int = 6443
    timeout: float = 60
    create_pods: bool = True
    disruptive: bool = False
    etcd: dict[str, Object] = field(default_factory=dict)
    endpoints: dict[str, Object] = field(default_factory=dict)
    failover: list[Object] = field(default_factory=list)


def timed(name: str, check: Check) -> Result:
    start = time.monotonic()
    try:
        result = check()
    except (ClientError, ProbeError, OSError) as error:
        result = Result(name, FAILED, str(error))
    except Exception as error:  # a check that breaks has failed, and the others still count
        result = Result(name, FAILED, f"the check itself broke: {type(error).__name__}: {error}")
    result.seconds = time.monotonic() - start
    return result


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def certificate_problem(address: str, port: int, ca: str, timeout: float = 5) -> str | None:
    """Connect as a careful client would; nothing is sent."""
    context = ssl.create_default_context(cadata=ca)
    # Python 3.13 made this the default; the Go programs that use these certificates do not ask for as much.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        with (
            socket.create_connection((address, port), timeout=timeout) as connection,
            context.wrap_socket(connection, server_hostname=address),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return f"{address}:{port} serves a certificate that the cluster's CA does not vouch for: {error.verify_message}"
    except OSError as error:
        return f"{address}:{port} cannot be reached from the controller: {error}"


class Verification:
    def __init__(
        self,
        cluster: Cluster,
        connect: t.Callable[[str], Cluster],
        expected: state.Expectation,
        options: Options,
        stop: threading.Event,
    ) -> None:
        self.cluster = cluster
        self.connect = connect
        self.expected = expected
        self.options = options
        self.stop = stop
        self.alive: Cluster | None = None

    def run(self) -> list[Result]:
        """All wanted checks, in the order of CHECKS. Probe pods start while the API is read."""
        results = {"api-servers": timed("api-servers", self.check_api_servers)}
        for name, check in self.host_checks().items():
            results[name] = timed(name, check)
        alive = self.alive
        if alive is None:
            no_api = (*API_CHECKS[1:], *PROBE_CHECKS)
            results.update({name: skipped(name, "no API server answers") for name in no_api})
        else:
            with ThreadPoolExecutor(max_workers=1) as pool:
                probing = pool.submit(self.run_probes, alive)
                results.update(self.run_api_checks(alive))
                results.update({result.name: result for result in probing.result()})
        shown = (*self.options.checks, *(name for name in ALWAYS if name in results))
        return [results[name] for name in (*CHECKS, CLEANUP) if name in shown]

    def host_checks(self) -> dict[str, Check]:
        options = self.options
        node_names = [node.name for node in self.expected.nodes]
        return {
            "etcd": lambda: hosts.etcd(self.expected, options.etcd),
            "api-endpoints": lambda: hosts.endpoints(options.endpoints, node_names),
            "api-failover": lambda: hosts.failover(self.expected, options.disruptive, options.failover),
        }

    def check_api_servers(self) -> Result:
        """Each control plane is asked for itself; the first that is ready serves the rest of the proof."""
        addresses = [node.address for node in self.expected.control_planes if node.address]
        servers = [f"https://{bracketed(address)}:{self.options.api_port}" for address in addresses]
        clusters = [self.connect(server) for server in servers] or [self.cluster]
        answers = in_parallel([partial(self.ask_health, cluster) for cluster in clusters])
        for cluster, answer in zip(clusters, answers):
            if self.alive is None and answer["/readyz?verbose"].rstrip().endswith("check passed"):
                self.alive = cluster
        return state.api_servers({cluster.host: answer for cluster, answer in zip(clusters, answers)})

    @staticmethod
    def ask_health(cluster: Cluster) -> dict[str, str]:
        answers = {}
        for path in ("/livez?verbose", "/readyz?verbose"):
            try:
                answers[path] = str(cluster.request("GET", path, accept="*/*", timeout=10))
            except ApiError as error:
                answers[path] = error.message or str(error)
            except ClientError as error:
                answers[path] = str(error)
        return answers

    def run_api_checks(self, cluster: Cluster) -> dict[str, Result]:
        def items(path: str) -> list[Object]:
            return list(cluster.request("GET", path)["items"])

        namespaces = self.options.namespaces
        leases_path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

        def check_workloads() -> Result:
            found = []
            for kind, plural in (("DaemonSet", "daemonsets"), ("Deployment", "deployments")):
                for item in items(f"/apis/apps/v1/{plural}"):
                    if item["metadata"]["namespace"] in namespaces:
                        # Items of a list do not carry their kind.
                        found.append({**item, "kind": kind})
            return state.workloads(found)

        def check_leaders() -> Result:
            before = items(leases_path)
            deadline = time.monotonic() + LEASE_TIMEOUT
            while True:
                after = items(leases_path)
                if state.renewed(before, after) or time.monotonic() > deadline:
                    return state.leases(self.expected, before, after)
                time.sleep(0.5)

        def check_kubelets() -> Result:
            ca = cluster.request("GET", "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt")["data"]["ca.crt"]
            addresses = {
                state.name_of(node): item["address"]
                for node in items("/api/v1/nodes")
                for item in node["status"].get("addresses", [])
                if item["type"] == "InternalIP"
            }
            calls = [partial(certificate_problem, address, KUBELET_PORT, ca) for address in addresses.values()]
            return state.kubelet_certificates(dict(zip(addresses, in_parallel(calls))))

        def check_images() -> Result:
            # The probe pods are not there yet or gone again in a moment; their image is judged by image-pull.
            return state.images(self.expected, items("/api/v1/pods"))

        checks: dict[str, Check] = {
            "nodes": lambda: state.nodes(self.expected, items("/api/v1/nodes")),
            "control-plane": lambda: state.control_plane_pods(
                self.expected, items("/api/v1/namespaces/kube-system/pods")
            ),
            "workloads": check_workloads,
            "leaders": check_leaders,
            "kubelet-certificates": check_kubelets,
            "images": check_images,
        }
        return {name: timed(name, check) for name, check in checks.items() if name in self.options.checks}

    def run_probes(self, cluster: Cluster) -> list[Result]:
        wanted = [name for name in PROBE_CHECKS if name in self.options.checks]
        if not wanted:
            return []
        # The other probe checks only speak of nodes with a pod; this one names the nodes without.
        wanted = list(dict.fromkeys(["probe-pods", *wanted]))
        if not self.options.create_pods:
            return [skipped(name, "check mode makes no pods") for name in wanted]
        if not self.options.image:
            return [skipped(name, "no image for probe pods was given") for name in wanted]
        nodes = [state.name_of(node) for node in cluster.request("GET", "/api/v1/nodes")["items"]]
        with_policy = self.options.network_policy and "network-policy" in wanted
        probes = Probes(cluster, self.options.image, nodes, self.options.domain, with_policy, self.stop)
        checks: dict[str, Check] = {
            "probe-pods": probes.check_probe_pods,
            "image-pull": probes.check_image_pull,
            "kubelet-logs": probes.check_logs,
            "pod-network": probes.check_pod_network,
            "dns": probes.check_dns,
            "service": probes.check_service,
            "network-policy": probes.check_policy,
        }
        if not with_policy:
            reason = "the network plugin is not expected to enforce NetworkPolicy"
            checks["network-policy"] = lambda: skipped("network-policy", reason)
        results: dict[str, Result] = {}
        start = time.monotonic()
        try:
            probes.start()
            probes.wait(self.options.timeout)
            started = time.monotonic() - start
            results = self.run_probe_checks(checks, wanted)
            results["probe-pods"].seconds += started
        except (ClientError, ProbeError) as error:
            results = {name: skipped(name, "the probe pods could not be started") for name in wanted}
            results["probe-pods"] = Result("probe-pods", FAILED, str(error), seconds=time.monotonic() - start)
        finally:
            results[CLEANUP] = timed(CLEANUP, probes.check_removed)
        return list(results.values())

    @staticmethod
    def run_probe_checks(checks: dict[str, Check], wanted: list[str]) -> dict[str, Result]:
        """One after the other, but beside them the policy test: it mostly waits for connections that never come."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            aside = {name: pool.submit(timed, name, checks[name]) for name in wanted if name == "network-policy"}
            results = {name: timed(name, checks[name]) for name in wanted if name not in aside}
            return {**results, **{name: future.result() for name, future in aside.items()}}
