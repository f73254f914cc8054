# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Texts out of file artifacts in the platform's registry, such as the manifests of an add-on."""

from __future__ import annotations

import fnmatch
import os
import tempfile
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import File, OciFilesError, resolve
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files_io import Source
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import parse_reference

MANIFESTS = ("*.yml", "*.yaml", "*.json")

REGISTRY_OPTIONS: dict[str, t.Any] = {
    "endpoints": {"type": "list", "elements": "str", "required": True},
    "ca_pem": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}


class Artifact(t.NamedTuple):
    """Which files of an artifact are wanted, by patterns. `digest` may be a tag where no digest is known."""

    ref: str
    digest: str
    patterns: t.Sequence[str] = MANIFESTS


def artifact_of(given: t.Mapping[str, t.Any], components: t.Mapping[str, t.Any], where: str) -> Artifact:
    """Pure: an artifact named by a component of the bundle, or by its reference. Names what is missing."""
    patterns = given.get("files") or MANIFESTS
    name = given.get("component")
    if name:
        component = components.get(name)
        if not component:
            raise OciFilesError(
                f"{where}: components has no {name}; is the registry seeded with a bundle that holds it?"
            )
        if not {"ref", "digest"} <= set(component):
            raise OciFilesError(f"{where}: component {name} has no ref and digest, as bundle_info returns them")
        return Artifact(component["ref"], component["digest"], patterns)
    try:
        reference = parse_reference(given["ref"])
    except ValueError as e:
        raise OciFilesError(f"{where}: {e}") from e
    return Artifact(given["ref"], given.get("digest") or reference.digest or str(reference.tag), patterns)


def matching(names: t.Iterable[str], artifact: Artifact) -> list[str]:
    """Pure: the files of an artifact that its patterns take, in the order of the patterns, each once."""
    names = sorted(names)
    found: dict[str, None] = {}
    for pattern in artifact.patterns:
        taken = fnmatch.filter(names, pattern)
        # That an artifact has no *.json is nothing to complain of.
        if not taken and artifact.patterns is not MANIFESTS:
            raise OciFilesError(f"{artifact.ref} has no file {pattern}; it has: {', '.join(names) or 'none'}")
        found.update(dict.fromkeys(taken))
    if not found:
        raise OciFilesError(
            f"{artifact.ref} holds no {', '.join(artifact.patterns)}; it has: {', '.join(names) or 'none'}"
        )
    return list(found)


def read_texts(
    registry: t.Mapping[str, t.Any], artifacts: t.Iterable[Artifact], directory: str, warn: t.Callable[[str], None]
) -> list[tuple[str, str]]:
    """(`file of reference`, text) of each file that is wanted, checked by its digest."""
    texts: list[tuple[str, str]] = []
    source = Source(registry, os.uname().nodename)
    try:
        with tempfile.TemporaryDirectory(dir=directory) as place:
            path = os.path.join(place, "text")
            for artifact in artifacts:
                layers = source.layers(File(ref=artifact.ref, digest=artifact.digest, name="", path=path))
                for name in matching(layers, artifact):
                    file = resolve(File(ref=artifact.ref, digest=artifact.digest, name=name, path=path), layers)
                    source.download(file, path)
                    texts.append((f"{name} of {artifact.ref}", _text(path, f"{name} of {artifact.ref}")))
    finally:
        source.close()
        for warning in source.warnings:
            warn(warning)
    return texts


def _text(path: str, what: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError as e:
        raise OciFilesError(f"{what} is no text: {e}") from e
