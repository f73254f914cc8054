#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kuma_resources
short_description: The whole configuration of a Kuma service mesh in one call
version_added: 0.1.0
description:
  - Makes a control plane hold what documents say, meshes, secrets, identities, services, policies and, on Universal,
    dataplanes.
  - Reads each kind as a whole, compares without what the control plane fills in or owns, and writes only what differs,
    meshes first, then secrets, permissions, identities, services, policies, dataplanes. Deletes go the other way.
  - Everything that is wrong with the documents is reported at once, before anything is written. That includes fields
    that the control plane would drop without a word, and what Kuma 3.0 removes.
  - The same documents serve a control plane on hosts and one on Kubernetes, where they become custom resources.
  - Supports Kuma 2.14.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._kuma_api
attributes:
  check_mode:
    support: full
    details:
      - Reads and plans as a real run does. A Universal control plane has no dry run, so what only it can refuse is not
        found; on Kubernetes the API server checks everything.
  diff_mode:
    support: full
    details:
      - Secrets are hidden; that one changes is shown.
  idempotent:
    support: full
options:
  resources:
    description:
      - Resources as mappings, or YAML or JSON texts with any number of documents, or a list of both. Each has C(type),
        C(name), C(mesh) where it is in one, C(labels), and C(spec). Mesh, Dataplane, Secret, GlobalSecret and Zone have
        their fields right there instead of a C(spec).
      - Never logged; secrets in it are masked in every output.
      - Kuma's own templates, C({{ .Mesh }}), clash with Ansible's; put them into files, or tag them C(!unsafe).
    type: raw
    default: []
  src:
    description:
      - Paths of documents on the host where the module runs. A directory stands for the C(*.yml), C(*.yaml) and
        C(*.json) in it. YAML needs PyYAML there, JSON needs nothing.
    type: list
    elements: path
    default: []
  call_graph:
    description:
      - Who may call whom, as a mapping or the path of a file. It becomes one MeshTrafficPermission for each service
        that is called, next to the other resources. An unknown service, services that share an identity, and services
        that call each other in a ring, are errors. So is a key that stands twice, which of a mapping Ansible itself
        has to be told to refuse (C(duplicate_dict_key) in C(ansible.cfg)).
      - Names of what it becomes end with C(-) and the mesh, unless that is V(default).
      - Callers are known by their identities. One that no MeshIdentity of the mesh gives is an error.
    type: raw
  network_policies:
    description:
      - Whether O(call_graph) becomes NetworkPolicies as well, for the services of which it says where their pods are.
        Their namespaces are locked, but for DNS, the control plane and the monitoring. For O(mode=kubernetes), in a
        network that enforces them.
      - Where the graph does not say otherwise, they let in Prometheus from O(monitoring_namespace) and the control
        plane from O(kubernetes.namespace), and let out what O(observability) sends to a collector.
    type: bool
    default: false
  monitoring_namespace:
    description:
      - Namespace of Prometheus, which O(network_policies) let get at the metrics of the proxies.
    type: str
    default: monitoring
  observability:
    description:
      - Policies that make the proxies tell what they see, next to the other resources. Metrics are served to
        Prometheus, access logs are written or sent, traces are sent when there is a collector.
    type: dict
    suboptions:
      meshes:
        description:
          - Meshes that get them; O(mesh) by default.
        type: list
        elements: str
        default: []
      metrics:
        description:
          - Whether each proxy serves its metrics, and when its certificate ends.
        type: bool
        default: true
      metrics_port:
        description:
          - Port of the metrics on each dataplane, at path C(/metrics), in plain text.
        type: int
        default: 5670
      applications:
        description:
          - Metrics of applications that proxies serve along with their own.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description:
              - Name of the application.
            type: str
          path:
            description:
              - Path of its metrics.
            type: str
            default: /metrics
          port:
            description:
              - Port of its metrics.
            type: int
            required: true
      access_log:
        description:
          - Where each call is logged by who was called, with the identity of the caller. V(stdout) is the log of the
            proxy, as JSON; V(otlp) sends it to O(observability.otlp_endpoint). Paths are logged with their query.
        type: str
        choices: [none, stdout, otlp]
        default: none
      otlp_endpoint:
        description:
          - Address of an OpenTelemetry collector, as host:port. With it calls are traced.
        type: str
      otlp_protocol:
        description:
          - How the collector is spoken to.
        type: str
        choices: [grpc, http]
        default: grpc
      trace_sampling:
        description:
          - Percentage of the calls that are traced; V(0) for none.
        type: int
        default: 10
  mesh:
    description:
      - Mesh of the resources that name none.
    type: str
    default: default
  mode:
    description:
      - V(universal) writes over the control plane's API, V(kubernetes) writes custom resources; there the control
        plane's own API only reads.
    type: str
    choices: [universal, kubernetes]
    default: universal
  kubernetes:
    description:
      - The cluster, for O(mode=kubernetes). The options of the connection are those of kubernetes.core, and can be
        given by the same environment variables.
    type: dict
    suboptions:
      namespace:
        description:
          - Namespace of the control plane, where secrets and all resources go that have no label
            C(k8s.kuma.io/namespace).
        type: str
        default: kuma-system
      kubeconfig:
        description:
          - Path of a kubeconfig file, or the kubeconfig itself as a dictionary.
        type: raw
      context:
        description:
          - Context of the kubeconfig; its current one by default.
        type: str
      host:
        description:
          - URL of the API server; wins over the one in the kubeconfig.
        type: str
      api_key:
        description:
          - Bearer token.
        type: str
      ca_cert:
        description:
          - Path of the certificate authority of the Kubernetes API.
        type: path
        aliases: [ssl_ca_cert]
      client_cert:
        description:
          - Path of a client certificate for the Kubernetes API.
        type: path
        aliases: [cert_file]
      client_key:
        description:
          - Path of that certificate's key.
        type: path
        aliases: [key_file]
      validate_certs:
        description:
          - Whether the certificate of the Kubernetes API is checked.
        type: bool
        aliases: [verify_ssl]
  state:
    description:
      - V(present) makes the control plane hold the documents.
      - V(absent) deletes the resources that the documents name, or without documents all that belong to O(owner). It
        refuses what belongs to another owner, and the control plane's own secrets.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - Name of whom the documents belong to. Each resource gets the label C(cloudnative.platform/owner). One that has
        another owner's is refused before anything is written or deleted, also when no owner is given.
    type: str
  prune:
    description:
      - Whether what belongs to O(owner) and is not in the documents is deleted, in all meshes.
      - Meshes, signing keys and copies from other control planes are never pruned.
    type: bool
    default: false
  prune_max:
    description:
      - How many resources one run may delete because the documents do not name them; V(-1) for any number.
    type: int
    default: 20
  allow_removed:
    description:
      - Whether what Kuma 3.0 removes is written nevertheless. Without it, it is refused with what to write instead.
    type: bool
    default: false
  strict_gate:
    description:
      - Whether a step to strict mTLS is refused while a workload of the mesh has no certificate, one that has ended, or
        is offline, or on Kubernetes is a pod without a sidecar. Such a step is a MeshTLS with mode C(Strict) where
        there was none, one with C(Permissive) that goes or changes, and a first MeshIdentity where no MeshTLS says
        C(Permissive).
      - Who speaks plain text from outside of the mesh is not known to a control plane, and not found by this.
    type: bool
    default: true
