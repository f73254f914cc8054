# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How a host that host_prepare prepared gets back what it had before; decided from what was observed."""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.module_utils._host_baseline import BASELINE_FILE
from ansible_collections.cloudnative.platform.plugins.module_utils._host_prepare import (
    FSTAB_FILE,
    FSTAB_MARK,
    HOSTNAME_FILE,
    HOSTS_FILE,
    MODULES_FILE,
    SYSCTL_FILE,
    HostState,
    Plan,
    Step,
    give_back_sysctls,
    without_block,
)


def plan_restore(state: HostState) -> Plan:
    """Pure: steps in order. The record goes last: a run that is killed before is finished by the next one."""
    result = Plan()
    result.remove(SYSCTL_FILE, state)
    result.remove(MODULES_FILE, state)
    result.steps += give_back_sysctls(state)
    if state.files.get(HOSTS_FILE) is not None:
        result.file(HOSTS_FILE, without_block(state.files[HOSTS_FILE] or ""), state)
    _restore_swap(state, result)
    _restore_hostname(state, result)
    if state.baseline.root_shared is False and state.root_shared:
        text = "let mounts below / stay where they are (mount --make-rprivate /), as it was before"
        result.steps.append(Step("rprivate", "/", text))
    for path in state.baseline.unmounted:
        if path in state.mounts:
            result.steps.append(Step("unmount", path, f"unmount {path}, which was not mounted before"))
    result.remove(BASELINE_FILE, state)
    return result


def _restore_swap(state: HostState, result: Plan) -> None:
    fstab = state.files.get(FSTAB_FILE)
    if fstab is not None:
        lines = [line[len(FSTAB_MARK) :] if line.startswith(FSTAB_MARK) else line for line in fstab.splitlines(True)]
        result.file(FSTAB_FILE, "".join(lines), state)
    off = [name for name in state.baseline.swaps if name not in state.swaps]
    result.steps += [Step("swapon", name, f"turn on swap on {name}, as it was before") for name in off]


def _restore_hostname(state: HostState, result: Plan) -> None:
    before = state.baseline.hostname
    if before is None:
        return
    if state.baseline.hostname_file is None:
        result.remove(HOSTNAME_FILE, state)
    else:
        result.file(HOSTNAME_FILE, state.baseline.hostname_file, state)
    if state.hostname != before:
        text = f"rename the host from {state.hostname} to {before}, as it was before"
        result.steps.append(Step("hostname", before, text, before))
