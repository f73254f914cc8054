#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_node
short_description: Make a host a node of a Kubernetes cluster with kubeadm
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Observes a host, decides which step it needs to be a healthy member of the cluster, takes it and waits for the
    result.
  - A host that an earlier run left half done is finished phase by phase; it is never reset.
  - The binaries, the kubelet's unit, the container runtime and a proxy for the API must be in place.
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(observed) reads the node's state and changes nothing.
      - V(present) makes the host a member.
    type: str
    choices: [observed, present]
    default: present
  role:
    description: What the host is in the cluster.
    type: str
    choices: [control_plane, worker]
    required: true
  name:
    description: Name of the node.
    type: str
    required: true
  address:
    description: IPv4 address at which the node is reached by the others.
    type: str
    required: true
  initialise:
    description:
      - Initialise the cluster on this control plane instead of joining it.
      - Which host this is, if any, tells the filter P(cloudnative.platform.kubeadm_anchor#filter).
    type: bool
    default: false
  cluster:
    description:
      - Settings of the whole cluster. Required with O(state=present).
    type: dict
    suboptions:
      name:
        description: Name of the cluster.
        type: str
        required: true
      version:
        description: Kubernetes version, with its V(v).
        type: str
        required: true
      api_name:
        description: DNS name of the API, which every host resolves to its own proxy.
        type: str
        required: true
      api_port:
        description: Port of the node-local proxy.
        type: int
        required: true
      dns_domain:
        description: DNS domain of the cluster.
        type: str
        required: true
      pod_cidr:
        description: Addresses of pods.
        type: str
        required: true
      service_cidr:
        description: Addresses of Services.
        type: str
        required: true
      kube_proxy_mode:
        description: Mode of kube-proxy.
        type: str
        choices: [nftables, iptables]
        required: true
      coredns_tag:
        description: Tag of the CoreDNS image; kubeadm's own choice when it is not given.
        type: str
      metrics_address:
        description: Address on which etcd, scheduler, controller manager and kube-proxy serve their metrics.
        type: str
        default: 127.0.0.1
      cgroup_v1:
        description: Whether hosts with cgroup v1 are accepted.
        type: bool
        default: false
      cert_sans:
        description: Further names and addresses in the API server's certificate.
        type: list
        elements: str
        default: []
      apiserver_extra_args:
        description: Flags of the API server by name; a list gives a flag several times, null takes one out.
        type: dict
        default: {}
      apiserver_extra_volumes:
        description: Host paths for the API server, as in kubeadm's C(HostPathMount).
        type: list
        elements: dict
        default: []
      controller_manager_extra_args:
        description: Flags of the controller manager.
        type: dict
        default: {}
      scheduler_extra_args:
        description: Flags of the scheduler.
        type: dict
        default: {}
      etcd_extra_args:
        description: Flags of etcd.
        type: dict
        default: {}
      kubelet_config:
        description: Fields of KubeletConfiguration, merged into the module's own.
        type: dict
        default: {}
      kube_proxy_config:
        description: Fields of KubeProxyConfiguration, merged into the module's own.
        type: dict
        default: {}
  cri_socket:
    description: Socket of the container runtime.
    type: str
    default: unix:///run/containerd/containerd.sock
  labels:
    description: Labels that the kubelet gives its node when it registers.
    type: dict
    default: {}
  taints:
    description: Taints that the kubelet gives its node when it registers; kubeadm's own choice when not given.
    type: list
    elements: dict
  encryption_key:
    description:
      - Key for Secrets at rest, 32 bytes in base64, used when the cluster is initialised.
      - One is generated when it is not given.
    type: str
  material:
    description: What M(cloudnative.platform.kubeadm_credentials) returned. Required to join.
    type: dict
  after:
    description:
      - Control planes that must be ready before this one joins, because etcd takes one new member at a time.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the control plane.
        type: str
        required: true
      address:
        description: Its address.
        type: str
        required: true
  timeout:
    description: How many seconds each of the waits, and kubeadm itself, may take.
    type: int
    default: 300
seealso:
  - name: kubeadm configuration (v1beta4)
    description: The documents that this module writes for kubeadm.
    link: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
"""

EXAMPLES = r"""
- name: Observe the node
  cloudnative.platform.kubeadm_node:
    state: observed
    role: worker
    name: worker1
    address: 192.0.2.21
  register: node

- name: Join a worker
  cloudnative.platform.kubeadm_node:
    role: worker
    name: worker1
    address: 192.0.2.21
    cluster: "{{ cluster_settings }}"
    material: "{{ credentials.material }}"
"""

RETURN = r"""
node:
  description: The node after the call.
  returned: always
  type: dict
  contains:
    name:
      description: Name of the node.
      type: str
    role:
      description: Its role.
      type: str
    address:
      description: Its address.
      type: str
    phase:
      description: V(absent), V(partial), V(unready) or V(member).
      type: str
    ca:
      description: Whether the host holds the cluster's CA key.
      type: bool
    version:
      description: Version of the kubelet as the cluster sees it; empty when the node has not joined.
      type: str
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
"""

import base64
import os
import secrets
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import documents, node, state


class Node:
    """One host on its way into the cluster."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.cluster: dict[str, t.Any] = self.params["cluster"] or {}
        self.node = {key: self.params[key] for key in ("name", "role", "address", "cri_socket", "labels", "taints")}
        self.actions: list[str] = []

    def host(self) -> dict[str, t.Any]:
        """Return what decides which preflight checks do not fit this host."""
        return {
            "cgroup_version": 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
            "cgroup_v1_allowed": self.cluster["cgroup_v1"],
            "bridge_nf": os.path.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"),
        }

    def plan(self, observed: dict[str, t.Any]) -> str:
        """Return the step this node needs: ``none``, ``start``, ``initialise`` or ``join``."""
        if observed["phase"] == "member":
            return "none"
        if observed["phase"] == "unready":
            return "start"
        return "initialise" if self.params["initialise"] else "join"

    def initialise(self, observed: dict[str, t.Any]) -> None:
        if not os.path.exists(documents.ENCRYPTION_FILE):
            key = self.params["encryption_key"] or base64.b64encode(secrets.token_bytes(32)).decode()
            node.write_private(documents.ENCRYPTION_FILE, documents.encryption_configuration("key1", key))
        ignore = state.ignored_checks(self.host(), observed["phase"])
        configuration = documents.render(documents.init_documents(self.cluster, self.node, ignore, node.new_token()))
        arguments = ["init", "--skip-token-print", "--skip-certificate-key-print"]
        node.kubeadm(arguments, configuration, "kubeadm-init", self.params["timeout"])

    def join(self, observed: dict[str, t.Any]) -> None:
        material = self.params["material"]
        if not material:
            raise node.NodeError(
                f"node {self.node['name']} has to join but got no credentials: run this play on the control planes as "
                "well (do not take them away with --limit)"
            )
        for predecessor in self.params["after"]:
            node.wait_for_api(predecessor["address"], material["ca_pem"], self.params["timeout"], predecessor["name"])
        if self.node["role"] == "control_plane":
            node.write_private(documents.ENCRYPTION_FILE, material["encryption_configuration"])
        ignore = state.ignored_checks(self.host(), observed["phase"])
        configuration = documents.render(documents.join_documents(self.cluster, self.node, material, ignore))
        arguments = ["join"]
        skipped = state.skipped_join_phases(observed)
        if skipped:
            arguments.append(f"--skip-phases={','.join(skipped)}")
        node.kubeadm(arguments, configuration, "kubeadm-join", self.params["timeout"])

    def converge(self) -> dict[str, t.Any]:
        observed = node.observe_settled(self.node)
        if self.params["state"] == "observed":
            return self.result(observed, observed)
        step = self.plan(observed)
        sentence = {
            "start": f"start the kubelet of {self.node['name']}",
            "initialise": f"initialise cluster {self.cluster['name']} on {self.node['name']}",
            "join": f"join {self.node['name']} as {self.node['role'].replace('_', ' ')}",
        }
        if step != "none":
            self.actions.append(sentence[step])
        if step == "none" or self.module.check_mode:
            return self.result(observed, observed if step == "none" else dict(observed, phase="member"))
        if step == "start":
            node.start_kubelet()
        elif step == "initialise":
            self.initialise(observed)
        else:
            self.join(observed)
        return self.result(observed, node.wait_for_member(self.node, self.params["timeout"]))

    def result(self, before: dict[str, t.Any], after: dict[str, t.Any]) -> dict[str, t.Any]:
        return {
            "changed": bool(self.actions),
            "actions": self.actions,
            "diff": {"before": {"phase": before["phase"]}, "after": {"phase": after["phase"]}},
            "node": {
                "name": self.node["name"],
                "role": self.node["role"],
                "address": self.node["address"],
                "phase": before["phase"] if self.params["state"] == "observed" else after["phase"],
                "ca": "pki/ca.key" in after["files"],
                "version": (after["node"] or {}).get("kubelet_version", ""),
            },
        }


def main() -> None:
    cluster = {
        "name": {"type": "str", "required": True},
        "version": {"type": "str", "required": True},
        "api_name": {"type": "str", "required": True},
        "api_port": {"type": "int", "required": True},
        "dns_domain": {"type": "str", "required": True},
        "pod_cidr": {"type": "str", "required": True},
        "service_cidr": {"type": "str", "required": True},
        "kube_proxy_mode": {"type": "str", "choices": ["nftables", "iptables"], "required": True},
        "coredns_tag": {"type": "str"},
        "metrics_address": {"type": "str", "default": "127.0.0.1"},
        "cgroup_v1": {"type": "bool", "default": False},
        "cert_sans": {"type": "list", "elements": "str", "default": []},
        "apiserver_extra_args": {"type": "dict", "default": {}},
        "apiserver_extra_volumes": {"type": "list", "elements": "dict", "default": []},
        "controller_manager_extra_args": {"type": "dict", "default": {}},
        "scheduler_extra_args": {"type": "dict", "default": {}},
        "etcd_extra_args": {"type": "dict", "default": {}},
        "kubelet_config": {"type": "dict", "default": {}},
        "kube_proxy_config": {"type": "dict", "default": {}},
    }
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["observed", "present"], "default": "present"},
            "role": {"type": "str", "choices": ["control_plane", "worker"], "required": True},
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "initialise": {"type": "bool", "default": False},
            "cluster": {"type": "dict", "options": cluster},
            "cri_socket": {"type": "str", "default": "unix:///run/containerd/containerd.sock"},
            "labels": {"type": "dict", "default": {}},
            "taints": {"type": "list", "elements": "dict"},
            "encryption_key": {"type": "str", "no_log": True},
            "material": {"type": "dict", "no_log": True},
            "after": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "address": {"type": "str", "required": True},
                },
            },
            "timeout": {"type": "int", "default": 300},
        },
        required_if=[("state", "present", ["cluster"])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**Node(module).converge())
    except (node.NodeError, state.NodeStateError, OSError) as error:
        module.fail_json(msg=f"{module.params['name']}: {error}")


if __name__ == "__main__":
    main()
