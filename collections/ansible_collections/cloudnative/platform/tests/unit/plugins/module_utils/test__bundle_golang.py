# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import pathlib
from types import SimpleNamespace

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.golang import Go, stored_gzip

MODULE = "example.org/web"


def test_stored_gzip_is_gzip_and_always_the_same():
    assert gzip.decompress(stored_gzip(b"<p>hello")) == b"<p>hello"
    assert stored_gzip(b"") == bytes.fromhex("1f8b0800000000000 0ff010000ffff0000000000000000".replace(" ", ""))


def test_stored_gzip_refuses_what_one_block_has_no_room_for():
    with pytest.raises(BundleError, match="65536"):
        stored_gzip(bytes(65536))


def go(tmp_path: pathlib.Path, entry: dict) -> Go:
    directory, module = tmp_path / "go", tmp_path / "mod"
    (directory / "addons").mkdir(parents=True)
    (directory / "addons" / "go.mod").write_text("module here\n")
    module.mkdir()
    (module / "web.go").write_text("package web\n")
    lock = SimpleNamespace(go={"web": {"module": MODULE, "directory": "addons", **entry}}, toolchain={"version": "1"})
    made = Go(lock, str(directory), str(tmp_path))
    made.module_directory = lambda _name, _log: str(module)
    return made


def test_module_without_additions_is_built_where_it_is(tmp_path):
    with go(tmp_path, {})._completed("web", "log") as directory:
        assert directory == str(tmp_path / "go" / "addons")


def test_additions_go_into_a_copy_that_takes_the_place_of_the_module(tmp_path):
    with go(tmp_path, {"additions": {"ui/index.html.gz": "<p>", "ui/plain": "x"}})._completed(
        "web", "log"
    ) as directory:
        copy = pathlib.Path(directory)
        assert (copy / "go.mod").read_text() == f"module here\n\nreplace {MODULE} => ./module\n"
        assert (copy / "module/web.go").read_text() == "package web\n"
        assert gzip.decompress((copy / "module/ui/index.html.gz").read_bytes()) == b"<p>"
        assert (copy / "module/ui/plain").read_text() == "x"
    assert not copy.exists()
    assert not (tmp_path / "mod/ui").exists()


def test_directories_that_entries_share_are_part_of_the_key_once(tmp_path):
    made = go(tmp_path, {"binaries": {}, "additions": {"a": "b"}})
    key = made.key("web")
    assert key["settings"] == {"module": MODULE, "additions": {"a": "b"}}
