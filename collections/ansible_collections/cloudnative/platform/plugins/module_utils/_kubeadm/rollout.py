# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Make the changes of a running node, one component after the other; what does not run afterwards is set back."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.cloudnative.platform.plugins.module_utils._etcd_members import join_members
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import documents, node, reconcile
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.reconcile import Change

PKI_DIR = "/etc/kubernetes/pki"
ETCD_PKI = f"{PKI_DIR}/etcd"
#: crashes of a new component after which nobody expects it to come up any more
CRASHES = 2
#: the API server looks for a new certificate once a minute
CERTIFICATE_SECONDS = 90


class NotNow(node.NodeError):
    """The cluster could not bear the change at this moment; nothing was changed."""


@dataclass(frozen=True)
class Container:
    """One run of a static pod's program. It neither runs nor has ended when it was just created."""

    id: str
    running: bool
    ended: bool = False


def etcd_members(addresses: t.Collection[str]) -> list[dict[str, t.Any]]:
    """Return the members of etcd with their health; none where etcd has no quorum to answer with."""

    def ask(*arguments: str) -> t.Any:
        endpoints = ",".join(f"https://{address}:2379" for address in addresses)
        certificates = [f"--cacert={ETCD_PKI}/ca.crt", f"--cert={ETCD_PKI}/healthcheck-client.crt"]
        command = ["etcdctl", f"--endpoints={endpoints}", *certificates, f"--key={ETCD_PKI}/healthcheck-client.key"]
        _status, output, _error = node.run([*command, "--command-timeout=5s", "--write-out=json", *arguments])
        try:
            return json.loads(output)
        except ValueError:
            return None

    listed = ask("member", "list")
    return join_members(listed, [], ask("endpoint", "health", "--cluster") or [], {}) if listed else []


def containers(component: str) -> list[Container]:
    """Return the containers of a static pod on this host, those that ended included."""
    status, output, error = node.run(["crictl", "ps", "--all", f"--name=^{component}$", "--output=json"])
    if status != 0:
        raise node.NodeError(f"the container runtime does not answer: {error.strip()}")
    return [
        Container(one["id"], one["state"] == "CONTAINER_RUNNING", one["state"] == "CONTAINER_EXITED")
        for one in json.loads(output)["containers"] or []
    ]


