# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image of the double: it starts and ends as the role asks of Kong, and the lock has all that is in it."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import lock

DOUBLES = Path(__file__).resolve().parents[1] / "doubles"
LISTENERS = ("PROXY", "ADMIN", "STATUS")


@pytest.fixture(name="components", scope="module")
def fixture_components(tmp_path_factory: pytest.TempPathFactory) -> dict[str, lock.Component]:
    """Those of the lock that `image_lock.py` writes, by their names."""
    path = tmp_path_factory.mktemp("lock") / "lock.yml"
    subprocess.run([sys.executable, DOUBLES / "image_lock.py", path], check=True)
    text = path.read_bytes()
    found = lock.parse(yaml.load(text, yaml.CSafeLoader), text, "amd64")
    return {component.name: component for component in found.components}


@pytest.fixture(name="made", scope="module")
def fixture_made(components: dict[str, lock.Component]) -> lock.Component:
    assert "kubelet" in components
    return components["kong-double"]


@pytest.fixture(name="library")
def fixture_library(made: lock.Component, tmp_path: Path) -> Path:
    """The files of the image, below a directory."""
    assert made.source is not None
    for entry in made.source["tree"]:
        path = tmp_path / entry["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry["content"])
    return tmp_path / "usr/lib/kong-double"


class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(1)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"late")

    def log_message(self, *_args: t.Any) -> None:
        pass


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_what_is_in_the_image_is_what_is_in_the_tree(library: Path) -> None:
    wanted = sorted(path for path in (DOUBLES / "kong").rglob("*") if path.suffix in (".py", ".json"))
    assert len(wanted) > 30
    for path in wanted:
        assert (library / "kong" / path.relative_to(DOUBLES / "kong")).read_text() == path.read_text()


def test_another_version_is_the_same_and_says_so(components: dict[str, lock.Component]) -> None:
    first, second = components["kong-double"], components["kong-double-next"]
    assert first.source is not None and second.source is not None
    differing = [entry["path"] for entry in second.source["tree"] if entry not in first.source["tree"]]
    assert differing == ["/usr/lib/kong-double/kong/data/version.json"]
    assert second.source["tree"][-1]["content"] == f'"{second.version}"\n'
    assert f'"version":"{first.version}"' in (DOUBLES / "kong/data/node.json").read_text()
    assert first.version != second.version


def test_a_node_that_ends_finishes_what_it_has_begun(library: Path, tmp_path: Path) -> None:
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    ports = {name: free_port() for name in LISTENERS}
    document = {
        "_format_version": "3.0",
        "services": [
            {
                "name": "slow",
                "host": "127.0.0.1",
                "port": upstream.server_port,
                "routes": [{"name": "r", "paths": ["/"]}],
            }
        ],
    }
    (tmp_path / "kong.json").write_text(json.dumps(document))
    environment = {
        **os.environ,
        **{f"KONG_{name}_LISTEN": f"127.0.0.1:{port} reuseport" for name, port in ports.items()},
        "KONG_DATABASE": "off",
        "KONG_DECLARATIVE_CONFIG": str(tmp_path / "kong.json"),
        "KONG_PREFIX": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # As the script in the image does, which names the Python that is in there.
    code = f"import sys; sys.path.insert(0, {str(library)!r}); from kong.container import main; "
    command = [sys.executable, "-c", f"{code}sys.exit(main(sys.argv[1:]))"]
    node = subprocess.Popen([*command, "docker-start"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert node.stdout is not None
        assert "It is not Kong" in node.stdout.readline()
        assert ask(ports["STATUS"], "/status/ready")[0] == 200
        answers: list[tuple[int, str]] = []
        client = threading.Thread(target=lambda: answers.append(ask(ports["PROXY"], "/")))
        client.start()
        time.sleep(0.3)
        ended = subprocess.run([*command, "quit", "--wait=0", "--timeout=10"], env=environment, check=False)
        client.join()
        assert answers == [(200, "late")]
        assert (ended.returncode, node.wait(10)) == (0, 0)
    finally:
        node.kill()
        node.wait()
        upstream.shutdown()
        upstream.server_close()