requirements:
  - kubernetes >= 28.1.0 (Python library, with O(mode=kubernetes) only)
  - PyYAML (for documents in YAML only)
seealso:
  - module: cloudnative.platform.kuma_info
  - module: cloudnative.platform.kuma_token
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Keep the mesh as the repository says, and nothing else of ours in it
  cloudnative.platform.kuma_resources:
    api_url: https://mesh.internal:5682
    ca_cert: /etc/ssl/internal-ca.pem
    token: "{{ mesh_admin_token }}"
    src:
      - mesh/
    call_graph: mesh-calls.yml
    owner: platform
    prune: true

- name: See what that would change
  cloudnative.platform.kuma_resources:
    src:
      - mesh/
    owner: platform
    prune: true
  check_mode: true
  diff: true

- name: The same on Kubernetes
  cloudnative.platform.kuma_resources:
    mode: kubernetes
    kubernetes:
      kubeconfig: ~/.kube/config
    src:
      - mesh/
    call_graph: mesh-calls.yml
    network_policies: true
    owner: platform
    prune: true

- name: Let proxies tell what they see
  cloudnative.platform.kuma_resources:
    src:
      - mesh/
    observability:
      access_log: stdout
      otlp_endpoint: collector.monitoring.svc:4317
      trace_sampling: 5

