# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import tarfile
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import archive, layout, oci
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError


def component(name: str, version: str, digest: str) -> dict[str, t.Any]:
    return {
        "name": name,
        "version": version,
        "origin": "source",
        "licence": "MIT",
        "kind": "files",
        "ref": f"cloudnative.platform/{name}:{version}",
        "digest": digest,
        "size": 1,
    }


@pytest.fixture
def bundle(tmp_path: pathlib.Path) -> pathlib.Path:
    """A small bundle, made as a real one is."""
    blobs = oci.Blobs(str(tmp_path / "cache" / "blobs" / "sha256"))
    tool = oci.file_artifact(blobs, [("tool", "0755", b"tool" * 300)], {})
    record = component("tool", "v1", tool[0]["digest"])
    copies = {
        "bundle.json": layout.pretty({"format": 1, "components": [record], "unobtainable": []}),
        "sbom.spdx.json": layout.pretty({"spdxVersion": "SPDX-2.3"}),
    }
    own = oci.file_artifact(blobs, [(name, "0644", data) for name, data in copies.items()], {})
    needed = {part["digest"]: part["size"] for part in [*tool, *own]}
    entries = [(record["ref"], tool[0]), (f"{layout.BUNDLE}:current", own[0])]
    path = tmp_path / "bundle"
    index = layout.index_of(entries, "amd64")
    assert layout.write(str(path), blobs, needed, index, copies)
    assert layout.write(str(path), blobs, needed, index, copies) == []
    # The blobs are links into the cache; the tests damage those of the bundle.
    shutil.rmtree(tmp_path / "cache")
    return path


def blob_of(bundle: pathlib.Path, content: bytes) -> pathlib.Path:
    return next(path for path in (bundle / layout.BLOBS).iterdir() if path.read_bytes() == content)


def test_a_fresh_bundle_is_whole(bundle: pathlib.Path) -> None:
    problems, count = layout.verify(str(bundle))
    assert problems == []
    assert count == len(list((bundle / layout.BLOBS).iterdir()))


def flip(path: pathlib.Path, position: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(bytes(data))


def replace(path: pathlib.Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


TOOL = b"tool" * 300


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: flip(blob_of(path, TOOL)), "its content has sha256:"),
        (lambda path: blob_of(path, TOOL).unlink(), "of cloudnative.platform/tool:v1: missing"),
        (lambda path: blob_of(path, TOOL).write_bytes(b"x"), "has 1 bytes instead of 1200"),
        (lambda path: (path / layout.BLOBS / ("0" * 64)).write_bytes(b""), f"blob {'0' * 64}: no manifest names it"),
        (lambda path: (path / "notes.txt").write_text(""), "notes.txt: doesn't belong to a bundle"),
        (lambda path: (path / "oci-layout").unlink(), "oci-layout: missing"),
        (lambda path: (path / "index.json").write_text("[]"), "index.json: missing or no image index"),
        (lambda path: flip(path / "bundle.json", -3), "bundle.json: missing or not the one of"),
        (lambda path: (path / "sbom.spdx.json").unlink(), "sbom.spdx.json: missing"),
        (
            lambda path: replace(path / "index.json", b"tool:v1", b"tool:v2"),
            "cloudnative.platform/tool:v2: bundle.json says None",
        ),
    ],
)
def test_every_damage_is_found_and_named(
    bundle: pathlib.Path, damage: t.Callable[[pathlib.Path], None], message: str
) -> None:
    damage(bundle)
    assert message in "\n".join(layout.verify(str(bundle))[0])


def test_writing_repairs_a_bundle(bundle: pathlib.Path, tmp_path: pathlib.Path) -> None:
    blobs = oci.Blobs(str(tmp_path / "other" / "sha256"))
    needed = {}
    for path in (bundle / layout.BLOBS).iterdir():
        descriptor = blobs.put_bytes(path.read_bytes(), "x")
        needed[descriptor["digest"]] = descriptor["size"]
    copies = {name: (bundle / name).read_bytes() for name in layout.COPIES}
    index = (bundle / "index.json").read_bytes()
    flip(blob_of(bundle, TOOL))
    (bundle / layout.BLOBS / "junk").write_text("")
    changes = layout.write(str(bundle), blobs, needed, index, copies)
    assert changes == ["added 1 blobs", "removed 1 blobs that nothing names"]
    assert layout.verify(str(bundle))[0] == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [("a", "v1", "1")], {"added": ["a"], "removed": [], "changed": []}),
        ([("a", "v1", "1")], [], {"added": [], "removed": ["a"], "changed": []}),
        ([("a", "v1", "1")], [("a", "v1", "1")], {"added": [], "removed": [], "changed": []}),
        ([("a", "v1", "1")], [("a", "v2", "2")], {"added": [], "removed": [], "changed": ["a"]}),
        ([("a", "v1", "1")], [("a", "v1", "2")], {"added": [], "removed": [], "changed": ["a"]}),
        (
            [("b", "v1", "1"), ("a", "v1", "2")],
            [("c", "v1", "3"), ("a", "v1", "4")],
            {"added": ["c"], "removed": ["b"], "changed": ["a"]},
        ),
    ],
)
def test_two_bundles_are_compared(
    before: list[tuple[str, str, str]], after: list[tuple[str, str, str]], expected: dict[str, list[str]]
) -> None:
    sides = [{"components": [component(*entry) for entry in side]} for side in (before, after)]
    result = layout.compare(sides[0], sides[1])
    assert {kind: [entry["name"] for entry in entries] for kind, entries in result.items()} == expected
    for entry in result["changed"]:
        assert entry["before"]["digest"] != entry["after"]["digest"]
        assert set(entry["after"]) == {"version", "origin", "digest", "size"}


