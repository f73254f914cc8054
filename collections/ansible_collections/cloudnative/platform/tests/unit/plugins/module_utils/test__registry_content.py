# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._registry_content import (
    Artifact,
    ContentError,
    Deletion,
    Descriptor,
    Observed,
    Plan,
    Tagging,
    Upload,
    owned,
    plan,
    read_components,
    read_layout,
)

ENDPOINT = "https://10.0.0.5:5443"
MANIFEST = Descriptor("sha256:m", 10, "manifest")
CHILD = Descriptor("sha256:child", 10, "manifest")
ONE = Descriptor("sha256:one", 100, "blob")
TWO = Descriptor("sha256:two", 200, "blob")
A = Artifact("k8s/a", "v1", MANIFEST, (ONE, TWO))
B = Artifact("k8s/b", "v1", Descriptor("sha256:n", 10, "manifest"), (ONE,))
INDEX = Artifact("k8s/c", "v1", Descriptor("sha256:i", 10, "index"), (ONE,), (CHILD,))

HOLDS_A = {("k8s/a", "v1"): "sha256:m"}
HOLDS_BLOBS = {("k8s/a", "sha256:one"): 100, ("k8s/a", "sha256:two"): 200}


@pytest.mark.parametrize(
    ("artifacts", "observed", "expected"),
    [
        pytest.param([A], Observed(HOLDS_A, HOLDS_BLOBS), Plan(), id="complete"),
        pytest.param(
            [A],
            Observed(),
            Plan((Upload("k8s/a", ONE), Upload("k8s/a", TWO)), (), (Tagging("k8s/a", "v1", MANIFEST),)),
            id="empty registry",
        ),
        pytest.param(
            [A],
            Observed(HOLDS_A, {("k8s/a", "sha256:one"): 100, ("k8s/a", "sha256:two"): None}),
            Plan((Upload("k8s/a", TWO),)),
            id="a blob got lost below its manifest",
        ),
        pytest.param(
            [A],
            Observed({("k8s/a", "v1"): "sha256:old"}, HOLDS_BLOBS),
            Plan((), (), (Tagging("k8s/a", "v1", MANIFEST, "sha256:old"),)),
            id="the tag moved",
        ),
        pytest.param(
            [A, B],
            Observed(HOLDS_A, HOLDS_BLOBS),
            Plan((), (Upload("k8s/b", ONE, "k8s/a"),), (Tagging("k8s/b", "v1", B.manifest),)),
            id="a blob is mounted from where it is",
        ),
        pytest.param(
            [B, A],
            Observed(),
            Plan(
                (Upload("k8s/b", ONE), Upload("k8s/a", TWO)),
                (Upload("k8s/a", ONE, "k8s/b"),),
                (Tagging("k8s/b", "v1", B.manifest), Tagging("k8s/a", "v1", MANIFEST)),
            ),
            id="a shared blob is sent once",
        ),
        pytest.param(
            [INDEX],
            Observed({("k8s/c", "v1"): None}, {("k8s/c", "sha256:one"): 100}),
            Plan((), (), (Tagging("k8s/c", "sha256:child", CHILD), Tagging("k8s/c", "v1", INDEX.manifest))),
            id="manifests of an index come before it",
        ),
    ],
)
def test_plan(artifacts, observed, expected):
    assert plan(ENDPOINT, artifacts, observed) == expected


def test_blob_in_a_wrong_size_is_refused_and_named():
    observed = Observed(HOLDS_A, {**HOLDS_BLOBS, ("k8s/a", "sha256:two"): 150})
    with pytest.raises(ContentError, match=r"10\.0\.0\.5:5443 holds corrupted content: k8s/a@sha256:two has 150 bytes"):
        plan(ENDPOINT, [A], observed)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param({"k8s/a": {"v1": "sha256:m"}}, (), id="nothing to delete"),
        pytest.param(
            {"k8s/a": {"v0": "sha256:old", "v1": "sha256:m"}},
            (Deletion("k8s/a", "v0", "sha256:old", "sha256:old"),),
            id="an old tag goes with its manifest",
        ),
        pytest.param(
            {"k8s/a": {"latest": "sha256:m", "v1": "sha256:m"}},
            (Deletion("k8s/a", "latest", "sha256:m", "latest"),),
            id="a second name goes, the manifest stays",
        ),
        pytest.param(
            {"k8s/a": {"v1": "sha256:m"}, "k8s/gone": {"v1": "sha256:m"}},
            (Deletion("k8s/gone", "v1", "sha256:m", "sha256:m"),),
            id="a repository that the layout does not know",
        ),
    ],
)
def test_prune(tags, expected):
    result = plan(ENDPOINT, [A], Observed(HOLDS_A, HOLDS_BLOBS, tags), prune=True)
    assert result == Plan(deletions=expected)


