#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_reset
short_description: Take back what services, containers and networks left on a host
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Removes units, containers, control groups, mounts, network namespaces, interfaces, routes, firewall rules, files,
    directories and users in one call and in the order in which they let go of each other.
  - Plans from what is there. A run that was killed is finished by the next one, and one more changes nothing.
  - Never deletes through a mount. What is mounted below a directory is unmounted first; what can't be unmounted ends
    the call before anything is deleted there. A directory that is itself a mount, or a symbolic link, is emptied and
    stays.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._attributes.platform
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
options:
  units:
    description:
      - systemd units that are stopped in this order, disabled, and removed with their drop-ins under
        C(/etc/systemd/system). The unit file of a package stays.
    type: list
    elements: str
    default: []
  containers:
    description: Socket of a containerd. All processes of its containers end, its shims last.
    type: path
  slices:
    description: Slices whose control groups are removed.
    type: list
    elements: str
    default: []
  namespaces:
    description: Patterns of names of network namespaces below C(/run/netns).
    type: list
    elements: str
    default: []
  interfaces:
    description: Patterns of names of network interfaces. What is attached to one of them as to a bridge goes too.
    type: list
    elements: str
    default: []
  networks:
    description: Networks into which no route is left.
    type: list
    elements: str
    default: []
  nft_tables:
    description: nftables tables, family and name.
    type: list
    elements: str
    default: []
  chains:
    description:
      - Beginnings of names of iptables chains. They are removed with the rules that lead to them; all others stay.
      - Tables that iptables made over nftables and in which nothing is left are removed too.
    type: list
    elements: str
    default: []
  rule_comments:
    description: Beginnings of comments of iptables rules that are removed from other chains.
    type: list
    elements: str
    default: []
  sets:
    description: Beginnings of names of ipsets.
    type: list
    elements: str
    default: []
  paths:
    description: Files, and directories with all below them.
    type: list
    elements: path
    default: []
  empty_directories:
    description: Directories that are removed when nothing is in them, in this order.
    type: list
    elements: path
    default: []
  users:
    description:
      - Users, with the groups of the same names, that M(cloudnative.platform.host_service) made. A user of that name
        with a login shell or a home directory stays.
    type: list
    elements: str
    default: []
seealso:
  - module: cloudnative.platform.node_removal
  - module: cloudnative.platform.host_prepare
"""

EXAMPLES = r"""
- name: Take back the container runtime
  cloudnative.platform.host_reset:
    units: [containerd.service]
    containers: /run/containerd/containerd.sock
    namespaces: [cni-*]
    paths:
      - /etc/containerd
      - /run/containerd
      - /var/lib/containerd
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: always
  type: list
  elements: str
  sample: ["stop containerd.service", "unmount /run/containerd/io.containerd.runtime.v2.task/k8s.io/1f/rootfs"]
diff:
  description: What is there and goes, one line each.
  returned: always
  type: dict
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._host_baseline import BASELINE_FILE
from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import (
    HostLockError,
    lock_for,
    lock_path,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.host import Host
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.plan import (
    Asked,
    ResetError,
    check,
    diff_of,
    plan,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import SystemdError

LISTS = {
    "units": "str",
    "slices": "str",
    "namespaces": "str",
    "interfaces": "str",
    "networks": "str",
    "nft_tables": "str",
    "chains": "str",
    "rule_comments": "str",
    "sets": "str",
    "paths": "path",
    "empty_directories": "path",
    "users": "str",
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    "containers": {"type": "path"},
    **{name: {"type": "list", "elements": kind, "default": []} for name, kind in LISTS.items()},
}


def asked_from(params: t.Mapping[str, t.Any]) -> Asked:
    return Asked(containers=params["containers"] or "", **{name: tuple(params[name]) for name in LISTS})


def run(module: AnsibleModule) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {"changed": False, "actions": [], "diff": {}}
    try:
        asked = asked_from(module.params)
        check(asked)
        host = Host(module)
        actions = plan(asked, host.observe(asked))
        result["diff"] = diff_of(actions)
        for action in actions:
            if not module.check_mode:
                host.apply(action)
            result["changed"] = True
            result["actions"].append(action.text)
    except (ResetError, SystemdError) as e:
        module.fail_json(msg=str(e), **result)
    return result


# What this run itself keeps there until it ends.
OF_THE_RUN = frozenset({"run-lock.json"})


def forget_lock() -> None:
    """The file that modules lock goes with the last of the platform: this call may have made it itself."""
    state = os.path.dirname(BASELINE_FILE)
    names = set(os.listdir(state)) if os.path.isdir(state) else set()
    if names <= OF_THE_RUN and os.path.exists(lock_path()):
        os.unlink(lock_path())


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        with lock_for(module):
            result = run(module)
            if not module.check_mode:
                forget_lock()
    except HostLockError as e:
        module.fail_json(msg=str(e))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
