# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.filter.inventory_hosts import inventory_hosts


def test_only_what_is_needed_is_taken():
    groups = {
        "all": ["c1", "w1", "l1"],
        "ungrouped": [],
        "kube_control_plane": ["c1"],
        "kube_node": ["w1", "l1"],
        "b": ["w1"],
    }
    hostvars = {
        "c1": {"ansible_host": "192.0.2.1", "ansible_password": "secret", "network_plugin": "calico"},
        "w1": {"ansible_port": 2222, "ansible_facts": {"platform_host": {"machine_id": "abc"}, "other": 1}},
        "l1": {"ansible_connection": "local"},
    }
    assert inventory_hosts(groups, hostvars) == [
        {
            "name": "c1",
            "groups": ["kube_control_plane"],
            "address": "192.0.2.1",
            "settings": {"network_plugin": "calico"},
        },
        {
            "name": "w1",
            "groups": ["b", "kube_node"],
            "address": "w1",
            "port": 2222,
            "settings": {},
            "facts": {"machine_id": "abc"},
        },
        {"name": "l1", "groups": ["kube_node"], "settings": {}},
    ]
