# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""registry_content against the real registry."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

COLLECTIONS = pathlib.Path(__file__).parents[3] / "collections"
MODULE = "ansible_collections.cloudnative.platform.plugins.modules.registry_content"
SHARED = b"shared by all" * 1000


def start(server, layout, check=False, **options):
    arguments = {
        "endpoints": [server.url],
        "layout_path": layout,
        "username": "push",
        "password": "right",
        "_ansible_check_mode": check,
        "_ansible_diff": True,
        **options,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    process.stdin.close()
    process.stdin = None
    return process


def content(server, layout, **options):
    out, err = start(server, layout, **options).communicate(timeout=120)
    assert "Traceback" not in err, err
    return json.loads(out)


@pytest.fixture
def layout(new_layout):
    made = new_layout()
    made.component("one", "v1", {"one": b"1" * 3_000_000, "shared": SHARED})
    made.component("two", "v1", {"two": b"2" * 1_000_000, "shared": SHARED})
    made.artifact("registry.k8s.io/pause:3.10", {"pause": b"pause"})
    made.finish()
    return made


def test_registry_holds_what_the_layout_holds(server, layout):
    path = str(layout.path)
    predicted = content(server, path, check=True)
    first = content(server, path)
    assert predicted["changed"] and first["changed"]
    assert predicted["actions"] == first["actions"]
    # The shared blob and the empty configuration are sent once, and mounted for the others.
    stored = sum(file.stat().st_size for file in layout.path.glob("blobs/sha256/*"))
    manifests = sum(entry["size"] for entry in layout.entries)
    assert first["uploaded_bytes"] == stored - manifests == predicted["uploaded_bytes"]
    assert first["components"]["one"]["ref"] == "cloudnative.platform/one:v1"
    again = content(server, path)
    assert not again["changed"]
    assert again["uploaded_bytes"] == 0
    assert again["components"] == first["components"]
    assert content(server, path, state="verified")["changed"] is False


def test_two_registries_are_brought_to_the_same_content(server, layout, registry_binary, tmp_path):
    (tmp_path / "other").mkdir()
    other = type(server)(registry_binary, tmp_path / "other")
    other.start()
    try:
        result = content(server, str(layout.path), endpoints=[server.url, other.url])
        assert result["actions"][server.url] == result["actions"][other.url] != []
        assert not content(other, str(layout.path))["changed"]
    finally:
        other.stop()


def test_without_a_layout_the_registry_says_what_it_holds(server, layout):
    filled = content(server, str(layout.path))
    result = content(server, "/nowhere")
    assert not result["changed"]
    assert result["components"] == filled["components"]
    assert content(server, None, state="verified")["components"] == filled["components"]


def test_without_a_layout_an_empty_registry_is_an_error(server):
    assert "does not hold cloudnative.platform/bundle:current: seed it" in content(server, None)["msg"]


def test_wrong_credentials_are_refused(server, layout):
    result = content(server, str(layout.path), password="wrong")
    assert result["failed"]
    assert f"registry {server.url} refused user 'push'" in result["msg"]


def test_no_credentials_are_refused(server, layout):
    result = content(server, str(layout.path), username=None, password=None)
    assert f"registry {server.url} refused a request without credentials" in result["msg"]


def test_registry_that_is_down_is_named(server, layout):
    server.stop()
    began = time.monotonic()
    result = content(server, str(layout.path))
    assert f"registry {server.url} cannot be reached: connection refused" in result["msg"]
    assert time.monotonic() - began < 60


def test_check_mode_takes_a_registry_to_come_for_an_empty_one(server, layout):
    server.stop()
    result = content(server, str(layout.path), check=True, when_unreachable="empty")
    assert result["changed"]
    assert "store registry.k8s.io/pause:3.10" in result["actions"][server.url]
    # Only in check mode: a real run needs a registry.
    assert content(server, str(layout.path), when_unreachable="empty")["failed"]


def test_check_mode_predicts_nothing_for_a_registry_that_is_to_be_started_again(server, layout):
    filled = content(server, str(layout.path))
    server.stop()
    result = content(server, str(layout.path), check=True, when_unreachable="unchanged")
    assert not result["changed"]
    assert result["bundle"] == filled["bundle"]
    assert "is not compared, because it does not answer" in json.dumps(result["warnings"])


def test_upload_waits_for_a_registry_that_restarts(server, layout):
    server.stop()
    process = start(server, str(layout.path))
    time.sleep(1.5)
    server.start()
    result = json.loads(process.communicate(timeout=120)[0])
    assert result["changed"]
    assert "msg" not in result


def test_killed_upload_is_finished_by_the_next_run(server, new_layout):
    made = new_layout()
    for number in range(8):
        made.component(f"c{number}", "v1", {"file": bytes([number]) * 20_000_000})
    path = made.finish()
    process = start(server, path, parallel=1)
    done = 0
    while not done and process.poll() is None:
        done = len(list(server.storage.glob("docker/registry/v2/blobs/sha256/*/*/data")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = sum(file.stat().st_size for file in server.storage.glob("docker/registry/v2/blobs/sha256/*/*/data"))
    assert 0 < kept < 160_000_000, "it was to be killed half way"
    second = content(server, path)
    assert second["changed"]
    assert 0 < second["uploaded_bytes"] <= 160_000_000 + 10_000 - kept
    assert content(server, path, state="verified")["changed"] is False
    assert not content(server, path)["changed"]


def test_killed_registry_loses_nothing_that_it_took(server, layout):
    content(server, str(layout.path))
    server.stop(signal.SIGKILL)
    server.start()
    assert not content(server, str(layout.path))["changed"]


def damage_by_change(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def damage_by_cut(file):
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [damage_by_change, damage_by_cut])
def test_corrupted_blob_is_refused_and_named(server, layout, damage):
    path = str(layout.path)
    content(server, path)
    digest = next(e["digest"] for e in layout.components if e["name"] == "one")
    manifest = json.loads((layout.path / "blobs/sha256" / digest[7:]).read_text())
    blob = manifest["layers"][0]["digest"]
    damage(server.blob(blob))
    for source in (path, None):
        result = content(server, source, state="verified")
        assert result["failed"]
        assert f"registry {server.url} holds corrupted content: cloudnative.platform/one@{blob} has" in result["msg"]
        assert "remove docker/registry/v2/blobs/sha256/" in result["msg"]
    # The remedy that the message names works.
    server.blob(blob).unlink()
    assert content(server, path)["actions"][server.url] == [f"upload cloudnative.platform/one@{blob} (3000000 bytes)"]
    assert not content(server, path, state="verified")["changed"]


def test_shortened_blob_is_found_without_reading_it(server, layout):
    content(server, str(layout.path))
    digest = next(e["digest"] for e in layout.components if e["name"] == "two")
    blob = json.loads((layout.path / "blobs/sha256" / digest[7:]).read_text())["layers"][0]["digest"]
    damage_by_cut(server.blob(blob))
    result = content(server, str(layout.path))
    assert f"cloudnative.platform/two@{blob} has 999999 bytes, not 1000000" in result["msg"]


def test_corrupted_manifest_is_refused_and_named(server, layout):
    content(server, str(layout.path))
    digest = next(e["digest"] for e in layout.components if e["name"] == "two")
    damage_by_change(server.blob(digest))
    result = content(server, str(layout.path), state="verified")
    assert f"cloudnative.platform/two@{digest} has sha256:" in result["msg"]


def test_corrupted_layout_uploads_nothing_wrong(server, layout):
    digest = next(e["digest"] for e in layout.components if e["name"] == "one")
    blob = json.loads((layout.path / "blobs/sha256" / digest[7:]).read_text())["layers"][0]["digest"]
    damage_by_change(layout.path / "blobs/sha256" / blob[7:])
    result = content(server, str(layout.path))
    assert f"upload blob cloudnative.platform/one@{blob}" in result["msg"]
    assert "digest" in result["msg"].lower()


@pytest.fixture
def next_layout(new_layout):
    made = new_layout()
    made.component("one", "v2", {"one": b"new" * 1000, "shared": SHARED})
    made.artifact("registry.k8s.io/pause:3.10", {"pause": b"pause"})
    made.finish()
    return made


def tags(server, repository):
    request = urllib.request.Request(f"{server.url}/v2/{repository}/tags/list")
    request.add_header("Authorization", "Basic cHVzaDpyaWdodA==")
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["tags"] or []
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return []


def test_prune_deletes_what_is_not_in_the_layout(server, layout, next_layout, new_layout):
    theirs = new_layout()
    theirs.artifact("team/app:v1", {"app": b"app"})
    content(server, theirs.finish())
    content(server, str(layout.path))
    kept = content(server, str(next_layout.path))
    assert kept["changed"]
    assert tags(server, "cloudnative.platform/two") == ["v1"]
    predicted = content(server, str(next_layout.path), check=True, prune=True)
    result = content(server, str(next_layout.path), prune=True)
    assert result["actions"] == predicted["actions"]
    assert result["actions"][server.url] == [
        "delete cloudnative.platform/one:v1",
        "delete cloudnative.platform/two:v1",
    ]
    assert tags(server, "cloudnative.platform/one") == ["v2"]
    assert tags(server, "cloudnative.platform/two") == []
    assert tags(server, "team/app") == ["v1"]
    assert not content(server, str(next_layout.path), prune=True)["changed"]
    server.stop()
    used = sum(file.stat().st_size for file in server.storage.rglob("data"))
    server.collect_garbage()
    assert used - sum(file.stat().st_size for file in server.storage.rglob("data")) > 4_000_000
    server.start()
    assert not content(server, str(next_layout.path), state="verified")["changed"]


def test_prune_of_everything_is_refused(server, layout, new_layout):
    content(server, str(layout.path))
    other = new_layout()
    other.artifact("cloudnative.platform/elsewhere:v1", {"x": b"x"})
    (other.path / "index.json").write_text(json.dumps({"manifests": other.entries}))
    result = content(server, str(other.path), prune=True)
    assert "would delete all 3 tags" in result["msg"]
    assert not content(server, str(layout.path))["changed"]


def test_progress_is_written_while_it_works(server, layout, tmp_path):
    content(server, str(layout.path), progress_file=str(tmp_path / "progress"))
    lines = (tmp_path / "progress").read_text().splitlines()
    assert lines[-1].endswith(f"{server.url}: 10 of 10 blobs, 4 of 4 MB")


@pytest.mark.parametrize(
    ("options", "words"), [({"endpoints": []}, "endpoints is empty"), ({"parallel": 0}, "parallel is 0")]
)
def test_wrong_options_are_named(server, layout, options, words):
    assert words in content(server, str(layout.path), **options)["msg"]
