# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import socket
import time
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import oci, release
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import DigestMismatch
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils import bundle_support as support

DATA = bytes(range(256)) * 4000
SUM = support.sha256(DATA)
NAME = "/release/v1/bin/linux/amd64/kubelet"


@pytest.fixture
def publisher() -> t.Iterator[support.Publisher]:
    server = support.Publisher()
    server.content[NAME] = (DATA, {})
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def blobs(tmp_path: pathlib.Path) -> oci.Blobs:
    return oci.Blobs(str(tmp_path / "blobs" / "sha256"))


def releases(publisher: support.Publisher, said: list[str] | None = None, **options: float) -> release.Releases:
    mirrors = {"https://dl.k8s.io": publisher.url, "https://registry.k8s.io/": publisher.url + "/"}
    return release.Releases(mirrors, (said if said is not None else []).append, **options)


URL = f"https://dl.k8s.io{NAME}"


def test_the_right_file(publisher: support.Publisher, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "downloads" / "kubelet"
    assert releases(publisher).file(URL, SUM, str(target)) == SUM
    assert target.read_bytes() == DATA


def test_an_unknown_sum_is_returned(publisher: support.Publisher, tmp_path: pathlib.Path) -> None:
    assert releases(publisher).file(URL, None, str(tmp_path / "kubelet")) == SUM


def test_the_wrong_checksum_is_refused_and_leaves_nothing(publisher: support.Publisher, tmp_path: pathlib.Path) -> None:
    with pytest.raises(DigestMismatch, match=f"has sha256 {SUM}, the lock says {'0' * 64}: refused"):
        releases(publisher).file(URL, "0" * 64, str(tmp_path / "kubelet"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "behaviour", "message", "requests"),
    [
        ("/release/v1/missing", None, "HTTP status 404", 1),
        (NAME, support.cut_short, r"cut short after \d+ of \d+ bytes, 3 times", 3),
        (NAME, support.stalls, "3 times", 3),
        (NAME, lambda handler, data: handler.answer(503, b"", {}), "HTTP status 503, 3 times", 3),
        (NAME, lambda handler, data: handler.answer(403, b"", {}), "HTTP status 403", 1),
    ],
    ids=["missing", "cut short", "slow", "busy", "forbidden"],
)
def test_another_origin_may_be_tried(
    publisher: support.Publisher,
    tmp_path: pathlib.Path,
    name: str,
    behaviour: support.Behaviour | None,
    message: str,
    requests: int,
) -> None:
    if behaviour:
        publisher.behaviours[name] = behaviour
    with pytest.raises(release.Unavailable, match=message):
        releases(publisher, stall_timeout=0.2).file(f"https://dl.k8s.io{name}", SUM, str(tmp_path / "kubelet"))
    assert publisher.paths() == [name] * requests
    assert not (tmp_path / "kubelet").exists()


def test_a_transfer_goes_on_where_it_broke(publisher: support.Publisher, tmp_path: pathlib.Path) -> None:
    publisher.behaviours[NAME] = support.resumable
    assert releases(publisher).file(URL, SUM, str(tmp_path / "kubelet")) == SUM
    assert publisher.requests[1][1]["Range"] == f"bytes={len(DATA) // 2}-"


def test_what_a_killed_run_left_is_used_or_thrown_away(publisher: support.Publisher, tmp_path: pathlib.Path) -> None:
    publisher.behaviours[NAME] = support.resumable
    (tmp_path / "kubelet.part").write_bytes(b"x" * 100)
    assert releases(publisher).file(URL, SUM, str(tmp_path / "kubelet")) == SUM
    assert publisher.requests[0][1]["Range"] == "bytes=100-"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_host_that_does_not_answer_is_reported_once_and_skipped(tmp_path: pathlib.Path) -> None:
    said: list[str] = []
    base = f"http://127.0.0.1:{closed_port()}"
    subject = release.Releases({"https://dl.k8s.io": base}, said.append)
    for _time in range(3):
        with pytest.raises(release.Unavailable, match="the host doesn't answer"):
            subject.file(URL, SUM, str(tmp_path / "kubelet"))
    assert len(said) == 1
    assert said[0].startswith(f"{base} doesn't answer (")


def test_a_host_that_accepts_and_says_nothing_is_given_up_in_time(tmp_path: pathlib.Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        base = f"http://127.0.0.1:{silent.getsockname()[1]}"
        subject = release.Releases({"https://dl.k8s.io": base}, list[str]().append, answer_timeout=0.3)
        begun = time.monotonic()
        with pytest.raises(release.Unavailable, match=r"timed out|no answer within 0.3 s"):
            subject.file(URL, SUM, str(tmp_path / "kubelet"))
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://dl.k8s.io/x", "http://mirror/k8s/x"),
        ("https://dl.k8s.io", "http://mirror/k8s"),
        ("https://dl.k8s.io.example.com/x", "https://dl.k8s.io.example.com/x"),
        ("https://github.com/x", "https://github.com/x"),
    ],
)
def test_mirrors_replace_whole_hosts(url: str, result: str) -> None:
    assert release.Releases({"https://dl.k8s.io/": "http://mirror/k8s/"}, list[str]().append).mirrored(url) == result


