# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Client of the OCI distribution API: manifests, blobs and tags of one registry endpoint.

Standard library only (Python >= 3.9), because it runs on managed hosts as well as on the controller.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import socket
import time
import typing as t
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from ansible_collections.cloudnative.platform.plugins.module_utils._oci_transport import (
    Broken,
    DigestMismatch,
    NotFound,
    ReadOnly,
    RegistryError,
    Transport,
    Unauthorized,
    Unreachable,
    read,
)

__all__ = [
    "DigestMismatch",
    "NotFound",
    "ReadOnly",
    "Reference",
    "Registry",
    "RegistryError",
    "Unauthorized",
    "Unreachable",
    "parse_reference",
    "sha256_of",
]

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)

# A manifest is small; whatever is bigger is not a manifest and must not fill the memory of a host.
MANIFEST_LIMIT = 8 * 1024 * 1024
CHUNK = 1024 * 1024

_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_COMPONENT = re.compile(r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$")


class Reference(t.NamedTuple):
    """`host/path:tag` or `host/path@sha256:...`; the host is part of the repository in our registry."""

    repository: str
    tag: str | None
    digest: str | None


def parse_reference(text: str) -> Reference:
    """Splits a full reference; raises ValueError that says what is wrong with it."""
    name, at, digest = text.partition("@")
    if at and not _DIGEST.match(digest):
        raise ValueError(f"reference {text!r}: {digest!r} is not a digest, expected sha256:<64 hex digits>")
    repository, tag = name, None
    # A colon before the last slash is the port of a host, not a tag.
    slash, colon = name.rfind("/"), name.rfind(":")
    if colon > slash:
        repository, tag = name[:colon], name[colon + 1 :]
        if not _TAG.match(tag):
            raise ValueError(f"reference {text!r}: {tag!r} is not a tag")
    if not tag and not digest:
        raise ValueError(f"reference {text!r} has neither a tag nor a digest")
    if not all(_COMPONENT.match(part) for part in repository.split("/")):
        raise ValueError(f"reference {text!r}: {repository!r} is not a repository name, expected lower case a/b/c")
    return Reference(repository, tag, digest or None)


def sha256_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """One endpoint of a registry. Safe to share between threads. Options are those of Transport."""

    def __init__(
        self,
        endpoint: str,
        ca_pem: str | None = None,
        username: str | None = None,
        password: str | None = None,
        **options: t.Any,
    ) -> None:
        self._transport = Transport(endpoint, ca_pem, username, password, **options)
        self.endpoint = self._transport.endpoint
        self.username = self._transport.username

    # -- questions ----------------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Raises unless the registry answers and accepts the credentials."""
        self._transport.request("GET", "/v2/", "log in")

    def date(self) -> str:
        """What the registry's clock says, to the second. Needs no credentials: a refusal carries the time as well."""

        def attempt() -> str:
            with self._transport.exchange("GET", "/v2/", "read the clock", {}, also_good=(401,)) as answer:
                read(answer)
                return answer.getheader("Date") or ""

        return self._transport.retry("/v2/", attempt)

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str, str]:
        """Bytes, media type and digest of a manifest, checked against the digest asked for or announced."""
        response = self._transport.request(
            "GET",
            _manifest_path(repository, reference),
            f"read manifest {repository}:{reference}",
            headers={"Accept": ", ".join(MANIFEST_TYPES)},
            limit=MANIFEST_LIMIT,
        )
        actual = sha256_of(response.body)
        announced = response.headers.get("Docker-Content-Digest")
        expected = reference if _DIGEST.match(reference) else announced or actual
        if actual != expected:
            raise DigestMismatch(self.endpoint, repository, expected, actual)
        media_type = (response.headers.get("Content-Type") or "").partition(";")[0].strip()
        return response.body, media_type, actual

    def manifest_digest(self, repository: str, reference: str) -> str | None:
        """Digest the registry has under a tag or digest, None when it has none."""
        try:
            response = self._transport.request(
                "HEAD",
                _manifest_path(repository, reference),
                f"look up manifest {repository}:{reference}",
                headers={"Accept": ", ".join(MANIFEST_TYPES)},
            )
        except NotFound:
            return None
        digest = response.headers.get("Docker-Content-Digest")
        if not digest:
            raise RegistryError(
                f"registry {self.endpoint} sent no Docker-Content-Digest for {repository}:{reference}: "
                "it does not speak the distribution API"
            )
        return digest

    def has_manifest(self, repository: str, reference: str) -> bool:
        return self.manifest_digest(repository, reference) is not None

    def blob_size(self, repository: str, digest: str) -> int | None:
        """Size of a blob as the registry stores it, None when it has none."""
        try:
            response = self._transport.request(
                "HEAD", f"/v2/{repository}/blobs/{digest}", f"look up blob {repository}@{digest}"
            )
        except NotFound:
            return None
        return int(response.headers.get("Content-Length") or 0)

    def has_blob(self, repository: str, digest: str) -> bool:
        return self.blob_size(repository, digest) is not None

    def tags(self, repository: str) -> list[str]:
        """Tags of a repository, sorted; a repository that isn't there has none."""
        try:
            return sorted(self._pages(f"/v2/{repository}/tags/list", "tags", f"list tags of {repository}"))
        except NotFound:
            return []

    def catalog(self) -> list[str]:
        """Names of all repositories, sorted."""
        return sorted(self._pages("/v2/_catalog", "repositories", "list repositories"))

    # -- transfer -----------------------------------------------------------------------------------------------

    def download_blob(self, repository: str, digest: str, to: str | os.PathLike[str] | t.BinaryIO) -> int:
        """Streams a blob to a path or an open file, returns its size.

        Raises DigestMismatch when the bytes are not those of the digest. Whatever goes wrong, a path is removed again.
        """
        if not isinstance(to, (str, os.PathLike)):
            return self._download(repository, digest, to)
        with open(to, "wb") as target:
            try:
                return self._download(repository, digest, target)
            except BaseException:
                os.unlink(to)
                raise

    def _download(self, repository: str, digest: str, target: t.BinaryIO) -> int:
        path = f"/v2/{repository}/blobs/{digest}"
        action = f"download blob {repository}@{digest}"
        hasher = hashlib.sha256()
        done = 0

        def attempt() -> None:
            # A broken connection is taken up where it broke.
            nonlocal done
            wanted = {"Range": f"bytes={done}-"} if done else {}
            with self._transport.exchange("GET", path, action, wanted) as answer:
                # A server that ignores the range starts again from the first byte.
                skip = done if answer.status == 200 else 0
                expected = int(answer.getheader("Content-Length") or -1)
                received = 0
                while True:
                    chunk = read(answer, CHUNK)
                    if not chunk:
                        break
                    received += len(chunk)
                    fresh = chunk[skip:]
                    skip = max(0, skip - len(chunk))
                    hasher.update(fresh)
                    target.write(fresh)
                    done += len(fresh)
                if received < expected:
                    raise Broken(f"connection closed after {received} of {expected} bytes")

        self._transport.retry(path, attempt)
        actual = "sha256:" + hasher.hexdigest()
        if actual != digest:
            raise DigestMismatch(self.endpoint, repository, digest, actual)
        return done

    def time_blob(self, repository: str, digest: str, limit: int, seconds: float) -> tuple[int, float]:
        """Reads the start of a blob and throws it away: how many bytes came in how many seconds.

        It ends with the blob, after `limit` bytes or after about `seconds`. A transfer that stalls counts what came.
        """
        path, action = f"/v2/{repository}/blobs/{digest}", f"download blob {repository}@{digest}"

        def attempt() -> tuple[int, float]:
            with self._transport.exchange("GET", path, action, {"Range": f"bytes=0-{limit - 1}"}) as answer:
                done, start = 0, time.monotonic()
                while done < limit and time.monotonic() - start < seconds:
                    try:
                        # Whatever there is: a slow transfer would not fill a buffer in time.
                        chunk = answer.read1(CHUNK)
                    except socket.timeout:
                        break
                    except (OSError, http.client.HTTPException) as exc:
                        raise Broken(f"connection broke after {done} bytes of the answer ({exc})") from exc
                    if not chunk:
                        break
                    done += len(chunk)
                return done, time.monotonic() - start

        measured = self._transport.retry(path, attempt)
        # The rest of an answer isn't read, so nothing else can follow on its connection.
        self.close()
        return measured

    def upload_blob(
        self, repository: str, digest: str, path: str | os.PathLike[str], mount_from: str | None = None
    ) -> int:
        """Uploads a file as a blob, or mounts it from another repository that has it. Returns the bytes sent."""
        action = f"upload blob {repository}@{digest}"
        start = f"/v2/{repository}/blobs/uploads/"
        if mount_from:
            start += "?" + urlencode({"mount": digest, "from": mount_from})

        def attempt() -> int:
            opened = self._transport.once("POST", start, action, {"Content-Length": "0"})
            if opened.status == 201:
                return 0
            location = urlsplit(opened.headers.get("Location") or "")
            if not location.path:
                raise RegistryError(f"registry {self.endpoint} sent no upload location for {repository}@{digest}")
            target = location.path[len(self._transport.prefix) :]
            query = urlencode([*parse_qsl(location.query), ("digest", digest)])
            with open(path, "rb") as source:
                size = os.fstat(source.fileno()).st_size
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
                self._transport.once("PUT", f"{target}?{query}", action, headers, source)
            return size

        return self._transport.retry(start, attempt)

    def put_manifest(self, repository: str, reference: str, body: bytes, media_type: str) -> str:
        """Stores a manifest under a tag or digest, returns its digest."""
        response = self._transport.request(
            "PUT",
            _manifest_path(repository, reference),
            f"store manifest {repository}:{reference}",
            headers={"Content-Type": media_type, "Content-Length": str(len(body))},
            body=body,
        )
        expected = sha256_of(body)
        actual = response.headers.get("Docker-Content-Digest") or expected
        if actual != expected:
            raise DigestMismatch(self.endpoint, repository, expected, actual)
        return expected

    def delete_manifest(self, repository: str, reference: str) -> bool:
        """Deletes a tag, or a manifest with all its tags; False when it was not there."""
        try:
            self._transport.request(
                "DELETE", _manifest_path(repository, reference), f"delete manifest {repository}:{reference}"
            )
        except NotFound:
            return False
        return True

    def close(self) -> None:
        self._transport.close()

    def _pages(self, path: str, field: str, action: str) -> t.Iterator[str]:
        query = "n=500"
        while query:
            response = self._transport.request("GET", f"{path}?{query}", action)
            try:
                names = json.loads(response.body).get(field) or []
            except (ValueError, AttributeError) as exc:
                raise RegistryError(f"registry {self.endpoint}{path} answered something that is not JSON") from exc
            yield from names
            following = re.search(r"<([^>]+)>\s*;\s*rel=\"?next\"?", response.headers.get("Link") or "")
            query = urlsplit(following.group(1)).query if following else ""


def _manifest_path(repository: str, reference: str) -> str:
    return f"/v2/{repository}/manifests/{quote(reference, safe=':')}"
