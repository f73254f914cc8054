# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""A bundle as one tar file, to be carried to a site without internet.

The file has one possible form: the order of its members, their headers, the padding. So reading it can refuse a
change of any byte, also of those that are no content: a blob has its own sum as name, pack.json, the first member,
has the sums of the rest, and everything between is compared with what it must be. Every tar reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    CHUNK,
    BundleError,
    canonical,
    sha256_file,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.layout import BLOBS, TOP, verify

PACK = "pack.json"
BLOCK = tarfile.BLOCKSIZE
END = b"\0" * (2 * BLOCK)


class Damaged(BundleError):
    """The archive isn't what was packed."""


def header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def padding(size: int) -> int:
    return -size % BLOCK


def members(path: str) -> list[str]:
    blobs = [f"{BLOBS}/{name}" for name in sorted(os.listdir(os.path.join(path, BLOBS)))]
    return [*TOP, *blobs]


def describe(path: str) -> bytes:
    """pack.json: the sums of what has no sum in its name, and the number of blobs."""
    sums = {name: sha256_file(os.path.join(path, name)) for name in TOP}
    blobs = len(os.listdir(os.path.join(path, BLOBS)))
    return canonical({"format": 1, "files": sums, "blobs": blobs})


def first_member(archive: str) -> dict[str, t.Any]:
    """pack.json of an archive."""
    try:
        with open(archive, "rb") as stream:
            return json.loads(Reader(stream, archive).member(PACK, None))
    except OSError as error:
        raise BundleError(f"{archive}: can't be read: {error.strerror}") from error


def pack(path: str, archive: str) -> None:
    """Write the archive of a bundle that has no fault. It appears under its name when it is complete."""
    problems, _count = verify(path)
    if problems:
        raise BundleError(f"{path}: not packed, because the bundle isn't whole:\n- " + "\n- ".join(problems))
    os.makedirs(os.path.dirname(os.path.abspath(archive)), exist_ok=True)
    temporary = f"{archive}.partial"
    with open(temporary, "wb") as target:
        description = describe(path)
        target.write(header(PACK, len(description)) + description + b"\0" * padding(len(description)))
        for name in members(path):
            full = os.path.join(path, name)
            size = os.path.getsize(full)
            target.write(header(name, size))
            with open(full, "rb") as source:
                shutil.copyfileobj(source, target, CHUNK)
            target.write(b"\0" * padding(size))
        target.write(END)
        target.flush()
        os.fsync(target.fileno())
    os.replace(temporary, archive)


class Reader:
    """Reads the one form that pack writes, and nothing else."""

    def __init__(self, stream: t.BinaryIO, archive: str) -> None:
        self.stream = stream
        self.archive = archive

    def _exactly(self, count: int, what: str) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise Damaged(f"{self.archive}: ends in the middle of {what}: refused")
        return data

    def size_of(self, name: str) -> int:
        """Size of the next member, which must have this name."""
        data = self._exactly(BLOCK, name)
        try:
            size = tarfile.TarInfo.frombuf(data, "ascii", "strict").size
        except (tarfile.TarError, ValueError) as error:
            raise Damaged(f"{self.archive}: the header of {name} is damaged: {error}: refused") from error
        if size < 0 or data != header(name, size):
            raise Damaged(f"{self.archive}: the header of {name} is damaged: refused")
        return size

    def copy(self, name: str, sha256: str | None, target: t.BinaryIO) -> None:
        size = self.size_of(name)
        digest, left = hashlib.sha256(), size
        while left:
            data = self._exactly(min(CHUNK, left), name)
            digest.update(data)
            target.write(data)
            left -= len(data)
        if sha256 is not None and digest.hexdigest() != sha256:
            raise Damaged(f"{self.archive}: {name} has sha256 {digest.hexdigest()}, expected {sha256}: refused")
        self.zeros(padding(size), f"the padding of {name}")

    def member(self, name: str, sha256: str | None) -> bytes:
        size = self.size_of(name)
        if size > CHUNK:
            raise Damaged(f"{self.archive}: {name} has {size} bytes: this is no bundle's archive")
        data = self._exactly(size, name)
        self.zeros(padding(size), f"the padding of {name}")
        return data

    def zeros(self, count: int, what: str) -> None:
        if self._exactly(count, what).strip(b"\0"):
            raise Damaged(f"{self.archive}: {what} is damaged: refused")

    def blob_name(self) -> str:
        """Name of the next blob, without consuming its header."""
        position = self.stream.tell()
        data = self._exactly(BLOCK, "a blob's header")
        self.stream.seek(position)
        name = data[:100].rstrip(b"\0").decode("ascii", "replace")
        directory, _slash, digest = name.rpartition("/")
        if directory != BLOBS or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise Damaged(f"{self.archive}: the header of a blob is damaged, its name reads {name!r}: refused")
        return digest


def unpack(archive: str, path: str) -> None:
    """Make the directory the archive's bundle. It is replaced only when all of the archive has been found good."""
    temporary = f"{path.rstrip('/')}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(os.path.join(temporary, BLOBS))
    try:
        with open(archive, "rb") as stream:
            _read_all(Reader(stream, archive), temporary)
        problems, _count = verify(temporary)
        if problems:
            raise Damaged(f"{archive}: holds no whole bundle:\n- " + "\n- ".join(problems))
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise BundleError(f"{archive}: can't be unpacked to {path}: {error}") from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    old = f"{path.rstrip('/')}.old"
    shutil.rmtree(old, ignore_errors=True)
    if os.path.exists(path):
        os.rename(path, old)
    os.rename(temporary, path)
    shutil.rmtree(old, ignore_errors=True)


def _read_all(reader: Reader, path: str) -> None:
    raw = reader.member(PACK, None)
    try:
        description = json.loads(raw)
        sums, blobs = description["files"], int(description["blobs"])
        if raw != canonical(description) or description["format"] != 1 or set(sums) != set(TOP):
            raise ValueError("not what packing writes")
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{reader.archive}: {PACK} is damaged ({error}): refused") from error
    for name in TOP:
        with open(os.path.join(path, name), "wb") as target:
            reader.copy(name, sums[name], target)
    last = ""
    for _number in range(blobs):
        digest = reader.blob_name()
        if digest <= last:
            raise Damaged(f"{reader.archive}: blob {digest} is out of order: refused")
        last = digest
        with open(os.path.join(path, BLOBS, digest), "wb") as target:
            reader.copy(f"{BLOBS}/{digest}", digest, target)
    reader.zeros(len(END), "the end")
    if reader.stream.read(1):
        raise Damaged(f"{reader.archive}: goes on after its end: refused")
