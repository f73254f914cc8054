# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Reads a registry and carries a plan out, several requests at a time."""

from __future__ import annotations

import concurrent.futures
import threading
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import (
    DigestMismatch,
    NotFound,
    Registry,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_transport import Full
from ansible_collections.cloudnative.platform.plugins.module_utils._registry_content import (
    Artifact,
    Observed,
    Plan,
    Tagging,
    Upload,
    blob_path,
    owned,
)

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


class Progress:
    """Lines about a long upload, appended to a file that a person can follow."""

    def __init__(self, path: str | None, interval: float = 2.0) -> None:
        self._path = path
        self._interval = interval
        self._lock = threading.Lock()
        self._last = 0.0
        self._started = time.monotonic()

    def say(self, text: str, last: bool = False) -> None:
        """Writes a line, at most one in `interval` seconds; the last one of a step is never left out."""
        if not self._path:
            return
        with self._lock:
            now = time.monotonic()
            if not last and now - self._last < self._interval:
                return
            self._last = now
            with open(self._path, "a", encoding="utf-8") as stream:
                stream.write(f"[{now - self._started:6.1f} s] {text}\n")


def _all(parallel: int, function: t.Callable[[Item], Result], items: t.Sequence[Item]) -> list[Result]:
    """Results in order; the first failure cancels what has not begun."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=parallel) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise


def observe(registry: Registry, artifacts: t.Sequence[Artifact], parallel: int, prune: bool) -> Observed:
    manifests = sorted(
        {
            (artifact.repository, reference)
            for artifact in artifacts
            for reference in (artifact.tag, *(child.digest for child in artifact.children))
        }
    )
    # Blobs are asked for even where the manifest is in place: a lost or shortened one is found, not believed in.
    blobs = sorted({(artifact.repository, blob.digest) for artifact in artifacts for blob in artifact.blobs})
    digests = _all(parallel, lambda key: registry.manifest_digest(*key), manifests)
    sizes = _all(parallel, lambda key: registry.blob_size(*key), blobs)
    tags: dict[str, dict[str, str]] = {}
    if prune:
        for repository in registry.catalog():
            if owned(repository, artifacts):
                keys = [(repository, tag) for tag in registry.tags(repository)]
                found = _all(parallel, lambda key: registry.manifest_digest(*key), keys)
                tags[repository] = {key[1]: digest for key, digest in zip(keys, found) if digest}
    return Observed(dict(zip(manifests, digests)), dict(zip(blobs, sizes)), tags)


class Seeder:
    """Carries out a plan. `uploaded_bytes` is right at any time, also after a failure."""

    def __init__(self, registry: Registry, layout: str, parallel: int, progress: Progress) -> None:
        self._registry = registry
        self._layout = layout
        self._parallel = parallel
        self._progress = progress
        self._lock = threading.Lock()
        self._done = 0
        self.uploaded_bytes = 0

    def apply(self, plan: Plan) -> None:
        total = len(plan.uploads) + len(plan.mounts)

        def upload(item: Upload) -> None:
            path = blob_path(self._layout, item.blob.digest)
            sent = self._registry.upload_blob(item.repository, item.blob.digest, path, item.mount_from)
            with self._lock:
                self._done += 1
                self.uploaded_bytes += sent
                done, megabytes = self._done, self.uploaded_bytes // 1_000_000
            self._progress.say(
                f"{self._registry.endpoint}: {done} of {total} blobs, "
                f"{megabytes} of {plan.upload_bytes // 1_000_000} MB",
                last=done == total,
            )

        def store(item: Tagging) -> None:
            with open(blob_path(self._layout, item.manifest.digest), "rb") as stream:
                body = stream.read()
            self._registry.put_manifest(item.repository, item.reference, body, item.manifest.media_type)

        # The big ones first, so that the last minute is not spent waiting for one of them.
        try:
            _all(self._parallel, upload, sorted(plan.uploads, key=lambda item: -item.blob.size))
        except Full as exc:
            left = -(-(plan.upload_bytes - self.uploaded_bytes) // 2**20)
            raise Full(f"{exc}; {left} MiB are still to come: make room there and run again") from exc
        _all(self._parallel, upload, plan.mounts)
        # A registry takes a manifest only when it has all the manifest refers to: those of an index come first.
        _all(self._parallel, store, [item for item in plan.taggings if ":" in item.reference])
        _all(self._parallel, store, [item for item in plan.taggings if ":" not in item.reference])
        for item in plan.deletions:
            self._registry.delete_manifest(item.repository, item.reference)


class _Sink:
    def write(self, data: bytes) -> int:
        return len(data)


def verify(registry: Registry, artifacts: t.Sequence[Artifact], parallel: int, progress: Progress) -> list[str]:
    """Downloads and hashes everything; returns a sentence for each thing that is missing or damaged."""
    manifests = sorted({(a.repository, m.digest) for a in artifacts for m in (a.manifest, *a.children)})
    blobs = sorted({(artifact.repository, blob.digest) for artifact in artifacts for blob in artifact.blobs})
    # A blob is stored once for all repositories, so it is read once.
    once = list({digest: repository for repository, digest in reversed(blobs)}.items())

    def check(key: tuple[str, str], read: t.Callable[[], t.Any]) -> str | None:
        try:
            read()
        except DigestMismatch as exc:
            return f"{key[0]}@{key[1]} has {exc.actual}"
        except NotFound:
            return f"{key[0]}@{key[1]} is missing"
        finally:
            progress.say(f"{registry.endpoint}: verified {key[0]}@{key[1]}")
        return None

    def manifest(key: tuple[str, str]) -> str | None:
        return check(key, lambda: registry.manifest(*key))

    def blob(item: tuple[str, str]) -> str | None:
        digest, repository = item
        sink = t.cast(t.BinaryIO, _Sink())
        return check((repository, digest), lambda: registry.download_blob(repository, digest, sink))

    found = [*_all(parallel, manifest, manifests), *_all(parallel, blob, once)]
    progress.say(f"{registry.endpoint}: verified {len(manifests)} manifests and {len(once)} blobs", last=True)
    return [sentence for sentence in found if sentence]
