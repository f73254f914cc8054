"""The bundle from outside: what its playbooks do with real artifacts."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import typing as t

import pytest

ROOT = pathlib.Path(__file__).parents[3]
CACHE = pathlib.Path("~/.cache/cloudnative-platform").expanduser()
BUNDLE = ROOT / ".lab" / "molecule" / "bundle" / "bundle"
PLAY = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "--inventory=localhost,"]


# The callback that prints each result as JSON.
ENVIRONMENT = {
    **os.environ,
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    "ANSIBLE_STDOUT_CALLBACK": "minimal",
    "ANSIBLE_FORCE_COLOR": "false",
}
RESULT = re.compile(r"^localhost \| \w+!? => (\{.*?^\})", re.MULTILINE | re.DOTALL)


def command(playbook: str, *options: str, **variables: t.Any) -> list[str]:
    return [*PLAY, f"playbooks/{playbook}.yml", "--extra-vars", json.dumps(variables, default=str), *options]


def play(playbook: str, *options: str, **variables: t.Any) -> dict[str, t.Any]:
    """Run a playbook; returns the result of its last task."""
    words = command(playbook, *options, **variables)
    done = subprocess.run(words, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    results = RESULT.findall(done.stdout)
    assert results, done.stdout + done.stderr
    return {"rc": done.returncode, **json.loads(results[-1])}


def components(path: pathlib.Path = BUNDLE) -> dict[str, t.Any]:
    document = json.loads((path / "bundle.json").read_bytes())
    return {component["name"]: component for component in document["components"]}


def blob(digest: str, path: pathlib.Path = BUNDLE) -> pathlib.Path:
    return path / "blobs" / "sha256" / digest.partition(":")[2]


def manifest(name: str) -> dict[str, t.Any]:
    return json.loads(blob(components()[name]["digest"]).read_bytes())


@pytest.fixture
def fresh_cache(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A cache that has nothing but what was downloaded: no component and no compiled package."""
    cache = tmp_path / "cache"
    (cache / "go").mkdir(parents=True)
    (cache / "go" / "mod").symlink_to(CACHE / "go" / "mod")
    (cache / "toolchain").symlink_to(CACHE / "toolchain")
    yield cache
    # What the compiler leaves is large, and pytest keeps directories.
    shutil.rmtree(cache)


@pytest.fixture
def small(tmp_path: pathlib.Path) -> pathlib.Path:
    """A small bundle whose blobs are no links into the cache, so that it can be damaged."""
    play("build_bundle", bundle_path=tmp_path / "linked", bundle_components=["cni-plugins", "pause"])
    return pathlib.Path(shutil.copytree(tmp_path / "linked", tmp_path / "small"))


