# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import threading
import types
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import builder as builder_module
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import layout, recipe, release
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.debian import Debian
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.golang import Go
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.lock import Lock
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.progress import Progress
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils import bundle_support as support

TOOL, TAR = b"the tool", support.archive({"a/one": b"one", "a/two": b"two", "a/README": b"?"})


@pytest.fixture
def publisher() -> t.Iterator[support.Publisher]:
    server = support.Publisher()
    server.content = {"/tool": (TOOL, {}), "/pair.tar.gz": (TAR, {})}
    yield server
    server.shutdown()
    server.server_close()


def tool(sum_of: bytes | None = TOOL, **more: t.Any) -> dict[str, t.Any]:
    found = support.sha256(sum_of) if sum_of is not None else None
    return {"name": "tool", "release": {"url": "https://example.com/tool", "sha256": {"amd64": found}}, **more}


def pair(members: dict[str, str] | None = None) -> dict[str, t.Any]:
    return {
        "name": "pair",
        "files": {"one": "0755", "two": "0644"},
        "release": {
            "url": "https://example.com/pair.tar.gz",
            "members": members or {"one": "a/one", "two": "a/two"},
            "sha256": {"amd64": support.sha256(TAR)},
        },
    }


def image(publisher: support.Publisher, known: bool = True) -> dict[str, t.Any]:
    digest = publisher.add_image("pause", "3.10")
    return {
        "name": "pause",
        "kind": "image",
        "ref": "registry.k8s.io/pause:3.10",
        "release": {"image": "example.com/pause:3.10", "digest": {"amd64": digest if known else None}},
    }


class Site:
    """A cache, a bundle and what is needed to make it, in a directory."""

    def __init__(self, directory: pathlib.Path, publisher: support.Publisher) -> None:
        self.cache = directory / "cache"
        self.path = directory / "bundle"
        self.publisher = publisher
        self.said: list[str] = []
        self.allow_unknown = False
        self.origins = ["release", "source"]
        self.refresh: list[str] = []

    def builder(self, lock: Lock) -> builder_module.Builder:
        cache = str(self.cache)
        kitchen = recipe.Kitchen(
            lock,
            cache,
            Go(lock, str(self.cache / "none"), cache),
            release.Releases({"https://example.com": self.publisher.url}, self.said.append),
            Debian("bookworm", "amd64", cache, "http://127.0.0.1:9", "http://127.0.0.1:9"),
            self.allow_unknown,
        )
        return builder_module.Builder(kitchen, list(lock.components), self.origins, 4, 1, self.refresh)

    def make(self, components: list[dict[str, t.Any]]) -> tuple[dict[str, t.Any], list[str], list[str]]:
        """Make the bundle; returns bundle.json, what was missing in the cache, and what changed."""
        lock = support.make_lock(components)
        subject = self.builder(lock)
        steps, unobtainable = subject.plan()
        progress = Progress(str(self.cache / "progress.log"), len(steps))
        try:
            records, failed = subject.make(steps, progress)
        finally:
            progress.close()
        bundle = subject.bundle(records, unobtainable + failed)
        changes = subject.assemble(str(self.path), records, bundle)
        assert layout.verify(str(self.path))[0] == []
        return bundle, [step.component.name for step in steps if not step.record], changes


@pytest.fixture
def site(tmp_path: pathlib.Path, publisher: support.Publisher) -> Site:
    return Site(tmp_path, publisher)


def files_of(bundle: dict[str, t.Any], name: str) -> dict[str, str]:
    entry = next(component for component in bundle["components"] if component["name"] == name)
    return {part["name"]: part["sha256"] for part in entry["files"]}


def test_files_members_of_archives_and_images(site: Site, publisher: support.Publisher) -> None:
    bundle, missing, changes = site.make([tool(), pair(), image(publisher)])
    assert missing == ["tool", "pair", "pause"]
    assert files_of(bundle, "tool") == {"tool": support.sha256(TOOL)}
    assert files_of(bundle, "pair") == {"one": support.sha256(b"one"), "two": support.sha256(b"two")}
    assert {component["origin"] for component in bundle["components"]} == {"release"}
    assert "wrote index.json" in changes
    index = json.loads((site.path / "index.json").read_bytes())
    refs = [entry["annotations"][layout.REF] for entry in index["manifests"]]
    tag = support.sha256((site.path / "bundle.json").read_bytes())[:12]
    assert refs == sorted(
        [
            "cloudnative.platform/bundle:current",
            f"cloudnative.platform/bundle:{tag}",
            "cloudnative.platform/pair:v1",
            "cloudnative.platform/tool:v1",
            "registry.k8s.io/pause:3.10",
        ]
    )
    log = (site.cache / "progress.log").read_text()
    assert "[3/3]" in log
    assert "tool: v1 from release" in log


def test_a_second_run_asks_nobody_and_changes_nothing(site: Site, publisher: support.Publisher) -> None:
    components = [tool(), pair(), image(publisher)]
    before = site.make(components)[0]
    publisher.requests.clear()
    after, missing, changes = site.make(components)
    assert (after, missing, changes) == (before, [], [])
    assert publisher.requests == []