IMAGE = "registry.k8s.io/pause:3.10"


@pytest.mark.parametrize("token", ["", "secret"])
@pytest.mark.parametrize("known", [True, False])
def test_an_image_of_one_architecture(publisher: support.Publisher, blobs: oci.Blobs, known: bool, token: str) -> None:
    digest = publisher.add_image("pause", "3.10", ("arm64", "amd64"))
    publisher.token = token
    content, top = releases(publisher).image(IMAGE, digest if known else None, "amd64", blobs)
    assert top == digest
    assert [part["mediaType"] for part in content] == [oci.MANIFEST, oci.CONFIG, oci.LAYER]
    assert blobs.read(content[2]["digest"]) == b"layer pause amd64"
    wanted = digest if known else "3.10"
    assert f"/v2/pause/manifests/{wanted}" in publisher.paths()


def test_blobs_that_are_there_are_not_fetched_again(publisher: support.Publisher, blobs: oci.Blobs) -> None:
    digest = publisher.add_image("pause", "3.10")
    subject = releases(publisher)
    subject.image(IMAGE, digest, "amd64", blobs)
    publisher.requests.clear()
    subject.image(IMAGE, digest, "amd64", blobs)
    assert not [path for path in publisher.paths() if "/blobs/" in path]


def test_a_wrong_digest_is_refused(publisher: support.Publisher, blobs: oci.Blobs) -> None:
    digest = publisher.add_image("pause", "3.10")
    other = publisher.add_image("other", "1")
    publisher.content[f"/v2/pause/manifests/{digest}"] = publisher.content[f"/v2/other/manifests/{other}"]
    with pytest.raises(DigestMismatch, match=f"the registry has {other}, the lock says {digest}: refused"):
        releases(publisher).image(IMAGE, digest, "amd64", blobs)


def blob_path(publisher: support.Publisher) -> str:
    return next(path for path, (data, _headers) in publisher.content.items() if data.startswith(b"layer"))


def test_a_corrupted_blob_is_refused_and_named(publisher: support.Publisher, blobs: oci.Blobs) -> None:
    digest = publisher.add_image("pause", "3.10")
    path = blob_path(publisher)
    publisher.content[path] = (b"LAYER pause amd64", {})
    with pytest.raises(DigestMismatch, match=f"blob {path.rpartition('/')[2]}"):
        releases(publisher).image(IMAGE, digest, "amd64", blobs)
    assert not blobs.has(path.rpartition("/")[2], 17)


@pytest.mark.parametrize(
    ("architecture", "behaviour", "message"),
    [
        ("arm64", None, "has no image for linux/arm64"),
        ("amd64", support.cut_short, r"cut short after \d+ of \d+ bytes, 3 times"),
        ("amd64", lambda handler, data: handler.answer(404, b"", {}), "HTTP status 404"),
    ],
    ids=["architecture", "cut short", "missing"],
)
def test_another_origin_may_be_tried_for_images(
    publisher: support.Publisher,
    blobs: oci.Blobs,
    architecture: str,
    behaviour: support.Behaviour | None,
    message: str,
) -> None:
    digest = publisher.add_image("pause", "3.10")
    if behaviour:
        publisher.behaviours[blob_path(publisher)] = behaviour
    with pytest.raises(release.Unavailable, match=message):
        releases(publisher).image(IMAGE, digest, architecture, blobs)
