# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Files of OCI artifacts on a host: what has to be done, decided without touching anything."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import Found, Wanted

TITLE = "org.opencontainers.image.title"


class OciFilesError(Exception):
    """Files can't be had or put in place; the message names reference, file and endpoints."""


@dataclass(frozen=True)
class File:
    """One file of an artifact and where it goes. `sha256` is None until the artifact's manifest was read."""

    ref: str
    digest: str
    name: str
    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"
    sha256: str | None = None
    size: int = 0

    @property
    def wanted(self) -> Wanted:
        return Wanted(path=self.path, mode=self.mode, owner=self.owner, group=self.group)


@dataclass(frozen=True)
class Present:
    """What is at a path now."""

    found: Found
    sha256: str | None = None


@dataclass(frozen=True)
class Action:
    kind: str  # install, attributes, remove
    file: File
    text: str


def plan(files: t.Iterable[File], present: t.Mapping[str, Present], absent: bool) -> list[Action]:
    """Pure: what has to be done so that each path holds its file, or none does."""
    actions = []
    for file in files:
        there = present[file.path]
        if there.found.exists and there.found.kind != "file":
            raise OciFilesError(f"{file.path} should be a file, but a {there.found.kind} is there; move it away")
        if absent:
            if there.found.exists:
                actions.append(Action("remove", file, f"remove {file.path}"))
            continue
        if not there.found.exists or there.sha256 != file.sha256 or file.sha256 is None:
            verb = "replace" if there.found.exists else "install"
            actions.append(Action("install", file, f"{verb} {file.path} from {file.ref} ({file.name})"))
            continue
        changes = attribute_changes(file, there.found)
        if changes:
            actions.append(Action("attributes", file, f"change {file.path}: {', '.join(changes)}"))
    return actions


def attribute_changes(file: File, found: Found) -> list[str]:
    changes = []
    if file.mode != found.mode:
        changes.append(f"mode {found.mode:04o} to {file.mode:04o}")
    if file.owner != found.owner:
        changes.append(f"owner {found.owner} to {file.owner}")
    if file.group != found.group:
        changes.append(f"group {found.group} to {file.group}")
    return changes


def diff_of(action: Action, there: Present) -> dict[str, str]:
    """Pure: files are binaries; their digest, mode and owner stand for them."""
    file, found = action.file, there.found
    before = f"sha256:{there.sha256} {found.mode:04o} {found.owner}:{found.group}\n" if found.exists else ""
    digest = f"sha256:{file.sha256}" if file.sha256 else f"{file.name} of {file.digest}"
    after = "" if action.kind == "remove" else f"{digest} {file.mode:04o} {file.owner}:{file.group}\n"
    return {"before_header": file.path, "after_header": file.path, "before": before, "after": after}


def resolve(file: File, layers: t.Mapping[str, tuple[str, int]]) -> File:
    """Pure: a file with the digest and size that the artifact's manifest has for it."""
    if file.name not in layers:
        names = ", ".join(sorted(layers)) or "none"
        raise OciFilesError(f"artifact {file.ref} ({file.digest}) has no file {file.name}; it has: {names}")
    sha256, size = layers[file.name]
    if file.sha256 not in (None, sha256):
        raise OciFilesError(
            f"{file.name} of {file.ref} should have sha256 {file.sha256}, but the artifact {file.digest} holds "
            f"{sha256}; the two come from different bundles"
        )
    return replace(file, sha256=sha256, size=size)


def layers_of(manifest: bytes, ref: str) -> dict[str, tuple[str, int]]:
    """Pure: file name to (sha256, size), from the manifest of a file artifact."""
    try:
        layers = json.loads(manifest)["layers"]
        return {
            layer["annotations"][TITLE]: (str(layer["digest"]).partition(":")[2], int(layer["size"]))
            for layer in layers
        }
    except (ValueError, KeyError, TypeError) as e:
        raise OciFilesError(f"{ref} is not an artifact of files: its manifest lacks {e}") from e


def in_turn(endpoints: t.Sequence[str], hostname: str) -> list[str]:
    """Pure: endpoints as this host tries them. Hosts start at different ones, so that they share the load."""
    if not endpoints:
        return []
    start = int(hashlib.sha256(hostname.encode()).hexdigest(), 16) % len(endpoints)
    return [*endpoints[start:], *endpoints[:start]]


def missing_space(sizes: t.Mapping[str, int], free: t.Mapping[str, int]) -> str | None:
    """Pure: a sentence when a directory's file system can't take what is to come, else None."""
    for directory, needed in sorted(sizes.items()):
        if needed > free[directory]:
            # Rounded apart, so that the two never look equal.
            return (
                f"{directory} needs {-(-needed // 2**20)} MiB for new files and has {free[directory] // 2**20} MiB free"
            )
    return None
