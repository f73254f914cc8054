# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import re
import stat

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    FilePlan,
    Found,
    HostFileError,
    Wanted,
    Writer,
    diff_of,
    group_name,
    observe,
    owner_name,
    parse_mode,
    plan,
    reason_of,
    temporary_for,
)

ME, MINE = owner_name(os.getuid()), group_name(os.getgid())
FILE = Wanted("/x/f", 0o644, content=b"new\n")
THERE = Found("file", 0o644, "root", "root", b"old\n")
SAME = Found("file", 0o644, "root", "root", b"new\n")
DIRECTORY = Wanted("/x/d", 0o755)
GONE = Wanted("/x/f", 0o644, absent=True)


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        pytest.param(FILE, Found(), "create /x/f (mode 0644)", id="new file"),
        pytest.param(FILE, THERE, "write /x/f", id="other content"),
        pytest.param(FILE, SAME, "", id="same"),
        pytest.param(
            FILE,
            Found("file", 0o600, "me", "us", b"new\n"),
            "change /x/f: mode 0600 to 0644, owner me to root, group us to root",
            id="attributes",
        ),
        pytest.param(DIRECTORY, Found(), "create directory /x/d (mode 0755)", id="new directory"),
        pytest.param(DIRECTORY, Found("directory", 0o755, "root", "root"), "", id="same directory"),
        pytest.param(
            DIRECTORY, Found("directory", 0o700, "root", "root"), "change /x/d: mode 0700 to 0755", id="directory mode"
        ),
        pytest.param(GONE, THERE, "remove /x/f", id="remove"),
        pytest.param(GONE, Found(), "", id="gone already"),
    ],
)
def test_plan(wanted, found, expected):
    result = plan(wanted, found)
    assert result.text == expected
    assert result.needed == bool(expected)


@pytest.mark.parametrize(
    ("wanted", "found", "message"),
    [
        (FILE, Found("directory"), "/x/f should be a file, but something else is there"),
        (DIRECTORY, THERE, "/x/d should be a directory"),
        (GONE, Found("directory"), "it is a directory; remove it by hand"),
    ],
)
def test_plan_refuses(wanted, found, message):
    with pytest.raises(HostFileError, match=message):
        plan(wanted, found)


@pytest.mark.parametrize(
    ("wanted", "found", "before", "after"),
    [
        pytest.param(FILE, Found(), "", "0644 root:root\nnew\n", id="new"),
        pytest.param(FILE, THERE, "old\n", "new\n", id="content only"),
        pytest.param(
            FILE,
            Found("file", 0o600, "root", "root", b"old\n"),
            "0600 root:root\nold\n",
            "0644 root:root\nnew\n",
            id="content and mode",
        ),
        pytest.param(GONE, THERE, "0644 root:root\nold\n", "", id="removed"),
        pytest.param(DIRECTORY, Found(), "", "0755 root:root\n", id="directory"),
    ],
)
def test_diff(wanted, found, before, after):
    diff = diff_of(plan(wanted, found), found)
    assert (diff["before"], diff["after"]) == (before, after)


@pytest.mark.parametrize("found", [Found(), THERE, Found("file", 0o600, "root", "root", b"old\n"), SAME])
@pytest.mark.parametrize("absent", [False, True])
def test_diff_hides_secrets(found, absent):
    wanted = Wanted("/x/f", 0o640, content=b"new\n", secret=True, absent=absent)
    diff = diff_of(plan(wanted, found), found)
    assert "old" not in diff["before"] + diff["after"]
    assert "new" not in diff["before"] + diff["after"]
    if plan(wanted, found).content:
        assert diff["before"] != diff["after"]


@pytest.mark.parametrize(("text", "mode"), [("0644", 0o644), ("755", 0o755), ("1777", 0o1777), ("02755", 0o2755)])
def test_parse_mode(text, mode):
    assert parse_mode(text, "/x") == mode