def unverified() -> ssl.SSLContext:
    """TLS as the kubelet's probes use it: whether somebody is well is asked, not who it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def probe(manifest: str) -> str:
    """Ask a component what its startup probe would; return why it is not well, or an empty text."""
    scheme, host, port, path = reconcile.probe_address(manifest)
    if scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=3, context=unverified()
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=3)
    return why_not_well(connection, path, f"{scheme}://{host}:{port}{path}")


def why_not_well(connection: http.client.HTTPConnection, path: str, place: str) -> str:
    """Ask a health endpoint; return why its owner is not well, or an empty text. *place* is what it is called."""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"{place}: {error}"
    finally:
        connection.close()
    return "" if response.status == 200 else f"{place} answers {response.status}: {text[:200]}"


def served_certificate(address: str) -> str:
    """Return the certificate that an API server shows, as PEM."""
    with (
        socket.create_connection((address, documents.API_PORT), 5) as stream,
        unverified().wrap_socket(stream) as secured,
    ):
        return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")


def _set_back(what: str, change: str, reason: str, again: str) -> str:
    outcome = f"it does not run with the old ones either: {again}" if again else "the old ones are back, and it runs"
    return f"{what} does not run with the new settings ({change}): {reason}\n{outcome}"


class Rollout:
    """The changes of one node; each is made, waited for, and taken back when the component does not come up."""

    def __init__(self, cluster: dict[str, t.Any], own: dict[str, t.Any], timeout: float) -> None:
        self.cluster = cluster
        self.own = own
        self.timeout = timeout

    # -- may it begin --

    def wait_until_allowed(self, control_planes: t.Sequence[t.Mapping[str, str]], why_not_after: str) -> None:
        """Wait until etcd and the API would survive this node's restart; raise :class:`NotNow` where they would not."""
        if why_not_after:
            raise NotNow(f"nothing was changed on {self.own['name']}: {why_not_after}")
        deadline = time.monotonic() + min(self.timeout, 60)
        while True:
            reason = self._why_not(control_planes)
            if not reason:
                return
            if time.monotonic() > deadline:
                raise NotNow(f"nothing was changed on {self.own['name']}: {reason}; bring that back first")
            node.pause(2, "etcd and the other API servers")

    def _why_not(self, control_planes: t.Sequence[t.Mapping[str, str]]) -> str:
        ca_pem = node.read_text(node.CA_FILE)
        reasons = {one["name"]: node.api_ready(one["address"], ca_pem) for one in control_planes}
        members = etcd_members([one["address"] for one in control_planes])
        return reconcile.why_not_etcd(members, self.own["name"]) or reconcile.why_not_api(reasons, self.own["name"])

    # -- changes --

    def apply(self, change: Change) -> None:
        if change.component == "certificate":
            self._certificate()
        elif change.restart == "unit":
            self._kubelet(change)
        else:
            self._static_pod(change)

    def _certificate(self) -> None:
        """Issue the API server's certificate beside the old one, and put it in its place when it is whole."""
        directory = node.PKI_COPY
        os.makedirs(directory, mode=0o700, exist_ok=True)
        try:
            for name in ("ca.crt", "ca.key"):
                shutil.copy(f"{PKI_DIR}/{name}", directory)
            configuration = dict(documents.cluster_configuration(self.cluster), certificatesDir=directory)
            self._phase(["certs", "apiserver"], [documents.init_configuration(self.own, [], {}), configuration])
            for name, mode in (("apiserver.key", 0o600), ("apiserver.crt", 0o644)):
                node.write_private(f"{PKI_DIR}/{name}", node.read_text(f"{directory}/{name}"), mode)
        finally:
            shutil.rmtree(directory)
        self._wait_for_certificate()

    def _wait_for_certificate(self) -> None:
        wanted = node.read_text(reconcile.SERVING_CERTIFICATE).strip()
        deadline = time.monotonic() + CERTIFICATE_SECONDS
        while True:
            try:
                served = served_certificate(self.own["address"]).strip()
            except OSError:
                # No server, no old certificate: the one that starts reads the new one.
                return
            if served == wanted:
                return
            if time.monotonic() > deadline:
                raise node.NodeError(
                    f"the API server still serves its old certificate after {CERTIFICATE_SECONDS} s; restart it: "
                    "crictl stop $(crictl ps --quiet --name '^kube-apiserver$')"
                )
            time.sleep(1)

    def _static_pod(self, change: Change) -> None:
        manifest = reconcile.manifest_path(change.component)
        text = change.files.get(manifest) or node.read_text(manifest)
        known = containers(change.component)
        was_well = any(one.running for one in known) and not probe(node.read_text(manifest) or text)
        before = {path: node.read_text(path) for path in change.files}
        self._write(change.files)
        if change.restart == "container":
            self._stop(known)
        reason = self._wait_for_new(change.component, text, known)
        if not reason:
            return
        if not was_well:
            # There is nothing better to go back to.
            raise node.NodeError(f"{change.component} does not run: {reason}")
        bad = containers(change.component)
        self._write(before)
        if change.restart == "container":
            self._stop(bad)
        again = self._wait_for_new(change.component, before.get(manifest) or text, bad)
        raise node.NodeError(_set_back(change.component, change.text, reason, again))

    def _write(self, files: reconcile.Files) -> None:
        for path, text in files.items():
            if text:
                node.write_private(path, text, 0o600 if path.startswith(reconcile.MANIFEST_DIR) else 0o644)
            elif os.path.exists(path):
                os.unlink(path)

    def _stop(self, known: t.Sequence[Container]) -> None:
        running = [one.id for one in known if one.running]
        if running:
            node.run(["crictl", "stop", "--timeout=30", *running], timeout=90)

    def _wait_for_new(self, component: str, manifest: str, known: t.Sequence[Container]) -> str:
        """Wait until a container that was not there before is well; return why not, with its last words."""
        old = {one.id for one in known}
        deadline = time.monotonic() + self.timeout
        words = ""
        while True:
            new = [one for one in containers(component) if one.id not in old]
            running = [one for one in new if one.running]
            reason = probe(manifest) if running else "it was not started"
            if running and not reason:
                return ""
            ended = [one for one in new if one.ended]
            if ended:
                # Each time: the kubelet soon removes all of them but the last, with their logs.
                words = node.last_words(ended[0].id) or words
            if len(ended) >= CRASHES or time.monotonic() > deadline:
                words = words or "".join(node.last_words(one.id) for one in running)
                told = f"; its last words:\n{words}" if words else f"\n{node.diagnosis()}"
                return (f"it ended {len(ended)} times" if ended else reason) + told
            time.sleep(1)

    def _kubelet(self, change: Change) -> None:
        before = {path: node.read_text(path) for path in change.files}
        was_well = not self._kubelet_ill()
        self._write(change.files)
        reason = self._restart_kubelet()
        if not reason:
            return
        if not before or not was_well:
            raise node.NodeError(f"the kubelet does not run: {reason}")
        self._write(before)
        raise node.NodeError(_set_back("the kubelet", change.text, reason, self._restart_kubelet()))

    def _restart_kubelet(self) -> str:
        status, _output, error = node.run(["systemctl", "restart", "kubelet.service"])
        if status != 0:
            return error.strip()
        deadline = time.monotonic() + min(self.timeout, 60)
        since = time.time()
        well = 0
        while well < 2:
            time.sleep(1)
            reason = self._kubelet_ill()
            well = 0 if reason else well + 1
            if reason and (time.monotonic() > deadline or self._kubelet_crashed()):
                _status, journal, _error = node.run(
                    ["journalctl", "-u", "kubelet", f"--since=@{since:.0f}", "-n", "500", "--no-pager", "-o", "cat"]
                )
                return f"{reason}; its last messages:\n" + "\n".join(node.telling_lines(journal, 6))
        return ""

    def _kubelet_crashed(self) -> bool:
        _status, output, _error = node.run(["systemctl", "show", "kubelet.service", "--property=NRestarts", "--value"])
        return output.strip().isdigit() and int(output) >= CRASHES

    def _kubelet_ill(self) -> str:
        """Ask the kubelet on its health port; return why it is not well."""
        text = node.read_text(f"{reconcile.KUBELET_DIR}/config.yaml")
        values = dict(re.findall(r"^(healthzBindAddress|healthzPort): (\S+)$", text, flags=re.MULTILINE))
        port = int(values.get("healthzPort", "10248"))
        if port == 0:
            return "" if node.kubelet_active() else "kubelet.service is not active"
        connection = http.client.HTTPConnection(values.get("healthzBindAddress", "127.0.0.1"), port, timeout=3)
        return why_not_well(connection, "/healthz", f"its health port {port}")

    def _phase(self, phase: list[str], configuration: list[dict[str, t.Any]]) -> None:
        name = "kubeadm-" + "-".join(phase)
        node.kubeadm(["init", "phase", *phase], documents.render(configuration), name, self.timeout)
