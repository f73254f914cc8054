# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""OCI content: a store of blobs, manifests of images and of file artifacts, image layers."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import tarfile
import typing as t
from contextlib import suppress

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    CHUNK,
    BundleError,
    DigestMismatch,
    canonical,
    link_or_copy,
    read_json,
    sha256_bytes,
    sha256_file,
    write_atomic,
)

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
# Layers are not compressed: the output of gzip depends on the version of zlib, and the digests with it.
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
FILE = "application/vnd.cloudnative.platform.file.v1"
FILES = "application/vnd.cloudnative.platform.files.v1"
TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
LICENCES = "org.opencontainers.image.licenses"
MODE = "cloudnative.platform/mode"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Descriptor(t.TypedDict, total=False):
    mediaType: str
    digest: str
    size: int
    annotations: dict[str, str]
    platform: dict[str, str]
    artifactType: str


class Blobs:
    """A directory of blobs named by their SHA-256 sum.

    What was hashed once is hashed again only when the file isn't the same any more, by size, time and inode; the
    file beside the directory remembers that between runs.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.memory = os.path.join(os.path.dirname(directory), "checked.json")
        os.makedirs(directory, exist_ok=True)
        self._checked: dict[str, list[int]] = read_json(self.memory) or {}

    def path(self, digest: str) -> str:
        return os.path.join(self.directory, digest.partition(":")[2])

    def has(self, digest: str, size: int) -> bool:
        try:
            return os.stat(self.path(digest)).st_size == size
        except FileNotFoundError:
            return False

    def sound(self, digest: str, size: int) -> bool:
        """The blob is there and its content is what its name says."""
        if not self.has(digest, size):
            return False
        stamp = self._stamp(digest)
        if self._checked.get(digest) != stamp:
            if "sha256:" + sha256_file(self.path(digest)) != digest:
                return False
            self._checked[digest] = stamp
        return True

    def _stamp(self, digest: str) -> list[int]:
        status = os.stat(self.path(digest))
        return [status.st_size, status.st_mtime_ns, status.st_ino]

    def remember(self) -> None:
        present = {f"sha256:{name}" for name in os.listdir(self.directory)}
        kept = {digest: stamp for digest, stamp in self._checked.items() if digest in present}
        write_atomic(self.memory, canonical(kept))

    def read(self, digest: str) -> bytes:
        with open(self.path(digest), "rb") as stream:
            return stream.read()

    def drop(self, digest: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.path(digest))

    def put_bytes(self, data: bytes, media_type: str) -> Descriptor:
        digest = "sha256:" + sha256_bytes(data)
        with self.writer() as writer:
            writer.write(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def put_file(self, path: str, media_type: str) -> Descriptor:
        """Take the content of a file; the file itself may be linked, so it must not be written to afterwards."""
        digest, size = "sha256:" + sha256_file(path), os.path.getsize(path)
        if not self.has(digest, size):
            link_or_copy(path, self.path(digest))
        return {"mediaType": media_type, "digest": digest, "size": size}

    def writer(self) -> BlobWriter:
        return BlobWriter(self)


class BlobWriter(io.RawIOBase):
    """Writes a blob whose name is known only when it is complete."""

    def __init__(self, blobs: Blobs) -> None:
        super().__init__()
        self.blobs = blobs
        self.hash = hashlib.sha256()
        self.size = 0
        self.digest = ""
        self.temporary = os.path.join(blobs.directory, f".tmp-{os.getpid()}-{id(self)}")
        self.stream = open(self.temporary, "wb")  # noqa: SIM115 - closed in __exit__

    def writable(self) -> bool:
        return True

    def write(self, data: t.Any) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self.stream.write(data)

    def __exit__(self, kind: t.Any, value: t.Any, trace: t.Any) -> None:
        self.stream.close()
        if kind is None:
            self.digest = "sha256:" + self.hash.hexdigest()
            os.replace(self.temporary, self.blobs.path(self.digest))
        else:
            os.unlink(self.temporary)

    def expect(self, digest: str, what: str) -> None:
        """Refuse content before it gets its name."""
        found = "sha256:" + self.hash.hexdigest()
        if found != digest:
            raise DigestMismatch(f"{what}: has {found}, expected {digest}: refused")


@dataclasses.dataclass
class Node:
    """One entry of an image layer."""

    kind: str  # file, link, hardlink, directory
    mode: int = 0o644
    source: str = ""  # path on disk
    data: bytes = b""
    target: str = ""  # of a link
    uid: int = 0


class Tree:
    """The content of a layer by absolute path. Directories above an entry come by themselves."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def add(self, path: str, node: Node) -> None:
        if not path.startswith("/") or ".." in path.split("/"):
            raise BundleError(f"layer: {path!r} is not an absolute path within the image")
        self.nodes[path.rstrip("/")] = node

    def _with_parents(self) -> dict[str, Node]:
        nodes = dict(self.nodes)
        for path in self.nodes:
            parent = os.path.dirname(path)
            while parent != "/" and parent not in nodes:
                nodes[parent] = Node("directory", 0o755)
                parent = os.path.dirname(parent)
        return nodes

    def write(self, blobs: Blobs) -> Descriptor:
        """A tar with one possible form: sorted, owned by root, without times."""
        nodes = self._with_parents()
        # Hard links must follow what they point to.
        order = sorted(nodes, key=lambda path: (nodes[path].kind == "hardlink", path))
        with blobs.writer() as writer, tarfile.open(fileobj=writer, mode="w|", format=tarfile.GNU_FORMAT) as tar:
            for path in order:
                node = nodes[path]
                info = tarfile.TarInfo(path.lstrip("/"))
                info.mode = node.mode
                info.uid = node.uid
                if node.kind == "directory":
                    info.type = tarfile.DIRTYPE
                    tar.addfile(info)
                elif node.kind == "link":
                    info.type, info.linkname, info.mode = tarfile.SYMTYPE, node.target, 0o777
                    tar.addfile(info)
                elif node.kind == "hardlink":
                    info.type, info.linkname, info.mode = tarfile.LNKTYPE, node.target.lstrip("/"), 0o755
                    tar.addfile(info)
                elif node.source:
                    info.size = os.path.getsize(node.source)
                    with open(node.source, "rb") as stream:
                        tar.addfile(info, stream)
                else:
                    info.size = len(node.data)
                    tar.addfile(info, io.BytesIO(node.data))
        return {"mediaType": LAYER, "digest": writer.digest, "size": writer.size}


