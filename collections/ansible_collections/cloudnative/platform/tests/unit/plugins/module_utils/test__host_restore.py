# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._host_baseline import BASELINE_FILE, Baseline
from ansible_collections.cloudnative.platform.plugins.module_utils._host_prepare import (
    FSTAB_FILE,
    HOSTNAME_FILE,
    HOSTS_FILE,
    MODULES_FILE,
    SYSCTL_FILE,
    HostState,
    Wishes,
    plan,
    with_block,
    without_swap,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_restore import plan_restore

FSTAB = "UUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n# /dev/x none swap sw 0 0\n"
HOSTS = "127.0.0.1 localhost\n"


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        pytest.param(HostState(), [], id="nothing of ours"),
        pytest.param(
            HostState(files={HOSTS_FILE: HOSTS, FSTAB_FILE: FSTAB, HOSTNAME_FILE: "x\n"}), [], id="not touched"
        ),
        pytest.param(
            HostState(files={SYSCTL_FILE: "", MODULES_FILE: ""}),
            [f"remove {SYSCTL_FILE}", f"remove {MODULES_FILE}"],
            id="files",
        ),
        pytest.param(
            HostState(sysctls={"a.b": "1", "c.d": "2"}, baseline=Baseline(sysctls={"a.b": "0", "c.d": "2"})),
            ["set a.b = 0, as it was before (it is 1)"],
            id="only what differs",
        ),
        pytest.param(
            HostState(
                sysctls={"a.b": "1", "c.d": "3"},
                baseline=Baseline(sysctls={"a.b": "0"}, others={"a.b": "9", "c.d": "2"}),
            ),
            ["set a.b = 0, as it was before (it is 1)", "set c.d = 2, as it was before (it is 3)"],
            id="what others changed; what we changed ourselves is known better",
        ),
        pytest.param(
            HostState(swaps=("/dev/a",), baseline=Baseline(swaps=("/dev/a", "/dev/b"))),
            ["turn on swap on /dev/b, as it was before"],
            id="swap",
        ),
        pytest.param(
            HostState(hostname="new", files={HOSTNAME_FILE: "new\n"}, baseline=Baseline(hostname="old")),
            [f"remove {HOSTNAME_FILE}", "rename the host from new to old, as it was before"],
            id="host name without a file",
        ),
        pytest.param(
            HostState(root_shared=True, baseline=Baseline(root_shared=False)),
            ["let mounts below / stay where they are (mount --make-rprivate /), as it was before"],
            id="propagation",
        ),
        pytest.param(
            HostState(mounts=("/sys/fs/bpf",), baseline=Baseline(unmounted=("/sys/fs/bpf",))),
            ["unmount /sys/fs/bpf, which was not mounted before"],
            id="what a network plugin mounted",
        ),
        pytest.param(HostState(mounts=(), baseline=Baseline(unmounted=("/sys/fs/bpf",))), [], id="unmounted already"),
        pytest.param(HostState(mounts=("/sys/fs/bpf",)), [], id="mounted before"),
        pytest.param(HostState(root_shared=False, baseline=Baseline(root_shared=False)), [], id="propagation is back"),
        pytest.param(HostState(files={BASELINE_FILE: "{}"}), [f"remove {BASELINE_FILE}"], id="the record"),
    ],
)
def test_restore(state, steps):
    assert [step.text for step in plan_restore(state).steps] == steps


def test_restore_is_the_reverse_of_prepare():
    """What preparing does to files and values, restoring undoes, and then there is nothing left to do."""
    files = {HOSTS_FILE: HOSTS, FSTAB_FILE: FSTAB, HOSTNAME_FILE: "old\n"}
    before = HostState(hostname="old", swaps=("/swap",), root_shared=False, sysctls={"a.b": "0"}, files=files)
    wishes = Wishes(hostname="new", sysctls={"a.b": "1"}, swap_enabled=False, hosts_entries={"api": ["::1"]})
    note = next(step for step in plan(wishes, before).steps if step.kind == "baseline")
    prepared = HostState(
        hostname="new",
        sysctls={"a.b": "1"},
        files={
            HOSTS_FILE: with_block(HOSTS, {"api": ["::1"]}),
            FSTAB_FILE: without_swap(FSTAB),
            HOSTNAME_FILE: "new\n",
            SYSCTL_FILE: "x",
            BASELINE_FILE: note.value,
        },
        baseline=Baseline(sysctls={"a.b": "0"}, hostname="old", hostname_file="old\n", swaps=("/swap",)),
    )
    steps = plan_restore(prepared).steps
    written = {step.target: step.value for step in steps if step.kind == "file"}
    assert written == files
    assert steps[-1].target == BASELINE_FILE
    assert plan_restore(before).steps == []