def test_the_same_lock_gives_the_same_bundle_in_another_place(
    tmp_path: pathlib.Path, publisher: support.Publisher
) -> None:
    components = [tool(), pair(), image(publisher)]
    indexes = []
    for name in ("one", "other"):
        directory = tmp_path / name
        directory.mkdir()
        place = Site(directory, publisher)
        place.make(components)
        indexes.append((place.path / "index.json").read_bytes())
    assert indexes[0] == indexes[1]


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_damaged_cache_is_noticed_and_mended(site: Site, damage: str) -> None:
    before = site.make([tool(), pair()])[0]
    blob = site.cache / "blobs" / "sha256" / support.sha256(TOOL)
    if damage == "change":
        blob.write_bytes(b"The tool")
    else:
        blob.unlink()
    after, missing, _changes = site.make([tool(), pair()])
    assert (after, missing) == (before, ["tool"])


def test_what_is_no_longer_in_the_lock_leaves_the_bundle(site: Site) -> None:
    site.make([tool(), pair()])
    bundle, missing, changes = site.make([tool()])
    assert ([component["name"] for component in bundle["components"]], missing) == (["tool"], [])
    assert any(change.startswith("removed ") for change in changes)


def test_a_wrong_checksum_fails_and_what_was_made_is_kept(site: Site, publisher: support.Publisher) -> None:
    with pytest.raises(BundleError, match=r"1 of 2 components failed.*\n- tool: .* the lock says .*: refused"):
        site.make([tool(b"another"), pair()])
    assert not site.path.exists()
    publisher.requests.clear()
    assert site.make([tool(), pair()])[1] == ["tool"]
    assert publisher.paths() == ["/tool"]


