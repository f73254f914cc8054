#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kuma_control_plane
short_description: Run Kuma's control plane in a Kubernetes cluster
version_added: 0.1.0
description:
  - Takes the manifests that the bundle made of Kuma's chart out of the registry, changes in them what differs from site
    to site, and puts them into the cluster by server-side apply, custom resource definitions first, webhooks last.
  - Makes the certificates of the control plane, keeps them in the cluster and renews them before they expire, or takes
    given ones. Webhooks, control plane and sidecars trust the same authority at all times.
  - Refuses, before anything is sent, a version that the one that runs may not go to; a step back, more than two minor
    versions in one step, data planes that would be too far away, or resources that the new version refuses.
  - Labels the namespaces whose pods get a sidecar.
  - Ends when the control plane runs and its webhooks answer.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._k8s_auth
attributes:
  check_mode:
    support: full
    details:
      - Sends the same requests as a server-side dry run, and looks once at what is not ready.
  diff_mode:
    support: full
    details:
      - Values of Secrets are hidden; that a value changes is shown.
  idempotent:
    support: full
options:
  component:
    description:
      - Component of the bundle that holds the manifests of the chart.
    type: str
    default: kuma
  images:
    description:
      - Components of the bundle that are the images, by what they are for.
    type: dict
    default: {}
    suboptions:
      control_plane:
        description:
          - The control plane.
        type: str
        default: kuma-cp
      data_plane:
        description:
          - The sidecar.
        type: str
        default: kuma-dp
      init:
        description:
          - The init container that redirects a pod's traffic.
        type: str
        default: kuma-init
      cni:
        description:
          - The CNI plugin that does so for all pods of a node; needed only with O(redirection).
        type: str
        default: kuma-cni
  registry:
    description:
      - The registry that holds the components; needed with O(state=present).
    type: dict
    suboptions:
      endpoints:
        description:
          - Addresses of the form C(https://host:port); the first that answers is used.
        type: list
        elements: str
        required: true
      ca_pem:
        description:
          - Certificate authority of the registry.
        type: str
      username:
        description:
          - User name.
        type: str
      password:
        description:
          - Password.
        type: str
  components:
    description:
      - What the registry holds, by component, as M(cloudnative.platform.bundle_info) returns it.
    type: dict
    default: {}
  state:
    description:
      - V(present) puts it into the cluster. V(absent) takes all of it away, webhooks first, then what O(mesh_owner)
        has, then the rest, the definitions of the custom resources last, and with them every custom resource that is
        left.
    type: str
    choices: [present, absent]
    default: present
  redirection:
    description:
      - How traffic of a pod gets to its sidecar, by an init container that needs NET_ADMIN in every pod, or by a CNI
        plugin on every node, chained behind that of the network.
    type: str
    choices: [init, calico, flannel]
    default: init
  replicas:
    description:
      - Pods of the control plane.
    type: int
    default: 2
  autoscaled:
    description:
      - Whether an autoscaler among O(definitions) has the number of pods.
    type: bool
    default: false
  resources:
    description:
      - Requests and limits of a pod; the chart's when empty.
    type: dict
    default: {}
  environment:
    description:
      - Settings of the control plane by the names of its environment variables, C(KUMA_…).
    type: dict
    default: {}
  node_selector:
    description:
      - Labels of the nodes that it may run on.
    type: dict
    default: {}
  tolerations:
    description:
      - Taints that it tolerates.
    type: list
    elements: dict
    default: []
  injector_failure_policy:
    description:
      - What becomes of a new pod in the mesh while no control plane answers. V(Fail) refuses it, V(Ignore) lets it
        start without a sidecar.
    type: str
    choices: [Fail, Ignore]
    default: Fail
  webhook_timeout:
    description:
      - Seconds that the API server waits for a webhook.
    type: int
    default: 10
  certificate:
    description:
      - A certificate to serve with, in place of one that is made here.
    type: dict
    suboptions:
      ca:
        description:
          - Certificate authority, in PEM.
        type: str
        required: true
      certificate:
        description:
          - Certificate in PEM, for C(kuma-control-plane), C(kuma-control-plane.kuma-system) and
            C(kuma-control-plane.kuma-system.svc).
        type: str
        required: true
      key:
        description:
          - Its private key in PEM, without passphrase.
        type: str
        required: true
  certificate_days:
    description:
      - For how many days a certificate that is made here is good.
    type: int
    default: 365
  certificate_renew_before_days:
    description:
      - How many days before its end it is renewed.
    type: int
    default: 90
  namespaces:
    description:
      - Namespaces whose pods get a sidecar. One that is taken out of the list loses the label again.
    type: list
    elements: str
    default: []
  definitions:
    description:
      - Further objects of the same owner, such as the namespace of the control plane, as for
        M(cloudnative.platform.k8s_apply).
    type: raw
    default: []
  mesh_owner:
    description:
      - Owner of the mesh's resources, whose objects go with O(state=absent).
    type: str
    default: kuma-mesh
  skip_upgrade_checks:
    description:
      - Whether to go to another version of Kuma although what runs may not go there, as when the data planes that are
        too old are given up. What stands against it is warned of then.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds until everything must run.
    type: int
    default: 300
requirements:
  - openssl (command)
seealso:
  - module: cloudnative.platform.kuma_resources
  - module: cloudnative.platform.k8s_apply
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Run the control plane of the mesh
  cloudnative.platform.kuma_control_plane:
    kubeconfig: "{{ kubernetes_admin_kubeconfig }}"
    registry: "{{ registry_client }}"
    components: "{{ registry_components }}"
    namespaces: [shop]
    definitions: "{{ lookup('ansible.builtin.template', 'namespace.yml.j2') }}"

- name: Take it away, and every resource of the mesh with it
  cloudnative.platform.kuma_control_plane:
    kubeconfig: "{{ kubernetes_admin_kubeconfig }}"
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done, one sentence for each object that changed.
  returned: always
  type: list
  elements: str
  sample: ["created Deployment kuma-system/kuma-control-plane"]
version:
  description: What the control plane says of its version; empty when none answers.
  returned: with O(state=present), on success
  type: str
  sample: 2.14.3
dataplanes:
  description:
    - How many dataplanes are C(online), which are C(offline), and which of those online are C(without_certificate).
  returned: with O(state=present), on success
  type: dict
  sample: {online: 12, offline: [], without_certificate: []}
not_ready:
  description:
    - What is not ready, one sentence each. In check mode this is one look without waiting; otherwise the module fails
      when there is anything in it.
  returned: with O(state=present), on success
  type: list
  elements: str
  sample: []
certificate_days_left:
  description: Days until the control plane's certificate expires.
  returned: with O(state=present), on success
  type: int
  sample: 364
"""

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import AUTH_ARG_SPEC, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.control_plane_run import ControlPlane
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_texts import REGISTRY_OPTIONS

ARGUMENT_SPEC = {
    **AUTH_ARG_SPEC,
    "component": {"type": "str", "default": "kuma"},
    "images": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "control_plane": {"type": "str", "default": "kuma-cp"},
            "data_plane": {"type": "str", "default": "kuma-dp"},
            "init": {"type": "str", "default": "kuma-init"},
            "cni": {"type": "str", "default": "kuma-cni"},
        },
    },
    "registry": {"type": "dict", "options": REGISTRY_OPTIONS},
    "components": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "redirection": {"type": "str", "choices": ["init", "calico", "flannel"], "default": "init"},
    "replicas": {"type": "int", "default": 2},
    "autoscaled": {"type": "bool", "default": False},
    "resources": {"type": "dict", "default": {}},
    "environment": {"type": "dict", "default": {}},
    "node_selector": {"type": "dict", "default": {}},
    "tolerations": {"type": "list", "elements": "dict", "default": []},
    "injector_failure_policy": {"type": "str", "choices": ["Fail", "Ignore"], "default": "Fail"},
    "webhook_timeout": {"type": "int", "default": 10},
    "certificate": {
        "type": "dict",
        "options": {
            "ca": {"type": "str", "required": True},
            "certificate": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": True},
        },
    },
    "certificate_days": {"type": "int", "default": 365},
    "certificate_renew_before_days": {"type": "int", "default": 90},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "definitions": {"type": "raw", "default": []},
    "mesh_owner": {"type": "str", "default": "kuma-mesh"},
    "skip_upgrade_checks": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
}


def main() -> None:
    module = MaskedModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("state", "present", ["registry", "components"])],
        supports_check_mode=True,
    )
    ControlPlane(module, Cluster.from_module(module))()


if __name__ == "__main__":
    main()
