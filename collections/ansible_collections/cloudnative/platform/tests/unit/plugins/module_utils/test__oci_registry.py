# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import http.server
import io
import json
import threading

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import (
    DigestMismatch,
    NotFound,
    ReadOnly,
    Reference,
    Registry,
    RegistryError,
    Unauthorized,
    Unreachable,
    parse_reference,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_transport import Full

DIGEST = "sha256:" + "a" * 64
BLOB = bytes(range(256)) * 40
BLOB_DIGEST = "sha256:" + hashlib.sha256(BLOB).hexdigest()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.k8s.io/pause:3.10.2", Reference("registry.k8s.io/pause", "3.10.2", None)),
        (
            "registry.k8s.io/coredns/coredns:v1.14.7",
            Reference("registry.k8s.io/coredns/coredns", "v1.14.7", None),
        ),
        (f"docker.io/calico/node@{DIGEST}", Reference("docker.io/calico/node", None, DIGEST)),
        (f"docker.io/calico/node:v3@{DIGEST}", Reference("docker.io/calico/node", "v3", DIGEST)),
        ("a/b_c/d-e__f:_X.y-1", Reference("a/b_c/d-e__f", "_X.y-1", None)),
    ],
)
def test_parse_reference(text, expected):
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "neither a tag nor a digest"),
        ("docker.io/calico/node", "neither a tag nor a digest"),
        ("docker.io/Calico/node:v3", "not a repository name"),
        ("docker.io//node:v3", "not a repository name"),
        ("localhost:5000/node:v3", "not a repository name"),
        (":v3", "not a repository name"),
        ("a/b:", "not a tag"),
        ("a/b:-x", "not a tag"),
        ("a/b@sha256:abc", "not a digest"),
    ],
)
def test_parse_reference_says_what_is_wrong(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_reference(text)


class Script(http.server.BaseHTTPRequestHandler):
    """Answers requests with the steps of a script, one after the other, and notes what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        self.server.clients.add(self.client_address)
        step = self.server.steps.pop(0)
        if step == "break":
            self.close_connection = True
            return
        status, headers, content, *cut = step
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: cut[0]] if cut else content)
        if cut:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Script) as instance:
        instance.asked, instance.steps, instance.clients = [], [], set()
        instance.daemon_threads = True
        thread = threading.Thread(target=instance.serve_forever, args=(0.01,))
        thread.start()
        yield instance
        instance.shutdown()
        thread.join()


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def registry(server, pauses):
    client = Registry(
        f"http://127.0.0.1:{server.server_port}/", username="anna", password="pw", attempts=3, sleep=pauses.append
    )
    yield client
    client.close()


OK = (200, {}, b"{}")


@pytest.mark.parametrize(
    ("steps", "expected_pauses"),
    [
        ([OK], []),
        ([(503, {}, b""), OK], [0.2]),
        ([(429, {"Retry-After": "3"}, b""), OK], [3.0]),
        ([(429, {"Retry-After": "3600"}, b""), OK], [5.0]),
        (["break", OK], [0.2]),
        ([(500, {}, b""), "break", OK], [0.2, 0.4]),
    ],
)
def test_ping_retries_what_may_pass(server, registry, pauses, steps, expected_pauses):
    server.steps = list(steps)
    registry.ping()
    assert pauses == expected_pauses
    assert server.steps == []


def test_ping_gives_up_after_the_last_attempt(server, registry):
    server.steps = [(503, {}, b"")] * 3
    with pytest.raises(Unreachable, match=r"status 503 \(log in\); gave up on /v2/ after 3 attempts"):
        registry.ping()


def test_a_registry_that_is_full_is_asked_once(server, registry, pauses):
    detail = "filesystem: write /var/lib/registry/docker/x: no space left on device"
    errors = [{"code": "UNKNOWN", "message": "unknown error", "detail": detail}]
    server.steps = [(500, {}, json.dumps({"errors": errors}).encode())]
    with pytest.raises(
        Full, match=r"the file system of registry \S+ is full \(log in\): UNKNOWN: .*/var/lib/registry/docker/x"
    ):
        registry.ping()
    assert pauses == []


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, Unauthorized, "refused user 'anna'"),
        (403, Unauthorized, "refused user 'anna'"),
        (405, ReadOnly, "read-only"),
        (307, RegistryError, "redirects are not followed"),
        (400, RegistryError, "status 400"),
    ],
)
def test_answers_that_are_final(server, registry, pauses, status, error, words):
    server.steps = [(status, {}, b"")]
    with pytest.raises(error, match=words):
        registry.ping()
    assert pauses == []


def test_words_of_the_registry_are_passed_on(server, registry):
    server.steps = [(400, {}, b'{"errors": [{"code": "DIGEST_INVALID", "message": "did not match"}]}')]
    with pytest.raises(RegistryError, match="DIGEST_INVALID: did not match"):
        registry.put_manifest("a/b", "v1", b"{}", "application/json")


def test_one_connection_serves_many_requests_also_after_an_error(server, registry):
    server.steps = [OK, (404, {}, b'{"errors": []}'), OK]
    registry.ping()
    assert registry.manifest_digest("a/b", "v1") is None
    registry.ping()
    assert len(server.clients) == 1


def test_closed_port_is_unreachable():
    client = Registry("http://127.0.0.1:9", attempts=2, sleep=lambda _seconds: None)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 cannot be reached: connection refused"):
        client.ping()


@pytest.mark.parametrize("endpoint", ["10.0.0.5:5000", "ftp://10.0.0.5", "https://"])
def test_wrong_endpoint_is_named(endpoint):
    with pytest.raises(RegistryError, match="is not an address like"):
        Registry(endpoint)


def test_wrong_ca_is_named():
    with pytest.raises(RegistryError, match="is not PEM"):
        Registry("https://10.0.0.5:5000", ca_pem="-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----")


def test_manifest_is_checked_against_its_digest(server, registry):
    server.steps = [(200, {"Docker-Content-Digest": DIGEST}, b"{}")]
    with pytest.raises(DigestMismatch, match=f"a/b@{DIGEST}"):
        registry.manifest("a/b", "v1")


def test_missing_manifest_is_not_found(server, registry):
    server.steps = [(404, {}, b"")]
    with pytest.raises(NotFound, match="read manifest a/b:v1"):
        registry.manifest("a/b", "v1")


@pytest.mark.parametrize(
    "steps",
    [
        [(200, {}, BLOB)],
        # Broken in the middle, then taken up there.
        [(200, {"Content-Length": str(len(BLOB))}, BLOB, 1000), (206, {}, BLOB[1000:])],
        # A server that does not know ranges begins again; what is there already is skipped.
        [(200, {"Content-Length": str(len(BLOB))}, BLOB, 1000), (200, {}, BLOB)],
    ],
)
def test_download_survives_a_broken_connection(server, registry, steps, tmp_path):
    server.steps = list(steps)
    assert registry.download_blob("a/b", BLOB_DIGEST, tmp_path / "blob") == len(BLOB)
    assert (tmp_path / "blob").read_bytes() == BLOB
    if len(steps) == 2:
        assert server.asked[1][2]["Range"] == "bytes=1000-"


def test_corrupted_download_is_refused_and_removed(server, registry, tmp_path):
    server.steps = [(200, {}, BLOB + b"x")]
    with pytest.raises(DigestMismatch, match=f"a/b@{BLOB_DIGEST}"):
        registry.download_blob("a/b", BLOB_DIGEST, tmp_path / "blob")
    assert not (tmp_path / "blob").exists()


def test_a_full_disk_is_no_matter_of_the_network(server, registry):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    server.steps = [(200, {}, BLOB)]
    with pytest.raises(OSError, match="No space left"):
        registry.download_blob("a/b", BLOB_DIGEST, Full())


@pytest.mark.parametrize(
    ("opened", "sent"),
    [
        ((202, {"Location": "/v2/a/b/blobs/uploads/1?_state=x"}, b""), len(BLOB)),
        ((202, {"Location": "http://other.example/v2/a/b/blobs/uploads/1?_state=x"}, b""), len(BLOB)),
        ((201, {"Location": "/v2/a/b/blobs/x"}, b""), 0),
    ],
)
def test_upload_sends_or_mounts(server, registry, tmp_path, opened, sent):
    (tmp_path / "blob").write_bytes(BLOB)
    server.steps = [opened, (201, {}, b"")]
    assert registry.upload_blob("a/b", BLOB_DIGEST, tmp_path / "blob", mount_from="c/d") == sent
    assert server.asked[0][:2] == (
        "POST",
        f"/v2/a/b/blobs/uploads/?mount={BLOB_DIGEST.replace(':', '%3A')}&from=c%2Fd",
    )
    if sent:
        method, path, _headers, body = server.asked[1]
        assert (method, path.split("?")[0], body) == ("PUT", "/v2/a/b/blobs/uploads/1", BLOB)
        assert f"digest={BLOB_DIGEST.replace(':', '%3A')}" in path


def test_upload_begins_again_after_a_broken_connection(server, registry, tmp_path):
    (tmp_path / "blob").write_bytes(BLOB)
    opened = (202, {"Location": "/v2/a/b/blobs/uploads/1"}, b"")
    server.steps = [opened, "break", opened, (201, {}, b"")]
    assert registry.upload_blob("a/b", BLOB_DIGEST, tmp_path / "blob") == len(BLOB)


def test_lists_are_read_page_by_page(server, registry):
    server.steps = [
        (200, {"Link": '</v2/_catalog?n=500&last=b>; rel="next"'}, b'{"repositories": ["b", "a"]}'),
        (200, {}, b'{"repositories": ["c"]}'),
    ]
    assert registry.catalog() == ["a", "b", "c"]
    assert server.asked[1][1] == "/v2/_catalog?n=500&last=b"


@pytest.mark.parametrize(("step", "tags"), [((404, {}, b""), []), ((200, {}, b'{"tags": null}'), [])])
def test_repository_without_tags(server, registry, step, tags):
    server.steps = [step]
    assert registry.tags("a/b") == tags


@pytest.mark.parametrize(("status", "deleted"), [(202, True), (404, False)])
def test_delete(server, registry, status, deleted):
    server.steps = [(status, {}, b"")]
    assert registry.delete_manifest("a/b", "v1") is deleted
