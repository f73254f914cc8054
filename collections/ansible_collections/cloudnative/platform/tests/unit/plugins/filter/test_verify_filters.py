# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cloudnative.platform.plugins.filter.kubeconfig_server import kubeconfig_server
from ansible_collections.cloudnative.platform.plugins.filter.registered_by_node import registered_by_node

TEXT = """
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: k}}]
clusters: [{name: k, cluster: {server: "https://127.0.0.1:8443"}}]
"""


def test_kubeconfig_as_text():
    assert (
        kubeconfig_server(TEXT, "https://192.0.2.1:6443")["clusters"][0]["cluster"]["server"]
        == "https://192.0.2.1:6443"
    )


@pytest.mark.parametrize("text", ["{s3cret: [", "s3cret", "kind: s3cret"])
def test_bad_kubeconfig_is_refused_without_showing_it(text):
    with pytest.raises(AnsibleFilterError) as error:
        kubeconfig_server(text, "https://192.0.2.1:6443")
    assert "s3cret" not in str(error.value)


def test_only_results_that_hold_something_are_collected():
    hostvars = {
        "a": {"seen": {"changed": False, "members": [1]}, "kubernetes_node_name": "node-a"},
        "b": {"seen": {"changed": False, "members": [2]}},
        "failed": {"seen": {"failed": True}},
        "skipped": {"seen": {"skipped": True}},
        "unreachable": {"seen": {"unreachable": True}},
        "never": {},
    }
    found = registered_by_node(list(hostvars), hostvars, "seen")
    assert {name: result["members"] for name, result in found.items()} == {"node-a": [1], "b": [2]}