def image(
    blobs: Blobs, layers: list[Descriptor], config: dict[str, t.Any], architecture: str, labels: dict[str, str]
) -> list[Descriptor]:
    """Manifest, configuration and layers of an image, the manifest first."""
    environment = {"PATH": PATH, **config.get("env", {})}
    settings: dict[str, t.Any] = {"Env": [f"{key}={value}" for key, value in sorted(environment.items())]}
    for key, name in (("entrypoint", "Entrypoint"), ("cmd", "Cmd"), ("user", "User"), ("workdir", "WorkingDir")):
        if key in config:
            settings[name] = config[key]
    document = {
        "architecture": architecture,
        "os": "linux",
        "config": {**settings, "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    described = blobs.put_bytes(canonical(document), CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described,
        "layers": layers,
        "annotations": labels,
    }
    return [blobs.put_bytes(canonical(manifest), MANIFEST), described, *layers]


def file_artifact(
    blobs: Blobs, files: list[tuple[str, str, str | bytes]], annotations: dict[str, str]
) -> list[Descriptor]:
    """An artifact of plain files: (name, mode, path or content) each."""
    layers: list[Descriptor] = []
    for name, mode, content in files:
        layer = blobs.put_bytes(content, FILE) if isinstance(content, bytes) else blobs.put_file(content, FILE)
        layers.append({**layer, "annotations": {TITLE: name, MODE: mode}})
    config = blobs.put_bytes(b"{}", EMPTY)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": FILES,
        "config": config,
        "layers": layers,
        "annotations": annotations,
    }
    described = blobs.put_bytes(canonical(manifest), MANIFEST)
    plain: list[Descriptor] = [
        {"mediaType": layer["mediaType"], "digest": layer["digest"], "size": layer["size"]} for layer in layers
    ]
    return [described, config, *plain]


def copy_stream(source: t.Any, target: t.Any, limit: int = -1) -> int:
    """Copy and count; stops at `limit` bytes where one is given."""
    done = 0
    while limit < 0 or done < limit:
        chunk = source.read(CHUNK if limit < 0 else min(CHUNK, limit - done))
        if not chunk:
            break
        target.write(chunk)
        done += len(chunk)
    return done
