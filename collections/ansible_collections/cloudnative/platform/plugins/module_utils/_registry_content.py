# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a registry should hold, what it holds, and what is to be done about the difference.

The desired content comes from an OCI image layout or, where there is none, from the bundle description that the
registry itself carries. `plan` is a pure function.
"""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import (
    MANIFEST_TYPES,
    NotFound,
    Registry,
    parse_reference,
    sha256_of,
)

REF_NAME = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"
BUNDLE_REPOSITORY = "cloudnative.platform/bundle"
BUNDLE_TAG = "current"
BUNDLE_FILE = "bundle.json"


class ContentError(Exception):
    """The layout, the bundle description or the request is wrong; the message names the object and the remedy."""


@dataclass(frozen=True)
class Descriptor:
    digest: str
    size: int
    media_type: str
    title: str = ""


@dataclass(frozen=True)
class Artifact:
    """One tagged manifest with all it refers to. `children` are the manifests of an index, innermost first."""

    repository: str
    tag: str
    manifest: Descriptor
    blobs: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...] = ()

    @property
    def ref(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True)
class Observed:
    """`None` stands for what the registry does not have. `tags` is read for pruning only."""

    manifests: t.Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    blobs: t.Mapping[tuple[str, str], int | None] = field(default_factory=dict)
    tags: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Upload:
    repository: str
    blob: Descriptor
    mount_from: str | None = None


@dataclass(frozen=True)
class Tagging:
    """A manifest to be stored under a tag, or under its digest when it belongs to an index."""

    repository: str
    reference: str
    manifest: Descriptor
    before: str | None = None


@dataclass(frozen=True)
class Deletion:
    repository: str
    tag: str
    digest: str
    reference: str


@dataclass(frozen=True)
class Plan:
    uploads: tuple[Upload, ...] = ()
    mounts: tuple[Upload, ...] = ()
    taggings: tuple[Tagging, ...] = ()
    deletions: tuple[Deletion, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.uploads or self.mounts or self.taggings or self.deletions)

    @property
    def upload_bytes(self) -> int:
        return sum(upload.blob.size for upload in self.uploads)

    def actions(self) -> list[str]:
        lines = [f"upload {item.repository}@{item.blob.digest} ({item.blob.size} bytes)" for item in self.uploads]
        lines += [f"mount {item.repository}@{item.blob.digest} from {item.mount_from}" for item in self.mounts]
        lines += [f"store {_name(item.repository, item.reference)}" for item in self.taggings]
        return lines + [f"delete {item.repository}:{item.tag}" for item in self.deletions]

    def diff(self) -> tuple[str, str]:
        before = [f"{_name(i.repository, i.reference)} {i.before}" for i in self.taggings if i.before]
        before += [f"{item.repository}:{item.tag} {item.digest}" for item in self.deletions]
        after = [f"{_name(i.repository, i.reference)} {i.manifest.digest}" for i in self.taggings]
        # Blobs of a new manifest go without saying; one that got lost below an old manifest does not.
        new = {item.repository for item in self.taggings}
        lost = [item for item in (*self.uploads, *self.mounts) if item.repository not in new]
        after += [f"{item.repository}@{item.blob.digest} ({item.blob.size} bytes)" for item in lost]
        return _text(before), _text(after)


def _name(repository: str, reference: str) -> str:
    return f"{repository}@{reference}" if ":" in reference else f"{repository}:{reference}"


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in sorted(lines))


# -- desired content ------------------------------------------------------------------------------------------------


def read_layout(path: str) -> list[Artifact]:
    """Tagged content of an OCI image layout. Manifests are hashed here, blobs are only checked for their size."""

    def load(descriptor: Descriptor) -> bytes:
        blob = blob_path(path, descriptor.digest)
        try:
            with open(blob, "rb") as stream:
                data = stream.read()
        except OSError as exc:
            raise ContentError(f"layout {path} has no blob {descriptor.digest}: {exc.strerror}; make it again") from exc
        if sha256_of(data) != descriptor.digest:
            raise ContentError(f"layout {path} is corrupted: {blob} is not what its name says; make it again")
        return data

    artifacts = []
    for entry in _json(_read(os.path.join(path, "index.json")), f"index.json of {path}").get("manifests") or []:
        name = (entry.get("annotations") or {}).get(REF_NAME) or ""
        try:
            reference = parse_reference(name)
        except ValueError as exc:
            raise ContentError(f"index.json of {path}: annotation {REF_NAME}: {exc}") from exc
        if reference.tag is None:
            raise ContentError(f"index.json of {path}: {name!r} has no tag")
        artifacts.append(_artifact(reference.repository, reference.tag, _descriptor(entry, name), load))
    for artifact in artifacts:
        for blob in artifact.blobs:
            _check_size(path, blob)
    return artifacts


def read_registry(registry: Registry) -> list[Artifact]:
    """The content that the bundle description in the registry promises."""
    artifacts = [_from_registry(registry, BUNDLE_REPOSITORY, BUNDLE_TAG)]
    for component in read_components(artifacts, lambda blob: _blob(registry, BUNDLE_REPOSITORY, blob)).values():
        reference = parse_reference(component["ref"])
        artifact = _from_registry(registry, reference.repository, component["digest"])
        artifacts.append(Artifact(**{**vars(artifact), "tag": reference.tag or component["digest"]}))
    return artifacts


def read_components(artifacts: list[Artifact], load: t.Callable[[Descriptor], bytes]) -> dict[str, dict[str, t.Any]]:
    """Components by name, out of the bundle description."""
    found = [a for a in artifacts if (a.repository, a.tag) == (BUNDLE_REPOSITORY, BUNDLE_TAG)]
    files = [blob for artifact in found for blob in artifact.blobs if blob.title == BUNDLE_FILE]
    if not files:
        raise ContentError(
            f"there is no {BUNDLE_FILE} in {BUNDLE_REPOSITORY}:{BUNDLE_TAG}: this is not a bundle of this collection"
        )
    bundle = _json(load(files[0]), BUNDLE_FILE)
    if bundle.get("format") != 1:
        raise ContentError(f"{BUNDLE_FILE} has format {bundle.get('format')!r}, this collection reads format 1")
    return {component["name"]: component for component in bundle.get("components") or []}


def blob_path(layout: str, digest: str) -> str:
    return os.path.join(layout, "blobs", *digest.split(":", 1))


def _artifact(repository: str, tag: str, manifest: Descriptor, load: t.Callable[[Descriptor], bytes]) -> Artifact:
    blobs: dict[str, Descriptor] = {}
    children: list[Descriptor] = []

    def visit(descriptor: Descriptor) -> None:
        where = f"manifest {descriptor.digest} of {repository}:{tag}"
        document = _json(load(descriptor), where)
        for entry in document.get("manifests") or []:
            child = _descriptor(entry, where)
            visit(child)
            children.append(child)
        for entry in [document.get("config"), *(document.get("layers") or [])]:
            if entry:
                blob = _descriptor(entry, where)
                blobs.setdefault(blob.digest, blob)

    visit(manifest)
    return Artifact(repository, tag, manifest, tuple(blobs.values()), tuple(children))


def _from_registry(registry: Registry, repository: str, reference: str) -> Artifact:
    try:
        body, media_type, digest = registry.manifest(repository, reference)
    except NotFound as exc:
        raise ContentError(
            f"registry {registry.endpoint} does not hold {_name(repository, reference)}: "
            "seed it from a bundle, or name the bundle's layout"
        ) from exc
    top = Descriptor(digest, len(body), media_type)

    def load(descriptor: Descriptor) -> bytes:
        return body if descriptor is top else registry.manifest(repository, descriptor.digest)[0]

    return _artifact(repository, reference, top, load)


def _blob(registry: Registry, repository: str, blob: Descriptor) -> bytes:
    target = _Memory()
    registry.download_blob(repository, blob.digest, t.cast(t.BinaryIO, target))
    return b"".join(target.chunks)


class _Memory:
    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.chunks.append(data)
        return len(data)


def load_components(artifacts: list[Artifact], layout: str | None, registry: Registry) -> dict[str, dict[str, t.Any]]:
    if layout:
        return read_components(artifacts, lambda blob: _read(blob_path(layout, blob.digest)))
    return read_components(artifacts, lambda blob: _blob(registry, BUNDLE_REPOSITORY, blob))


def _descriptor(entry: t.Mapping[str, t.Any], where: str) -> Descriptor:
    try:
        title = (entry.get("annotations") or {}).get(TITLE) or ""
        return Descriptor(entry["digest"], int(entry["size"]), entry.get("mediaType") or MANIFEST_TYPES[0], title)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ContentError(f"{where}: an entry has no digest or size: {entry!r}") from exc


def _check_size(layout: str, blob: Descriptor) -> None:
    path = blob_path(layout, blob.digest)
    try:
        size = os.stat(path).st_size
    except OSError as exc:
        raise ContentError(f"layout {layout} has no blob {blob.digest}: {exc.strerror}; make it again") from exc
    if size != blob.size:
        raise ContentError(f"layout {layout} is corrupted: {path} has {size} bytes, not {blob.size}; make it again")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as exc:
        raise ContentError(f"{path} cannot be read: {exc.strerror}; is it an OCI image layout?") from exc


def _json(data: bytes, where: str) -> dict[str, t.Any]:
    try:
        document = json.loads(data)
    except ValueError as exc:
        raise ContentError(f"{where} is not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise ContentError(f"{where} is not a JSON object")
    return document


# -- plan -----------------------------------------------------------------------------------------------------------


def plan(endpoint: str, artifacts: t.Sequence[Artifact], observed: Observed, prune: bool = False) -> Plan:
    """What makes the registry hold the artifacts; raises for damage that an upload does not repair."""
    uploads: list[Upload] = []
    mounts: list[Upload] = []
    taggings: dict[tuple[str, str], Tagging] = {}
    source = {digest: repository for (repository, digest), size in observed.blobs.items() if size is not None}
    planned: set[tuple[str, str]] = set()
    damaged = []
    for artifact in artifacts:
        for blob in artifact.blobs:
            key = (artifact.repository, blob.digest)
            size = observed.blobs.get(key)
            if size is not None and size != blob.size:
                damaged.append(f"{artifact.repository}@{blob.digest} has {size} bytes, not {blob.size}")
            if size is not None or key in planned:
                continue
            planned.add(key)
            origin = source.setdefault(blob.digest, artifact.repository)
            if origin == artifact.repository:
                uploads.append(Upload(artifact.repository, blob))
            else:
                mounts.append(Upload(artifact.repository, blob, origin))
        for reference, manifest in [*((c.digest, c) for c in artifact.children), (artifact.tag, artifact.manifest)]:
            before = observed.manifests.get((artifact.repository, reference))
            if before != manifest.digest:
                key = (artifact.repository, reference)
                taggings.setdefault(key, Tagging(artifact.repository, reference, manifest, before))
    if damaged:
        raise ContentError(damage_report(endpoint, damaged))
    deletions = _deletions(endpoint, artifacts, observed) if prune else ()
    return Plan(tuple(uploads), tuple(mounts), tuple(taggings.values()), tuple(deletions))


def damage_report(endpoint: str, damaged: t.Sequence[str]) -> str:
    """A registry never overwrites a blob it thinks it has, so damage has to be removed by hand."""
    return (
        f"registry {endpoint} holds corrupted content: {'; '.join(sorted(set(damaged)))}. "
        "It was refused. On that host remove docker/registry/v2/blobs/sha256/<first two digits>/<digest> "
        "from the registry's storage, then seed it again"
    )


def owned(repository: str, artifacts: t.Iterable[Artifact]) -> bool:
    """Pruning stays within the name spaces of the layout (registry.k8s.io, ...): other people's images are theirs."""
    spaces = {artifact.repository.split("/", 1)[0] for artifact in artifacts}
    return repository.split("/", 1)[0] in spaces


def _deletions(endpoint: str, artifacts: t.Sequence[Artifact], observed: Observed) -> list[Deletion]:
    keep_tags = {(artifact.repository, artifact.tag) for artifact in artifacts}
    keep_digests = {(a.repository, m.digest) for a in artifacts for m in (a.manifest, *a.children)}
    present = {(repository, tag) for repository, tags in observed.tags.items() for tag in tags}
    if present and not present & keep_tags:
        raise ContentError(
            f"pruning registry {endpoint} would delete all {len(present)} tags it has in the name spaces of the "
            "layout: this looks like the wrong registry or the wrong layout, nothing was deleted. "
            "Seed it without pruning first if this is meant"
        )
    return [
        # The manifest goes with its tag, unless a tag that stays needs it.
        Deletion(repository, tag, digest, tag if (repository, digest) in keep_digests else digest)
        for repository, tags in sorted(observed.tags.items())
        for tag, digest in sorted(tags.items())
        if (repository, tag) not in keep_tags
    ]