def test_a_directory_without_a_bundle_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BundleError, match="holds no bundle"):
        layout.read_bundle(str(tmp_path))


# -- archive ------------------------------------------------------------------------------------------------------


@pytest.fixture
def packed(bundle: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "bundle.tar"
    archive.pack(str(bundle), str(path))
    return path


def content(directory: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_there_and_back(bundle: pathlib.Path, packed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    archive.unpack(str(packed), str(tmp_path / "site"))
    assert content(tmp_path / "site") == content(bundle)
    archive.pack(str(tmp_path / "site"), str(tmp_path / "again.tar"))
    assert (tmp_path / "again.tar").read_bytes() == packed.read_bytes()


def test_every_tar_reads_it(bundle: pathlib.Path, packed: pathlib.Path) -> None:
    with tarfile.open(packed) as tar:
        names = tar.getnames()
    assert names[0] == "pack.json"
    assert set(names) == {"pack.json", *content(bundle)}


def test_unpacking_replaces_what_was_there(packed: pathlib.Path, bundle: pathlib.Path, tmp_path: pathlib.Path) -> None:
    site = tmp_path / "site"
    (site / layout.BLOBS).mkdir(parents=True)
    (site / layout.BLOBS / "old").write_text("old")
    archive.unpack(str(packed), str(site))
    assert content(site) == content(bundle)


def test_any_changed_byte_is_refused_and_nothing_is_left(packed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    good = packed.read_bytes()
    site = tmp_path / "site"
    (site / layout.BLOBS).mkdir(parents=True)
    (site / "keep").write_text("as it was")
    for position in [*range(0, len(good), 97), len(good) - 1]:
        data = bytearray(good)
        data[position] ^= 0x20
        packed.write_bytes(bytes(data))
        with pytest.raises(BundleError, match=r"refused|no whole bundle"):
            archive.unpack(str(packed), str(site))
        assert content(site) == {"keep": b"as it was"}, position
        assert not (tmp_path / "site.partial").exists()


def test_any_end_before_the_end_is_refused(packed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    good = packed.read_bytes()
    for length in [0, 1, 511, *range(512, len(good), 1777), len(good) - 1]:
        packed.write_bytes(good[:length])
        with pytest.raises(BundleError, match=r"ends in the middle of .*: refused"):
            archive.unpack(str(packed), str(tmp_path / "site"))
        assert not (tmp_path / "site").exists()


def test_the_damaged_blob_is_named(bundle: pathlib.Path, packed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    name = blob_of(bundle, TOOL).name
    packed.write_bytes(packed.read_bytes().replace(TOOL, b"fool" + TOOL[4:]))
    with pytest.raises(BundleError, match=f"{layout.BLOBS}/{name} has sha256"):
        archive.unpack(str(packed), str(tmp_path / "site"))
    packed.write_bytes(packed.read_bytes()[: packed.read_bytes().index(b"fool") + 100])
    with pytest.raises(BundleError, match=f"ends in the middle of {layout.BLOBS}/{name}"):
        archive.unpack(str(packed), str(tmp_path / "site"))


def test_more_after_the_end_is_refused(packed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    packed.write_bytes(packed.read_bytes() + b"\0")
    with pytest.raises(BundleError, match="goes on after its end"):
        archive.unpack(str(packed), str(tmp_path / "site"))


def test_a_damaged_bundle_is_not_packed(bundle: pathlib.Path, tmp_path: pathlib.Path) -> None:
    flip(blob_of(bundle, TOOL))
    with pytest.raises(BundleError, match="not packed"):
        archive.pack(str(bundle), str(tmp_path / "x.tar"))
    assert not (tmp_path / "x.tar").exists()


@pytest.mark.parametrize("data", [b"", b"no tar", b"\0" * 10240])
def test_other_files_are_no_archive(tmp_path: pathlib.Path, data: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    with pytest.raises(BundleError, match="refused"):
        archive.first_member(str(path))
