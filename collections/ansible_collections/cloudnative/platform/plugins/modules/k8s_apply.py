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
  - Unknown kinds, invalid YAML, objects that are defined twice, and values of Secrets that are not text, or in C(data)
    not base64, are refused before anything is sent.
  - Fields that are not set by the definitions are left to whoever set them.
requirements:
  - jmespath, for O(wait_for)
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
      - The objects, as a mapping, a YAML text (with any number of documents), or a list of mappings and texts.
      - Objects of a kind that ends with C(List) are taken apart. Values of Secrets are masked in every output.
    type: raw
    default: []
    aliases: [resource_definition, definition, inline]
  src:
    description:
      - Paths of YAML or JSON files on the host the module runs on. A directory stands for all such files in it.
    type: list
    elements: path
    default: []
  artifacts:
    description:
      - Manifests out of file artifacts in the platform's registry, where the bundle's components are.
    type: list
    elements: dict
    default: []
    suboptions:
      component:
        description:
          - Name of a component of the bundle, as in O(components).
        type: str
      ref:
        description:
          - Reference of an artifact, in place of a component.
        type: str
      digest:
        description:
          - Digest of the manifest of O(artifacts[].ref). Without it, the tag in the reference is followed.
        type: str
      files:
        description:
          - Names of the files, or patterns such as V(crd-*.yaml). All C(*.yml), C(*.yaml) and C(*.json) when not given.
            One that no file of the artifact has is an error.
        type: list
        elements: str
  registry:
    description:
      - The registry that holds the artifacts; needed with O(artifacts).
    type: dict
    suboptions:
      endpoints:
        description:
          - URLs of the registry hosts; the next one is asked when one doesn't answer.
        type: list
        elements: str
        required: true
      ca_pem:
        description:
          - Certificate authority of the registry, PEM.
        type: str
      username:
        description:
          - User that may pull.
        type: str
      password:
        description:
          - Password of that user.
        type: str
  components:
    description:
      - What the registry was seeded with, by component name, as the bundle describes it.
    type: dict
    default: {}
  namespace:
    description:
      - Namespace of namespaced objects that don't name one.
    type: str
    default: default
  state:
    description:
      - V(present) creates the objects or changes them to what is defined; V(absent) deletes them, in opposite order.
      - V(absent) with O(owner) and without definitions deletes everything that the owner has.
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
  owner:
    description:
      - Name of the set that the objects belong to, for example an application. Unique in the cluster.
      - Each object gets the label C(cloudnative.platform/owner) with this value. An object of another owner is refused,
        unless O(force_conflicts) is set.
      - The kinds and namespaces of its objects are kept in a ConfigMap C(owner-<name>) in O(owner_namespace), so that
        later runs ask for these kinds only. Where it is missing, all kinds are searched once.
    type: str
  owner_namespace:
    description:
      - Namespace in which the record of the owner's kinds is kept. It must exist.
    type: str
    default: kube-system
  prune:
    description:
      - Whether objects that the owner applied earlier, and that are not among the definitions any more, are deleted.
      - That happens at the end, after everything was applied and, with O(wait=true), is ready.
      - Only objects on which a server-side apply set the label are deleted, not those to which a controller or a person
        copied it.
      - Deleting a namespace or a CustomResourceDefinition deletes what is in it, whoever made that.
    type: bool
    default: false
  prune_max:
    description:
      - How many objects one run may prune, as a number or as a percentage of what the owner has. When there are more,
        nothing is changed, and the error names them.
      - Without any definition nothing is pruned, whatever this says.
    type: str
    default: 50%
  wait:
    description:
      - Whether to wait until the objects are ready, or gone with O(state=absent).
      - Waited for are Deployments, DaemonSets, StatefulSets, ReplicaSets, Pods and Jobs; PersistentVolumeClaims (one
        whose storage class waits for a first consumer may stay pending); Services of type LoadBalancer;
        CustomResourceDefinitions and APIServices; GatewayClasses, Gateways and routes of the Gateway API; and any other
        custom object by its conditions C(Ready), C(Reconciling) and C(Stalled) and its C(observedGeneration). One that
        has none of them is ready once it is stored; O(wait_for) says what else there is to wait for.
      - The objects are watched, not asked again and again, and all at once.
      - A rollout that can't succeed ends the wait at once, with its reason. That is an image that the registry refuses,
        a container that crashed three times (with the last lines of its log), a failed Job, a Deployment beyond its
        progress deadline.
      - What may pass by itself gets a while. A registry that doesn't answer gets 60 seconds, a missing Secret or
        ConfigMap and pods that quota or admission refuse 10 seconds, a pod that no node can take
        O(unschedulable_timeout).
      - When the time is over, the error says for each object what is missing, what its containers wait for, its last
        warnings and the last lines of a log.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait, for all objects together.
    type: int
    default: 120
  wait_for:
    description:
      - Further conditions that must hold before the call ends, with O(wait=true).
      - The objects need not be among the definitions; an operator may make them.
      - A wrong expression or an unknown kind is refused before anything is sent.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description:
          - API version of the object, needed when several groups have its kind.
        type: str
      kind:
        description:
          - Kind of the object.
        type: str
        required: true
      name:
        description:
          - Name of the object.
        type: str
        required: true
      namespace:
        description:
          - Namespace of the object, O(namespace) when not given.
        type: str
      expression:
        description:
          - JMESPath expression on the object. The condition holds when it is not null, not false and not empty.
            Numbers stand in backticks.
        type: str
        required: true
  unschedulable_timeout:
    description:
      - Seconds until a pod that no node can take counts as a failure. More where an autoscaler adds nodes.
    type: int
    default: 60
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

