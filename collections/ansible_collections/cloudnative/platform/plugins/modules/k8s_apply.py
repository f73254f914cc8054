#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_apply
short_description: Put many objects into a Kubernetes cluster in one call
version_added: 0.1.0
description:
  - Puts all given objects into a cluster by server-side apply, in an order in which each finds what it needs
    (CustomResourceDefinitions, namespaces, roles, configuration, workloads, the rest, webhooks), and waits for all of
    them together at the end.
  - Everything goes over one connection pool; what the API serves is asked once, in two requests.
  - Unknown kinds, invalid YAML and objects that are defined twice are refused before anything is sent.
  - Fields that are not set by the definitions are left to whoever set them.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._k8s_auth
attributes:
  check_mode:
    support: full
    details:
      - Check mode sends the same requests as a server-side dry run.
      - An object whose namespace or kind does not exist yet is predicted as created; the server can't check it.
  diff_mode:
    support: full
    details:
      - Values of Secrets are hidden; that a value changes is shown.
  idempotent:
    support: full
options:
  definitions:
    description:
      - The objects, as a list of mappings, of YAML texts (with any number of documents), or of both.
      - Objects of a kind that ends with C(List) are taken apart.
      - Values of Secrets are masked in every output.
    type: list
    elements: raw
    default: []
    aliases: [resource_definition]
  src:
    description:
      - Paths of YAML or JSON files on the host the module runs on.
      - A directory stands for the C(*.yml), C(*.yaml) and C(*.json) in it.
    type: list
    elements: path
    default: []
  namespace:
    description:
      - Namespace of namespaced objects that don't name one.
    type: str
    default: default
  state:
    description:
      - V(present) creates the objects or changes them to what is defined; V(absent) deletes them, in opposite order.
    type: str
    choices: [present, absent]
    default: present
  field_manager:
    description:
      - Name under which the cluster records which fields these definitions own.
    type: str
    default: cloudnative.platform
  force_conflicts:
    description:
      - Whether fields that another field manager owns are taken over.
      - When V(false), such a conflict is an error that names the manager and the fields.
    type: bool
    default: false
    aliases: [force]
  wait:
    description:
      - Whether to wait until the objects are ready, or gone with O(state=absent).
      - Deployments, DaemonSets, StatefulSets, Jobs, APIServices and CustomResourceDefinitions are waited for.
      - A rollout that has failed ends the wait at once.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait, for all objects together.
    type: int
    default: 120
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Put a namespace and a workload into the cluster
  cloudnative.platform.k8s_apply:
    kubeconfig: ~/.kube/config
    definitions:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
      - "{{ lookup('ansible.builtin.template', 'web.yml.j2') }}"
    wait: true

- name: See what a directory of manifests would change
  cloudnative.platform.k8s_apply:
    kubeconfig: "{{ kubernetes_admin_kubeconfig }}"
    src:
      - manifests/
  check_mode: true
  diff: true

- name: Take a workload out again
  cloudnative.platform.k8s_apply:
    src:
      - manifests/web.yml
    state: absent
    wait: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done, one sentence for each object that changed.
  returned: always
  type: list
  elements: str
  sample: ["created Namespace shop", "updated Deployment shop/web"]
objects:
  description: All objects in the order they were sent.
  returned: success
  type: list
  elements: dict
  contains:
    api_version:
      description: API version.
      type: str
    kind:
      description: Kind.
      type: str
    name:
      description: Name.
      type: str
    namespace:
      description: Namespace, V(null) for cluster-wide objects.
      type: str
    action:
      description: What was done or would be done.
      type: str
      sample: created
requests:
  description: Number of requests sent to the API.
  returned: success
  type: int
duration:
  description: Seconds the call took.
  returned: success
  type: float
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    DefinitionError,
    collect,
    read_files,
    secrets_of,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import (
    ApplyError,
    Engine,
    summary,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.wait import Waiter
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import (
    AUTH_ARG_SPEC,
    ClientError,
    Cluster,
    mask_only,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH_ARG_SPEC,
            "definitions": {
                "type": "list",
                "elements": "raw",
                "default": [],
                "no_log": True,
                "aliases": ["resource_definition"],
            },
            "src": {"type": "list", "elements": "path", "default": []},
            "namespace": {"type": "str", "default": "default"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "field_manager": {"type": "str", "default": "cloudnative.platform"},
            "force_conflicts": {"type": "bool", "default": False, "aliases": ["force"]},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    started = time.monotonic()
    cluster = Cluster.from_module(module)
    engine = Engine(cluster, params["field_manager"], params["force_conflicts"], module.check_mode, params["namespace"])
    try:
        sources = [(f"definitions[{number}]", item) for number, item in enumerate(params["definitions"])]
        definitions = collect([*sources, *read_files(params["src"])])
        mask_only(module, params["definitions"], secrets_of(definitions))
        if params["state"] == "absent":
            changes = engine.delete(definitions, params["wait_timeout"] if params["wait"] else None)
        else:
            changes = engine.apply(definitions)
        result = summary(changes, module.check_mode, module._diff)
        if params["wait"] and params["state"] == "present" and not module.check_mode:
            problems = Waiter(cluster).wait(engine.targets(changes), params["wait_timeout"])
            if problems:
                module.fail_json(msg="; ".join(problems), **result)
    except ApplyError as e:
        module.fail_json(msg=str(e), **summary(e.done, module.check_mode, module._diff))
    except (ClientError, DefinitionError) as e:
        module.fail_json(msg=str(e), changed=False, actions=[])
    for change in changes:
        if change.warning:
            module.warn(change.warning)
    module.exit_json(requests=cluster.requests, duration=round(time.monotonic() - started, 2), **result)


if __name__ == "__main__":
    main()
