# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic

from ansible_collections.cloudnative.platform.plugins.module_utils._host_measure import Bounds
from ansible_collections.cloudnative.platform.plugins.modules import host_measure

# No disk is that fast, so this bound is missed by a real figure.
IMPOSSIBLE = {"max_fsync_p99_ms": 1e-6}


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)

    def call(check=False, **options):
        params = {
            "fsync_path": str(tmp_path / "etcd"),
            **options,
            "_ansible_check_mode": check,
            "_ansible_remote_tmp": str(tmp_path),
            "_ansible_keep_remote_files": False,
        }
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": params}).encode())
        with pytest.raises(SystemExit):
            host_measure.main()
        return json.loads(capsys.readouterr().out)

    return call


@pytest.mark.parametrize("check", [False, True])
def test_figures_and_findings(run, tmp_path, check):
    done = run(check=check, max_fsync_p99_ms=1e6)
    (finding,) = done["findings"]
    assert (finding["figure"], finding["verdict"]) == ("fsync p99", "ok")
    assert done["ansible_facts"]["platform_measurements"]["fsync"]["samples"] > 0
    assert (done["changed"], done["missed"]) == (False, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("on_miss", "failed", "warnings"), [("report", False, 0), ("warn", False, 1), ("fail", True, 0)]
)
def test_a_miss_is_reported_warned_of_or_fatal(run, monkeypatch, on_miss, failed, warnings):
    said = []
    # The real one collects them for the life of the process.
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: said.append(text))
    done = run(on_miss=on_miss, **IMPOSSIBLE)
    assert len(done["missed"]) == 1
    assert done.get("failed", False) is failed
    assert len(said) == warnings
    said += [done["msg"]] if failed else []
    assert all("fsync p99" in text and "What to do: " in text for text in said)


def test_what_is_unknown_is_no_miss(run):
    done = run(
        registry={"endpoints": ["http://127.0.0.1:9"]},
        artifact={"ref": "x/kubelet:v1", "digest": "sha256:" + "0" * 64},
        peers=[{"name": "gone", "address": "no-such-host.invalid"}],
        fsync_path="/proc",
        on_miss="fail",
    )
    assert {finding["verdict"] for finding in done["findings"]} == {"unknown"}
    assert {finding["figure"] for finding in done["findings"]} == {"clock", "path MTU", "fsync p99", "bandwidth"}
    assert not done.get("failed")


def test_nothing_to_measure(run):
    done = run(fsync_path=None)
    assert (done["findings"], done["changed"]) == ([], False)


def test_bounds_are_the_documented_ones():
    defaults = {name: host_measure.ARGUMENT_SPEC[name]["default"] for name in Bounds.__dataclass_fields__}
    assert Bounds(**defaults) == Bounds()
