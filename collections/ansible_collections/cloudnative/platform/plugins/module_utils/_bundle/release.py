# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The origin `release`: publishers' files by HTTP and images from their registries, checked against the lock."""

from __future__ import annotations

import http.client
import json
import os
import re
import threading
import typing as t
import urllib.error
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

from ansible.module_utils.urls import open_url

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import oci
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    BundleError,
    DigestMismatch,
    sha256_bytes,
    sha256_file,
)

ATTEMPTS = 3
ANSWER_TIMEOUT = 5
STALL_TIMEOUT = 30
MANIFEST_LIMIT = 8 << 20
INDEXES = (oci.INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = (oci.MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
# Where a registry's API is, if not at the host that its image names begin with.
API_HOSTS = {"docker.io": "registry-1.docker.io"}
BROKEN = (OSError, http.client.HTTPException)


class Unavailable(BundleError):
    """This origin doesn't have the component now; another one may."""


class CutShort(Exception):
    """A transfer that ended before its end."""


def reason_of(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return str(reason if reason else error) or type(error).__name__


class Releases:
    """Publishers' hosts: each is asked once whether it answers, and left alone for the rest of the run if not."""

    def __init__(
        self,
        mirrors: dict[str, str],
        report: t.Callable[[str], None],
        answer_timeout: float = ANSWER_TIMEOUT,
        stall_timeout: float = STALL_TIMEOUT,
    ) -> None:
        self.mirrors = {source.rstrip("/"): target.rstrip("/") for source, target in mirrors.items()}
        self.report = report
        self.answer_timeout = answer_timeout
        self.stall_timeout = stall_timeout
        self._mutex = threading.Lock()
        self._hosts: dict[str, tuple[threading.Lock, list[str]]] = {}
        self._tokens: dict[str, str] = {}

    def mirrored(self, url: str) -> str:
        for source, target in self.mirrors.items():
            if url == source or url.startswith(source + "/"):
                return target + url[len(source) :]
        return url

    def address(self, release: dict[str, t.Any]) -> str:
        """The (mirrored) URL of what a release entry of the lock names."""
        if "url" in release:
            return self.mirrored(release["url"])
        host = release["image"].partition("/")[0]
        return self.mirrored(f"https://{API_HOSTS.get(host, host)}")

    def reachable(self, url: str) -> str:
        """Why the host of a (mirrored) URL is out of reach; empty when it answers, whatever it answers."""
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        with self._mutex:
            lock, verdict = self._hosts.setdefault(base, (threading.Lock(), []))
        with lock:
            if not verdict:
                verdict.append(self._ask(base))
                if verdict[0]:
                    self.report(f"{base} doesn't answer ({verdict[0]}): skipped for the rest of this run")
        return verdict[0]

    def _ask(self, base: str) -> str:
        verdict = [f"no answer within {self.answer_timeout:g} s"]

        def ask() -> None:
            try:
                open_url(base + "/", method="HEAD", timeout=self.answer_timeout, follow_redirects="none").close()
                verdict[0] = ""
            except urllib.error.HTTPError as error:
                error.close()
                verdict[0] = ""
            except BROKEN as error:
                verdict[0] = reason_of(error)

        # A socket's timeout doesn't bound how long a name server takes; waiting for a thread does.
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(self.answer_timeout)
        return verdict[0]

    def _require(self, url: str) -> None:
        reason = self.reachable(url)
        if reason:
            raise Unavailable(f"{url}: the host doesn't answer ({reason})")

    # -- files --------------------------------------------------------------------------------------------------

    def file(self, url: str, sha256: str | None, target: str) -> str:
        """Download to `target` and return the sum; what doesn't have the expected one is removed."""
        url = self.mirrored(url)
        self._require(url)
        part = target + ".part"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        trouble = ""
        for _attempt in range(ATTEMPTS):
            resumed = os.path.exists(part)
            try:
                self._transfer(url, part)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code == 416:
                    os.unlink(part)
                elif error.code < 500:
                    raise Unavailable(f"{url}: HTTP status {error.code}") from error
                trouble = f"HTTP status {error.code}"
                continue
            except (CutShort, *BROKEN) as error:
                trouble = reason_of(error)
                continue
            found = sha256_file(part)
            if sha256 in (None, found):
                os.replace(part, target)
                return found
            os.unlink(part)
            if not resumed:
                raise DigestMismatch(f"{url}: has sha256 {found}, the lock says {sha256}: refused")
            trouble = "what an earlier run left doesn't fit"
        raise Unavailable(f"{url}: {trouble}, {ATTEMPTS} times")

    def _transfer(self, url: str, part: str) -> None:
        """Fetch, going on where an earlier transfer ended if the server can."""
        begin = os.path.getsize(part) if os.path.exists(part) else 0
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        with open_url(url, headers=headers, timeout=self.stall_timeout) as answer:
            mode = "ab" if begin and answer.status == 206 else "wb"
            announced = answer.headers.get("Content-Length")
            with open(part, mode) as stream:
                received = oci.copy_stream(answer, stream)
        if announced is not None and received < int(announced):
            raise CutShort(f"cut short after {received} of {announced} bytes")

    # -- images -------------------------------------------------------------------------------------------------

    def image(
        self, reference: str, digest: str | None, architecture: str, blobs: oci.Blobs
    ) -> tuple[list[oci.Descriptor], str]:
        """Pull one architecture of an image; returns manifest, config and layers, and the digest asked for."""
        host, _slash, rest = reference.partition("/")
        repository, _colon, tag = rest.rpartition(":")
        base = self.mirrored(f"https://{API_HOSTS.get(host, host)}")
        self._require(base)
        data, media_type = self._manifest(base, repository, digest or tag)
        top = "sha256:" + sha256_bytes(data)
        if digest is not None and top != digest:
            raise DigestMismatch(f"{reference}: the registry has {top}, the lock says {digest}: refused")
        if media_type in INDEXES:
            child = next(
                (
                    entry
                    for entry in json.loads(data).get("manifests", [])
                    if entry.get("platform", {}).get("os") == "linux"
                    and entry.get("platform", {}).get("architecture") == architecture
                ),
                None,
            )
            if child is None:
                raise Unavailable(f"{reference}: has no image for linux/{architecture}")
            data, media_type = self._manifest(base, repository, child["digest"])
            found = "sha256:" + sha256_bytes(data)
            if found != child["digest"]:
                raise DigestMismatch(f"{reference}: {child['digest']} in the registry has {found}: refused")
        if media_type not in MANIFESTS:
            raise Unavailable(f"{reference}: the registry answers with {media_type}, which is no image")
        manifest = json.loads(data)
        parts: list[oci.Descriptor] = []
        for entry in [manifest["config"], *manifest["layers"]]:
            descriptor: oci.Descriptor = {
                "mediaType": entry["mediaType"],
                "digest": entry["digest"],
                "size": entry["size"],
            }
            if not blobs.sound(descriptor["digest"], descriptor["size"]):
                self._blob(base, repository, descriptor, blobs, reference)
            parts.append(descriptor)
        return [blobs.put_bytes(data, media_type), *parts], top

    def _manifest(self, base: str, repository: str, reference: str) -> tuple[bytes, str]:
        headers = {"Accept": ", ".join((*INDEXES, *MANIFESTS))}
        url = f"{base}/v2/{repository}/manifests/{reference}"
        trouble = ""
        for _attempt in range(ATTEMPTS):
            try:
                with self._registry(url, headers) as answer:
                    data = answer.read(MANIFEST_LIMIT)
                    return data, (answer.headers.get("Content-Type") or "").partition(";")[0].strip()
            except BROKEN as error:
                trouble = reason_of(error)
        raise Unavailable(f"{url}: {trouble}, {ATTEMPTS} times")

    def _blob(self, base: str, repository: str, descriptor: oci.Descriptor, blobs: oci.Blobs, reference: str) -> None:
        url, digest = f"{base}/v2/{repository}/blobs/{descriptor['digest']}", descriptor["digest"]
        trouble = ""
        for _attempt in range(ATTEMPTS):
            try:
                with self._registry(url, {}) as answer, blobs.writer() as writer:
                    received = oci.copy_stream(answer, writer)
                    if received < descriptor["size"]:
                        raise CutShort(f"cut short after {received} of {descriptor['size']} bytes")
                    writer.expect(digest, f"{reference}: blob {digest}")
                    return
            except (CutShort, *BROKEN) as error:
                trouble = reason_of(error)
        raise Unavailable(f"{url}: {trouble}, {ATTEMPTS} times")

    def _registry(self, url: str, headers: dict[str, str]) -> t.Any:
        """One request; gets the anonymous token that public registries want first."""
        scope = url.split("/v2/")[0] + "/" + url.split("/v2/")[1].rsplit("/", 2)[0]
        for last in (False, True):
            sent = dict(headers)
            if scope in self._tokens:
                sent["Authorization"] = f"Bearer {self._tokens[scope]}"
            try:
                return open_url(url, headers=sent, timeout=self.stall_timeout, unredirected_headers=["Authorization"])
            except urllib.error.HTTPError as error:
                challenge = error.headers.get("WWW-Authenticate") or ""
                error.close()
                if error.code == 401 and not last and challenge.lower().startswith("bearer "):
                    self._tokens[scope] = self._token(challenge)
                elif error.code < 500:
                    raise Unavailable(f"{url}: HTTP status {error.code}") from error
                else:
                    raise
        raise Unavailable(f"{url}: the registry wants credentials")

    def _token(self, challenge: str) -> str:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        query = urlencode({key: fields[key] for key in ("service", "scope") if key in fields})
        with open_url(f"{fields.get('realm', '')}?{query}", timeout=self.stall_timeout) as answer:
            document = json.loads(answer.read(MANIFEST_LIMIT))
        return str(document.get("token") or document.get("access_token") or "")


def discard(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
