# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.filter.host_addresses import host_addresses

FOUND = {"platform_host": {"default_ipv4": "192.0.2.2"}}


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"kubernetes_node_address": "192.0.2.1", "ansible_facts": FOUND}, "192.0.2.1"),
        ({"registry_address": "192.0.2.1", "ansible_facts": FOUND}, "192.0.2.1"),
        ({"ansible_facts": FOUND, "ansible_host": "192.0.2.3"}, "192.0.2.2"),
        ({"ansible_host": "192.0.2.3"}, "192.0.2.3"),
        ({}, "host1"),
    ],
)
def test_address_of_a_host(variables, address):
    assert host_addresses(["host1"], {"host1": variables}) == {"host1": address}
