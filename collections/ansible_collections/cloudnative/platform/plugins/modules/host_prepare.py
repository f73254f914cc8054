#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_prepare
short_description: Prepare a Linux host for containers and Kubernetes, and tell what it can do
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Checks whether a host is fit to be part of the platform, and names everything that is wrong with it at once.
  - Sets kernel modules, sysctls, swap, host name, names in C(/etc/hosts) and mount propagation, now and for the next
    boot.
  - Notes in C(/var/lib/cloudnative/host-baseline.json) what it changes before it changes it for the first time. A
    kernel parameter that is taken out of O(sysctls) gets its former value back, and O(state=absent) gives all back.
  - Returns the host's facts as C(ansible_facts.platform_host), so that nothing else has to gather any.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._attributes.facts
  - cloudnative.platform._attributes.platform
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  facts:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
options:
  state:
    description:
      - V(present) prepares the host.
      - V(absent) gives it back as it was found - kernel parameters, swap, host name, names in C(/etc/hosts), mount
        propagation. All other options are ignored then. Modules that were loaded stay until the next boot.
    type: str
    choices: [present, absent]
    default: present
    version_added: 0.1.0
  hostname:
    description: Name of the host. Without it, the name is left as it is.
    type: str
  modules:
    description:
      - Kernel modules that must be there, loaded or built in. They are loaded now and at boot.
    type: list
    elements: str
    default: []
  optional_modules:
    description: Kernel modules that are loaded where the kernel has them.
    type: list
    elements: str
    default: []
  sysctls:
    description:
      - Kernel parameters and their values, set now and kept in C(/etc/sysctl.d/90-cloudnative.conf).
      - Those below C(net.bridge) are set only where the kernel filters bridged traffic.
      - One that was set before and isn't named any more gets its former value back. Without the option, all are left as
        they are.
    type: dict
  swap_enabled:
    description: With V(false) swap is turned off, now and in C(/etc/fstab). Otherwise it is left as it is.
    type: bool
  hosts_entries:
    description:
      - Host names and their addresses, kept as a block in C(/etc/hosts). An empty dict removes the block.
    type: dict
  mounts_shared:
    description: Whether mounts below C(/) propagate to containers. systemd does that where it boots a machine itself.
    type: bool
    default: false
  packages:
    description: Packages to look for. They aren't installed; see RV(missing_packages).
    type: list
    elements: str
    default: []
  min_memory_mb:
    description: Memory that the host must have, in MiB.
    type: int
    default: 0
  min_disk_mb:
    description: Free disk space that O(disk_path) must have, in MiB.
    type: int
    default: 0
  disk_path:
    description: Where disk space is looked for.
    type: path
    default: /var
  supported_os:
    description:
      - Operating systems that are accepted, as C(ID) of C(/etc/os-release), alone or with the start of C(VERSION_ID).
      - With an empty list any is accepted.
    type: list
    elements: str
    default: []
  time_synchronised:
    description: Whether the clock must be synchronised. Containers have the clock of their machine and aren't asked.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Prepare the host
  cloudnative.platform.host_prepare:
    modules:
      - overlay
    optional_modules:
      - br_netfilter
    sysctls:
      net.ipv4.ip_forward: "1"
      net.bridge.bridge-nf-call-iptables: "1"
    swap_enabled: false
    hosts_entries:
      api.cluster.example: [127.0.0.1]
    min_memory_mb: 1700
    supported_os:
      - debian 12
      - debian 13

- name: Give the host back as it was found
  cloudnative.platform.host_prepare:
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: always
  type: list
  elements: str
  sample: ["set net.ipv4.ip_forward = 1 (it is 0)", "create /etc/sysctl.d/90-cloudnative.conf"]
diff:
  description: Files before and after.
  returned: always
  type: list
  elements: dict
missing_packages:
  description: Those of O(packages) that aren't installed.
  returned: always
  type: list
  elements: str
check_mode:
  description:
    - Whether the module ran in check mode. C(ansible_check_mode) follows the command line only, not the C(check_mode)
      of a play or a task.
  returned: always
  type: bool
ansible_facts:
  description: Facts about the host.
  returned: always
  type: dict
  contains:
    platform_host:
      description: What the platform needs to know of a host.
      returned: always
      type: dict
      contains:
        architecture:
          description: V(amd64) or V(arm64); other names as the kernel has them.
          type: str
          returned: always
        bridge_nf:
          description: Whether bridged traffic can be filtered.
          type: bool
          returned: always
        cgroup_version:
          description: V(1) or V(2).
          type: int
          returned: always
        container:
          description: Whether the host is itself a container.
          type: bool
          returned: always
        default_ipv4:
          description: Address that the host uses towards others, null where it has no route.
          type: str
          returned: always
        hostname:
          description: Name of the host.
          type: str
          returned: always
        kernel:
          description: Release of the running kernel.
          type: str
          returned: always
        kubernetes_ca:
          description: The sha256 of the DER of the cluster's CA certificate, in hexadecimal; empty where there is none.
          type: str
          returned: always
        kubernetes_version:
          description:
            - Version of Kubernetes that this host runs as a node, such as V(v1.36.4); empty where it runs none.
            - Of the API server where there is one. Elsewhere of the kubelet, as M(cloudnative.platform.oci_files) has
              installed it.
          type: str
          returned: always
        machine_id:
          description: Identifier of this installation.
          type: str
          returned: always
        memory_mb:
          description: Memory in MiB.
          type: int
          returned: always
        nftables:
          description: Whether the kernel has the nftables that kube-proxy needs (Linux 5.13 or later).
          type: bool
          returned: always
        oom_score_lowerable:
          description: Whether processes may be protected from the out-of-memory killer, which takes CAP_SYS_RESOURCE.
          type: bool
          returned: always
        os_family:
          description: V(debian), V(redhat), V(suse) and the like.
          type: str
          returned: always
        os_id:
          description: C(ID) of C(/etc/os-release).
          type: str
          returned: always
        os_version:
          description: C(VERSION_ID) of C(/etc/os-release).
          type: str
          returned: always
        python:
          description: Version of the Python that ran this module.
          type: str
          returned: always
        root:
          description: Whether the module ran as root.
          type: bool
          returned: always
        time_synchronised:
          description: Whether the clock is synchronised; null where that can't be known.
          type: bool
          returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._host_baseline import BaselineError
