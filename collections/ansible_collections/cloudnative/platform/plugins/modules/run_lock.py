#!/usr/bin/python

# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Keep two runs from changing one platform at the same time
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Takes the lock of a platform for the run that calls it, renews it, or gives it back. A run is one process of
    C(ansible-playbook). Fails when another run has the lock, and says who that is and since when.
  - The lock is a file on the host, which only root can read and which outlasts a reboot. It is meant for the registry
    hosts of a platform, which are there before the cluster and are part of every run.
  - The lock is taken from a run that has not renewed it for O(expire_minutes), with a warning; from a run of the same
    controller whose process is gone, with a warning; and from any other with O(take_over).
  - The callback plugin P(cloudnative.platform.run_lock#callback) gives the lock back when the run ends, however it
    ends. Without it, it stays until it expires.
  - In check mode nothing is taken, but there is a warning when another run has the lock.
  - C(changed) tells only of the lock of another run that was removed. A run's own lock is no change, it is gone when
    the run is over.
  - An action plugin of the same name says on the controller who the run is; it fills in O(holder) and O(replaces).
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
    description:
      - V(present) takes the lock, or renews it when this run has it.
      - V(absent) gives it back. The lock of another run is only told of, or removed with O(take_over).
    type: str
    choices: [present, absent]
    default: present
  path:
    description: The file. Its directory is made when it is missing, and removed with the lock when it is empty then.
    type: path
    default: /var/lib/cloudnative/run-lock.json
  expire_minutes:
    description:
      - After this time without renewal the lock may be taken by another run. It must be longer than the longest time
        between two renewals.
    type: int
    default: 120
  take_over:
    description:
      - Take the lock even if another run has it that may be alive. That run stops when it tries to renew the lock, but
        until then two runs change the same hosts.
    type: bool
    default: false
  renew:
    description:
      - This run took the lock before. When another run has it by now, fail, whatever O(take_over) says.
    type: bool
    default: false
  holder:
    description: This run. Filled in by the action plugin.
    type: dict
    suboptions:
      run:
        description: Its id.
        type: str
        required: true
      user:
        description: Who started it.
        type: str
      host:
        description: Its controller.
        type: str
      pid:
        description: Its process.
        type: int
      start:
        description: When that process started, in the kernel's units.
        type: str
      boot_id:
        description: The kernel's id of the controller's boot.
        type: str
      pid_namespace:
        description: The namespace that O(holder.pid) belongs to.
        type: str
      playbook:
        description: What it runs.
        type: str
      job:
        description: Its job in AWX.
        type: str
  replaces:
    description: Id of the run whose lock may be taken. Filled in by the action plugin.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Hold the lock of the platform
  hosts: registry
  gather_facts: false
  serial: 1
  tasks:
    - name: Take or renew the lock of the platform
      cloudnative.platform.run_lock:
        take_over: "{{ platform_lock_break | default(false) }}"

- name: Remove the lock by hand
  hosts: registry
  gather_facts: false
  tasks:
    - name: Remove the lock, whoever has it
      cloudnative.platform.run_lock:
        state: absent
        take_over: true
"""

RETURN = r"""
held:
  description: Whether this run has the lock now. False in check mode.
  returned: success
  type: bool
action:
  description: What was done, or would be done in check mode.
  returned: success
  type: str
  choices: [take, renew, take_over, release, nothing, refuse]
found:
  description: The record that was there before, with its times in seconds; none where the lock was free.
  returned: success
  type: dict
now:
  description: The time of the host that keeps the lock, in seconds.
  returned: success
  type: int
actions:
  description: What was done, or would be done in check mode, in words.
  returned: success
  type: list
  elements: str
"""

import time
import typing as t
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import HostFileError
from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock import (
    REFUSE,
    RELEASE,
    RENEW,
    TAKE,
    TAKE_OVER,
    Decision,
    Holder,
    Record,
    decide,
    decide_release,
    describe,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock_io import alone, read, remove, write

HOLDER = {
    "run": {"type": "str", "required": True},
    "user": {"type": "str"},
    "host": {"type": "str"},
    "pid": {"type": "int"},
    "start": {"type": "str"},
    "boot_id": {"type": "str"},
    "pid_namespace": {"type": "str"},
    "playbook": {"type": "str"},
    "job": {"type": "str"},
}


def sentence(decision: Decision, found: Record | None, now: int) -> list[str]:
    whose = describe(found, now) if found is not None else ""
    text = {
        TAKE: "take the lock of the platform",
        RENEW: "renew the lock of the platform",
        TAKE_OVER: f"take over the lock of {whose}",
        RELEASE: f"remove the lock of {whose}",
    }.get(decision.action)
    return [text] if text else []


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    me = Holder(**{name: value for name, value in params["holder"].items() if value is not None})
    path, wanted = params["path"], params["state"] == "present"
    with alone(path, create=wanted and not module.check_mode):
        now = int(time.time())
        found = read(path)
        if wanted:
            decision = decide(found, me, now, params["expire_minutes"] * 60, params["replaces"], params["renew"])
        else:
            decision = decide_release(found, me.run, params["replaces"])
        if not module.check_mode:
            if decision.action == RELEASE:
                remove(path)
            elif decision.action != REFUSE and decision.record is not None:
                write(module, path, decision.record)
    return {
        "changed": decision.action == RELEASE and found is not None and found.run != me.run,
        "held": decision.action in (TAKE, RENEW, TAKE_OVER) and not module.check_mode,
        "action": decision.action,
        "found": asdict(found) if found is not None else None,
        "now": now,
        "actions": sentence(decision, found, now),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "path", "default": "/var/lib/cloudnative/run-lock.json"},
            "expire_minutes": {"type": "int", "default": 120},
            "take_over": {"type": "bool", "default": False},
            "renew": {"type": "bool", "default": False},
            "holder": {"type": "dict", "options": HOLDER},
            "replaces": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.params["expire_minutes"] < 1:
        module.fail_json(
            msg=f"expire_minutes: {module.params['expire_minutes']} is less than one minute; give the time that a run "
            "needs between two renewals, e.g. 120"
        )
    if module.params["holder"] is None:
        module.fail_json(msg="holder is missing; it is filled in by the action plugin cloudnative.platform.run_lock")
    try:
        result = run(module)
    except HostFileError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