@pytest.mark.parametrize("text", ["", "rw-r--r--", "0999", "77", "420x", "0o644"])
def test_parse_mode_refuses(text):
    with pytest.raises(HostFileError, match=r'is not an octal mode; write it quoted, for example "0644"'):
        parse_mode(text, "/x")


class Module:
    """The few methods of AnsibleModule that a writer uses."""

    def __init__(self, code=0):
        self.code = code
        self.commands = []

    def selinux_enabled(self):
        return False

    def run_command(self, command, handle_exceptions=True):
        self.commands.append(command)
        return self.code, "", "line 3: top secret is wrong"


def wanted(path, **options):
    return Wanted(path=str(path), **{"mode": 0o640, "owner": ME, "group": MINE, "content": b"new\n", **options})


def write(file, module=None):
    Writer(module or Module()).apply(plan(file, observe(file.path)))


def test_write_then_nothing_to_do(tmp_path):
    file = wanted(tmp_path / "f")
    write(file)
    assert (tmp_path / "f").read_bytes() == b"new\n"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640
    assert not plan(file, observe(file.path)).needed
    assert os.listdir(tmp_path) == ["f"]


def test_write_takes_away_what_a_killed_run_left(tmp_path):
    file = wanted(tmp_path / "f")
    leftover = temporary_for(file.path)
    with open(leftover, "w") as stream:
        stream.write("half")
    write(file)
    assert os.listdir(tmp_path) == ["f"]


def test_write_keeps_the_old_file_when_the_check_fails(tmp_path):
    (tmp_path / "f").write_text("old\n")
    module = Module(code=1)
    with pytest.raises(HostFileError, match=r"f was not replaced.*exit code 1\): line 3"):
        write(wanted(tmp_path / "f", validate="check %s"), module)
    assert module.commands == [f"check {tmp_path}/.f.cloudnative-new"]
    assert (tmp_path / "f").read_text() == "old\n"
    assert os.listdir(tmp_path) == ["f"]


def test_a_failed_check_of_a_secret_file_tells_nothing_of_it(tmp_path):
    with pytest.raises(HostFileError) as failure:
        write(wanted(tmp_path / "f", validate="check %s", secret=True), Module(code=1))
    assert "top secret" not in str(failure.value)


def test_a_bind_mount_is_written_in_place(tmp_path, monkeypatch):
    (tmp_path / "f").write_text("old\n")
    inode = (tmp_path / "f").stat().st_ino

    def busy(*_args):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "rename", busy)
    write(wanted(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == b"new\n"
    assert (tmp_path / "f").stat().st_ino == inode
    assert os.listdir(tmp_path) == ["f"]


def test_write_without_a_directory_names_it(tmp_path):
    with pytest.raises(HostFileError, match=r"directory .*/none does not exist; list it too"):
        write(wanted(tmp_path / "none" / "f"))


def test_directory_with_parents(tmp_path):
    path = tmp_path / "a" / "b"
    write(wanted(path, content=None, mode=0o750))
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o700 == 0o700


def test_attributes_and_removal(tmp_path):
    (tmp_path / "f").write_text("new\n")
    file = wanted(tmp_path / "f", mode=0o600)
    write(file)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    write(wanted(tmp_path / "f", absent=True))
    assert observe(file.path) == Found()


def test_unknown_owner_is_named(tmp_path):
    file_plan = FilePlan(wanted(tmp_path / "f", owner="no-such-user"), content=True, text="create f")
    with pytest.raises(HostFileError, match=r"owner no-such-user of .*/f is not a user of this host"):
        Writer(Module()).apply(file_plan)
    assert os.listdir(tmp_path) == []


def test_a_full_file_system_is_named(tmp_path):
    assert reason_of(OSError(errno.EACCES, "Permission denied"), "/x") == "Permission denied"
    text = reason_of(OSError(errno.ENOSPC, "No space left on device"), str(tmp_path / "not" / "there"))
    mount, free = re.fullmatch(r"the file system (\S+) is full \((\d+) MiB free\): make room .*", text).groups()
    assert os.path.ismount(mount)
    assert str(tmp_path).startswith(mount)
    assert int(free) > 0