from ansible_collections.cloudnative.platform.plugins.module_utils._host_facts import gather
from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import HostFileError
from ansible_collections.cloudnative.platform.plugins.module_utils._host_fitness import Requirements, judge
from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._host_prepare import (
    HostState,
    Plan,
    Step,
    Wishes,
    plan,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_prepare_io import (
    Host,
    PrepareError,
    free_mb,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_restore import plan_restore
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import SystemdError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "hostname": {"type": "str"},
    "modules": {"type": "list", "elements": "str", "default": []},
    "optional_modules": {"type": "list", "elements": "str", "default": []},
    "sysctls": {"type": "dict"},
    "swap_enabled": {"type": "bool"},
    "hosts_entries": {"type": "dict"},
    "mounts_shared": {"type": "bool", "default": False},
    "packages": {"type": "list", "elements": "str", "default": []},
    "min_memory_mb": {"type": "int", "default": 0},
    "min_disk_mb": {"type": "int", "default": 0},
    "disk_path": {"type": "path", "default": "/var"},
    "supported_os": {"type": "list", "elements": "str", "default": []},
    "time_synchronised": {"type": "bool", "default": False},
}


def wishes_from(params: t.Mapping[str, t.Any]) -> Wishes:
    entries = params["hosts_entries"]
    if entries is not None:
        entries = {name: [value] if isinstance(value, str) else list(value) for name, value in entries.items()}
    sysctls = params["sysctls"]
    return Wishes(
        hostname=params["hostname"],
        modules=tuple(params["modules"]),
        optional_modules=tuple(params["optional_modules"]),
        sysctls=None if sysctls is None else {key: str(value) for key, value in sysctls.items()},
        swap_enabled=params["swap_enabled"],
        hosts_entries=entries,
        mounts_shared=params["mounts_shared"],
    )


KERNEL = "running kernel"
FILE_STEPS = ("file", "remove", "baseline")


def diff_of(steps: list[Step], state: HostState) -> list[dict[str, str]]:
    """Files as they are, and all of the running kernel in one: a line for each parameter, module and name."""
    diff = [
        entry(step.target, state.files.get(step.target) or "", step.value) for step in steps if step.kind in FILE_STEPS
    ]
    before, after = [], []
    for step in steps:
        if step.kind == "sysctl":
            current = state.sysctls.get(step.target)
            before += [f"{step.target} = {' '.join(current.split())}\n"] if current is not None else []
            after.append(f"{step.target} = {' '.join(step.value.split())}\n")
        elif step.kind == "hostname":
            before.append(f"hostname {state.hostname}\n")
            after.append(f"hostname {step.value}\n")
        elif step.kind == "swapoff":
            before += [f"swap on {name}\n" for name in state.swaps]
        elif step.kind not in FILE_STEPS:
            after.append(f"{step.text}\n")
    if before or after:
        diff.append(entry(KERNEL, "".join(before), "".join(after)))
    return diff


def entry(header: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    host, wishes = Host(module), wishes_from(params)
    state = host.observe(wishes)
    facts = gather()
    if params["state"] == "absent":
        todo, problems = plan_restore(state), []
    else:
        todo = plan(wishes, state)
        problems = judged(params, facts) + todo.problems
    if problems:
        listed = "".join(f"\n- {problem}" for problem in problems)
        module.fail_json(msg=f"host {facts['hostname']} can't be prepared, nothing was changed:{listed}")
    return converge(module, host, state, todo, facts)


def judged(params: t.Mapping[str, t.Any], facts: t.Mapping[str, t.Any]) -> list[str]:
    required = Requirements(
        min_memory_mb=params["min_memory_mb"],
        min_disk_mb=params["min_disk_mb"],
        disk_path=params["disk_path"],
        supported_os=tuple(params["supported_os"]),
        time_synchronised=params["time_synchronised"],
    )
    return judge(required, facts, free_mb(params["disk_path"]))


def converge(
    module: AnsibleModule, host: Host, state: HostState, todo: Plan, facts: dict[str, t.Any]
) -> dict[str, t.Any]:
    for warning in todo.warnings:
        module.warn(warning)
    missing = host.missing_packages(module.params["packages"])
    if not module.check_mode:
        for step in todo.steps:
            host.apply(step)
        if todo.steps:
            facts = gather()
    return {
        "changed": bool(todo.steps),
        "actions": [step.text for step in todo.steps],
        "diff": diff_of(todo.steps, state),
        "missing_packages": missing,
        "check_mode": module.check_mode,
        "ansible_facts": {"platform_host": facts},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        with lock_for(module):
            result = run(module)
    except (BaselineError, HostFileError, HostLockError, PrepareError, SystemdError) as e:
        module.fail_json(msg=str(e))
    except OSError as e:
        module.fail_json(msg=f"cannot prepare the host: {e}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