def test_the_bundle_is_whole_and_has_everything() -> None:
    result = play("verify_bundle", bundle_path=BUNDLE)
    assert (result["rc"], result["changed"]) == (0, False)
    assert result["blobs"] > 70
    names = set(result["components"])
    assert {"kubeadm", "kubelet", "kubectl", "crictl", "cni-plugins", "containerd", "runc", "registry", "helm"} <= names
    assert {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd", "coredns"} <= names
    assert {"pause", "agnhost", "etcd-tools", "calico", "calico-node", "calico-cni", "flannel"} <= names


def test_check_mode_on_a_full_cache_sees_nothing_to_do() -> None:
    result = play("build_bundle", "--check", "--diff", bundle_path=BUNDLE)
    assert (result["rc"], result["changed"], result["missing"]) == (0, False, [])


def test_check_mode_on_an_empty_cache_names_what_is_missing_and_makes_nothing(tmp_path: pathlib.Path) -> None:
    result = play(
        "build_bundle",
        "--check",
        bundle_path=tmp_path / "bundle",
        bundle_cache_path=tmp_path / "cache",
        bundle_components=["kubelet", "pause"],
        bundle_origins=["source"],
    )
    assert result["changed"] is True
    assert result["missing"] == [
        {"name": "kubelet", "version": components()["kubelet"]["version"], "origins": ["source"]},
        {"name": "pause", "version": components()["pause"]["version"], "origins": ["source"]},
    ]
    assert not (tmp_path / "bundle").exists()


def test_a_build_from_nothing_in_another_place_gives_the_same_bytes(
    tmp_path: pathlib.Path, fresh_cache: pathlib.Path
) -> None:
    """The compiler starts with an empty cache, in another directory, with another environment."""
    result = play(
        "build_bundle",
        bundle_path=tmp_path / "bundle",
        bundle_cache_path=fresh_cache,
        bundle_components=["cni-plugins", "calico", "flannel"],
        bundle_origins=["source"],
        bundle_build_jobs=1,
    )
    assert result["rc"] == 0, result
    made = components(tmp_path / "bundle")
    assert sorted(made) == ["calico", "cni-plugins", "flannel"]
    for name, component in made.items():
        assert component == components()[name]


def test_a_person_at_a_terminal_sees_progress(tmp_path: pathlib.Path) -> None:
    master, terminal = pty.openpty()
    words = command("build_bundle", bundle_path=tmp_path / "bundle", bundle_components=["calico"])
    words += ["--extra-vars", json.dumps({"bundle_refresh": ["calico"], "bundle_origins": ["source"]})]
    with subprocess.Popen(words, cwd=ROOT, env=ENVIRONMENT, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        seen = b""
        with contextlib.suppress(OSError):  # the end, for a terminal
            while data := os.read(master, 65536):
                seen += data
    assert process.returncode == 0
    assert re.search(rb"bundle \d+:\d\d \[0/1\] calico: building from source", seen)
    assert b"[1/1] the bundle is complete" in seen


def descendants(pid: int) -> list[int]:
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended by itself
        return []
    return [int(child) for child in children] + [below for child in children for below in descendants(int(child))]


def kill(process: subprocess.Popen[bytes]) -> None:
    """As the end of the machine does: everything at once."""
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """As a person does. The module notices that nobody waits for it."""
    below = descendants(process.pid)
    os.kill(process.pid, signal.SIGINT)
    deadline = time.monotonic() + 60
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in below):
        assert time.monotonic() < deadline, "the build goes on after the playbook was interrupted"
        time.sleep(0.1)


@pytest.mark.parametrize("stop", [kill, interrupt])
def test_a_build_that_was_stopped_goes_on_from_there(
    tmp_path: pathlib.Path, fresh_cache: pathlib.Path, stop: t.Callable[[subprocess.Popen[bytes]], None]
) -> None:
    (fresh_cache / "go" / "build").symlink_to(CACHE / "go" / "build")
    variables = {
        "bundle_path": tmp_path / "bundle",
        "bundle_cache_path": fresh_cache,
        "bundle_components": ["cni-plugins", "etcd-tools", "crictl"],
        "bundle_origins": ["source"],
        "bundle_build_jobs": 1,
    }
    words = command("build_bundle", **variables)
    with subprocess.Popen(
        words, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 120
        while not (fresh_cache / "build_report.json").exists():
            assert process.poll() is None, "the build ended before it could be stopped"
            assert time.monotonic() < deadline, "no component was made within 120 s"
            time.sleep(0.05)
        stop(process)
    kept = len(list(fresh_cache.glob("components/*.json")))
    assert 0 < kept < 3
    assert not (tmp_path / "bundle" / "index.json").exists()
    first = json.loads((fresh_cache / "build_report.json").read_bytes())["components"]
    result = play("build_bundle", **variables)
    assert result["rc"] == 0, result
    assert len(result["missing"]) == 3 - kept
    second = json.loads((fresh_cache / "build_report.json").read_bytes())["components"]
    assert {name: second[name] for name in first} == first
    assert sorted(components(tmp_path / "bundle")) == ["cni-plugins", "crictl", "etcd-tools"]


def test_binaries_of_another_compiler_or_source_are_refused(tmp_path: pathlib.Path, fresh_cache: pathlib.Path) -> None:
    (fresh_cache / "go" / "build").symlink_to(CACHE / "go" / "build")
    text = (ROOT / "roles" / "bundle" / "files" / "lock.yml").read_text()
    digest = next(entry["sha256"] for entry in components()["cni-plugins"]["files"] if entry["name"] == "tuning")
    (tmp_path / "lock.yml").write_text(text.replace(digest, "f" * 64))
    result = play(
        "build_bundle",
        bundle_path=tmp_path / "bundle",
        bundle_cache_path=fresh_cache,
        bundle_lock_path=tmp_path / "lock.yml",
        bundle_components=["cni-plugins"],
        bundle_origins=["source"],
    )
    assert result["rc"] != 0
    assert f"tuning from source has {digest}, the lock says {'f' * 64}: refused" in result["msg"]
    assert not (tmp_path / "bundle" / "index.json").exists()


@pytest.mark.parametrize(("right", "origin"), [(True, "release"), (False, "")])
def test_a_release_is_taken_from_its_publisher(tmp_path: pathlib.Path, right: bool, origin: str) -> None:
    """A publisher on loopback in the place of dl.k8s.io, with another program than the real kubectl."""
    text = (ROOT / "roles" / "bundle" / "files" / "lock.yml").read_text()
    kubectl = components()["kubectl"]
    path = tmp_path / "www" / "release" / kubectl["version"] / "bin" / "linux" / "amd64" / "kubectl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"#!/bin/sh\n")
    said = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout.split()[0]
    line = next(line for line in text.split("/bin/linux/{arch}/kubectl")[1].splitlines() if "amd64:" in line)
    (tmp_path / "lock.yml").write_text(text.replace(line, f"        amd64: {said}") if right else text)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        result = play(
            "build_bundle",
            bundle_path=tmp_path / "bundle",
            bundle_cache_path=tmp_path / "cache",
            bundle_lock_path=tmp_path / "lock.yml",
            bundle_components=["kubectl"],
            bundle_origins=["release"],
            bundle_release_mirrors={"https://dl.k8s.io": f"http://127.0.0.1:{server.server_address[1]}"},
        )
        server.shutdown()
    if right:
        assert components(tmp_path / "bundle")["kubectl"]["origin"] == origin
        assert blob("sha256:" + said, tmp_path / "bundle").read_bytes() == path.read_bytes()
    else:
        assert f"has sha256 {said}, the lock says" in result["msg"]
        assert not (tmp_path / "bundle" / "index.json").exists()


@contextlib.contextmanager
def root_of(name: str, directory: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """The file system of an image."""
    directory.mkdir()
    for layer in manifest(name)["layers"]:
        with tarfile.open(blob(layer["digest"])) as tar:
            tar.extractall(directory, filter="fully_trusted")
    yield directory
    shutil.rmtree(directory)


@pytest.mark.parametrize(
    ("name", "words", "answer"),
    [
        ("kube-proxy", ["kube-proxy", "--version"], "Kubernetes v1."),
        ("kube-proxy", ["nft", "--version"], "nftables v"),
        ("kube-proxy", ["iptables", "--version"], "(nf_tables)"),
        ("kube-proxy", ["ip6tables-legacy", "--version"], "(legacy)"),
        ("kube-proxy", ["iptables", "-m", "conntrack", "--help"], "conntrack match options"),
        ("kube-proxy", ["conntrack", "--version"], "conntrack v"),
        ("kube-proxy", ["modprobe", "--version"], "kmod version"),
        ("kube-proxy", ["sh", "-c", "echo $((6 * 7))"], "42"),
        ("flannel-image", ["/opt/bin/flanneld", "--version"], "v0."),
        ("calico-node", ["calico-node", "-v"], "v3."),
        ("calico-node", ["ipset", "version"], "ipset v"),
        ("calico-node", ["arp", "--version"], "net-tools"),
        ("calico-node", ["ip", "-V"], "iproute2"),
        ("calico-node", ["bash", "--version"], "GNU bash"),
        ("calico-node", ["sh", "-c", "which runsvdir svlogd start_runit"], "/usr/sbin/start_runit"),
        ("calico-cni", ["/opt/cni/bin/calico-ipam", "-v"], "v3."),
        ("etcd", ["etcd", "--version"], "etcd Version: 3."),
        ("coredns", ["/coredns", "-version"], "CoreDNS-1."),
    ],
)
def test_programs_of_images_run_with_nothing_but_the_image(
    tmp_path: pathlib.Path, name: str, words: list[str], answer: str
) -> None:
    with root_of(name, tmp_path / "root") as root:
        done = subprocess.run(
            ["chroot", str(root), *words],
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["kube-proxy", "calico-node", "flannel-image"])
def test_layers_of_packages_hold_only_what_is_needed(name: str) -> None:
    *layers, _own = manifest(name)["layers"]
    assert 0 < sum(layer["size"] for layer in layers) < 30_000_000
    assert components()[name]["debian_packages"]
    assert components()[name]["reproducible"] is False


def test_images_share_their_layers() -> None:
    lowest = {manifest(name)["layers"][0]["digest"] for name in ("kube-proxy", "calico-node", "flannel-image")}
    assert len(lowest) == 1


def test_the_bill_of_materials_names_every_component_and_its_modules() -> None:
    document = json.loads((BUNDLE / "sbom.spdx.json").read_bytes())
    packages = {package["name"]: package for package in document["packages"]}
    assert set(components()) <= set(packages)
    assert packages["k8s.io/client-go"]["versionInfo"].startswith("v0.")
    assert packages["libnftables1"]["versionInfo"] in {
        package["version"] for package in components()["kube-proxy"]["debian_packages"]
    }
    unknown = [name for name, package in packages.items() if package["licenseDeclared"] == "NOASSERTION"]
    assert len(unknown) < len(packages) / 10


def test_damage_is_found_and_named(small: pathlib.Path) -> None:
    digest = components(small)["cni-plugins"]["files"][0]["sha256"]
    with open(blob(f"sha256:{digest}", small), "r+b") as stream:
        stream.seek(1000)
        byte = stream.read(1)
        stream.seek(1000)
        stream.write(bytes([byte[0] ^ 1]))
    result = play("verify_bundle", bundle_path=small)
    assert result["rc"] != 0
    assert f"blob sha256:{digest} of cloudnative.platform/cni-plugins:" in result["msg"]


def test_two_bundles_are_compared(small: pathlib.Path, tmp_path: pathlib.Path) -> None:
    play("build_bundle", bundle_path=tmp_path / "other", bundle_components=["cni-plugins", "crictl"])
    result = play("diff_bundles", bundle_path=tmp_path / "other", bundle_compare_path=small)
    assert [line.split(" (")[0] for line in result["msg"]] == [
        f"added crictl {components()['crictl']['version']}",
        f"removed pause {components()['pause']['version']}",
    ]


def test_packed_and_unpacked_it_is_the_same(small: pathlib.Path, tmp_path: pathlib.Path) -> None:
    archive, site = tmp_path / "bundle.tar", tmp_path / "site"
    assert play("pack_bundle", bundle_path=small, bundle_archive_path=archive)["changed"] is True
    assert play("pack_bundle", bundle_path=small, bundle_archive_path=archive)["changed"] is False
    assert play("unpack_bundle", "--check", bundle_path=site, bundle_archive_path=archive)["changed"] is True
    assert not site.exists()
    assert play("unpack_bundle", bundle_path=site, bundle_archive_path=archive)["changed"] is True
    assert play("unpack_bundle", bundle_path=site, bundle_archive_path=archive)["changed"] is False
    assert play("verify_bundle", bundle_path=site)["rc"] == 0
    assert (site / "index.json").read_bytes() == (small / "index.json").read_bytes()


@pytest.mark.parametrize("damage", ["cut", "change"])
def test_a_damaged_archive_is_refused_and_nothing_is_left(
    small: pathlib.Path, tmp_path: pathlib.Path, damage: str
) -> None:
    archive, site = tmp_path / "bundle.tar", tmp_path / "site"
    play("pack_bundle", bundle_path=small, bundle_archive_path=archive)
    size = archive.stat().st_size
    if damage == "cut":
        os.truncate(archive, size // 2)
    else:
        with open(archive, "r+b") as stream:
            stream.seek(size // 2)
            byte = stream.read(1)
            stream.seek(size // 2)
            stream.write(bytes([byte[0] ^ 1]))
    result = play("unpack_bundle", bundle_path=site, bundle_archive_path=archive)
    assert result["rc"] != 0
    assert "blobs/sha256/" in result["msg"]
    assert "refused" in result["msg"]
    assert not site.exists()
