# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_apply with manifests out of a real registry, against a real API server."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

import pytest
from apply_objects import Run, config_map

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import Registry

REPOSITORY = "cloudnative.platform/addon"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(name="artifact")
def fixture_artifact(registry: str, namespace: str, tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """A component of three files, as a bundle has it, in the registry."""
    client = Registry(registry)

    def upload(content: bytes) -> dict[str, t.Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        (tmp_path / "blob").write_bytes(content)
        client.upload_blob(REPOSITORY, digest, tmp_path / "blob")
        return {"mediaType": "application/octet-stream", "digest": digest, "size": len(content)}

    files = {
        "one.yaml": json.dumps(config_map("one", namespace, x="1")).encode(),
        "two.yaml": json.dumps(config_map("two", namespace, x="1")).encode(),
        "program": b"\x7fELF\xff",
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": "application/vnd.cloudnative.platform.files.v1",
        "config": {**upload(b"{}"), "mediaType": "application/vnd.oci.empty.v1+json"},
        "layers": [
            {**upload(content), "annotations": {"org.opencontainers.image.title": name}}
            for name, content in files.items()
        ],
    }
    digest = client.put_manifest(REPOSITORY, "v1", json.dumps(manifest).encode(), MANIFEST_TYPE)
    client.close()
    return {"ref": f"{REPOSITORY}:v1", "digest": digest}


def test_manifests_of_a_component(run: Run, cluster: Cluster, namespace: str, registry: str, artifact: t.Any) -> None:
    options = {"registry": {"endpoints": [registry]}, "components": {"addon": artifact}}
    predicted = run(artifacts=[{"component": "addon"}], check=True, **options)
    assert predicted["actions"] == [f"would create ConfigMap {namespace}/{name}" for name in ("one", "two")]
    result = run(artifacts=[{"component": "addon", "files": ["two.yaml"]}], **options)
    assert result["actions"] == [f"created ConfigMap {namespace}/two"]
    assert cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/two")["data"] == {"x": "1"}
    for one in ({"ref": artifact["ref"]}, artifact, {"component": "addon"}):
        run(artifacts=[one], **options)
        assert run(artifacts=[one], **options)["changed"] is False


@pytest.mark.parametrize(
    ("one", "words"),
    [
        ({"component": "adon"}, "artifacts[0]: components has no adon"),
        (
            {"component": "addon", "files": ["three.yaml"]},
            "has no file three.yaml; it has: one.yaml, program, two.yaml",
        ),
        ({"component": "addon", "files": ["program"]}, f"program of {REPOSITORY}:v1 is no text"),
        ({"ref": f"{REPOSITORY}:v2"}, f"cannot get manifest of {REPOSITORY}:v2"),
        ({"ref": REPOSITORY}, "has neither a tag nor a digest"),
    ],
)
def test_artifact_that_is_not_there(
    run: Run, registry: str, artifact: t.Any, one: dict[str, t.Any], words: str
) -> None:
    result = run(artifacts=[one], registry={"endpoints": [registry]}, components={"addon": artifact})
    assert result["failed"] is True
    assert result["changed"] is False
    assert words in result["msg"]
    assert "artifacts needs registry" in run(artifacts=[one], components={"addon": artifact})["msg"]
