# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _host_facts
from ansible_collections.cloudnative.platform.plugins.module_utils._host_facts import (
    certificate_digest,
    gather,
    has_nftables,
    image_version,
    installed_version,
    kernel_version,
    may_lower_oom_score,
    memory_mb,
    os_family,
    parse_os_release,
    root_is_shared,
    running_files,
    time_synchronised,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ID=debian\nVERSION_ID="12"\n# comment\n\n', {"ID": "debian", "VERSION_ID": "12"}),
        ("ID='rocky'\nbroken\n", {"ID": "rocky"}),
        ("", {}),
    ],
)
def test_parse_os_release(text, expected):
    assert parse_os_release(text) == expected


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ({"ID": "debian"}, "debian"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "debian"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "redhat"),
        ({"ID": "fedora"}, "redhat"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "suse"),
        ({"ID": "plan9"}, "plan9"),
        ({}, "unknown"),
    ],
)
def test_os_family(release, family):
    assert os_family(release) == family


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.1.0-28-amd64", (6, 1)), ("5.14.0-427.el9.x86_64", (5, 14)), ("6.18", (6, 18)), ("odd", (0, 0))],
)
def test_kernel_version(release, version):
    assert kernel_version(release) == version


@pytest.mark.parametrize(("text", "expected"), [("MemFree: 1 kB\nMemTotal:  2097152 kB\n", 2048), ("", 0)])
def test_memory(text, expected):
    assert memory_mb(text) == expected


@pytest.mark.parametrize(
    ("mountinfo", "shared"),
    [
        ("265 235 0:58 / / rw,relatime shared:698 - overlay overlay rw\n", True),
        ("265 235 0:58 / / rw,relatime - overlay overlay rw\n", False),
        ("265 235 0:58 / / rw,relatime master:1 - overlay overlay rw\n", False),
        ("1 1 0:1 / / rw shared:1 - rootfs rootfs rw\n2 1 0:2 / / rw - ext4 /dev/a rw\n", False),
        ("3 1 0:2 / /var rw shared:1 - ext4 /dev/a rw\n", False),
        ("", False),
    ],
)
def test_root_is_shared(mountinfo, shared):
    assert root_is_shared(mountinfo) is shared


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CapPrm:\t0000000000000000\nCapBnd:\t000001ffffffffff\n", True),
        ("CapPrm:\t000001ffffffffff\nCapBnd:\t000001fffeffffff\n", False),
        ("", True),
    ],
)
def test_may_lower_oom_score(status, expected):
    assert may_lower_oom_score(status) is expected


def test_nftables_needs_a_kernel_that_kube_proxy_can_use():
    assert has_nftables("5.10.0-32-amd64") is False


@pytest.mark.parametrize(
    ("answer", "container", "expected"),
    [(0, False, True), (0, True, True), (5, False, False), (5, True, None), (-1, False, None)],
)
def test_time_synchronised(monkeypatch, answer, container, expected):
    class Libc:
        def adjtimex(self, _buffer):
            return answer

    monkeypatch.setattr("ctypes.CDLL", lambda _name: Libc())
    assert time_synchronised(container) is expected


def test_gather_on_this_machine():
    facts = gather()
    assert sorted(facts) == [
        "architecture",
        "bridge_nf",
        "cgroup_version",
        "container",
        "default_ipv4",
        "hostname",
        "kernel",
        "kubernetes_ca",
        "kubernetes_version",
        "machine_id",
        "memory_mb",
        "nftables",
        "oom_score_lowerable",
        "os_family",
        "os_id",
        "os_version",
        "python",
        "root",
        "time_synchronised",
    ]
    assert facts["cgroup_version"] in (1, 2)
    assert facts["memory_mb"] > 0


PEM = "words\n-----BEGIN CERTIFICATE-----\naGVs\nbG8=\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        (PEM, hashlib.sha256(b"hello").hexdigest()),
        # The first one is the cluster's.
        (PEM + PEM.replace("bG8=", "bA=="), hashlib.sha256(b"hello").hexdigest()),
        ("", ""),
        ("-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----", ""),
        ("-----BEGIN CERTIFICATE-----\naGVs", ""),
    ],
)
def test_certificate_digest(pem, expected):
    assert certificate_digest(pem) == expected


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("spec:\n  containers:\n  - image: registry.k8s.io/kube-apiserver:v1.36.4\n    name: x\n", "v1.36.4"),
        ('    image: "r:5000/a/kube-apiserver:v1.36.4-rc.0"\n', "v1.36.4-rc.0"),
        ("    image: registry.k8s.io/kube-apiserver:v1.36.4@sha256:abc\n", "v1.36.4"),
        ("    image: registry.k8s.io/kube-apiserver@sha256:abc\n", ""),
        ("    image: registry.k8s.io/etcd:3.6.1\n    command: [kube-apiserver:v9]\n", ""),
        ("", ""),
    ],
)
def test_image_version(manifest, expected):
    assert image_version(manifest, "kube-apiserver") == expected


def record(**entry):
    known = {"key": [1, 2, 3], "name": "kubelet", "ref": "cloudnative.platform/kubelet:v1.36.4", **entry}
    return json.dumps({"format": 1, "files": {"/usr/local/bin/kubelet": known}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (record(), "v1.36.4"),
        (record(ref="r:5000/kubelet:v1.36.4@sha256:abc"), "v1.36.4"),
        # Replaced, but what runs is still the old one.
        (record(key=[1, 2, 4]), ""),
        (record(name="kubectl"), ""),
        # Kept by an older version of the collection.
        (record(ref=None).replace(', "ref": null', ""), ""),
        ("", ""),
        ("[]", ""),
        ("{", ""),
        ('{"files": {"a": {"name": "kubelet"}}}', ""),
    ],
)
def test_installed_version(text, expected):
    assert installed_version(text, "kubelet", {(1, 2, 3)}) == expected


def test_what_runs_is_known_also_when_its_file_was_replaced(tmp_path):
    program = tmp_path / "kubelet-stand-in"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    info = os.stat(program)
    with subprocess.Popen([program, "60"]) as process:
        try:
            # The name of a process is cut after 15 letters.
            while pathlib.Path(f"/proc/{process.pid}/comm").read_text().strip() != "kubelet-stand-i":
                pass
            program.unlink()
            shutil.copy("/bin/sleep", program)
            assert running_files("kubelet-stand-i") == {(info.st_size, info.st_mtime_ns, info.st_ino)}
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("manifest", "config", "expected"),
    [
        ("image: registry.k8s.io/kube-apiserver:v1.36.2\n", True, "v1.36.2"),
        ("", True, "v1.36.4"),
        # Files of a node that never was, or is no more.
        ("", False, ""),
    ],
)
def test_kubernetes_version(monkeypatch, tmp_path, manifest, config, expected):
    (tmp_path / "manifest").write_text(manifest)
    (tmp_path / "files.json").write_text(record())
    if config:
        (tmp_path / "config.yaml").write_text("")
    monkeypatch.setattr(_host_facts, "API_SERVER_MANIFEST", str(tmp_path / "manifest"))
    monkeypatch.setattr(_host_facts, "INSTALLED_FILES", str(tmp_path / "files.json"))
    monkeypatch.setattr(_host_facts, "KUBELET_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.setattr(_host_facts, "running_files", lambda name: {(1, 2, 3)} if name == "kubelet" else set())
    assert _host_facts.kubernetes_version() == expected
