# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _host_measure_io
from ansible_collections.cloudnative.platform.plugins.module_utils._host_measure_io import (
    FSYNC_FILE,
    WRITES,
    host_of,
    measure,
    measure_bandwidth,
    measure_clock,
    measure_fsync,
    registry_peers,
)

BLOB = os.urandom(256 * 1024) * 16
SMALL = b"small"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(data, name):
    annotations = {"org.opencontainers.image.title": name}
    return {"digest": digest_of(data), "size": len(data), "annotations": annotations}


MANIFEST = json.dumps({"layers": [layer(SMALL, "small"), layer(BLOB, "big")]}).encode()
ARTIFACT = {"ref": "x/kubelet:v1", "digest": digest_of(MANIFEST)}


class Registry:
    """A registry whose clock is off, and which may be slow or stall. It asks for credentials as the real one does."""

    def __init__(self):
        self.offset = 0.0
        self.date = True
        self.delay = 0.0
        self.bytes_per_second = 0
        self.stall_after = 0
        self.requests = []
        self.released = threading.Event()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def date_time_string(self, timestamp=None):
                return formatdate(time.time() + registry.offset, usegmt=True)

            def send_header(self, keyword, value):
                if keyword != "Date" or registry.date:
                    super().send_header(keyword, value)

            def do_GET(self):
                registry.requests.append((self.path, self.headers.get("Range")))
                time.sleep(registry.delay)
                if not self.headers.get("Authorization"):
                    self.answer(401, b"{}")
                elif "/manifests/" in self.path:
                    self.answer(200, MANIFEST)
                elif self.path == f"/v2/x/kubelet/blobs/{digest_of(BLOB)}":
                    self.answer(206, BLOB)
                else:
                    self.answer(404, b"{}")

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                step = registry.bytes_per_second // 50 or len(body)
                for at in range(0, len(body), step):
                    if body is BLOB and registry.stall_after and at >= registry.stall_after:
                        registry.released.wait(20)
                        return
                    try:
                        self.wfile.write(body[at : at + step])
                    except OSError:
                        return
                    if registry.bytes_per_second and body is BLOB:
                        time.sleep(0.02)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self.settings = {"endpoints": [self.endpoint], "ca_pem": None, "username": "pull", "password": "secret"}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def registry():
    made = Registry()
    yield made
    made.released.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize("offset", [0.0, 7.0, -7.3, 0.45])
def test_clock(registry, offset):
    registry.offset = offset
    start = time.monotonic()
    found = measure_clock(registry.endpoint, None)
    assert time.monotonic() - start < 4
    assert abs(found["skew_ms"] + offset * 1000) <= found["uncertainty_ms"] + 5
    assert found["uncertainty_ms"] < 100
    assert found["host"] == "127.0.0.1"
    assert len(registry.requests) < 150


def test_clock_of_a_slow_registry_is_read_for_more_than_one_second(registry):
    registry.delay = 0.15
    found = measure_clock(registry.endpoint, None)
    # As many as fit into one second, and at least one more.
    assert found["samples"] > 6
    assert abs(found["skew_ms"]) <= found["uncertainty_ms"] + 5
    # An answer and the pause before the next one, at worst.
    assert found["uncertainty_ms"] < 200


def test_clock_of_a_registry_that_sends_no_date(registry):
    registry.date = False
    assert measure_clock(registry.endpoint, None)["error"].startswith("its Date header tells no time")


def test_clock_that_is_set_while_it_is_read(registry):
    ours = iter([1000.0, 1000.0, 1010.0, 1010.0])
    found = measure_clock(registry.endpoint, None, now=lambda: next(ours, 2000.0), seconds=1)
    assert "a clock was set while it was being read" in found["error"]


def test_a_registry_that_is_not_there_is_said_so():
    endpoint = "http://127.0.0.1:9"
    assert "cannot be reached: connection refused" in measure_clock(endpoint, None)["error"]
    assert "cannot be reached" in measure_bandwidth(endpoint, {}, ARTIFACT)["error"]


def test_bandwidth_takes_the_largest_file(registry):
    found = measure_bandwidth(registry.endpoint, registry.settings, ARTIFACT)
    assert found["bytes"] == len(BLOB)
    assert found["mbytes_per_second"] > 10
    assert registry.requests[-1] == (f"/v2/x/kubelet/blobs/{digest_of(BLOB)}", "bytes=0-33554431")