- name: Keep what a directory defines, and nothing that it defined earlier
  cloudnative.platform.k8s_apply:
    kubeconfig: "{{ kubernetes_admin_kubeconfig }}"
    src:
      - manifests/shop/
    owner: shop
    prune: true
    wait: true

- name: Install an operator and wait for what it makes
  cloudnative.platform.k8s_apply:
    kubeconfig: "{{ kubernetes_admin_kubeconfig }}"
    src:
      - manifests/database/
    wait: true
    wait_timeout: 300
    wait_for:
      - kind: Cluster
        api_version: postgresql.cnpg.io/v1
        name: orders
        namespace: shop
        expression: status.readyInstances == spec.instances
      - kind: Secret
        name: orders-app
        namespace: shop
        expression: data.password

- name: Apply a manifest of the bundle, out of the registry
  cloudnative.platform.k8s_apply:
    kubeconfig: "{{ kubernetes_admin_kubeconfig }}"
    artifacts:
      - component: prometheus-operator-crds
        files: ["*.yaml"]
    registry: "{{ registry_client }}"
    components: "{{ registry_components }}"
    owner: monitoring-crds

- name: Remove all of it
  cloudnative.platform.k8s_apply:
    kubeconfig: "{{ kubernetes_admin_kubeconfig }}"
    owner: shop
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

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.run import Run, take_definitions
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import AUTH_ARG_SPEC, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_texts import REGISTRY_OPTIONS

ARGUMENT_SPEC: dict[str, t.Any] = {
    **AUTH_ARG_SPEC,
    "definitions": {
        "type": "raw",
        "default": [],
        "no_log": True,
        "aliases": ["resource_definition", "definition", "inline"],
    },
    "src": {"type": "list", "elements": "path", "default": []},
    "artifacts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "component": {"type": "str"},
            "ref": {"type": "str"},
            "digest": {"type": "str"},
            "files": {"type": "list", "elements": "str"},
        },
        "required_one_of": [("component", "ref")],
        "mutually_exclusive": [("component", "ref"), ("component", "digest")],
    },
    "registry": {"type": "dict", "options": REGISTRY_OPTIONS},
    "components": {"type": "dict", "default": {}},
    "namespace": {"type": "str", "default": "default"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "field_manager": {"type": "str", "default": "cloudnative.platform"},
    "force_conflicts": {"type": "bool", "default": False, "aliases": ["force"]},
    "owner": {"type": "str"},
    "owner_namespace": {"type": "str", "default": "kube-system"},
    "prune": {"type": "bool", "default": False},
    "prune_max": {"type": "str", "default": "50%"},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
    "wait_for": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "api_version": {"type": "str"},
            "kind": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str"},
            "expression": {"type": "str", "required": True},
        },
    },
    "unschedulable_timeout": {"type": "int", "default": 60},
}


def main() -> None:
    module = MaskedModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("prune", True, ["owner"])],
        supports_check_mode=True,
    )
    definitions = take_definitions(module)
    if module.params["artifacts"] and not module.params["registry"]:
        module.fail_json(msg="artifacts needs registry: the registry that holds them")
    if module.params["wait_for"] and not (module.params["wait"] and module.params["state"] == "present"):
        module.fail_json(msg="wait_for needs wait=true and state=present: otherwise nothing is waited for")
    Run(module, Cluster.from_module(module), definitions)()


if __name__ == "__main__":
    main()
