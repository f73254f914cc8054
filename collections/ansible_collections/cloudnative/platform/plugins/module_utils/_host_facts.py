# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the platform wants to know of a host, read from the kernel and a few files."""

from __future__ import annotations

import base64
import binascii
import ctypes
import hashlib
import json
import os
import platform
import re
import socket
import struct
import sys
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import read_text
from ansible_collections.cloudnative.platform.plugins.module_utils._process_state import processes

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
FAMILIES = ("debian", "rhel", "fedora", "suse", "arch", "alpine")
FAMILY_NAMES = {"rhel": "redhat", "fedora": "redhat"}
# kube-proxy's nftables mode needs what came with this kernel.
NFTABLES_KERNEL = (5, 13)
KUBERNETES_CA = "/etc/kubernetes/pki/ca.crt"
API_SERVER_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
# Kept by module oci_files.
INSTALLED_FILES = "/var/lib/cloudnative/files.json"
TIME_ERROR = 5


def parse_os_release(text: str) -> dict[str, str]:
    """Pure: KEY=value lines of os-release, unquoted."""
    values = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            values[key] = value.strip().strip("\"'")
    return values


def os_family(release: t.Mapping[str, str]) -> str:
    """Pure: debian, redhat, suse…, by the distribution or what it derives from."""
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    for name in names:
        for family in FAMILIES:
            if name == family or (family == "suse" and "suse" in name):
                return FAMILY_NAMES.get(family, family)
    return names[0] or "unknown"


def kernel_version(release: str) -> tuple[int, int]:
    """Pure: (6, 1) of 6.1.0-28-amd64."""
    numbers = release.split("-", 1)[0].split(".")
    try:
        return int(numbers[0]), int(numbers[1])
    except (IndexError, ValueError):
        return 0, 0


def memory_mb(meminfo: str) -> int:
    """Pure: MemTotal of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def root_is_shared(mountinfo: str) -> bool:
    """Pure: whether mounts below / propagate, from /proc/self/mountinfo."""
    for line in reversed(mountinfo.splitlines()):
        before, _dash, _after = line.partition(" - ")
        fields = before.split()
        if len(fields) > 4 and fields[4] == "/":
            return any(option.startswith("shared:") for option in fields[6:])
    return False


def default_ipv4() -> str | None:
    """The address this host uses towards others; connecting a datagram socket asks for the route and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
        try:
            stream.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(stream.getsockname()[0])


def has_nftables(kernel: str) -> bool:
    """Ask the kernel for the generation of its nftables rules, as nft does first; no program is needed for it."""
    if kernel_version(kernel) < NFTABLES_KERNEL:
        return False
    header = struct.Struct("=IHHII")
    body = struct.pack("=BBH", 0, 0, 0)
    get_generation, new_generation = 10 << 8 | 16, 10 << 8 | 15
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as stream:
            stream.settimeout(2)
            stream.bind((0, 0))
            stream.send(header.pack(header.size + len(body), get_generation, 1, 1, 0) + body)
            kind = header.unpack(stream.recv(4096)[: header.size])[1]
    except OSError:
        return False
    return bool(kind == new_generation)


def time_synchronised(container: bool) -> bool | None:
    """The kernel's own flag, which every time service sets; in a container the clock is the machine's: unknown."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    if state == TIME_ERROR:
        return None if container else False
    return True


def is_container() -> bool:
    return os.path.exists("/run/systemd/container")


def may_lower_oom_score(status: str) -> bool:
    """Say whether processes may be protected from the out-of-memory killer, from the text of /proc/self/status.

    That takes CAP_SYS_RESOURCE (bit 24, capabilities(7)), which hosts that are containers may lack even as root.
    """
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> 24 & 1)
    return True


def certificate_digest(pem: str) -> str:
    """Pure: sha256 of the DER of the first certificate, in hexadecimal; empty where there is none."""
    found = re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)
    try:
        return (
            hashlib.sha256(base64.b64decode("".join(found.group(1).split()), validate=True)).hexdigest()
            if found
            else ""
        )
    except binascii.Error:
        return ""


def image_version(manifest: str, name: str) -> str:
    """Pure: the tag of an image in the manifest of a static pod."""
    found = re.search(rf"^[\s-]*image:\s*[\"']?\S*/{re.escape(name)}:([\w.+-]+)", manifest, re.MULTILINE)
    return found.group(1) if found else ""


def installed_version(record: str, name: str, running: t.Container[tuple[int, ...]]) -> str:
    """Pure: the version of a program that runs, by the record of installed files.

    `running` are (size, mtime, inode) of what runs, with which the record's keys begin. A program that was replaced but
    not restarted runs from a file that is not in the record any more: unknown.
    """
    try:
        files = json.loads(record)["files"].values()
        for entry in files:
            if entry.get("name") == name and tuple(entry["key"][:3]) in running:
                return str(entry.get("ref", "")).partition("@")[0].rpartition(":")[2]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        # A record that is damaged says nothing; oci_files writes it anew.
        return ""
    return ""


def running_files(name: str) -> set[tuple[int, ...]]:
    """What processes of that name run from, also when the file has been replaced meanwhile."""
    files: set[tuple[int, ...]] = set()
    for pid in processes(name):
        try:
            info = os.stat(f"/proc/{pid}/exe")
        except OSError:
            # It ended meanwhile.
            continue
        files.add((info.st_size, info.st_mtime_ns, info.st_ino))
    return files


def kubernetes_version() -> str:
    """What this host runs as a node: its API server if it has one, else its kubelet. Starts no process.

    A kubelet can't be asked without one, and no file of Kubernetes holds its version; but whoever installed it knows.
    """
    version = image_version(read_text(API_SERVER_MANIFEST), "kube-apiserver")
    if version or not os.path.exists(KUBELET_CONFIG):
        return version
    return installed_version(read_text(INSTALLED_FILES), "kubelet", running_files("kubelet"))


def gather() -> dict[str, t.Any]:
    release = parse_os_release(read_text("/etc/os-release") or read_text("/usr/lib/os-release"))
    kernel = platform.release()
    container = is_container()
    root = os.geteuid() == 0
    return {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "bridge_nf": os.path.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"),
        "cgroup_version": 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
        "container": container,
        "default_ipv4": default_ipv4(),
        "hostname": socket.gethostname(),
        "kernel": kernel,
        # Only root may read what Kubernetes keeps; that it isn't root is said elsewhere.
        "kubernetes_ca": certificate_digest(read_text(KUBERNETES_CA)) if root else "",
        "kubernetes_version": kubernetes_version() if root else "",
        "machine_id": read_text("/etc/machine-id").strip(),
        "memory_mb": memory_mb(read_text("/proc/meminfo")),
        "nftables": has_nftables(kernel),
        "oom_score_lowerable": may_lower_oom_score(read_text("/proc/self/status")),
        "os_family": os_family(release),
        "os_id": release.get("ID", "unknown"),
        "os_version": release.get("VERSION_ID", ""),
        "python": ".".join(map(str, sys.version_info[:3])),
        "root": root,
        "time_synchronised": time_synchronised(container),
    }
