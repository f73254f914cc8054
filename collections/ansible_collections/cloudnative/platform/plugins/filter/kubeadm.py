# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of the kubernetes role: who the nodes are, and in which order they come into a cluster."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import state


def kubeadm_anchor(nodes: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Choose the control plane from which a run works."""
    try:
        return state.choose_anchor(nodes)
    except state.NodeStateError as error:
        raise AnsibleFilterError(str(error)) from error


def kubeadm_predecessors(joining: list[dict[str, t.Any]], name: str) -> list[dict[str, t.Any]]:
    """Return the control planes that must be ready before the one called *name* joins."""
    control_planes = [node for node in joining if node["role"] == "control_plane"]
    return [
        {"name": node["name"], "address": node["address"]} for node in state.join_predecessors(control_planes, name)
    ]


def kubeadm_joining(nodes: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return the nodes that join in this run: all that are not members, but for the one that is initialised."""
    anchor = kubeadm_anchor([node for node in nodes if node["role"] == "control_plane"])["name"]
    return [node for node in nodes if node["phase"] != "member" and node["name"] != anchor]


def kubeadm_converging(nodes: list[dict[str, t.Any]]) -> dict[str, dict[str, bool]]:
    """Return the nodes that are initialised or reconciled in this run, by name, with what each of them does."""
    anchor = kubeadm_anchor([node for node in nodes if node["role"] == "control_plane"])
    return state.converging(nodes, anchor)


def node_addresses(hosts: list[str], hostvars: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    """Return name and address of each host as a node: its own setting, else what was found on it."""
    result = []
    for host in hosts:
        variables = hostvars[host]
        found = variables.get("ansible_facts", {}).get("platform_host", {}).get("default_ipv4", "")
        address = variables.get("kubernetes_node_address") or found
        if not address:
            raise AnsibleFilterError(
                f"the address of {host} is not known: run the play on that host as well, or set kubernetes_node_address"
            )
        result.append({"name": variables.get("kubernetes_node_name") or host, "address": address})
    return result


def node_objects(hosts: list[str], hostvars: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return a Node object with the labels of each host, for server-side apply."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": hostvars[host].get("kubernetes_node_name") or host,
                "labels": dict(hostvars[host].get("kubernetes_node_labels") or {}),
            },
        }
        for host in hosts
    ]


class FilterModule:
    """Filters of the kubernetes role."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "kubeadm_anchor": kubeadm_anchor,
            "kubeadm_converging": kubeadm_converging,
            "kubeadm_joining": kubeadm_joining,
            "kubeadm_predecessors": kubeadm_predecessors,
            "node_addresses": node_addresses,
            "node_objects": node_objects,
        }
