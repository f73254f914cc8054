# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kuma_upgrade_check on the host of a control plane: one that answers, one that is down, and none at all."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from kuma_mesh import MESH, Control, dataplane, mesh

Start = t.Callable[..., Control]


@pytest.fixture(name="start")
def fixture_start(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Start:
    def start(*options: str) -> Control:
        control = Control(*options)
        control.start_test(capsys, monkeypatch)
        return control

    return start


def program(path: Path, says: str, code: int = 0) -> str:
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_the_version_that_runs_is_one_request(start: Start) -> None:
    control = start("--version", "2.14.3")
    with control.running():
        done = control.upgrade_check("2.14.3")
        assert (done["changed"], done["version"], done["requests"]) == (False, "2.14.3", 1)
        assert control.upgrade_check("2.14.1")["upgrade"]["allowed"]


@pytest.mark.parametrize(
    ("version", "target", "said"),
    [
        ("2.14.3", "2.13.10", "a control plane does not go back from 2.14 to 2.13"),
        ("2.14.3", "3.0.0", "Kuma 3.0 is outside of the supported range"),
        (
            "2.11.18",
            "2.14.3",
            "Kuma 2.11.18 runs here and does not go to 2.14.3: from 2.11 to 2.14 is more than 2 minor",
        ),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_version_that_may_not_go_there(start: Start, version: str, target: str, said: str, check: bool) -> None:
    control = start("--version", version)
    with control.running():
        with pytest.raises(AssertionError) as caught:
            control.upgrade_check(target, _ansible_check_mode=check)
        assert said in str(caught.value)
        assert "set skip_upgrade_checks (of role kuma: kuma_skip_upgrade_checks)" in str(caught.value)
        done = control.upgrade_check(target, skip_upgrade_checks=True, _ansible_check_mode=check)
        assert not done["upgrade"]["allowed"]
        assert done["upgrade"]["problems"][0] in json.dumps(done["warnings"])


def test_data_planes_are_in_the_way(start: Start) -> None:
    control = start("--version", "2.13.10", "--dataplanes-version", "2.11.18", "--dataplanes-connect")
    with control.running():
        for path, body in (("", mesh()), ("/dataplanes/web-1", {**dataplane("web-1"), "mesh": MESH})):
            control.ask("PUT", f"/meshes/{MESH}{path}", body)
        control.wait_until(lambda found: not found["offline"] and bool(found["dataplanes"]))
        with pytest.raises(AssertionError, match=r"\(contract/web-1 2\.11\.18\): bring them to 2\.13\.10 first"):
            control.upgrade_check("2.14.3")


def test_a_control_plane_that_is_down(start: Start, tmp_path: Path) -> None:
    control = start()
    control.url = "http://127.0.0.1:1"
    # Nothing was ever there.
    done = control.upgrade_check("2.14.3", program=str(tmp_path / "none"))
    assert (done["version"], done["upgrade"]["allowed"]) == ("", True)
    with pytest.raises(AssertionError, match=r"no Kuma 3\.0\.0: Kuma 3\.0 is outside of the supported range"):
        control.upgrade_check("3.0.0", program=str(tmp_path / "none"))
    old = program(tmp_path / "old", "Kuma: 2.11.18")
    with pytest.raises(AssertionError, match=r"from 2\.11 to 2\.14 is more than 2 minor versions"):
        control.upgrade_check("2.14.3", program=old)
    done = control.upgrade_check("2.14.3", program=program(tmp_path / "near", "Kuma: 2.13.10"))
    assert "can't be reached" in json.dumps(done["warnings"])
    assert "the versions of data planes are not known" in json.dumps(done["warnings"])
    # What is broken is to be replaced.
    done = control.upgrade_check("2.14.3", program=program(tmp_path / "broken", "Segmentation fault", 1))
    assert "does not say its version: nothing was checked" in json.dumps(done["warnings"])


def test_one_that_does_not_tell_how_it_is_set_up(start: Start) -> None:
    control = start("--version", "2.13.10")
    with control.running():
        with pytest.raises(AssertionError, match=r"check api_url; to go to 2\.14\.3 unseen, set skip_upgrade_checks"):
            control.upgrade_check("2.14.3", api_url=f"{control.url}/gui")
        done = control.upgrade_check("2.14.3", api_url=f"{control.url}/gui", skip_upgrade_checks=True)
        assert "nothing was checked" in json.dumps(done["warnings"])
