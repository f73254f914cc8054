#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kong_info
short_description: What a Kong Gateway is, what it holds, and how what is behind it is doing
version_added: 0.1.0
description:
  - Asks all nodes of a gateway for their version and for the configuration that they hold, counts entities, and
    collects what each node thinks of the targets of every upstream.
  - A node that does not answer is reported as such; only when none does, the module fails.
  - Changes nothing.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._kong_admin
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  gather:
    description:
      - What is asked for beyond the nodes, V(counts) of all entities and V(health) of the upstreams. Counts cost one
        request for a thousand entities and one for each upstream, health one for each upstream and node.
    type: list
    elements: str
    choices: [counts, health]
    default: [counts, health]
requirements:
  - kubernetes >= 28.1.0 (Python library, with O(kubernetes) only)
seealso:
  - module: cloudnative.platform.kong_config
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Look at all gateway pods
  cloudnative.platform.kong_info:
    kubernetes:
      kubeconfig: ~/.kube/config
      namespace: kong
      selector: app.kubernetes.io/name=kong
  register: gateway

- name: All of them hold one configuration
  ansible.builtin.assert:
    that: gateway.in_sync
    fail_msg: "{{ gateway.nodes }}"
"""

RETURN = r"""
version:
  description: Version of the first node that answers.
  returned: success
  type: str
  sample: 3.9.3
edition:
  description: V(community) or V(enterprise).
  returned: success
  type: str
mode:
  description: V(postgres) with a database, V(dbless) without.
  returned: success
  type: str
role:
  description: V(traditional) or V(control_plane).
  returned: success
  type: str
supported:
  description: Whether M(cloudnative.platform.kong_config) knows this version.
  returned: success
  type: bool
router_flavor:
  description: How routes are matched.
  returned: success
  type: str
  sample: traditional_compatible
plugins_available:
  description: Names of the plugins that can be configured.
  returned: success
  type: list
  elements: str
in_sync:
  description: Whether all nodes answer, reach their database, run one version and hold one configuration.
  returned: success
  type: bool
nodes:
  description: Each node.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Address, or the pod.
      type: str
    reachable:
      description: Whether it answers; if not, C(problem) says why.
      type: bool
    problem:
      description: Why it does not answer.
      type: str
    version:
      description: Its version.
      type: str
    node_id:
      description: Its id.
      type: str
    hostname:
      description: Its host.
      type: str
    connections:
      description: Active connections.
      type: int
    configuration_hash:
      description: Hash of the configuration it holds. Without a database only.
      type: str
    configured:
      description: Whether it holds any entity; if not, it is not ready. Without a database only.
      type: bool
    database_reachable:
      description: Whether it reaches its database. With a database only.
      type: bool
data_planes:
  description: The data planes of a control plane, with hash, state, and end of certificate in seconds since 1970.
  returned: when the node is a control plane
  type: list
  elements: dict
counts:
  description: Number of entities of each kind.
  returned: when O(gather) contains V(counts)
  type: dict
  sample: {services: 12, routes: 40}
entities:
  description: Number of all entities.
  returned: when O(gather) contains V(counts)
  type: int
upstreams:
  description: Each upstream with its targets, the health that each node sees, and how many targets are healthy.
  returned: when O(gather) contains V(health)
  type: list
  elements: dict
  sample:
    - name: shop
      healthy: 1
      unhealthy: 1
      targets:
        - {target: "10.0.0.1:80", weight: 100, health: {"http://10.0.0.5:8001": HEALTHY}}
        - {target: "10.0.0.2:80", weight: 100, health: {"http://10.0.0.5:8001": UNHEALTHY}}
requests:
  description: Number of requests that were sent.
  returned: success
  type: int
"""

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import information
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.options import (
    CONNECTION_SPEC,
    mask_kubeconfig,
    nodes,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule


def main() -> None:
    module = MaskedModule(
        argument_spec={
            **CONNECTION_SPEC,
            "gather": {
                "type": "list",
                "elements": "str",
                "choices": ["counts", "health"],
                "default": ["counts", "health"],
            },
        },
        mutually_exclusive=[("admin_urls", "kubernetes")],
        supports_check_mode=True,
    )
    result: dict[str, t.Any] = {}
    try:
        mask_kubeconfig(module)
        admins = nodes(module.params)
        try:
            result = information.gather(admins, module.params["gather"])
        finally:
            result["requests"] = sum(admin.requests for admin in admins)
            for admin in admins:
                admin.close()
    except KongError as e:
        module.fail_json(msg=str(e))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
