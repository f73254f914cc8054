# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible.module_utils import basic

from ansible_collections.cloudnative.platform.plugins.module_utils._host_facts import installed_version
from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import group_name, owner_name
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files_io import Source
from ansible_collections.cloudnative.platform.plugins.modules import oci_files

ME, MINE = owner_name(os.getuid()), group_name(os.getgid())
CONTENT = {"one": b"one" * 1000, "two": b"two" * 5000, "same": b"two" * 5000}


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


MANIFEST = json.dumps(
    {
        "layers": [
            {
                "digest": digest_of(data),
                "size": len(data),
                "annotations": {"org.opencontainers.image.title": name},
            }
            for name, data in CONTENT.items()
        ]
    }
).encode()


class Registry:
    """The few requests of the distribution API that a download makes, over HTTP."""

    def __init__(self):
        self.blobs = {digest_of(data): data for data in CONTENT.values()}
        self.manifests = {digest_of(MANIFEST): MANIFEST}
        self.requests: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.requests.append(self.path)
                kind, digest = self.path[len("/v2/x/files/") :].split("/")
                data = getattr(registry, kind).get(digest)
                self.send_response(200 if data is not None else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def downloads(self):
        return [path for path in self.requests if "/blobs/" in path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def registry():
    with contextlib.closing(Registry()) as one:
        yield one


@pytest.fixture
def run(registry, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)

    def call(files=("one", "two", "same"), **options):
        check = options.pop("check", False)
        item = {"mode": options.pop("mode", "0755"), "owner": ME, "group": MINE}
        sha256 = options.pop("sha256", None)
        params = {
            "registry": {"endpoints": options.pop("endpoints", [registry.url])},
            "artifacts": [
                {
                    "ref": "x/files:v1",
                    "digest": digest_of(MANIFEST),
                    "files": [
                        {"name": name, "path": str(tmp_path / "bin" / name), "sha256": sha256, **item} for name in files
                    ],
                }
            ],
            "state_file": str(tmp_path / "state.json"),
            **options,
            "_ansible_check_mode": check,
            "_ansible_remote_tmp": str(tmp_path),
            "_ansible_keep_remote_files": False,
        }
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": params}).encode())
        with pytest.raises(SystemExit):
            oci_files.main()
        return json.loads(capsys.readouterr().out)

    return call


def names(tmp_path):
    return sorted(os.listdir(tmp_path / "bin"))


def test_install_and_again(run, registry, tmp_path):
    predicted = run(check=True)
    assert predicted["changed"]
    assert registry.requests == []
    assert not (tmp_path / "bin").exists()
    done = run()
    assert done["actions"] == predicted["actions"]
    assert done["downloaded_bytes"] == len(CONTENT["one"]) + len(CONTENT["two"])
    assert len(registry.downloads) == 2  # two paths have the same content
    assert {name: (tmp_path / "bin" / name).read_bytes() for name in CONTENT} == CONTENT
    assert names(tmp_path) == ["one", "same", "two"]
    registry.requests.clear()
    again = run()
    assert (again["changed"], again["downloaded_bytes"], registry.requests) == (False, 0, [])


def test_only_what_differs_is_downloaded(run, registry, tmp_path):
    run()
    registry.requests.clear()
    (tmp_path / "bin" / "one").write_bytes(b"damaged")
    (tmp_path / "bin" / "two").chmod(0o700)
    done = run()
    assert [action.split()[0] for action in done["actions"]] == ["replace", "change"]
    assert done["paths_changed"] == [str(tmp_path / "bin" / "one")]
    assert len(registry.downloads) == 1


def test_the_version_of_what_was_installed_can_be_read_from_the_state_file(run, tmp_path):
    run()
    record = (tmp_path / "state.json").read_text()
    info = os.stat(tmp_path / "bin" / "one")
    assert installed_version(record, "one", {(info.st_size, info.st_mtime_ns, info.st_ino)}) == "v1"


def test_content_is_noticed_whatever_its_stamp_says(run, tmp_path):
    run()
    path = tmp_path / "bin" / "one"
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    predicted = run(check=True)
    assert predicted["paths_changed"] == [str(path)]
    assert run()["actions"] == predicted["actions"]
    assert path.read_bytes() == CONTENT["one"]


def test_files_that_are_right_without_a_state_file(run, registry, tmp_path):
    run()
    (tmp_path / "state.json").unlink()
    registry.requests.clear()
    assert run()["changed"] is False
    assert registry.downloads == []
    registry.requests.clear()
    assert run()["changed"] is False
    assert registry.requests == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 0, "files": {}}', '{"format": 1}'])
def test_a_damaged_state_file_is_an_empty_one(run, registry, tmp_path, text):
    run()
    (tmp_path / "state.json").write_text(text)
    assert run()["changed"] is False


def test_a_leftover_of_a_killed_run(run, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / ".one.cloudnative-new").write_bytes(b"on")
    run()
    assert names(tmp_path) == ["one", "same", "two"]
    assert (tmp_path / "bin" / "one").read_bytes() == CONTENT["one"]


def test_corrupted_content_is_refused_and_nothing_replaced(run, registry, tmp_path):
    run()
    for name in CONTENT:
        (tmp_path / "bin" / name).write_bytes(b"old")
    registry.blobs[digest_of(CONTENT["two"])] = b"x" * len(CONTENT["two"])
    failed = run()
    assert failed["failed"]
    for part in ("cannot get two of x/files:v1", registry.url, "corrupted content", "seed the registry again"):
        assert part in failed["msg"]
    assert (tmp_path / "bin" / "one").read_bytes() == b"old"
    assert names(tmp_path) == ["one", "same", "two"]


def test_another_endpoint_has_good_content(run, registry):
    with contextlib.closing(Registry()) as other:
        other.blobs[digest_of(CONTENT["one"])] = b"bad"
        other.manifests[digest_of(MANIFEST)] = b"{}"
        done = run(endpoints=[other.url, registry.url])
    assert done["changed"]
    assert not done.get("failed")


def test_unreachable_endpoints_are_all_named(run):
    failed = run(endpoints=["http://127.0.0.1:9", "http://127.0.0.1:7"])
    for part in ("cannot get manifest of x/files:v1", "127.0.0.1:9", "127.0.0.1:7", "check that the registry runs"):
        assert part in failed["msg"]


def test_unreachable_registry_is_no_error_of_check_mode(run, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "one").write_bytes(CONTENT["one"])
    predicted = run(endpoints=["http://127.0.0.1:9", "http://127.0.0.1:7"], check=True)
    assert predicted["changed"]
    assert not (tmp_path / "state.json").exists()


def test_a_prediction_of_installs_needs_no_registry_settings(run):
    assert run(registry={"endpoints": ["https://192.0.2.1"], "ca_pem": "made later"}, check=True)["changed"]


def test_absent(run, tmp_path):
    run()
    gone = run(state="absent")
    assert [action.split()[0] for action in gone["actions"]] == ["remove"] * 3
    assert names(tmp_path) == []
    assert run(state="absent")["changed"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"files": ["one", "one"]}, "is listed twice"),
        ({"files": ["three"]}, "has no file three; it has: one, same, two"),
        ({"mode": "rwx"}, "is not an octal mode"),
        ({"sha256": "ff"}, "the two come from different bundles"),
        ({"endpoints": []}, "registry.endpoints is empty"),
        ({"endpoints": ["ftp://x"]}, "is not an address like"),
    ],
)
def test_wrong_input(run, options, message):
    failed = run(**options)
    assert failed["failed"]
    assert message in failed["msg"]


def test_a_file_system_that_fills_up_meanwhile_is_named(run, tmp_path, monkeypatch):
    def fill(_source, _file, to):
        with open(to, "wb") as stream:
            stream.write(b"on")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Source, "download", fill)
        failed = run(files=["one"])
    assert failed["failed"]
    for part in (f"{tmp_path}/bin/one needs 1 MiB", "the file system /", "is full", "nothing was replaced"):
        assert part in failed["msg"]
    assert names(tmp_path) == []
    assert run(files=["one"])["changed"]
    assert (tmp_path / "bin" / "one").read_bytes() == CONTENT["one"]
