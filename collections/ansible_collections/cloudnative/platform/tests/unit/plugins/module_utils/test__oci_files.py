# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import Found
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import (
    TITLE,
    Action,
    File,
    OciFilesError,
    Present,
    diff_of,
    in_turn,
    layers_of,
    missing_space,
    plan,
    resolve,
)

KUBECTL = File("x/kubectl:v1", "sha256:" + "1" * 64, "kubectl", "/bin/kubectl", sha256="aa")
UNKNOWN = File("x/kubectl:v1", "sha256:" + "1" * 64, "kubectl", "/bin/kubectl")


def at(mode=0o755, owner="root", group="root", sha256="aa", kind="file"):
    return Present(Found(kind, mode, owner, group), sha256)


NOTHING = Present(Found())


@pytest.mark.parametrize(
    ("file", "present", "absent", "expected"),
    [
        pytest.param(KUBECTL, NOTHING, False, ["install /bin/kubectl from x/kubectl:v1 (kubectl)"], id="new"),
        pytest.param(UNKNOWN, NOTHING, False, ["install /bin/kubectl from x/kubectl:v1 (kubectl)"], id="not looked up"),
        pytest.param(UNKNOWN, at(), False, ["replace /bin/kubectl from x/kubectl:v1 (kubectl)"], id="can't be known"),
        pytest.param(KUBECTL, at(), False, [], id="right"),
        pytest.param(KUBECTL, at(sha256="bb"), False, ["replace /bin/kubectl from x/kubectl:v1 (kubectl)"], id="other"),
        pytest.param(KUBECTL, at(mode=0o700), False, ["change /bin/kubectl: mode 0700 to 0755"], id="mode"),
        pytest.param(
            KUBECTL,
            at(owner="me", group="us"),
            False,
            ["change /bin/kubectl: owner me to root, group us to root"],
            id="owner",
        ),
        pytest.param(KUBECTL, at(), True, ["remove /bin/kubectl"], id="remove"),
        pytest.param(KUBECTL, NOTHING, True, [], id="removed"),
    ],
)
def test_plan(file, present, absent, expected):
    assert [action.text for action in plan([file], {file.path: present}, absent)] == expected


@pytest.mark.parametrize("absent", [False, True])
def test_plan_refuses_a_directory(absent):
    with pytest.raises(OciFilesError, match="/bin/kubectl should be a file, but a directory is there"):
        plan([KUBECTL], {KUBECTL.path: at(kind="directory")}, absent)


@pytest.mark.parametrize(
    ("action", "present", "before", "after"),
    [
        (Action("install", KUBECTL, ""), NOTHING, "", "sha256:aa 0755 root:root\n"),
        (Action("install", UNKNOWN, ""), NOTHING, "", f"kubectl of sha256:{'1' * 64} 0755 root:root\n"),
        (Action("install", KUBECTL, ""), at(sha256="bb"), "sha256:bb 0755 root:root\n", "sha256:aa 0755 root:root\n"),
        (Action("remove", KUBECTL, ""), at(), "sha256:aa 0755 root:root\n", ""),
    ],
)
def test_diff(action, present, before, after):
    diff = diff_of(action, present)
    assert (diff["before"], diff["after"]) == (before, after)


def test_resolve():
    resolved = resolve(UNKNOWN, {"kubectl": ("cc", 5)})
    assert (resolved.sha256, resolved.size) == ("cc", 5)


@pytest.mark.parametrize(
    ("file", "layers", "message"),
    [
        (UNKNOWN, {"kubelet": ("cc", 5)}, "has no file kubectl; it has: kubelet"),
        (UNKNOWN, {}, "has no file kubectl; it has: none"),
        (KUBECTL, {"kubectl": ("cc", 5)}, "kubectl of x/kubectl:v1 should have sha256 aa, but .* holds cc"),
    ],
)
def test_resolve_refuses(file, layers, message):
    with pytest.raises(OciFilesError, match=message):
        resolve(file, layers)


def test_layers_of():
    layers = [{"digest": "sha256:ab", "size": 3, "annotations": {TITLE: "one"}}]
    assert layers_of(json.dumps({"layers": layers}).encode(), "x") == {"one": ("ab", 3)}


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b"<html>",
        b'{"layers": [{"digest": "sha256:ab", "size": 3}]}',
        b'{"layers": [{"annotations": {}}]}',
    ],
)
def test_layers_of_something_else(manifest):
    with pytest.raises(OciFilesError, match="x is not an artifact of files"):
        layers_of(manifest, "x")


@pytest.mark.parametrize("endpoints", [[], ["a"], ["a", "b"], ["a", "b", "c"]])
def test_in_turn_has_all(endpoints):
    assert sorted(in_turn(endpoints, "host1")) == endpoints


def test_in_turn_shares_the_load():
    first = [in_turn(["a", "b"], f"host{number}")[0] for number in range(100)]
    assert 30 < first.count("a") < 70
    assert in_turn(["a", "b", "c"], "h") == in_turn(["a", "b", "c"], "h")


@pytest.mark.parametrize(
    ("sizes", "free", "expected"),
    [
        ({}, {}, None),
        ({"/usr": 100}, {"/usr": 100}, None),
        (
            {"/usr": 5 * 2**20, "/opt": 1},
            {"/usr": 2**20, "/opt": 1},
            "/usr needs 5 MiB for new files and has 1 MiB free",
        ),
    ],
)
def test_missing_space(sizes, free, expected):
    assert missing_space(sizes, free) == expected
