# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""host_measure against the real registry: its clock without credentials, a part of a blob with them."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _host_measure_io
from ansible_collections.cloudnative.platform.plugins.module_utils._host_measure_io import (
    measure_bandwidth,
    measure_clock,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import Registry

SETTINGS = {"ca_pem": None, "username": "push", "password": "right"}
REPOSITORY = "cloudnative.platform/kubelet"


@pytest.fixture
def artifact(server, new_layout):
    layout = new_layout()
    manifest = layout.artifact(f"{REPOSITORY}:v1", {"kubelet": os.urandom(8_000_000), "licence": b"text"})
    client = Registry(server.url, SETTINGS["ca_pem"], SETTINGS["username"], SETTINGS["password"])
    digest = manifest.pop("digest")
    for blob in (manifest["config"], *manifest["layers"]):
        path = layout.path / "blobs" / blob["digest"].replace(":", "/")
        client.upload_blob(REPOSITORY, blob["digest"], path)
    assert client.put_manifest(REPOSITORY, "v1", json.dumps(manifest).encode(), manifest["mediaType"]) == digest
    client.close()
    return {"ref": f"{REPOSITORY}:v1", "digest": digest}


def test_clock_is_read_without_credentials(server):
    found = measure_clock(server.url, None)
    assert abs(found["skew_ms"]) <= found["uncertainty_ms"] + 5
    assert found["uncertainty_ms"] < 100


def test_bandwidth_of_a_whole_file(server, artifact):
    found = measure_bandwidth(server.url, SETTINGS, artifact)
    assert found["bytes"] == 8_000_000
    assert found["mbytes_per_second"] > 1


def test_no_more_is_sent_than_is_asked_for(server, artifact, monkeypatch):
    monkeypatch.setattr(_host_measure_io, "BLOB_LIMIT", 3_000_000)
    assert measure_bandwidth(server.url, SETTINGS, artifact)["bytes"] == 3_000_000


def test_wrong_password(server, artifact):
    found = measure_bandwidth(server.url, {**SETTINGS, "password": "wrong"}, artifact)
    assert "refused user 'push'" in found["error"]
    assert "wrong" not in found["error"]
