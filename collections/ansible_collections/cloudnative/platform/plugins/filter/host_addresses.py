# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_addresses
short_description: Address of each host, also of one that doesn't answer today
version_added: 0.1.0
author: cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Takes a host's own C(kubernetes_node_address) or C(registry_address), else the address that
    M(cloudnative.platform.host_prepare) found on it, else the one that Ansible uses for it, so that a host that is lost
    stays a target of monitoring.
positional: hostvars
options:
  _input:
    description: Inventory names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the addresses of all hosts
  ansible.builtin.debug:
    msg: "{{ groups['all'] | cloudnative.platform.host_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Address by name.
  type: dict
"""

import typing as t


def host_addresses(hosts: list[str], hostvars: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the address of each host by name."""
    return {host: _address(host, hostvars[host]) for host in hosts}


def _address(host: str, variables: t.Mapping[str, t.Any]) -> str:
    found = (variables.get("ansible_facts") or {}).get("platform_host") or {}
    own = variables.get("kubernetes_node_address") or variables.get("registry_address")
    return str(own or found.get("default_ipv4") or variables.get("ansible_host") or host)


class FilterModule:
    """Filter of the playbooks that put add-ons into the cluster."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"host_addresses": host_addresses}
