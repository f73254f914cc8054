# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import OciFilesError
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_texts import (
    MANIFESTS,
    Artifact,
    artifact_of,
    matching,
)

DIGEST = "sha256:" + "a" * 64
COMPONENTS = {"calico": {"ref": "cloudnative.platform/calico:v3", "digest": DIGEST}, "odd": {"ref": "x/y:1"}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"component": "calico"}, Artifact("cloudnative.platform/calico:v3", DIGEST)),
        ({"component": "calico", "files": ["a.yaml"]}, Artifact("cloudnative.platform/calico:v3", DIGEST, ["a.yaml"])),
        ({"ref": "x/y:1"}, Artifact("x/y:1", "1")),
        ({"ref": "x/y:1", "digest": DIGEST}, Artifact("x/y:1", DIGEST)),
        ({"ref": f"x/y:1@{DIGEST}"}, Artifact(f"x/y:1@{DIGEST}", DIGEST)),
    ],
)
def test_artifact_of(given, expected):
    assert artifact_of(given, COMPONENTS, "here") == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"component": "callico"}, "here: components has no callico; is the registry seeded"),
        ({"component": "odd"}, "here: component odd has no ref and digest"),
        ({"ref": "x/y"}, "here: reference 'x/y' has neither a tag nor a digest"),
    ],
)
def test_artifact_that_is_none(given, words):
    with pytest.raises(OciFilesError, match=words):
        artifact_of(given, COMPONENTS, "here")


NAMES = ["b.yaml", "crd-a.yaml", "crd-b.yaml", "values.json", "notes.txt"]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (MANIFESTS, ["b.yaml", "crd-a.yaml", "crd-b.yaml", "values.json"]),
        (["crd-*.yaml", "b.yaml"], ["crd-a.yaml", "crd-b.yaml", "b.yaml"]),
        (["notes.txt", "*.txt"], ["notes.txt"]),
    ],
)
def test_matching(patterns, found):
    assert matching(NAMES, Artifact("x/y:1", DIGEST, patterns)) == found


@pytest.mark.parametrize(
    ("names", "patterns", "words"),
    [
        (NAMES, ["b.yaml", "c.yaml"], "x/y:1 has no file c.yaml; it has: b.yaml, crd-a.yaml"),
        (["a.txt"], MANIFESTS, "x/y:1 holds no "),
        ([], ["a"], "it has: none"),
    ],
)
def test_nothing_matches(names, patterns, words):
    with pytest.raises(OciFilesError, match=words):
        matching(names, Artifact("x/y:1", DIGEST, patterns))
