# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs from wheels, with the real pip and an index that is a directory."""

from __future__ import annotations

import hashlib
import pathlib
import zipfile

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import wheel
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError

CONTENT = b"\x7fELF a program"
SPEC = {"package": "some-server", "version": "1.2", "platform": "manylinux_2_31", "members": {"some": "some/_bin/some"}}


@pytest.fixture(name="index")
def fixture_index(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


def make(index: pathlib.Path, machine: str) -> str:
    """A wheel for a machine; returns its sum."""
    path = index / f"some_server-1.2-py3-none-manylinux_2_31_{machine}.whl"
    info = "some_server-1.2.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some/_bin/some", CONTENT + machine.encode())
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: some-server\nVersion: 1.2\n")
        tag = f"Tag: py3-none-manylinux_2_31_{machine}\n"
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n{tag}")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", "x86_64"), ("arm64", "aarch64")])
def test_the_wheel_of_the_architecture_is_taken(
    tmp_path: pathlib.Path, index: pathlib.Path, architecture: str, machine: str
) -> None:
    sums = {name: make(index, name) for name in ("x86_64", "aarch64")}
    work = tmp_path / "work"
    work.mkdir()
    paths = wheel.files({**SPEC, "sha256": sums[machine]}, architecture, str(work), str(tmp_path / "log"))
    assert pathlib.Path(paths["some"]).read_bytes() == CONTENT + machine.encode()
    assert not list(work.glob("*.whl"))


def test_a_wheel_of_another_sum_is_refused(tmp_path: pathlib.Path, index: pathlib.Path) -> None:
    make(index, "x86_64")
    with pytest.raises(BundleError):
        wheel.files({**SPEC, "sha256": "0" * 64}, "amd64", str(tmp_path), str(tmp_path / "log"))


def test_a_file_that_the_wheel_does_not_have_is_named(tmp_path: pathlib.Path, index: pathlib.Path) -> None:
    spec = {**SPEC, "members": {"some": "bin/some"}, "sha256": make(index, "x86_64")}
    with pytest.raises(BundleError, match="has no bin/some"):
        wheel.files(spec, "amd64", str(tmp_path), str(tmp_path / "log"))
