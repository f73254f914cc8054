# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import pathlib
import re
import typing as t

import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import lock
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError

FILES = pathlib.Path(__file__).parents[4] / "roles" / "bundle" / "files"
TEXT = (FILES / "lock.yml").read_bytes()
DATA = yaml.safe_load(TEXT)
GO = sorted(path.name for path in (FILES / "go").iterdir())


@pytest.mark.parametrize("architecture", lock.ARCHITECTURES)
def test_the_lock_can_be_read_for_every_architecture(architecture: str) -> None:
    parsed = lock.parse(DATA, TEXT, architecture)
    assert {component.name for component in parsed.components} >= {"kubelet", "kube-apiserver", "etcd", "calico-node"}
    kubelet = parsed.select(["kubelet"])[0]
    assert kubelet.ref == f"cloudnative.platform/kubelet:v{parsed.versions['kubernetes']}"
    assert kubelet.release is not None
    assert kubelet.release["url"].endswith(f"/bin/linux/{architecture}/kubelet")
    assert len(kubelet.release["sha256"]) == 64


def test_every_reproducible_binary_has_its_sum_for_amd64() -> None:
    for component in lock.parse(DATA, TEXT, "amd64").components:
        if component.source and component.source.get("reproducible", True):
            names = {name for _directory, binaries in component.go_builds() for name in binaries}
            names |= set(component.source.get("module_files", {}))
            assert set(component.expected_sha256()) == names, component.name


def test_every_component_can_be_had_without_the_publisher_or_is_optional() -> None:
    for component in lock.parse(DATA, TEXT, "amd64").components:
        assert component.source is not None or component.optional, component.name


def test_the_lock_and_the_directories_of_modules_name_each_other() -> None:
    assert sorted({entry.get("directory", name) for name, entry in DATA["go"].items()}) == GO


def required(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(?:require )?\s*(\S+) (v\S+)(?: // indirect)?$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", sorted(DATA["go"]))
def test_go_mod_requires_the_version_of_the_lock(name: str) -> None:
    module = lock.parse(DATA, TEXT, "amd64").go[name]
    directory = FILES / "go" / module.get("directory", name)
    found = required((directory / "go.mod").read_text())
    assert found.get(module["module"]) == module["version"]
    assert (directory / "go.sum").stat().st_size > 0


def test_staging_modules_of_kubernetes_are_those_of_its_version() -> None:
    version = DATA["versions"]["kubernetes"]
    text = (FILES / "go" / "kubernetes" / "go.mod").read_text()
    replaced = dict(re.findall(r"^\s+(k8s\.io/\S+) => k8s\.io/\S+ (v\S+)$", text, flags=re.MULTILINE))
    assert len(replaced) >= 30
    assert set(replaced.values()) == {"v0" + version[1:]}


def test_stamped_minor_version_is_that_of_kubernetes() -> None:
    stamp = DATA["go"]["kubernetes"]["stamp"]
    major, minor = DATA["versions"]["kubernetes"].split(".")[:2]
    for package in ("k8s.io/component-base", "k8s.io/client-go/pkg"):
        assert (stamp[f"{package}/version.gitMajor"], stamp[f"{package}/version.gitMinor"]) == (major, minor)


def change(path: str, value: t.Any) -> dict[str, t.Any]:
    data = copy.deepcopy(DATA)
    target: t.Any = data
    *way, last = path.split(".")
    for step in way:
        target = target[int(step) if step.isdigit() else step]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", 2, "format must be 1"),
        ("versions", None, "versions is missing"),
        ("components.0.name", None, r"components\[0\] \(without a name\): name is missing"),
        ("components.0.kind", "rpm", "kind 'rpm' is none of files, image"),
        ("components.0.ref", "Kubeadm", "is not of the form host/path:tag"),
        ("components.0.version", "v{kubernets}", r"\{kubernets\} is none of"),
        ("components.0.colour", "red", "unknown key colour"),
        ("components.0.files", None, "files names what a component of kind files holds"),
        ("components.0.release.sha256.amd64", "abc", "is not a SHA-256 sum"),
        ("components.0.release.sha256.amd64", 10**63, "is it quoted"),
        ("go.kubernetes.sha256.amd64.kubeadm", 0, r"go.kubernetes.sha256.amd64.kubeadm: 0 is not a SHA-256 sum"),
        ("components.0.release.sha256", "abc", "must be a mapping of amd64 and arm64"),
        ("components.0.release.url", None, "needs url"),
        ("components.0.source.go", "kubernetse", "'kubernetse' is none of"),
        ("components.0.source.binaries", ["kubeadmin"], "kubeadmin is none of go.kubernetes.binaries"),
        ("components.1.name", "kubeadm", "two components have the name kubeadm"),
        ("components.6.source.debian", ["tools"], "'tools' is none of"),
        ("components.3.release.digest.amd64", "sha256:1", "is not of the form sha256:"),
    ],
)
def test_a_wrong_lock_is_refused_with_the_place(path: str, value: t.Any, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        lock.parse(change(path, value), TEXT, "amd64")


def test_a_component_without_an_origin_is_refused() -> None:
    data = change("components.0.release", None)
    del data["components"][0]["source"]
    with pytest.raises(BundleError, match="has no origin"):
        lock.parse(data, TEXT, "amd64")


def test_unknown_names_are_refused_and_known_ones_listed() -> None:
    parsed = lock.parse(DATA, TEXT, "amd64")
    with pytest.raises(BundleError, match=r"kubelit: not in the lock file, did you mean kubelet\?; it has agnhost, "):
        parsed.select(["kubelet", "kubelit"])
    assert [component.name for component in parsed.select(["kubelet", "kubeadm"])] == ["kubeadm", "kubelet"]


@pytest.mark.parametrize(
    ("name", "reproducible", "layers", "directories"),
    [
        ("kubelet", True, [], ["kubernetes"]),
        ("runc", False, [], ["runc"]),
        ("kube-proxy", False, ["network-tools"], ["kubernetes"]),
        ("pause", False, ["pause"], []),
        ("calico-cni", True, [], ["calico", "cni-plugins"]),
    ],
)
def test_what_a_component_is_made_of(name: str, reproducible: bool, layers: list[str], directories: list[str]) -> None:
    component = lock.parse(DATA, TEXT, "amd64").select([name])[0]
    assert (component.reproducible(), component.debian_layers()) == (reproducible, layers)
    assert component.go_directories() == directories
