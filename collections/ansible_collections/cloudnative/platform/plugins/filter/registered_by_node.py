# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: registered_by_node
short_description: Collect what a task registered on several hosts by the names of their nodes
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Returns a dictionary from the name of a node to the result registered on its host.
  - Hosts on which the task failed, was skipped, or never ran are left out.
positional: _input, hostvars, variable
options:
  _input:
    description: Inventory names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The C(hostvars) of the play.
    type: dict
    required: true
  variable:
    description: Name of the registered variable.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the members of etcd as each control plane sees them
  ansible.builtin.debug:
    msg: "{{ groups['kube_control_plane'] | cloudnative.platform.registered_by_node(hostvars, 'etcd') }}"
"""

RETURN = r"""
_value:
  description: Results by the names of nodes.
  type: dict
"""

import typing as t


def registered_by_node(hosts: list[str], hostvars: t.Mapping[str, t.Any], variable: str) -> dict[str, t.Any]:
    found = {}
    for host in hosts:
        variables = hostvars[host]
        result = variables.get(variable)
        if result and not any(result.get(state) for state in ("failed", "skipped", "unreachable")):
            found[str(variables.get("kubernetes_node_name") or host)] = result
    return found


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"registered_by_node": registered_by_node}
