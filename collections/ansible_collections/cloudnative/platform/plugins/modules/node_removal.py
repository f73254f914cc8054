#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_removal
short_description: Take nodes out of a Kubernetes cluster
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Runs on a healthy control plane that stays and talks to its own API server and etcd member only.
  - Cordons the nodes, evicts their pods as PodDisruptionBudgets allow it, removes their members of etcd one after
    another, and deletes their Node objects. Pods of DaemonSets and static pods end with their host.
  - Refuses, before anything is changed, to break the quorum of etcd.
  - A node that is not ready, or ceases to be while it is drained, is not drained. Its pods are replaced once its Node
    object is gone.
  - When a drain does not come to its end, nothing was removed, and the nodes that were cordoned take pods again.
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
    details:
      - Pods are counted and budgets that allow no eviction are named in warnings. No eviction is tried.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(observed) only says whether this host is a control plane of a cluster and answers.
      - V(removed) takes O(nodes) out of the cluster.
    type: str
    choices: [observed, removed]
    default: removed
  nodes:
    description: Names of the nodes.
    type: list
    elements: str
    default: []
  drain_timeout:
    description: Seconds until all pods must have left a node.
    type: int
    default: 300
seealso:
  - module: cloudnative.platform.host_reset
"""

EXAMPLES = r"""
- name: Take two nodes out of the cluster
  cloudnative.platform.node_removal:
    nodes: [cp3, worker2]
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: always
  type: list
  elements: str
  sample: ["cordon node cp3", "drain node cp3 (2 pods)", "remove etcd member cp3 (2 stay)", "delete node cp3"]
diff:
  description: Nodes and members of etcd before and after.
  returned: O(state=removed)
  type: dict
cluster:
  description: What this host is to a cluster.
  returned: always
  type: dict
  contains:
    present:
      description: Whether it holds a part of a cluster as a control plane.
      type: bool
    ready:
      description: Whether its API server is ready.
      type: bool
    reason:
      description: Why it is not ready.
      type: str
"""

import contextlib
import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.api import ApiError
from ansible_collections.cloudnative.platform.plugins.module_utils._reset import cluster, cluster_io

ARGUMENT_SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["observed", "removed"], "default": "removed"},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "drain_timeout": {"type": "int", "default": 300},
}


def diff_of(nodes: t.Mapping[str, t.Any], members: list[dict[str, t.Any]], steps: list[cluster.Step]) -> dict[str, str]:
    """Pure: nodes and members, one line each."""
    gone = {(step.kind, step.target) for step in steps}
    lines = [("node", name) for name in sorted(nodes)] + [("member", member["name"]) for member in members]
    labels = {"node": "node", "member": "etcd member"}
    return {
        "before_header": "cluster",
        "after_header": "cluster",
        "before": "".join(f"{labels[kind]} {name}\n" for kind, name in lines),
        "after": "".join(f"{labels[kind]} {name}\n" for kind, name in lines if (kind, name) not in gone),
    }


def with_pods(api: cluster_io.OwnApi, steps: list[cluster.Step]) -> tuple[list[cluster.Step], list[str]]:
    """The drains with the number of their pods, and what would hold them up."""
    counted: list[cluster.Step] = []
    warnings: list[str] = []
    found = cluster_io.budgets(api) if any(step.kind == "drain" for step in steps) else []
    for step in steps:
        if step.kind == "drain":
            pods = cluster_io.pods_on(api, step.target)
            warnings += [
                f"{cluster.pod_name(pod)} can't be evicted now: {reason}"
                for pod in pods
                for reason in cluster.blocked_by(pod, found)
            ]
            step = dataclasses.replace(step, text=f"{step.text} ({len(pods)} pods)")
        counted.append(step)
    return counted, warnings


def run(module: AnsibleModule) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {"changed": False, "actions": [], "cluster": cluster_io.observe()}
    if module.params["state"] == "observed":
        return result
    names = module.params["nodes"]
    if not result["cluster"]["ready"]:
        reason = result["cluster"]["reason"] or "it is no control plane of a cluster"
        module.fail_json(msg=f"this host can't take nodes out of the cluster: {reason}", **result)
    try:
        api = cluster_io.OwnApi()
        nodes, members = cluster_io.nodes(api), cluster_io.members()
        planned = cluster.plan(names, nodes, members)
        steps, blocked = with_pods(api, planned.steps)
        for warning in (*planned.warnings, *blocked):
            module.warn(warning)
        result["diff"] = diff_of(nodes, members, steps)
        removal = cluster_io.Removal(api, module.params["drain_timeout"])
        for step in steps:
            if not module.check_mode:
                removal.apply(step)
                while removal.warnings:
                    module.warn(removal.warnings.pop())
            result["changed"] = True
            result["actions"].append(step.text)
    except (cluster.RemovalError, ApiError, OSError) as e:
        module.fail_json(msg=str(e), **result)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    observing = module.params["state"] == "observed"
    try:
        with contextlib.nullcontext() if observing else lock_for(module):
            result = run(module)
    except HostLockError as e:
        module.fail_json(msg=str(e))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