- name: Give slow requests to one service more time
  cloudnative.platform.kuma_resources:
    resources:
      type: MeshTimeout
      name: reports
      spec:
        to:
          - targetRef: {kind: MeshService, labels: {app: reports}}
            default: {http: {requestTimeout: 60s}}
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, one sentence for each resource that changed.
  returned: always
  type: list
  elements: str
  sample: ["update MeshTimeout default/reports: spec.to[0].default.http.requestTimeout"]
counts:
  description: Number of resources that were created, updated and deleted.
  returned: always
  type: dict
  sample: {created: 0, updated: 1, deleted: 0}
version:
  description: Version of the control plane.
  returned: with O(mode=universal), when it was asked
  type: str
  sample: 2.14.3
requests:
  description: Number of requests that were sent.
  returned: when something was asked
  type: int
duration:
  description: Seconds the call took.
  returned: success
  type: float
"""

import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import (
    AUTH_ARG_SPEC,
    ConfigError,
    mask_only,
    open_kubeconfig,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import run
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.options import CONNECTION_SPEC
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.outcome import Outcome
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    **CONNECTION_SPEC,
    "resources": {"type": "raw", "default": [], "no_log": True},
    "src": {"type": "list", "elements": "path", "default": []},
    "call_graph": {"type": "raw"},
    "network_policies": {"type": "bool", "default": False},
    "monitoring_namespace": {"type": "str", "default": "monitoring"},
    "observability": {
        "type": "dict",
        "options": {
            "meshes": {"type": "list", "elements": "str", "default": []},
            "metrics": {"type": "bool", "default": True},
            "metrics_port": {"type": "int", "default": 5670},
            "applications": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str"},
                    "path": {"type": "str", "default": "/metrics"},
                    "port": {"type": "int", "required": True},
                },
            },
            "access_log": {"type": "str", "choices": ["none", "stdout", "otlp"], "default": "none"},
            "otlp_endpoint": {"type": "str"},
            "otlp_protocol": {"type": "str", "choices": ["grpc", "http"], "default": "grpc"},
            "trace_sampling": {"type": "int", "default": 10},
        },
    },
    "mesh": {"type": "str", "default": "default"},
    "mode": {"type": "str", "choices": ["universal", "kubernetes"], "default": "universal"},
    "kubernetes": {
        "type": "dict",
        "options": {**AUTH_ARG_SPEC, "namespace": {"type": "str", "default": "kuma-system"}},
        "apply_defaults": True,
    },
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "owner": {"type": "str"},
    "prune": {"type": "bool", "default": False},
    "prune_max": {"type": "int", "default": 20},
    "allow_removed": {"type": "bool", "default": False},
    "strict_gate": {"type": "bool", "default": True},
}


def main() -> None:
    module = MaskedModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[("prune", True, ["owner"])],
        supports_check_mode=True,
    )
    started = time.monotonic()
    outcome = Outcome(module._diff)
    params = dict(module.params)
    # Out of the result as a whole; what is secret in it is masked, and nothing else: "http" is no secret.
    module.params["resources"] = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    kubeconfig = params["kubernetes"]["kubeconfig"]
    try:
        mask_only(module, params["resources"], set())
        open_kubeconfig(module, kubeconfig)
        call = run.Call(params, module.check_mode)
        module.no_log_values.update(call.secrets())
        call.carry_out(outcome)
    except (KumaError, ConfigError) as e:
        for warning in dict.fromkeys(outcome.warnings):
            module.warn(warning)
        module.fail_json(msg=str(e), **outcome.as_dict())
    for warning in dict.fromkeys(outcome.warnings):
        module.warn(warning)
    module.exit_json(duration=round(time.monotonic() - started, 2), **outcome.as_dict())


if __name__ == "__main__":
    main()