def test_bandwidth_of_a_slow_registry_is_measured_in_time(registry):
    registry.bytes_per_second = 500_000
    start = time.monotonic()
    found = measure_bandwidth(registry.endpoint, registry.settings, ARTIFACT, 1.0)
    assert time.monotonic() - start < 4
    assert 0.2 < found["mbytes_per_second"] <= 0.6
    assert found["seconds"] == pytest.approx(1.0, abs=0.3)


def test_bandwidth_of_a_transfer_that_stalls_counts_what_came(registry, monkeypatch):
    monkeypatch.setattr(_host_measure_io, "TIMEOUT", 0.5)
    registry.bytes_per_second, registry.stall_after = 5_000_000, 1_000_000
    found = measure_bandwidth(registry.endpoint, registry.settings, ARTIFACT, 3.0)
    assert found["bytes"] == 1_000_000
    assert found["mbytes_per_second"] < 3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"password": None, "username": None}, "refused a request without credentials"),
        ({"digest": "sha256:" + "0" * 64}, "corrupted content"),
        ({"ref": "no tag"}, "neither a tag nor a digest"),
    ],
)
def test_bandwidth_that_cannot_be_had_says_why(registry, change, complaint):
    settings = {**registry.settings, **change}
    assert complaint in measure_bandwidth(registry.endpoint, settings, {**ARTIFACT, **change})["error"]


def test_fsync_of_a_real_file_system(tmp_path):
    found = measure_fsync(str(tmp_path / "var" / "lib" / "etcd"))
    assert found["directory"] == str(tmp_path)
    assert 0 < found["samples"] <= WRITES
    assert 0 <= found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]
    assert found["cpu_wait_ms"] >= 0
    assert list(tmp_path.iterdir()) == []


def test_fsync_of_a_slow_disk(tmp_path):
    written = []

    def slow(descriptor):
        written.append(os.fstat(descriptor).st_size)
        time.sleep(0.03 if len(written) % 10 == 0 else 0.012)

    start = time.monotonic()
    found = measure_fsync(str(tmp_path), sync=slow, seconds=1.0)
    assert time.monotonic() - start < 3
    assert 20 < found["samples"] < 90
    assert 11 < found["p50_ms"] < 20
    assert found["p99_ms"] > 29
    # The space was there before the first write.
    assert set(written) == {2300 * WRITES}
    assert list(tmp_path.iterdir()) == []


def test_fsync_of_a_disk_that_hangs_has_one_sample(tmp_path):
    found = measure_fsync(str(tmp_path), sync=lambda _descriptor: time.sleep(0.3), seconds=0.1)
    assert found["samples"] == 1
    assert found["p99_ms"] > 290


def test_fsync_leaves_no_file_when_it_fails(tmp_path):
    def broken(_descriptor):
        raise OSError(5, "Input/output error")

    assert measure_fsync(str(tmp_path), sync=broken)["error"] == "cannot write there: Input/output error"
    assert list(tmp_path.iterdir()) == []


def test_fsync_leaves_no_file_when_it_is_interrupted(tmp_path):
    def interrupted(_descriptor):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_fsync(str(tmp_path), sync=interrupted)
    assert list(tmp_path.iterdir()) == []


def test_fsync_takes_away_what_a_killed_run_left(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    etcd = tmp_path / "etcd"
    etcd.mkdir()
    (etcd / FSYNC_FILE).symlink_to(precious)
    assert "error" not in measure_fsync(str(etcd))
    assert list(etcd.iterdir()) == []
    assert precious.read_text() == "kept"


def test_registries_are_peers():
    peers = registry_peers(["https://192.0.2.10:5000", "https://r2", "http://[2001:db8::1]:80", "nonsense"])
    assert [tuple(peer) for peer in peers] == [
        ("registry 192.0.2.10", "192.0.2.10", 5000),
        ("registry r2", "r2", 443),
        ("registry 2001:db8::1", "2001:db8::1", 80),
    ]
    assert host_of("https://192.0.2.10:5000") == "192.0.2.10"


def test_all_figures_of_a_host(registry, tmp_path):
    registry.offset = 7
    measured = measure(registry.settings, ARTIFACT, [], str(tmp_path))
    assert measured["clock"][0]["skew_ms"] == pytest.approx(-7000, abs=100)
    assert measured["bandwidth"][0]["bytes"] == len(BLOB)
    assert measured["fsync"]["samples"] > 0
    assert measured["path_mtu"] == []
    assert json.loads(json.dumps(measured)) == measured


def test_a_host_without_a_registry_and_without_etcd():
    assert measure(None, None, [], None) == {"clock": [], "path_mtu": [], "fsync": None, "bandwidth": []}
