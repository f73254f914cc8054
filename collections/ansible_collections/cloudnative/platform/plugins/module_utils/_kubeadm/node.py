# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The host's side of kubeadm: read the node's state, run kubeadm, ask API servers. Standard library only."""

from __future__ import annotations

# run_command needs a module; the functions here work without one.
# pylint: disable=ansible-bad-function
import glob
import http.client
import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import temporary_for
from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import abandoned
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import documents, state
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.api import Api, ApiError

KUBERNETES_DIR = "/etc/kubernetes"
ADMIN_CONF = f"{KUBERNETES_DIR}/admin.conf"
KUBELET_CONF = f"{KUBERNETES_DIR}/kubelet.conf"
CA_FILE = f"{KUBERNETES_DIR}/pki/ca.crt"
LOG_DIR = "/var/log/cloudnative"
RUN_DIR = "/run/cloudnative"
#: where a certificate is issued beside the one that is served
PKI_COPY = f"{RUN_DIR}/pki"
OBSERVED_FILES = (
    "admin.conf",
    "bootstrap-kubelet.conf",
    "kubelet.conf",
    "pki/ca.crt",
    "pki/ca.key",
    *(f"manifests/{name}.yaml" for name in state.MANIFESTS),
)
ADDON_PATHS = (
    "/api/v1/namespaces/kube-system/configmaps/kubeadm-config",
    "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
    "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
)
#: how long a node that has everything in place may take to answer, in seconds: a host that has just booted
#: pulls nothing but still starts etcd before its API server
SETTLE_SECONDS = 60


class NodeError(Exception):
    """A step on this node failed; the text says which, why, and what to look at."""


def run(
    command: list[str], stdin: str | None = None, timeout: float = 60, environment: t.Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a command, return exit status, output and error output; a time-out counts as status 124."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    variables = {**os.environ, "PATH": path, "LC_ALL": "C", **(environment or {})}
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout, env=variables, check=False
        )
    except FileNotFoundError:
        return 127, "", f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return 124, "", f"{' '.join(command[:2])} did not end within {timeout:.0f} s"
    return done.returncode, done.stdout, done.stderr


def api_ready(address: str, ca_pem: str, timeout: float = 3) -> str:
    """Ask an API server for /readyz. Returns an empty string when it is ready, else the reason why not."""
    context = ssl.create_default_context(cadata=ca_pem)
    connection = http.client.HTTPSConnection(address, documents.API_PORT, timeout=timeout, context=context)
    try:
        connection.request("GET", "/readyz?verbose")
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"https://{address}:{documents.API_PORT}/readyz: {error}"
    finally:
        connection.close()
    if response.status == 200:
        return ""
    failed = ", ".join(line for line in text.splitlines() if line.startswith("[-]")) or text.strip()[:200]
    return f"https://{address}:{documents.API_PORT}/readyz answers {response.status}: {failed}"


def pause(seconds: float, what: str) -> None:
    """Wait a moment for *what*; raise :class:`NodeError` when the run that wanted it has gone meanwhile."""
    if abandoned():
        raise NodeError(f"the run that waited for {what} has gone")
    time.sleep(seconds)


def wait_for_api(address: str, ca_pem: str, timeout: float, name: str) -> None:
    """Wait until an API server is ready; on time-out raise :class:`NodeError` with what it last answered."""
    deadline = time.monotonic() + timeout
    while True:
        reason = api_ready(address, ca_pem)
        if not reason:
            return
        if time.monotonic() > deadline:
            raise NodeError(f"waited {timeout:.0f} s for the API server of control plane {name}: {reason}")
        pause(1, f"the API server of control plane {name}")


def read_text(path: str) -> str:
    """Return a file's text, or an empty string where there is no such file."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def write_private(path: str, text: str, mode: int = 0o600) -> None:
    """Write a file in one step, root-only if *mode* says nothing else; its directory is made, root-only as well."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    temporary = temporary_for(path)
    # What an earlier, killed run left there is overwritten.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def remove_leftovers() -> None:
    """Remove what a run that was killed left: kubeadm's configuration, which holds credentials, and copies of keys."""
    for path in glob.glob(f"{RUN_DIR}/kubeadm-*.yaml"):
        os.unlink(path)
    for path in glob.glob(PKI_COPY) + glob.glob(f"{RUN_DIR}/render-*"):
        shutil.rmtree(path)


def remove_empty() -> None:
    """Remove files that a crash of the host left empty: kubeadm takes them for done and then cannot read them."""
    patterns = ("*.conf", "manifests/*.yaml", "pki/*.crt", "pki/*.key", "pki/*.pub", "pki/etcd/*.crt", "pki/etcd/*.key")
    for pattern in patterns:
        for path in glob.glob(f"{KUBERNETES_DIR}/{pattern}"):
            if os.path.getsize(path) == 0:
                os.unlink(path)


def write_patches(policy: t.Mapping[str, str]) -> None:
    """Write what kubeadm has to change in the manifests that it makes, where there is anything."""
    if policy:
        path = f"{documents.PATCHES_DIR}/kube-apiserver+merge.json"
        write_private(path, json.dumps(documents.apiserver_patch(policy)))


def new_token() -> str:
    """Return a bootstrap token in the form that Kubernetes wants: six characters, a dot, sixteen characters."""
    return f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"


def kubelet_active() -> bool:
    return run(["systemctl", "is-active", "--quiet", "kubelet.service"])[0] == 0


