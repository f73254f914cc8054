# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._wait import probe, split_host_port, target_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:8443", ("127.0.0.1", 8443)), ("[::1]:80", ("::1", 80)), ("api.example:6443", ("api.example", 6443))],
)
def test_split_host_port(text, expected):
    assert split_host_port(text) == expected


@pytest.mark.parametrize("text", ["8443", ":8443", "host", "host:", "host:0", "host:65536", "host:http"])
def test_split_host_port_refuses(text):
    with pytest.raises(ValueError, match="is not an address of the form host:port"):
        split_host_port(text)


def test_target_of():
    assert target_of({"tcp": None, "unix": "/run/x", "url": None}) == "/run/x"


def test_tcp():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert probe({"tcp": address}) is None
    assert probe({"tcp": address}) == "Connection refused"


def test_unix(tmp_path):
    path = str(tmp_path / "socket")
    assert probe({"unix": path}) == "No such file or directory"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert probe({"unix": path}) is None


@pytest.fixture
def url():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401 if self.path == "/secret" else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [("/", [200], None), ("/secret", [200], "answers with status 401"), ("/secret", [200, 401], None)],
)
def test_url(url, path, status, reason):
    assert probe({"url": url + path, "status": status}) == reason


def test_url_that_nobody_serves():
    assert "refused" in (probe({"url": "http://127.0.0.1:9/"}) or "")
