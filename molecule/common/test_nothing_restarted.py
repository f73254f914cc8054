"""A second converge restarts nothing: every unit and container that ran before it still runs, and is the same one."""

from __future__ import annotations

import os
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent


def test_nothing_restarted(host, running, parse_running_record):
    name = host.backend.get_hostname()
    scenario = os.environ["MOLECULE_SCENARIO_NAME"]
    record = HERE.parents[1] / ".lab" / "molecule" / scenario / f"running-{name}"
    if not record.exists():
        pytest.skip("nothing was recorded before the second converge: run the whole sequence (molecule test)")
    before = parse_running_record(record)
    # It speaks about one converge only; the next one records anew.
    record.unlink()
    assert before, "a host runs at least sshd"
    after = running(host)
    changed = {unit: (was, after.get(unit, "not running")) for unit, was in before.items() if after.get(unit) != was}
    assert not changed