def test_sums_of_the_lock_are_compared_with_the_cache_too(site: Site) -> None:
    site.make([tool()])
    with pytest.raises(BundleError, match=r"tool: release from release has .*, the lock says .*: refused"):
        site.make([tool(b"another")])


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({**tool(), "release": {"url": "https://example.com/none", "sha256": {"amd64": "0" * 64}}}, "HTTP status 404"),
        (pair({"one": "a/one", "two": "a/three"}), "has no file a/three"),
    ],
)
def test_every_failure_says_what_was_tried(site: Site, component: dict[str, t.Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        site.make([component])


def test_an_archive_that_is_none_is_named(site: Site, publisher: support.Publisher) -> None:
    publisher.content["/pair.tar.gz"] = (b"<html>", {})
    component = pair()
    component["release"]["sha256"]["amd64"] = support.sha256(b"<html>")
    with pytest.raises(BundleError, match=r"pair.tar.gz: is no readable tar archive"):
        site.make([component])


def test_unknown_digests_are_refused(site: Site, publisher: support.Publisher) -> None:
    with pytest.raises(BundleError, match="no origin can be used for\n  tool: release: the lock has no digest"):
        site.make([tool(None)])
    assert publisher.requests == []


def test_unknown_digests_are_written_down_when_allowed(site: Site, publisher: support.Publisher) -> None:
    site.allow_unknown = True
    bundle = site.make([tool(None), image(publisher, known=False)])[0]
    found = {component["name"]: component["unknown_digests"] for component in bundle["components"]}
    assert found["tool"] == {"release": support.sha256(TOOL)}
    assert found["pause"]["release"].startswith("sha256:")
    report = json.loads((site.cache / "build_report.json").read_text())
    assert report["components"]["tool"]["unknown_digests"] == {"release": support.sha256(TOOL)}


def test_an_optional_component_may_be_missing(site: Site, publisher: support.Publisher) -> None:
    bundle = site.make([tool(), {**image(publisher, known=False), "optional": True}])[0]
    assert [component["name"] for component in bundle["components"]] == ["tool"]
    assert bundle["unobtainable"][0]["name"] == "pause"
    assert "no digest of the release for linux/amd64" in bundle["unobtainable"][0]["reason"]


@pytest.mark.parametrize("origins", [["release", "source"], ["source", "release"]])
def test_origins_are_tried_in_order(site: Site, origins: list[str]) -> None:
    """The source of this component can't be built here, so both orders end with the release."""
    site.origins = origins
    source = {"tree": [{"path": "/x"}]}
    component = {
        "name": "pause",
        "kind": "image",
        "ref": "registry.k8s.io/pause:3.10",
        "release": image(site.publisher)["release"],
        "source": source,
    }
    bundle = site.make([component])[0]
    assert bundle["components"][0]["origin"] == "release"
    tried = (site.cache / "progress.log").read_text()
    assert ("source failed: pause: nothing says what /x holds" in tried) is (origins[0] == "source")


def test_a_host_that_is_down_leads_to_the_next_origin(site: Site, publisher: support.Publisher) -> None:
    publisher.shutdown()
    publisher.server_close()
    source = {"tree": [{"path": "/etc/x", "content": "x"}], "config": {"cmd": ["x"]}}
    components = [
        {
            "name": name,
            "kind": "image",
            "ref": f"registry.k8s.io/{name}:1",
            "release": {"image": f"example.com/{name}:1", "digest": {"amd64": "sha256:" + "0" * 64}},
            "source": source,
        }
        for name in ("one", "two", "three")
    ]
    bundle = site.make(components)[0]
    assert {component["origin"] for component in bundle["components"]} == {"source"}
    assert len(site.said) == 1
    assert "skipped for the rest of this run" in site.said[0]


def test_refreshed_components_are_made_again(site: Site, publisher: support.Publisher) -> None:
    site.make([tool(), pair()])
    publisher.requests.clear()
    site.refresh = ["tool"]
    assert site.make([tool(), pair()])[1] == ["tool"]
    assert publisher.paths() == ["/tool"]


def test_a_full_disk_is_refused_before_anything_is_fetched(
    site: Site, publisher: support.Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = site.builder(support.make_lock([tool()]))
    steps, _unobtainable = subject.plan()
    assert subject.check_space(steps, str(site.path)) == "1 of 1 components are missing; needs up to 500 MB of disk"
    monkeypatch.setattr(
        "ansible_collections.cloudnative.platform.plugins.module_utils._bundle.builder.shutil.disk_usage",
        lambda path: types.SimpleNamespace(free=10_000_000),
    )
    with pytest.raises(BundleError, match="needs up to 500 MB there and 10 MB are free; make room"):
        subject.check_space(steps, str(site.path))
    assert publisher.requests == []


def test_what_a_killed_run_left_is_removed(tmp_path: pathlib.Path) -> None:
    left = [tmp_path / "tmp" / "x" / "kubelet", tmp_path / "blobs" / "sha256" / ".tmp-1-2"]
    kept = tmp_path / "blobs" / "sha256" / support.sha256(b"")
    for path in [*left, kept]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    with builder_module.CacheLock(str(tmp_path), print):
        assert [path.exists() for path in left] == [False, False]
        assert kept.exists()


def test_a_second_build_waits_for_the_first(tmp_path: pathlib.Path) -> None:
    said: list[str] = []
    first = builder_module.CacheLock(str(tmp_path), said.append)
    with (
        first,
        pytest.raises(BundleError, match=r"another build \(process \d+\) is using this cache, and has for 0:00"),
    ):
        builder_module.CacheLock(str(tmp_path), said.append, patience=0.1).__enter__()
    assert said == [f"another build (process {os.getpid()}) is using this cache: waiting for it"]
    with first:
        threading.Timer(0.3, first.stream.close).start()
        with builder_module.CacheLock(str(tmp_path), said.append, patience=30):
            assert len(said) == 2


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"optional": True}, True),
        ({"version": "v2"}, False),
        ({"licence": "ISC"}, False),
        ({"files": {"tool": "0700"}}, False),
        ({"release": {"url": "https://example.com/other", "sha256": {"amd64": None}}}, False),
        ({"release": {"url": "https://example.com/tool", "sha256": {"amd64": None}}}, True),
    ],
)
def test_the_cache_knows_what_decides_about_content(site: Site, change: dict[str, t.Any], same: bool) -> None:
    locks = [support.make_lock([tool()]), support.make_lock([tool(**change)])]
    keys = [site.builder(lock).kitchen.key(lock.components[0], "release") for lock in locks]
    assert (keys[0] == keys[1]) is same


def test_manifests_of_a_chart_are_rendered_with_the_helm_of_the_bundle(
    site: Site, publisher: support.Publisher
) -> None:
    helm = b"#!/bin/sh\necho '{apiVersion: v1, kind: Service, metadata: {name: '$2'}}'\n"
    packed = support.archive({"mesh/Chart.yaml": b"name: mesh"})
    publisher.content |= {"/helm": (helm, {}), "/mesh.tgz": (packed, {})}
    components: list[dict[str, t.Any]] = [
        {
            "name": "mesh",
            "files": {"plain.yaml": "0644"},
            "chart": {"release": "kuma", "namespace": "kuma-system", "renders": {"plain.yaml": {}}},
            "release": {"url": "https://example.com/mesh.tgz", "sha256": {"amd64": support.sha256(packed)}},
        },
        {
            "name": "helm",
            "release": {"url": "https://example.com/helm", "sha256": {"amd64": support.sha256(helm)}},
        },
    ]
    bundle, missing, _changes = site.make(components)
    assert missing == ["mesh", "helm"]
    body = json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kuma"}}, sort_keys=True)
    assert files_of(bundle, "mesh") == {"plain.yaml": support.sha256(f"---\n{body}\n".encode())}
    assert site.make(components)[1] == []
    components[1]["release"]["url"] = "https://example.com/none"
    site.refresh = ["mesh"]
    with pytest.raises(BundleError, match=r"mesh: release: needs helm, which can't be had: .*release: .*404"):
        site.make(components)
