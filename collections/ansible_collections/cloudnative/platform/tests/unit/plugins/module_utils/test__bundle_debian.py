# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import debian, oci
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./bin/kmod", "/usr/bin/kmod"),
        ("./sbin/iptables", "/usr/sbin/iptables"),
        ("./lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("/lib64/ld-linux-x86-64.so.2", "/usr/lib64/ld-linux-x86-64.so.2"),
        ("./usr/bin/x", "/usr/bin/x"),
        ("./etc/protocols", "/etc/protocols"),
        ("./library/x", "/library/x"),
    ],
)
def test_paths_lead_into_usr(name: str, path: str) -> None:
    assert debian.merged_path(name) == path


def test_a_real_program_names_its_libraries() -> None:
    with open(sys.executable, "rb") as stream:
        names = debian.needed_libraries(stream.read())
    assert "libc.so.6" in names
    assert any(name.startswith("/lib") for name in names)


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01"])
def test_other_files_need_no_library(data: bytes) -> None:
    assert debian.needed_libraries(data) == []


def program() -> bytes:
    with open(sys.executable, "rb") as stream:
        return stream.read()


def packages() -> dict[str, debian.PackagedFile]:
    files = {
        "/usr/sbin/tool": debian.PackagedFile("tool", 0o755, target="multi"),
        "/usr/sbin/multi": debian.PackagedFile("tool", 0o755, data=b"#!"),
        "/usr/sbin/loose": debian.PackagedFile("tool", 0o777, target="/etc/alternatives/loose"),
        "/usr/share/doc/tool/copyright": debian.PackagedFile("tool", 0o644, data=b"free"),
        "/usr/bin/program": debian.PackagedFile("program", 0o755, data=program()),
    }
    for name in debian.needed_libraries(program()):
        path = debian.merged_path(name) if name.startswith("/") else f"/usr/lib/x86_64-linux-gnu/{name}"
        files[path] = debian.PackagedFile("libraries", 0o644, data=b"library")
    return files


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["/usr/sbin/multi"], {"/usr/sbin/multi"}),
        (["/usr/sbin/tool"], {"/usr/sbin/tool", "/usr/sbin/multi"}),
        (["/usr/sbin/*"], {"/usr/sbin/tool", "/usr/sbin/multi"}),
    ],
)
def test_links_bring_what_they_point_to(patterns: list[str], chosen: set[str]) -> None:
    assert set(debian.select(packages(), patterns, "amd64")) == chosen


def test_programs_bring_their_libraries() -> None:
    files = packages()
    libraries = {path for path, found in files.items() if found.package == "libraries"}
    assert libraries
    assert set(debian.select(files, ["/usr/bin/program"], "amd64")) == libraries | {"/usr/bin/program"}


def test_what_a_lower_layer_has_is_left_out() -> None:
    files = packages()
    lower = [path for path, found in files.items() if found.package == "libraries"]
    for path in lower:
        del files[path]
    assert set(debian.select(files, ["/usr/bin/program"], "amd64", lower)) == {"/usr/bin/program"}


@pytest.mark.parametrize(
    ("patterns", "missing", "message"),
    [
        (["/usr/bin/nothing"], "", "no package has /usr/bin/nothing"),
        (["/usr/bin/program"], "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/program needs libc.so.6"),
    ],
)
def test_what_is_missing_is_named(patterns: list[str], missing: str, message: str) -> None:
    files = packages()
    files.pop(missing, None)
    with pytest.raises(BundleError, match=message):
        debian.select(files, patterns, "amd64")


@pytest.mark.parametrize("base", [True, False])
def test_only_the_lowest_layer_makes_the_root(base: bool) -> None:
    selection = debian.Selection({"/usr/sbin/multi": debian.PackagedFile("tool", 0o755, data=b"#!")}, [])
    nodes = debian.tree_of(selection, base).nodes
    assert ("/bin" in nodes) is base
    assert nodes["/usr/sbin/multi"] == oci.Node("file", 0o755, data=b"#!")
