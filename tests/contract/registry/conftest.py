# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real registry on loopback and bundles to fill it with."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import bcrypt
import pytest

ROOT = pathlib.Path(__file__).parents[3]
BUNDLE = pathlib.Path(os.environ.get("BUNDLE_PATH", "~/.cache/cloudnative-platform/bundle")).expanduser()
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
ENVIRONMENT = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}


def registry_in(bundle: pathlib.Path) -> pathlib.Path | None:
    if not (bundle / "bundle.json").exists():
        return None
    components = json.loads((bundle / "bundle.json").read_text())["components"]
    files = [file for item in components if item["name"] == "registry" for file in item["files"]]
    return bundle / "blobs" / "sha256" / files[0]["sha256"] if files else None


@pytest.fixture(scope="session")
def registry_binary(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The registry of the bundle; it is built when there is no bundle yet."""
    found = registry_in(BUNDLE)
    if found is None:
        bundle = tmp_path_factory.mktemp("bundle") / "bundle"
        wanted = {"bundle_components": ["registry"], "bundle_path": str(bundle)}
        playbook = ROOT / "playbooks" / "build_bundle.yml"
        command = [pathlib.Path(sys.executable).with_name("ansible-playbook"), playbook, "-e", json.dumps(wanted)]
        subprocess.run(command, cwd=ROOT, check=True)
        found = registry_in(bundle)
    assert found is not None
    binary = tmp_path_factory.mktemp("bin") / "registry"
    binary.write_bytes(found.read_bytes())
    binary.chmod(0o755)
    return binary


class Server:
    """A registry process, with one user `push`."""

    def __init__(self, binary: pathlib.Path, path: pathlib.Path) -> None:
        self.binary = binary
        self.path = path
        self.storage = path / "storage"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        password = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
        (path / "htpasswd").write_text(f"push:{password}\n")
        self.config = path / "config.yml"
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "x"},
            "auth": {"htpasswd": {"realm": "test", "path": str(path / "htpasswd")}},
        }
        self.config.write_text(json.dumps(config))

    def start(self) -> None:
        with open(self.path / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", self.config], stdout=log, stderr=log, env=ENVIRONMENT
            )
        for _attempt in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self.path / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=30)
            self.process = None

    def blob(self, digest: str) -> pathlib.Path:
        name = digest.removeprefix("sha256:")
        return self.storage / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"

    def collect_garbage(self) -> None:
        command = [self.binary, "garbage-collect", "--delete-untagged", "--quiet", self.config]
        subprocess.run(command, check=True, env=ENVIRONMENT)


@pytest.fixture
def server(registry_binary: pathlib.Path, tmp_path: pathlib.Path):
    instance = Server(registry_binary, tmp_path)
    instance.start()
    yield instance
    instance.stop()


class Layout:
    """An OCI image layout as the bundle module makes it, only smaller."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.entries: list[dict] = []
        self.components: list[dict] = []
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, **more: object) -> dict:
        name = hashlib.sha256(data).hexdigest()
        (self.path / "blobs" / "sha256" / name).write_bytes(data)
        return {"digest": f"sha256:{name}", "size": len(data), **more}

    def artifact(self, ref: str, files: dict[str, bytes]) -> dict:
        title = "org.opencontainers.image.title"
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.cloudnative.platform.files.v1",
            "config": self.blob(b"{}", mediaType=EMPTY),
            "layers": [
                self.blob(data, mediaType="application/octet-stream", annotations={title: name})
                for name, data in files.items()
            ],
        }
        entry = self.blob(json.dumps(manifest).encode(), mediaType=MANIFEST)
        entry["annotations"] = {"org.opencontainers.image.ref.name": ref}
        self.entries.append(entry)
        return {**manifest, "digest": entry["digest"]}

    def component(self, name: str, version: str, files: dict[str, bytes]) -> dict:
        ref = f"cloudnative.platform/{name}:{version}"
        made = self.artifact(ref, files)
        described = {"name": name, "version": version, "kind": "files", "ref": ref, "digest": made["digest"]}
        self.components.append(described)
        return made

    def finish(self) -> str:
        description = json.dumps({"format": 1, "components": self.components}).encode()
        self.artifact("cloudnative.platform/bundle:current", {"bundle.json": description})
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.entries}))
        return str(self.path)


@pytest.fixture
def new_layout(tmp_path: pathlib.Path):
    count = iter(range(100))
    return lambda: Layout(tmp_path / f"layout{next(count)}")
