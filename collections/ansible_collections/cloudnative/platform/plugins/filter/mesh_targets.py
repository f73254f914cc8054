# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mesh_targets
short_description: What Prometheus asks of a Kuma mesh on hosts
version_added: 0.1.0
author: cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Goes by the variables of the role C(kuma) in the inventory. Hosts that the role takes the mesh off, and hosts of
    control planes whose C(kuma_monitoring) is off, are left out.
  - Data planes are asked where the mesh has a policy that serves their metrics. The second data plane of a host serves
    them at the next port.
positional: dataplanes, hostvars
options:
  _input:
    description: Inventory names of the hosts with control planes.
    type: list
    elements: str
    required: true
  dataplanes:
    description: Inventory names of the hosts with data planes.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what Prometheus asks of the mesh on hosts
  ansible.builtin.debug:
    msg: "{{ groups['kuma_control_plane'] | cloudnative.platform.mesh_targets(groups['kuma_dataplane'], hostvars) }}"
"""

RETURN = r"""
_value:
  description:
    - By job, a list of targets with C(address) (with the port) and C(labels). Jobs have the names that Kuma's own
      dashboards ask for.
  type: dict
"""

import typing as t

Variables = t.Mapping[str, t.Any]
Target = dict[str, t.Any]


def mesh_targets(
    control_planes: t.Sequence[str], dataplanes: t.Sequence[str], hostvars: t.Mapping[str, Variables]
) -> dict[str, list[Target]]:
    """Return the targets of a mesh on hosts by job."""
    asked = [host for host in control_planes if _is_there(hostvars[host]) and _is_monitored(hostvars[host])]
    found = {
        "kuma-control-plane": [_at(host, hostvars[host], "kuma_hosts_diagnostics_port", 5680) for host in asked],
        "kuma-tls": [_at(host, hostvars[host], "kuma_hosts_dataplane_port", 5678) for host in asked],
    }
    if asked:
        # What the mesh's policies are made of stands with the control planes.
        found["kuma-dataplanes"] = _of_dataplanes(dataplanes, hostvars, hostvars[asked[0]])
    return {job: targets for job, targets in found.items() if targets}


def _of_dataplanes(hosts: t.Sequence[str], hostvars: t.Mapping[str, Variables], mesh: Variables) -> list[Target]:
    options = mesh.get("kuma_observability", {"metrics": True})
    if not options or not options.get("metrics", True):
        return []
    meshes = options.get("meshes") or [mesh.get("kuma_mesh", "default")]
    first = int(options.get("metrics_port", 5670))
    found = []
    for host in hosts:
        variables = hostvars[host]
        for number, one in enumerate(variables.get("kuma_dataplanes") or [] if _is_there(variables) else []):
            own = one.get("mesh", "default")
            if own in meshes:
                address = variables.get("kuma_dataplane_address") or _address(host, variables)
                labels = {"instance": f"{host}/{one['name']}", "mesh": own, "kuma_workload": one["workload"]}
                found.append(_target(address, first + number, {**labels, "node": host}))
    return found


def _is_there(variables: Variables) -> bool:
    return bool(variables.get("kuma_state", "present") == "present")


def _is_monitored(variables: Variables) -> bool:
    return bool(variables.get("kuma_monitoring", "monitoring" in (variables.get("platform_addons") or [])))


def _at(host: str, variables: Variables, port: str, usual: int) -> Target:
    return _target(_address(host, variables), int(variables.get(port, usual)), {"instance": host, "node": host})


def _address(host: str, variables: Variables) -> str:
    return str(variables.get("kuma_hosts_address") or variables.get("ansible_host") or host)


def _target(address: str, port: int, labels: dict[str, str]) -> Target:
    return {"address": f"[{address}]:{port}" if ":" in address else f"{address}:{port}", "labels": labels}


class FilterModule:
    """Filter of the playbooks that put monitoring into the cluster."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"mesh_targets": mesh_targets}
