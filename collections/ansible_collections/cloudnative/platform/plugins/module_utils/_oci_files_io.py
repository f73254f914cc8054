# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The half of oci_files that touches the host and the registry: digest cache, download, putting in place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    HostFileError,
    file_system_of,
    is_full,
    keep_context,
    observe,
    reason_of,
    set_attributes,
    sync_directory,
    temporary_for,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import (
    Action,
    File,
    OciFilesError,
    Present,
    in_turn,
    layers_of,
    missing_space,
    resolve,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import (
    DigestMismatch,
    Registry,
    RegistryError,
    Unreachable,
    parse_reference,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_transport import ATTEMPTS

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

STATE_FORMAT = 1
CHUNK = 1024 * 1024
# More at once gain nothing: one connection fills a link, and hashing needs a core.
PARALLEL = 4
T = t.TypeVar("T")


class DigestCache:
    """sha256 of files by (size, mtime, inode, ctime), so that a re-run doesn't read hundreds of MB again.

    The kernel sets a file's ctime at every write, rename or change of its mtime, and nobody else can: a program that
    was replaced by one of the same size and given the old mtime is read again.

    Which file of which artifact it was (`digest`, `name`, `layer`) is kept too: the next run needs no manifest; and its
    `ref`, which says the version of a program without asking the program.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._files: dict[str, dict[str, t.Any]] = {}
        try:
            with open(path, encoding="utf-8") as stream:
                state = json.load(stream)
            if state["format"] == STATE_FORMAT:
                self._files = dict(state["files"])
        except (OSError, ValueError, KeyError, TypeError):
            # A cache that is missing or damaged is a cache that is empty.
            self._files = {}
        self._saved = json.dumps(self._files)

    def sha256_of(self, path: str) -> str:
        key = _file_key(os.stat(path))
        known = self._files.get(path)
        if not known or known["key"] != key:
            # What the artifact holds stays known when somebody changes the file.
            known = self._files[path] = {**(known or {}), "key": key, "sha256": _hash_file(path)}
        return str(known["sha256"])

    def known(self, file: File) -> File:
        """The file with its digest, where a file of the same artifact was installed here before."""
        for entry in self._files.values():
            if entry.get("digest") == file.digest and entry.get("name") == file.name:
                return resolve(file, {file.name: (entry["layer"], entry["size"])})
        return file

    def remember(self, file: File) -> None:
        """A file that is in place and right."""
        key = _file_key(os.stat(file.path))
        self._files[file.path] = {
            "key": key,
            "sha256": file.sha256,
            "digest": file.digest,
            "name": file.name,
            "ref": file.ref,
            "layer": file.sha256,
            "size": key[0],
        }

    def forget(self, path: str) -> None:
        self._files.pop(path, None)

    def save(self) -> None:
        if json.dumps(self._files) == self._saved:
            return
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        temporary = temporary_for(self.path)
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump({"format": STATE_FORMAT, "files": self._files}, stream)
        os.rename(temporary, self.path)


def _file_key(info: os.stat_result) -> list[int]:
    return [info.st_size, info.st_mtime_ns, info.st_ino, info.st_ctime_ns]


def _hash_file(path: str) -> str:
    hasher = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            hasher.update(chunk)
    return hasher.hexdigest()


def look(file: File, cache: DigestCache) -> Present:
    found = observe(file.path, with_content=False)
    if found.kind != "file":
        return Present(found)
    try:
        return Present(found, cache.sha256_of(file.path))
    except OSError as e:
        raise HostFileError(f"cannot read {file.path}: {e.strerror}") from e


class Source:
    """The registry's endpoints, tried in this host's turn. Safe to share between threads."""

    def __init__(self, registry: t.Mapping[str, t.Any], hostname: str) -> None:
        endpoints = in_turn(registry["endpoints"], hostname)
        if not endpoints:
            raise OciFilesError("registry.endpoints is empty; give at least one, for example https://10.0.0.5:5000")
        self._endpoints = endpoints
        self._settings = registry
        self._registries: list[Registry] = []
        self._unreachable: set[str] = set()
        self._lock = threading.Lock()
        self.warnings: list[str] = []

    def layers(self, file: File) -> dict[str, tuple[str, int]]:
        repository = parse_reference(file.ref).repository
        what = f"manifest of {file.ref} ({file.digest})"
        return layers_of(self._first(what, lambda r: r.manifest(repository, file.digest)[0]), file.ref)

    def download(self, file: File, to: str) -> int:
        repository = parse_reference(file.ref).repository
        what = f"{file.name} of {file.ref} (sha256:{file.sha256})"
        return self._first(what, lambda r: r.download_blob(repository, f"sha256:{file.sha256}", to))

    def _opened(self) -> list[Registry]:
        """The endpoints, made when they are needed first: a run that downloads nothing needs none of it to be right."""
        with self._lock:
            if not self._registries:
                # With another endpoint to turn to, a broken one isn't worth a long wait.
                attempts = 2 if len(self._endpoints) > 1 else ATTEMPTS
                self._registries = [
                    Registry(
                        endpoint,
                        self._settings["ca_pem"],
                        self._settings["username"],
                        self._settings["password"],
                        connect_timeout=5,
                        attempts=attempts,
                    )
                    for endpoint in self._endpoints
                ]
            return self._registries

    def close(self) -> None:
        for registry in self._registries:
            registry.close()

    def _first(self, what: str, read: t.Callable[[Registry], T]) -> T:
        """The answer of the first endpoint that has a good one."""
        reasons = []
        corrupted = False
        for registry in sorted(self._opened(), key=lambda r: r.endpoint in self._unreachable):
            try:
                answer = read(registry)
            except RegistryError as e:
                reasons.append(str(e))
                corrupted = corrupted or isinstance(e, DigestMismatch)
                if isinstance(e, Unreachable):
                    with self._lock:
                        self._unreachable.add(registry.endpoint)
                continue
            if reasons:
                with self._lock:
                    self.warnings.append(f"{what} came from {registry.endpoint}; before it, {'; '.join(reasons)}")
            return answer
        remedy = "check that the registry runs and holds the platform's bundle"
        if corrupted:
            remedy = "nothing was replaced; delete the content there and seed the registry again from a verified bundle"
        raise OciFilesError(f"cannot get {what}: {'; '.join(reasons)}. What to do: {remedy}")


def sizes_by_file_system(files: t.Iterable[File]) -> dict[str, int]:
    """Bytes to come per file system, named by where it is mounted."""
    sizes: dict[str, int] = {}
    for file in files:
        mount = file_system_of(os.path.dirname(file.path))[0]
        sizes[mount] = sizes.get(mount, 0) + file.size
    return sizes


class Installer:
    """Brings files to their paths. Nothing is replaced before everything has been downloaded and checked."""

    def __init__(self, module: AnsibleModule, source: Source, cache: DigestCache) -> None:
        self._module = module
        self._source = source
        self._cache = cache
        self.downloaded_bytes = 0

    def resolve(self, files: t.Iterable[File]) -> dict[str, File]:
        """Files by path, with the digests that their artifacts' manifests have; one request an artifact."""
        files = list(files)
        by_digest = {file.digest: file for file in files}
        with ThreadPoolExecutor(PARALLEL) as pool:
            layers = dict(zip(by_digest, pool.map(self._source.layers, by_digest.values())))
        return {file.path: resolve(file, layers[file.digest]) for file in files}

    def install(self, files: t.Sequence[File]) -> None:
        by_content: dict[str, list[File]] = {}
        for file in files:
            by_content.setdefault(str(file.sha256), []).append(file)
        # What a killed run left is not continued: nobody knows how it ended. It goes first, for the room it takes.
        for file in files:
            remove_temporary(file.path)
        lack = missing_space(*_space(files))
        if lack:
            raise OciFilesError(f"not enough disk space: {lack}; nothing was replaced")
        try:
            with ThreadPoolExecutor(PARALLEL) as pool:
                self.downloaded_bytes += sum(pool.map(self._prepare, by_content.values()))
            for file in files:
                self._put_in_place(file)
        finally:
            for file in files:
                remove_temporary(file.path)

    def _prepare(self, same: list[File]) -> int:
        """Download one blob once, and copy it for the other paths that get it."""
        for file in same:
            os.makedirs(os.path.dirname(file.path), mode=0o755, exist_ok=True)
        first = temporary_for(same[0].path)
        try:
            size = self._source.download(same[0], first)
            for file in same[1:]:
                shutil.copyfile(first, temporary_for(file.path))
        except OSError as e:
            if not is_full(e):
                raise
            paths = " and ".join(file.path for file in same)
            raise OciFilesError(
                f"{paths} needs {-(-same[0].size // 2**20)} MiB, but {reason_of(e, first)}; nothing was replaced"
            ) from e
        return size

    def _put_in_place(self, file: File) -> None:
        temporary = temporary_for(file.path)
        set_attributes(temporary, file.wanted)
        keep_context(self._module, temporary, file.path)
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # A rename also replaces a program that runs: it keeps the old one open.
        os.rename(temporary, file.path)
        sync_directory(os.path.dirname(file.path))
        self._cache.remember(file)

    def apply_attributes(self, action: Action) -> None:
        set_attributes(action.file.path, action.file.wanted)

    def remove(self, action: Action) -> None:
        os.unlink(action.file.path)
        self._cache.forget(action.file.path)


def remove_temporary(path: str) -> None:
    temporary = temporary_for(path)
    if os.path.lexists(temporary):
        os.unlink(temporary)


def _space(files: t.Iterable[File]) -> tuple[dict[str, int], dict[str, int]]:
    sizes = sizes_by_file_system(files)
    return sizes, {mount: file_system_of(mount)[1] for mount in sizes}
