# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters for the order in which nodes come into a cluster."""

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
    return [{"name": node["name"], "address": node["address"]} for node in state.join_predecessors(joining, name)]


class FilterModule:
    """Filters of the kubernetes role."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kubeadm_anchor": kubeadm_anchor, "kubeadm_predecessors": kubeadm_predecessors}
