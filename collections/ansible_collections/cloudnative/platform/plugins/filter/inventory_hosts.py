# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: inventory_hosts
short_description: List the hosts of an inventory with their groups and addresses
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Makes the list that O(cloudnative.platform.platform_input#module:hosts) takes from C(groups) and C(hostvars).
  - Takes only what is needed to judge the inventory, so no secret of a host gets into the list.
  - The settings of a host are those that M(cloudnative.platform.platform_input) knows and that are set for the host.
positional: _input, hostvars
options:
  _input:
    description: The C(groups) of the inventory.
    type: dict
    required: true
  hostvars:
    description: The C(hostvars) of the play.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the hosts
  ansible.builtin.debug:
    msg: "{{ groups | cloudnative.platform.inventory_hosts(hostvars) }}"
"""

RETURN = r"""
_value:
  description:
    - Hosts with C(name), C(groups), C(address), C(port), C(settings) and, when
      M(cloudnative.platform.host_prepare) ran before, C(facts).
  type: list
  elements: dict
"""

import typing as t
from collections import defaultdict

from ansible_collections.cloudnative.platform.plugins.module_utils._input_settings import SETTINGS

# Groups that every inventory has and that say nothing about a host.
_IMPLICIT = frozenset({"all", "ungrouped"})


def inventory_hosts(groups: t.Mapping[str, t.Any], hostvars: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    member_of: dict[str, list[str]] = defaultdict(list)
    for group, names in groups.items():
        if group not in _IMPLICIT:
            for name in names:
                member_of[str(name)].append(str(group))
    hosts = []
    for name, names in member_of.items():
        variables = hostvars[name]
        host: dict[str, t.Any] = {"name": name, "groups": sorted(names)}
        if variables.get("ansible_connection") != "local":
            host["address"] = variables.get("ansible_host") or name
        if variables.get("ansible_port"):
            host["port"] = variables["ansible_port"]
        host["settings"] = {key: variables[key] for key in SETTINGS if key in variables}
        facts = (variables.get("ansible_facts") or {}).get("platform_host")
        if facts:
            host["facts"] = facts
        hosts.append(host)
    return hosts


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"inventory_hosts": inventory_hosts}
