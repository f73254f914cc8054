#!/usr/bin/python

# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_verify
short_description: Prove that a Kubernetes cluster works and is what it should be
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Reads the Kubernetes API and compares it with what the inventory and the bundle say.
  - Runs pods on every node and connects them with each other, with a Service, and by DNS, with and without a
    NetworkPolicy. The pods live in the namespace C(cloudnative-verify), meet the Pod Security level restricted, and are
    removed at the end. What a killed run left behind is removed first, so two runs at the same time disturb each other.
  - Judges what other modules saw on the hosts, so that one report holds everything.
  - Runs on the controller. The controller must reach the API servers and the kubelets.
  - Fails when a check failed.
extends_documentation_fragment:
  - cloudnative.platform._k8s_auth
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode no pods are made, the checks that need them are skipped.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  version:
    description: The version of Kubernetes that every node should run. Any version is right when this is not set.
    type: str
  nodes:
    description:
      - The nodes the cluster should have. Any node is right when the list is empty.
      - Each control plane with an address is asked for its health at that address.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the node.
        type: str
        required: true
      role:
        description: What the node is.
        type: str
        choices: [control_plane, worker]
        default: worker
      address:
        description: The internal address of the node.
        type: str
  api_port:
    description: The port of the API server on control planes.
    type: int
    default: 6443
  components:
    description:
      - The components of the bundle by their names, each with RV(ignore:ref), RV(ignore:digest) and RV(ignore:kind).
      - Running images must be among them. The component V(agnhost) is the image of the probe pods.
    type: dict
    default: {}
  allowed_digests:
    description: Digests of images that may run beside those in O(components).
    type: list
    elements: str
    default: []
  image:
    description:
      - Image of the probe pods by digest. It must be C(agnhost) of the Kubernetes project.
      - The component V(agnhost) of O(components) is used when this is not set.
    type: str
  dns_domain:
    description: The DNS domain of the cluster.
    type: str
    default: cluster.local
  namespaces:
    description: Namespaces whose Deployments and DaemonSets must be complete.
    type: list
    elements: str
    default: [kube-system, kube-flannel]
  network_policy:
    description: Whether the network plugin is expected to enforce NetworkPolicy.
    type: bool
    default: true
  checks:
    description: The checks to run. The others are left out of the report.
    type: list
    elements: str
    choices:
      - api-servers
      - nodes
      - control-plane
      - workloads
      - leaders
      - kubelet-certificates
      - images
      - etcd
      - api-endpoints
      - api-failover
      - probe-pods
      - image-pull
      - kubelet-logs
      - pod-network
      - dns
      - service
      - network-policy
  timeout:
    description: Seconds to wait for the probe pods.
    type: int
    default: 60
  etcd:
    description: Results of M(cloudnative.platform.etcd_members_info) by host.
    type: dict
    default: {}
  endpoints:
    description: Results of M(cloudnative.platform.api_endpoint_probe) by host.
    type: dict
    default: {}
  disruptive:
    description: Whether O(failover) was tried. Without it the check is skipped.
    type: bool
    default: false
  failover:
    description: What was seen while the API server of one control plane was paused, one item per control plane.
    type: list
    elements: dict
    default: []
    suboptions:
      control_plane:
        description: The node whose API server was paused.
        type: str
        required: true
      resumed:
        description: Result of M(cloudnative.platform.apiserver_pause) that ended the pause.
        type: dict
        default: {}
      endpoints:
        description: Results of M(cloudnative.platform.api_endpoint_probe) by host, taken during the pause.
        type: dict
        default: {}
  report_path:
    description:
      - Directory on the controller to write C(cluster_verify.json) and C(cluster_verify.xml) (JUnit) to.
        It is made when it is missing.
      - Nothing is written when this is not set.
    type: path
seealso:
  - module: cloudnative.platform.platform_input
  - module: cloudnative.platform.etcd_members_info
  - module: cloudnative.platform.api_endpoint_probe
  - module: cloudnative.platform.apiserver_pause
"""

EXAMPLES = r"""
- name: Prove that the cluster works
  cloudnative.platform.cluster_verify:
    kubeconfig: ~/.kube/config
    version: v1.36.4
    nodes:
      - name: cp1
        role: control_plane
        address: 192.0.2.11
      - name: worker1
        address: 192.0.2.21
    components: "{{ bundle_components }}"
    report_path: reports
  delegate_to: localhost
"""

RETURN = r"""
results:
  description: One item per check.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the check.
      type: str
    status:
      description: The outcome, V(ok), V(failed) or V(skipped).
      type: str
    message:
      description: Why, in one sentence.
      type: str
    details:
      description: Everything that is wrong, or worth knowing.
      type: list
      elements: str
    seconds:
      description: How long it took.
      type: float
  sample:
    - name: dns
      status: ok
      message: 10 names resolved and reached
      details: []
      seconds: 0.412
passed:
  description: Whether no check failed.
  returned: always
  type: bool
summary:
  description: The outcome in one sentence.
  returned: always
  type: str
  sample: "passed: 16 of 17 checks ok, 0 failed, 1 skipped in 21.3 s"