def _node_object(name: str, api: Api) -> dict[str, t.Any] | None:
    node = api.get(f"/api/v1/nodes/{name}")
    if node is None:
        return None
    conditions = {item["type"]: item["status"] for item in node["status"].get("conditions", [])}
    return {
        "labels": node["metadata"].get("labels", {}),
        "ready": conditions.get("Ready") == "True",
        "kubelet_version": node["status"].get("nodeInfo", {}).get("kubeletVersion", ""),
    }


def _addons_present(api: Api) -> bool:
    """Say whether the last phase of ``kubeadm init`` is done: CoreDNS and kube-proxy are the last it makes."""
    return all(api.get(path) for path in ADDON_PATHS)


def observe(node: dict[str, t.Any]) -> dict[str, t.Any]:
    """Read the state of this node: what :func:`state.classify` takes, and nothing is changed."""
    # A crash of the host may have left a file without content.
    files = [name for name in OBSERVED_FILES if read_text(f"{KUBERNETES_DIR}/{name}")]
    observed: dict[str, t.Any] = {
        "files": files,
        "kubelet_active": kubelet_active(),
        "api_ready": False,
        "api_reason": "",
        "asked": True,
        "node": None,
        "addons": False,
    }
    ca_pem = read_text(CA_FILE)
    control_plane = node["role"] == "control_plane"
    if control_plane and ca_pem and "manifests/kube-apiserver.yaml" in files:
        observed["api_reason"] = api_ready(node["address"], ca_pem)
        observed["api_ready"] = not observed["api_reason"]
    if "kubelet.conf" in files:
        administrator = control_plane and "admin.conf" in files
        try:
            api = Api(ADMIN_CONF if administrator else KUBELET_CONF)
            observed["node"] = _node_object(node["name"], api)
            if administrator and observed["api_ready"]:
                observed["addons"] = _addons_present(api)
            api.close()
        except FileNotFoundError as error:
            # A kubelet that is still on its way has no certificate yet.
            observed["api_reason"] = str(error)
        except (ApiError, OSError) as error:
            observed["asked"] = False
            observed["api_reason"] = observed["api_reason"] or str(error)
    observed["phase"] = state.classify(observed, node["role"])
    return observed


def observe_settled(node: dict[str, t.Any]) -> dict[str, t.Any]:
    """Observe; where all is in place and only the answer is missing, give the node time to start."""
    deadline = time.monotonic() + SETTLE_SECONDS
    observed = observe(node)
    while observed["phase"] == "unready" and observed["kubelet_active"] and time.monotonic() < deadline:
        pause(2, f"node {node['name']}")
        observed = observe(node)
    return observed


def telling_lines(journal: str, count: int) -> list[str]:
    """Return the last *count* messages of a journal that differ in more than their numbers, oldest first."""
    telling: dict[str, str] = {}
    for line in reversed(journal.splitlines()):
        message = line.split("] ", 1)[-1]  # klog: severity, time, process and source come first
        telling.setdefault(re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "", message)[:120], message[:400])
        if len(telling) == count:
            break
    return list(reversed(list(telling.values())))


def diagnosis() -> str:
    """Return what a person would look at next: the kubelet's last messages and the containers that are not running."""
    _status, journal, _error = run(["journalctl", "-u", "kubelet", "-n", "2000", "--no-pager", "-o", "cat"])
    _status, containers, _error = run(["crictl", "ps", "-a", "--state=Exited", "-o", "table"])
    _status, newest, _error = run(["crictl", "ps", "-a", "--state=Exited", "--latest", "--quiet"])
    words = last_words(newest.split()[0]) if newest.split() else ""
    messages = "\n".join(telling_lines(journal, 12))
    shown = f"last messages of the kubelet:\n{messages}\nexited containers:\n{containers.strip()}"
    return f"{shown}\nlast words of the newest of them:\n{words}" if words else shown


def last_words(container: str) -> str:
    """Return the last lines that a container wrote."""
    _status, output, error = run(["crictl", "logs", "--tail=15", container])
    return "\n".join(telling_lines(output + error, 5))


def kubeadm(arguments: list[str], configuration: str, log_name: str, timeout: float) -> None:
    """Run kubeadm with a configuration that only root can read and that is gone afterwards.

    The output goes to a root-only log under /var/log/cloudnative. Raises :class:`NodeError` with the last lines.
    """
    path = f"{RUN_DIR}/{log_name}.yaml"
    log_path = f"{LOG_DIR}/{log_name}.log"
    write_private(path, configuration)
    try:
        status, output, error = run(["kubeadm", *arguments, f"--config={path}"], timeout=timeout)
    finally:
        os.unlink(path)
    write_private(log_path, f"{output}\n{error}\n")
    if status != 0:
        tail = "\n".join((output + "\n" + error).strip().splitlines()[-20:])
        failed = f"kubeadm {' '.join(arguments[:2])} ended with status {status} (whole output: {log_path})"
        raise NodeError(f"{failed}:\n{tail}\n{diagnosis()}")


def start_kubelet() -> None:
    """Start the kubelet; nothing happens where it runs already."""
    status, _output, error = run(["systemctl", "start", "kubelet.service"])
    if status != 0:
        raise NodeError(f"the kubelet does not start: {error.strip()}\n{diagnosis()}")


def wait_for_member(node: dict[str, t.Any], timeout: float) -> dict[str, t.Any]:
    """Wait until this node is a healthy member; on time-out say what is missing."""
    deadline = time.monotonic() + timeout
    while True:
        observed = observe(node)
        if observed["phase"] == "member":
            return observed
        if time.monotonic() > deadline:
            missing = observed["api_reason"] or f"phase {observed['phase']}, node object: {observed['node']}"
            raise NodeError(
                f"node {node['name']} did not become a member within {timeout:.0f} s: {missing}\n{diagnosis()}"
            )
        pause(1, f"node {node['name']}")
