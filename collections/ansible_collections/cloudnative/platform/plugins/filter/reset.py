# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of the playbook that takes hosts back."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.cloudnative.platform.plugins.module_utils._reset import cluster, targets


def reset_targets(
    hosts: t.Any,
    control_planes: list[str],
    workers: list[str],
    registries: list[str],
    groups: t.Mapping[str, list[str]],
    cluster_name: t.Any,
    confirm: t.Any = "",
    limit: str = "",
    gateways: t.Sequence[str] = (),
    mesh_control_planes: t.Sequence[str] = (),
    mesh_data_planes: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    """Say which hosts are taken back, and why they may not be."""
    inventory = targets.Inventory(
        control_planes=list(control_planes),
        workers=list(workers),
        registries=list(registries),
        gateways=list(gateways),
        mesh_control_planes=list(mesh_control_planes),
        mesh_data_planes=list(mesh_data_planes),
        groups=groups,
    )
    return dataclasses.asdict(targets.choose(hosts, confirm, str(cluster_name), inventory, limit or ""))


def reset_anchor(control_planes: list[str], hostvars: t.Mapping[str, t.Any], leaving: list[str], variable: str) -> str:
    """Return the inventory name of the control plane that takes the others out; empty where there is no cluster."""
    states = []
    for name in control_planes:
        result = hostvars[name].get(variable) or {"unreachable": True, "msg": "it was not asked"}
        reached = "cluster" in result
        found = result.get("cluster") or {"present": False, "ready": False, "reason": ""}
        reason = found["reason"] if reached else f"it can't be reached ({str(result.get('msg', '')).strip()})"
        states.append({**found, "name": name, "leaving": name in leaving, "reached": reached, "reason": reason})
    try:
        return cluster.choose_anchor(states)
    except cluster.RemovalError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of the playbook that takes hosts back."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"reset_anchor": reset_anchor, "reset_targets": reset_targets}
