# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The bundle as a directory: an OCI image layout. Write, read, verify, compare."""

from __future__ import annotations

import concurrent.futures
import json
import os
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import oci
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    BundleError,
    canonical,
    link_or_copy,
    read_json,
    sha256_bytes,
    sha256_file,
    write_atomic,
)

REF = "org.opencontainers.image.ref.name"
LAYOUT = canonical({"imageLayoutVersion": "1.0.0"})
BUNDLE = "cloudnative.platform/bundle"
COPIES = ("bundle.json", "sbom.spdx.json")
TOP = ("oci-layout", "index.json", *COPIES)
BLOBS = os.path.join("blobs", "sha256")


def pretty(data: t.Any) -> bytes:
    """For files that people read: one spelling too, but with lines."""
    return (json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def index_of(entries: list[tuple[str, oci.Descriptor]], architecture: str) -> bytes:
    manifests = [
        {
            "mediaType": descriptor["mediaType"],
            "digest": descriptor["digest"],
            "size": descriptor["size"],
            "annotations": {REF: ref},
            "platform": {"architecture": architecture, "os": "linux"},
        }
        for ref, descriptor in sorted(entries, key=lambda entry: entry[0])
    ]
    return canonical({"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": manifests})


def write(path: str, blobs: oci.Blobs, needed: dict[str, int], index: bytes, copies: dict[str, bytes]) -> list[str]:
    """Make the directory hold exactly this. The index is replaced when all it names is there. Returns the changes."""
    changes: list[str] = []
    target = os.path.join(path, BLOBS)
    os.makedirs(target, exist_ok=True)
    added = 0
    for digest, size in sorted(needed.items()):
        full = os.path.join(target, digest.partition(":")[2])
        if not _same_file(full, blobs.path(digest)) and not (
            os.path.exists(full) and os.path.getsize(full) == size and "sha256:" + sha256_file(full) == digest
        ):
            link_or_copy(blobs.path(digest), full)
            added += 1
    if added:
        changes.append(f"added {added} blobs")
    for name, data in (("oci-layout", LAYOUT), ("index.json", index), *sorted(copies.items())):
        full = os.path.join(path, name)
        if _content(full) != data:
            write_atomic(full, data)
            changes.append(f"wrote {name}")
    names = {digest.partition(":")[2] for digest in needed}
    extra = sorted(set(os.listdir(target)) - names)
    for name in extra:
        os.unlink(os.path.join(target, name))
    if extra:
        changes.append(f"removed {len(extra)} blobs that nothing names")
    return changes


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return None


def read_bundle(path: str) -> dict[str, t.Any]:
    data = read_json(os.path.join(path, "bundle.json"))
    if not isinstance(data, dict) or data.get("format") != 1:
        raise BundleError(f"{path}: holds no bundle (no readable bundle.json); make one with build_bundle.yml")
    return data


def components_map(bundle: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    keys = ("ref", "digest", "version", "kind", "files", "origin", "licence")
    return {
        component["name"]: {key: component[key] for key in keys if key in component}
        for component in bundle["components"]
    }


# -- verify -------------------------------------------------------------------------------------------------------


def verify(path: str) -> tuple[list[str], int]:
    """Everything that is wrong with the directory, and the number of blobs that were hashed."""
    problems: list[str] = []
    if read_json(os.path.join(path, "oci-layout")) != {"imageLayoutVersion": "1.0.0"}:
        problems.append("oci-layout: missing or not version 1.0.0")
    index = read_json(os.path.join(path, "index.json"))
    if not isinstance(index, dict) or not isinstance(index.get("manifests"), list):
        return [*problems, "index.json: missing or no image index"], 0
    directory = os.path.join(path, BLOBS)
    try:
        present = set(os.listdir(directory))
    except OSError:
        return [*problems, f"{BLOBS}: missing"], 0
    needed: dict[str, tuple[int, str]] = {}
    refs: dict[str, str] = {}
    for entry in index["manifests"]:
        ref = entry.get("annotations", {}).get(REF, "")
        if not ref or ref in refs:
            what = f"the name of another, {ref}" if ref else "no name"
            problems.append(f"index.json: {entry.get('digest')} has {what}")
        refs[ref] = entry["digest"]
        _collect(directory, entry, ref, needed, problems)
    problems += _hash_all(directory, needed)
    names = {digest.partition(":")[2] for digest in needed}
    problems += [f"blob {name}: no manifest names it" for name in sorted(present - names)]
    for name in sorted(set(os.listdir(path)) - {*TOP, "blobs"}):
        problems.append(f"{name}: doesn't belong to a bundle")
    problems += _consistent(path, directory, refs)
    return problems, len(needed)


def _collect(
    directory: str,
    entry: dict[str, t.Any],
    ref: str,
    needed: dict[str, tuple[int, str]],
    problems: list[str],
) -> None:
    needed[entry["digest"]] = (entry["size"], ref)
    manifest = read_json(os.path.join(directory, entry["digest"].partition(":")[2]))
    if not isinstance(manifest, dict) or "config" not in manifest:
        # That it's missing or damaged is what hashing says; this is about the rest.
        problems.append(f"{ref}: its manifest {entry['digest']} can't be read")
        return
    for part in [manifest["config"], *manifest.get("layers", [])]:
        needed[part["digest"]] = (part["size"], ref)


def _hash_all(directory: str, needed: dict[str, tuple[int, str]]) -> list[str]:
    def check(item: tuple[str, tuple[int, str]]) -> str:
        digest, (size, ref) = item
        full = os.path.join(directory, digest.partition(":")[2])
        try:
            found = os.path.getsize(full)
        except OSError:
            return f"blob {digest} of {ref}: missing"
        if found != size:
            return f"blob {digest} of {ref}: has {found} bytes instead of {size}"
        found_digest = "sha256:" + sha256_file(full)
        return "" if found_digest == digest else f"blob {digest} of {ref}: its content has {found_digest}"

    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        return [problem for problem in pool.map(check, sorted(needed.items())) if problem]


def _consistent(path: str, directory: str, refs: dict[str, str]) -> list[str]:
    """bundle.json says the same as the index, and the copies are those of the bundle's own artifact."""
    problems: list[str] = []
    current = refs.get(f"{BUNDLE}:current")
    if current is None:
        return [f"index.json: {BUNDLE}:current is missing"]
    manifest = read_json(os.path.join(directory, current.partition(":")[2])) or {"layers": []}
    held = {layer.get("annotations", {}).get(oci.TITLE): layer["digest"] for layer in manifest["layers"]}
    for name in COPIES:
        data = _content(os.path.join(path, name))
        if data is None or "sha256:" + sha256_bytes(data) != held.get(name):
            problems.append(f"{name}: missing or not the one of {BUNDLE}:current")
    bundle = read_json(os.path.join(path, "bundle.json"))
    if not isinstance(bundle, dict):
        return problems
    said = {component["ref"]: component["digest"] for component in bundle.get("components", [])}
    there = {ref: digest for ref, digest in refs.items() if not ref.startswith(f"{BUNDLE}:")}
    for ref in sorted(set(said) | set(there)):
        if said.get(ref) != there.get(ref):
            problems.append(f"{ref}: bundle.json says {said.get(ref)}, index.json says {there.get(ref)}")
    return problems


# -- compare ------------------------------------------------------------------------------------------------------


def compare(before: dict[str, t.Any], after: dict[str, t.Any]) -> dict[str, list[dict[str, t.Any]]]:
    """What the components of `after` are against those of `before`."""

    def short(component: dict[str, t.Any]) -> dict[str, t.Any]:
        return {key: component[key] for key in ("version", "origin", "digest", "size")}

    old = {component["name"]: component for component in before["components"]}
    new = {component["name"]: component for component in after["components"]}
    return {
        "added": [{"name": name, "after": short(new[name])} for name in sorted(set(new) - set(old))],
        "removed": [{"name": name, "before": short(old[name])} for name in sorted(set(old) - set(new))],
        "changed": [
            {"name": name, "before": short(old[name]), "after": short(new[name])}
            for name in sorted(set(old) & set(new))
            if old[name]["digest"] != new[name]["digest"]
        ],
    }