table:
  description: The results as aligned lines for people.
  returned: always
  type: list
  elements: str
reports:
  description: Paths of the reports that were written.
  returned: always
  type: list
  elements: path
"""

import os
import signal
import threading
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import (
    AUTH_ARG_SPEC,
    ClientError,
    Cluster,
    parse_kubeconfig,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._verify import result as report
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.run import CHECKS, Options, Verification
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.state import (
    Expectation,
    ExpectedNode,
    repository_of,
)

NODE_SPEC = {
    "name": {"type": "str", "required": True},
    "role": {"type": "str", "choices": ["control_plane", "worker"], "default": "worker"},
    "address": {"type": "str"},
}
FAILOVER_SPEC = {
    "control_plane": {"type": "str", "required": True},
    "resumed": {"type": "dict", "default": {}},
    "endpoints": {"type": "dict", "default": {}},
}


def probe_image(params: dict[str, t.Any]) -> str:
    """By digest: a tag could name something else by the time it is pulled."""
    component = params["components"].get("agnhost")
    if params["image"] or not component:
        return params["image"] or ""
    return f"{repository_of(component['ref'])}@{component['digest']}"


def expectation(params: dict[str, t.Any]) -> Expectation:
    return Expectation(
        version=params["version"] or "",
        nodes=tuple(
            ExpectedNode(name=node["name"], role=node["role"], address=node["address"] or "")
            for node in params["nodes"]
        ),
        components=params["components"],
        allowed_digests=frozenset(params["allowed_digests"]),
    )


def write_reports(module: AnsibleModule, results: list[report.Result], seconds: float) -> list[str]:
    directory = module.params["report_path"]
    if not directory or module.check_mode:
        return []
    contents = {"cluster_verify.json": report.as_json, "cluster_verify.xml": report.as_junit}
    paths = []
    try:
        os.makedirs(directory, exist_ok=True)
        for name, render in contents.items():
            path = os.path.join(directory, name)
            with open(f"{path}.new", "w", encoding="utf-8") as stream:
                stream.write(render(results, seconds))
            os.replace(f"{path}.new", path)
            paths.append(path)
    except OSError as error:
        module.fail_json(
            msg=f"report_path {directory}: cannot write the report: {error}; give a directory that can be written to",
            table=report.table(results),
        )
    return paths


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH_ARG_SPEC,
            "version": {"type": "str"},
            "nodes": {"type": "list", "elements": "dict", "default": [], "options": NODE_SPEC},
            "api_port": {"type": "int", "default": 6443},
            "components": {"type": "dict", "default": {}},
            "allowed_digests": {"type": "list", "elements": "str", "default": []},
            "image": {"type": "str"},
            "dns_domain": {"type": "str", "default": "cluster.local"},
            "namespaces": {"type": "list", "elements": "str", "default": ["kube-system", "kube-flannel"]},
            "network_policy": {"type": "bool", "default": True},
            "checks": {"type": "list", "elements": "str", "choices": list(CHECKS)},
            "timeout": {"type": "int", "default": 60},
            "etcd": {"type": "dict", "default": {}},
            "endpoints": {"type": "dict", "default": {}},
            "disruptive": {"type": "bool", "default": False},
            "failover": {"type": "list", "elements": "dict", "default": [], "options": FAILOVER_SPEC},
            "report_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params: dict[str, t.Any] = module.params
    start = time.monotonic()
    cluster = Cluster.from_module(module)
    access = {name: params[name] for name in AUTH_ARG_SPEC if name not in ("kubeconfig", "host")}
    kubeconfig = parse_kubeconfig(params["kubeconfig"])
    stop = threading.Event()

    def interrupted(_signal: int, _frame: t.Any) -> None:
        # The probes see it, give up, and remove what they made.
        stop.set()

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupted)
    verification = Verification(
        cluster=cluster,
        connect=lambda server: Cluster(kubeconfig=kubeconfig, host=server, **access),
        expected=expectation(params),
        options=Options(
            checks=tuple(params["checks"] or CHECKS),
            image=probe_image(params),
            domain=params["dns_domain"],
            namespaces=tuple(params["namespaces"]),
            network_policy=params["network_policy"],
            api_port=params["api_port"],
            timeout=params["timeout"],
            create_pods=not module.check_mode,
            disruptive=params["disruptive"],
            etcd=params["etcd"],
            endpoints=params["endpoints"],
            failover=params["failover"],
        ),
        stop=stop,
    )
    try:
        results = verification.run()
    except ClientError as error:
        module.fail_json(msg=str(error))
    seconds = time.monotonic() - start
    outcome: dict[str, t.Any] = {
        "changed": False,
        "results": report.as_dicts(results),
        "passed": report.passed(results),
        "summary": report.summary(results, seconds),
        "table": report.table(results),
        "reports": write_reports(module, results, seconds),
    }
    if not outcome["passed"]:
        module.fail_json(msg="\n".join([outcome["summary"], *outcome["table"]]), **outcome)
    module.exit_json(**outcome)


if __name__ == "__main__":
    main()
