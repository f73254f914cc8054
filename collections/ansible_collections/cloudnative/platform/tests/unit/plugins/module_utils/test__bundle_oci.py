# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import pathlib
import tarfile
import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import oci
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    BundleError,
    DigestMismatch,
    canonical,
    clock,
    human,
)


@pytest.fixture
def blobs(tmp_path: pathlib.Path) -> oci.Blobs:
    return oci.Blobs(str(tmp_path / "blobs" / "sha256"))


def some_tree(directory: pathlib.Path, seed: int) -> oci.Tree:
    """The same content however the files came to lie on disk."""
    source = directory / f"program-{seed}"
    source.write_bytes(b"program")
    source.chmod(0o700 if seed else 0o755)
    os.utime(source, (seed * 1000, seed * 1000))
    nodes = [
        ("/usr/bin/program", oci.Node("file", 0o755, source=str(source))),
        ("/usr/bin/another", oci.Node("hardlink", target="/usr/bin/program")),
        ("/bin", oci.Node("link", target="usr/bin")),
        ("/status/", oci.Node("directory", 0o1777)),
        ("/etc/x", oci.Node("file", 0o600, data=b"x", uid=999)),
    ]
    tree = oci.Tree()
    for path, node in reversed(nodes) if seed else nodes:
        tree.add(path, node)
    return tree


def test_a_layer_has_one_form(blobs: oci.Blobs, tmp_path: pathlib.Path) -> None:
    one, other = some_tree(tmp_path, 0).write(blobs), some_tree(tmp_path, 1).write(blobs)
    assert one == other
    with tarfile.open(fileobj=io.BytesIO(blobs.read(one["digest"]))) as tar:
        members = {member.name: member for member in tar}
    assert list(members) == ["bin", "etc", "etc/x", "status", "usr", "usr/bin", "usr/bin/program", "usr/bin/another"]
    assert {member.mtime for member in members.values()} == {0}
    assert (members["etc/x"].uid, members["etc/x"].mode) == (999, 0o600)
    assert (members["status"].mode, members["usr/bin"].mode) == (0o1777, 0o755)
    assert (members["usr/bin/another"].linkname, members["bin"].linkname) == ("usr/bin/program", "usr/bin")


@pytest.mark.parametrize("path", ["etc/x", "/etc/../x", ""])
def test_a_layer_has_absolute_paths_only(path: str) -> None:
    with pytest.raises(BundleError, match="is not an absolute path"):
        oci.Tree().add(path, oci.Node("file"))


def test_an_image_names_its_parts(blobs: oci.Blobs, tmp_path: pathlib.Path) -> None:
    layer = some_tree(tmp_path, 0).write(blobs)
    config = {"entrypoint": ["/x"], "user": "999", "env": {"B": "2"}}
    content = oci.image(blobs, [layer], config, "arm64", {oci.VERSION: "v1"})
    manifest, described = blobs.read(content[0]["digest"]), blobs.read(content[1]["digest"])
    assert content[2] == layer
    assert layer["digest"].encode() in manifest
    assert b'"architecture":"arm64"' in described
    assert b'"Entrypoint":["/x"]' in described
    assert f'"Env":["B=2","PATH={oci.PATH}"]'.encode() in described
    assert b"Cmd" not in described


def test_a_file_artifact_can_be_pulled_by_name(blobs: oci.Blobs, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "tool"
    path.write_bytes(b"tool")
    content = oci.file_artifact(blobs, [("tool", "0755", str(path)), ("text", "0644", b"text")], {})
    manifest = blobs.read(content[0]["digest"])
    assert b'"artifactType":"application/vnd.cloudnative.platform.files.v1"' in manifest
    assert b'"org.opencontainers.image.title":"tool"' in manifest
    assert blobs.read(content[1]["digest"]) == b"{}"
    assert [blobs.read(part["digest"]) for part in content[2:]] == [b"tool", b"text"]


def test_a_blob_is_hashed_again_when_its_file_changes(blobs: oci.Blobs) -> None:
    descriptor = blobs.put_bytes(b"content", "text/plain")
    digest, size = descriptor["digest"], descriptor["size"]
    assert blobs.sound(digest, size)
    blobs.remember()
    again = oci.Blobs(blobs.directory)
    assert again.sound(digest, size)
    time.sleep(0.01)
    pathlib.Path(blobs.path(digest)).write_bytes(b"damaged")
    assert not again.sound(digest, size)
    assert not oci.Blobs(blobs.directory).sound(digest, size)


@pytest.mark.parametrize("size", [0, 3, 99])
def test_a_blob_of_another_size_is_not_sound(blobs: oci.Blobs, size: int) -> None:
    assert not blobs.sound(blobs.put_bytes(b"content", "text/plain")["digest"], size)


def test_wrong_content_never_gets_a_name(blobs: oci.Blobs) -> None:
    with pytest.raises(DigestMismatch, match="the thing: has sha256:"), blobs.writer() as writer:
        writer.write(b"wrong")
        writer.expect("sha256:" + "0" * 64, "the thing")
    assert os.listdir(blobs.directory) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ({"a": 1}, {"a": 2}, False), ({"a": "é"}, {"a": "é"}, True)],
)
def test_equal_data_has_equal_bytes(one: object, other: object, same: bool) -> None:
    assert (canonical(one) == canonical(other)) is same


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1500, "2 kB"), (84e6, "84 MB"), (4.7e9, "4.7 GB")])
def test_sizes_for_people(size: float, text: str) -> None:
    assert human(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (65.9, "1:05"), (3601, "60:01")])
def test_times_for_people(seconds: float, text: str) -> None:
    assert clock(seconds) == text
