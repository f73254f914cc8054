#!/usr/bin/python

# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apiserver_pause
short_description: Make the API server of a control plane hang for some seconds
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Stops the process of the API server with a signal, as a host that hangs would. Connections are still accepted by the
    kernel, but nobody answers. Meant to prove that the cluster stands the loss of a control plane.
  - A timer of systemd lets the process go on after O(seconds), whatever becomes of the play. It is armed before the
    process is stopped.
  - Controller manager and scheduler of the same host lose their leadership when the pause is longer than about 10
    seconds, and are then restarted by the kubelet.
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  state:
    description: Whether the API server hangs or goes on.
    type: str
    choices: [paused, running]
    required: true
  seconds:
    description: The longest time it hangs.
    type: int
    default: 30
  process:
    description: Name of the process.
    type: str
    default: kube-apiserver
seealso:
  - module: cloudnative.platform.api_endpoint_probe
"""

EXAMPLES = r"""
- name: Make the API server hang
  cloudnative.platform.apiserver_pause:
    state: paused
    seconds: 20

- name: Let it go on
  cloudnative.platform.apiserver_pause:
    state: running
"""

RETURN = r"""
was_paused:
  description: Whether all processes were stopped when the module began.
  returned: success
  type: bool
processes:
  description: Ids of the processes.
  returned: success
  type: list
  elements: int
actions:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
"""

import os
import signal
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._process_state import is_stopped, plan, processes

UNIT = "cloudnative-apiserver-resume"


def disarm(module: AnsibleModule) -> None:
    """Remove the timer of an earlier call; there may be none."""
    module.run_command(["systemctl", "stop", f"{UNIT}.timer"])
    module.run_command(["systemctl", "reset-failed", f"{UNIT}.timer", f"{UNIT}.service"])


def arm(module: AnsibleModule, pids: list[int]) -> None:
    disarm(module)
    code, _output, error = module.run_command(
        [
            "systemd-run",
            f"--unit={UNIT}",
            f"--on-active={module.params['seconds']}s",
            "--timer-property=AccuracySec=200ms",
            "/bin/kill",
            "-CONT",
            *[str(pid) for pid in pids],
        ]
    )
    if code != 0:
        module.fail_json(
            msg=f"nothing was stopped, for the timer that would end it could not be armed: {error.strip()}; "
            "systemd must run on the host"
        )


def apply(module: AnsibleModule, pids: list[int], everything: list[int]) -> None:
    paused = module.params["state"] == "paused"
    if paused:
        arm(module, everything)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)
        except ProcessLookupError:
            module.fail_json(msg=f"{module.params['process']} (process {pid}) ended meanwhile")
    if not paused:
        disarm(module)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["paused", "running"], "required": True},
            "seconds": {"type": "int", "default": 30},
            "process": {"type": "str", "default": "kube-apiserver"},
        },
        supports_check_mode=True,
    )
    name, state = module.params["process"], module.params["state"]
    if module.params["seconds"] < 1:
        module.fail_json(msg=f"seconds: {module.params['seconds']} is less than one")
    found = processes(name)
    if not found:
        module.fail_json(msg=f"there is no process {name} on this host; is it a control plane?")
    pids = plan(state, found)
    verb = "stopped" if state == "paused" else "continued"
    actions = [f"{verb} {name} (process {pid})" for pid in pids]
    if actions and not module.check_mode:
        apply(module, pids, sorted(found))
        # The state of a process changes a moment after the signal.
        deadline = time.monotonic() + 2
        while plan(state, processes(name)):
            if time.monotonic() > deadline:
                module.fail_json(msg=f"{name} was not {verb} within 2 s of the signal")
            time.sleep(0.05)
    module.exit_json(
        changed=bool(actions),
        was_paused=all(is_stopped(letter) for letter in found.values()),
        processes=sorted(found),
        actions=actions,
    )


if __name__ == "__main__":
    main()
