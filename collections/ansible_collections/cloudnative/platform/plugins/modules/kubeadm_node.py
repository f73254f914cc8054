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
  - A member whose settings changed is reconciled; only the components that the change concerns are restarted, one after
    the other, and one that does not run afterwards is set back to what it was.
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
      - V(observed) reads the node's state and, given O(cluster), what differs from its settings; nothing is changed.
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
  taints:
    description: Taints that the kubelet gives its node when it registers; kubeadm's own choice when not given.
    type: list
    elements: dict
  encryption_key:
    description:
      - Key for Secrets at rest, 32 bytes in base64, used when the cluster is initialised.
      - One is generated when it is not given.
    type: str
  policy:
    description:
      - Files that the API server reads when it starts, path to content; their directories must be there.
      - A control plane whose API server started with others is restarted.
    type: dict
    default: {}
  cluster_wide:
    description:
      - Also keep what the cluster itself stores for nodes to come, and kube-proxy. One node of a run does that.
    type: bool
    default: false
  control_planes:
    description:
      - All control planes of the cluster. Before one of them is restarted, etcd and the API must be able to bear it.
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
    pending:
      description: With O(state=observed), what O(state=present) would change on a node that runs.
      type: list
      elements: str
    pending_cluster:
      description: With O(state=observed), what O(cluster_wide=true) would change in the cluster.
      type: list
      elements: str
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm.converge import FAILURES, Node

CONTROL_PLANE = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
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
            "taints": {"type": "list", "elements": "dict"},
            "encryption_key": {"type": "str", "no_log": True},
            "material": {"type": "dict", "no_log": True},
            "policy": {"type": "dict", "default": {}},
            "cluster_wide": {"type": "bool", "default": False},
            "control_planes": {"type": "list", "elements": "dict", "default": [], "options": CONTROL_PLANE},
            "after": {"type": "list", "elements": "dict", "default": [], "options": CONTROL_PLANE},
            "timeout": {"type": "int", "default": 300},
        },
        required_if=[("state", "present", ["cluster"])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**Node(module).converge())
    except FAILURES as error:
        module.fail_json(msg=f"{module.params['name']}: {error}")


if __name__ == "__main__":
    main()