def test_prune_refuses_to_delete_everything():
    tags = {"k8s/x": {"v1": "sha256:x", "v2": "sha256:y"}}
    with pytest.raises(ContentError, match="would delete all 2 tags"):
        plan(ENDPOINT, [A], Observed(tags=tags), prune=True)


def test_prune_of_an_empty_registry_is_no_reason_to_refuse():
    assert plan(ENDPOINT, [A], Observed(tags={}), prune=True).deletions == ()


@pytest.mark.parametrize(
    ("repository", "expected"), [("k8s/x", True), ("team/app", False), ("k8s.example/x", False), ("k8s", True)]
)
def test_only_name_spaces_of_the_layout_are_pruned(repository, expected):
    assert owned(repository, [A]) is expected


def test_actions_and_diff_say_what_changes():
    result = plan(
        ENDPOINT,
        [A],
        Observed(
            {("k8s/a", "v1"): "sha256:old"},
            {**HOLDS_BLOBS, ("k8s/a", "sha256:two"): None},
            {"k8s/a": {"v0": "sha256:x", "v1": "sha256:old"}},
        ),
        prune=True,
    )
    assert result.actions() == [
        "upload k8s/a@sha256:two (200 bytes)",
        "store k8s/a:v1",
        "delete k8s/a:v0",
    ]
    assert result.upload_bytes == 200
    assert result.diff() == ("k8s/a:v0 sha256:x\nk8s/a:v1 sha256:old\n", "k8s/a:v1 sha256:m\n")


def test_diff_shows_a_lost_blob():
    lost = plan(ENDPOINT, [A], Observed(HOLDS_A, {**HOLDS_BLOBS, ("k8s/a", "sha256:two"): None}))
    assert lost.diff() == ("", "k8s/a@sha256:two (200 bytes)\n")


class Layout:
    """Writes an OCI image layout with one artifact."""

    def __init__(self, path):
        self.path = path
        (path / "blobs" / "sha256").mkdir(parents=True)
        self.layer = self.blob(b"content")
        self.config = self.blob(b"{}")
        self.manifest = self.blob(json.dumps({"config": self.config, "layers": [self.layer]}).encode())
        self.index({"org.opencontainers.image.ref.name": "k8s/a:v1"})

    def file(self, descriptor):
        return self.path / "blobs" / "sha256" / descriptor["digest"].split(":")[1]

    def blob(self, data):
        descriptor = {"digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data)}
        self.file(descriptor).write_bytes(data)
        return descriptor

    def index(self, annotations):
        entry = {**self.manifest, "mediaType": "manifest", "annotations": annotations}
        (self.path / "index.json").write_text(json.dumps({"manifests": [entry]}))


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "layout")


def test_read_layout(layout):
    (artifact,) = read_layout(str(layout.path))
    assert artifact.ref == "k8s/a:v1"
    assert [blob.size for blob in artifact.blobs] == [2, 7]
    assert artifact.manifest.media_type == "manifest"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(lambda it: it.file(it.layer).write_bytes(b"cont"), "has 4 bytes, not 7", id="short blob"),
        pytest.param(lambda it: it.file(it.layer).unlink(), "has no blob", id="lost blob"),
        pytest.param(lambda it: it.file(it.manifest).write_bytes(b"{}"), "is corrupted", id="changed manifest"),
        pytest.param(lambda it: it.file(it.manifest).unlink(), "has no blob", id="lost manifest"),
        pytest.param(lambda it: it.index({}), "neither a tag nor a digest", id="no name"),
        pytest.param(
            lambda it: it.index({"org.opencontainers.image.ref.name": "k8s/a@sha256:" + "a" * 64}),
            "has no tag",
            id="digest for a name",
        ),
        pytest.param(lambda it: (it.path / "index.json").write_text("{"), "is not JSON", id="broken index"),
        pytest.param(lambda it: (it.path / "index.json").unlink(), "is it an OCI image layout", id="no index"),
    ],
)
def test_damaged_layout_is_named(layout, damage, words):
    damage(layout)
    with pytest.raises(ContentError, match=words):
        read_layout(str(layout.path))


BUNDLE = Artifact(
    "cloudnative.platform/bundle", "current", MANIFEST, (ONE, Descriptor("sha256:b", 1, "f", "bundle.json"))
)


def test_components_come_from_the_bundle_description():
    document = {"format": 1, "components": [{"name": "kubelet", "ref": "x"}]}
    found = read_components([A, BUNDLE], lambda _blob: json.dumps(document).encode())
    assert found == {"kubelet": {"name": "kubelet", "ref": "x"}}


@pytest.mark.parametrize(
    ("artifacts", "document", "words"),
    [([A], b"{}", "not a bundle of this collection"), ([BUNDLE], b'{"format": 2}', "has format 2")],
)
def test_what_is_no_bundle_is_refused(artifacts, document, words):
    with pytest.raises(ContentError, match=words):
        read_components(artifacts, lambda _blob: document)
