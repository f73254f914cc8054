#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network_plugin
short_description: Give a Kubernetes cluster its pod network
version_added: 0.1.0
description:
  - Takes the network plugin's manifest from the registry, by digest, patches it for this cluster, puts it in by
    server-side apply and waits until the plugin runs on every node and all nodes are ready.
  - All in one call, on a host that reaches both the registry and the Kubernetes API, usually the controller.
  - A plugin is not exchanged for another one in place, and the network of an existing address pool is not changed;
    both are refused.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._k8s_auth
attributes:
  check_mode:
    support: full
    details:
      - Check mode sends the same requests as a server-side dry run, and looks once whether the network is ready.
      - With O(kubeconfig={}) it predicts the installation into a cluster that is still to be made.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  plugin:
    description:
      - The network plugin.
      - V(calico) enforces network policies, V(flannel) does not.
    type: str
    choices: [calico, flannel]
    required: true
  pod_cidr:
    description:
      - IPv4 network of all pods; the one the cluster was made with.
    type: str
    required: true
  registry:
    description:
      - The registry that holds the manifest.
    type: dict
    required: true
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
      - Needs the manifest (named as the plugin) and all images that the manifest uses.
    type: dict
    required: true
  calico:
    description:
      - Settings of Calico.
    type: dict
    default: {}
    suboptions:
      vxlan_mode:
        description:
          - Which packets between nodes are encapsulated, those to other subnets only or all of them.
        type: str
        choices: [CrossSubnet, Always]
        default: CrossSubnet
      mtu:
        description:
          - MTU of pod interfaces, V(0) to find it out.
        type: int
        default: 0
      block_size:
        description:
          - Prefix length of the block of addresses a node takes at a time.
        type: int
        default: 26
      ip_autodetection:
        description:
          - How a node finds the address it reaches other nodes by, C(IP_AUTODETECTION_METHOD) of Calico.
        type: str
        default: kubernetes-internal-ip
      resources:
        description:
          - Resource requests and limits of calico-node; the manifest's when empty.
        type: dict
        default: {}
      env:
        description:
          - More environment variables of calico-node, for example C(FELIX_) settings.
        type: dict
        default: {}
  flannel:
    description:
      - Settings of flannel.
    type: dict
    default: {}
    suboptions:
      backend:
        description:
          - How packets get to other nodes; V(host-gw) needs all nodes in one subnet.
        type: str
        choices: [vxlan, host-gw]
        default: vxlan
      mtu:
        description:
          - MTU of the hosts' network, from which that of pods follows (50 less with vxlan), V(0) to find it out.
        type: int
        default: 0
      nftables:
        description:
          - Whether flannel uses nftables; what kube-proxy uses when not given.
        type: bool
      resources:
        description:
          - Resource requests and limits of flanneld; the manifest's when empty.
        type: dict
        default: {}
  wait_timeout:
    description:
      - Seconds until the plugin must run everywhere and all nodes must be ready.
      - Nodes that don't report at all are left out and named in a warning.
    type: int
    default: 300
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Give the cluster its pod network
  cloudnative.platform.network_plugin:
    kubeconfig: "{{ network_kubeconfig }}"
    plugin: calico
    pod_cidr: 10.244.0.0/16
    registry: "{{ registry_client }}"
    components: "{{ registry_components }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done, one sentence for each object that changed.
  returned: always
  type: list
  elements: str
  sample: ["created DaemonSet kube-system/calico-node"]
plugin:
  description: The network plugin.
  returned: success
  type: str
  sample: calico
version:
  description: Version of the plugin.
  returned: success
  type: str
  sample: v3.28.5
pod_cidr:
  description: Network of all pods.
  returned: success
  type: str
  sample: 10.244.0.0/16
enforces_policy:
  description: Whether network policies are enforced.
  returned: success
  type: bool
not_ready:
  description:
    - What is not ready, one sentence for each object. In check mode this is one look without waiting; otherwise the
      module fails when there is anything in it.
  returned: success
  type: list
  elements: str
  sample: []
nodes:
  description: Nodes that report to the cluster.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils import _network_manifest as manifests
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import reading
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.changes import (
    ApplyError,
    Change,
    summary,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    DefinitionError,
    collect,
    parse_yaml,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.order import Rank
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.pods import Patience
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import daemon_set
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.wait import Target, Waiter
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import (
    AUTH_ARG_SPEC,
    ClientError,
    Cluster,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import OciFilesError
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_texts import (
    REGISTRY_OPTIONS,
    artifact_of,
    read_texts,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

FIELD_MANAGER = "cloudnative.platform"
NODE = Resource("", "v1", "nodes", "Node", namespaced=False)

ARGUMENT_SPEC: dict[str, t.Any] = {
    **AUTH_ARG_SPEC,
    "plugin": {"type": "str", "choices": ["calico", "flannel"], "required": True},
    "pod_cidr": {"type": "str", "required": True},
    "registry": {
        "type": "dict",
        "required": True,
        "options": REGISTRY_OPTIONS,
    },
    "components": {"type": "dict", "required": True},
    "calico": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "vxlan_mode": {"type": "str", "choices": ["CrossSubnet", "Always"], "default": "CrossSubnet"},
            "mtu": {"type": "int", "default": 0},
            "block_size": {"type": "int", "default": 26},
            "ip_autodetection": {"type": "str", "default": "kubernetes-internal-ip"},
            "resources": {"type": "dict", "default": {}},
            "env": {"type": "dict", "default": {}},
        },
    },
    "flannel": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "backend": {"type": "str", "choices": ["vxlan", "host-gw"], "default": "vxlan"},
            "mtu": {"type": "int", "default": 0},
            "nftables": {"type": "bool"},
            "resources": {"type": "dict", "default": {}},
        },
    },
    "wait_timeout": {"type": "int", "default": 300},
}


class Network:
    def __init__(self, module: AnsibleModule, cluster: Cluster) -> None:
        self.module = module
        self.cluster = cluster
        self.plugin: str = module.params["plugin"]
        self.pod_cidr: str = module.params["pod_cidr"]
        self.components: dict[str, t.Any] = module.params["components"]

    def __call__(self) -> dict[str, t.Any]:
        block_size = self.module.params["calico"]["block_size"]
        manifests.check_cidr(self.pod_cidr, block_size)
        self.refuse_exchange()
        nodes = self.cluster.request("GET", NODE.path())["items"]
        wrong = manifests.foreign_nodes(nodes, self.pod_cidr)
        if wrong:
            raise manifests.ManifestError(
                f"nodes have ranges outside of pod_cidr {self.pod_cidr}: {', '.join(wrong)}; give the pod network "
                "that the cluster was made with"
            )
        objects = manifests.PATCHES[self.plugin](self.manifest(), self.components, self.pod_cidr, self.settings())
        pool = next((body for body in objects if body["kind"] == "IPPool"), None)
        if pool:
            path = f"/apis/{pool['apiVersion']}/ippools/{manifests.CALICO_POOL}"
            manifests.check_pool(reading.get(self.cluster, path), self.pod_cidr, block_size)
        # calico-node reads the pool when it starts, and starts again when there is none yet.
        overrides = {(pool["apiVersion"].partition("/")[0], "IPPool"): Rank.CONFIG} if pool else None
        engine = Engine(self.cluster, FIELD_MANAGER, force=True, check=self.module.check_mode, overrides=overrides)
        definitions = collect((f"{self.plugin} manifest", body) for body in objects)
        changes = engine.apply(definitions)
        result = self.report(changes)
        self.wait(engine.targets(changes), nodes, result)
        result["nodes"] = sorted(
            node["metadata"]["name"] for node in nodes if node["metadata"]["name"] not in manifests.silent_nodes(nodes)
        )
        return {
            **result,
            "plugin": self.plugin,
            "version": self.components[self.plugin].get("version"),
            "pod_cidr": self.pod_cidr,
            "enforces_policy": manifests.ENFORCES_POLICY[self.plugin],
        }

    def report(self, changes: list[Change]) -> dict[str, t.Any]:
        result = summary(changes, self.module.check_mode, self.module._diff)
        # The objects are the plugin's own affair; what was done to them is told by the actions.
        del result["objects"]
        return result

    def refuse_exchange(self) -> None:
        for other, places in manifests.DAEMON_SETS.items():
            for namespace, name in places:
                if other != self.plugin and reading.get(
                    self.cluster, f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}"
                ):
                    raise manifests.ManifestError(
                        f"the cluster's network plugin is {other} (DaemonSet {namespace}/{name}), not {self.plugin}; "
                        "plugins are not exchanged in place, because all pods would lose their network: keep "
                        f"{other}, or make a new cluster"
                    )

    def manifest(self) -> list[dict[str, t.Any]]:
        wanted = {"component": self.plugin, "files": [f"{self.plugin}.yaml"]}
        artifact = artifact_of(wanted, self.components, "the manifest of the plugin")
        ((name, text),) = read_texts(self.module.params["registry"], [artifact], self.module.tmpdir, self.module.warn)
        return parse_yaml(text, name)

    def settings(self) -> dict[str, t.Any]:
        settings = dict(self.module.params[self.plugin])
        if self.plugin == "flannel" and settings["nftables"] is None:
            proxy = reading.get(self.cluster, "/api/v1/namespaces/kube-system/configmaps/kube-proxy") or {}
            text = (proxy.get("data") or {}).get("config.conf") or ""
            settings["nftables"] = any(one.get("mode") == "nftables" for one in parse_yaml(text, "kube-proxy's config"))
        return settings

    def wait(self, targets: list[Target], nodes: list[dict[str, t.Any]], result: dict[str, t.Any]) -> None:
        silent = manifests.silent_nodes(nodes)
        if silent:
            self.module.warn(f"not waited for, because they don't report to the cluster: {', '.join(silent)}")
        targets = [
            target._replace(rule=lambda body: daemon_set(body, tolerated=len(silent)))
            if target.resource.kind == "DaemonSet"
            else target
            for target in targets
        ]
        names = [node["metadata"]["name"] for node in nodes]
        targets += [Target(NODE, name, None) for name in names if name not in silent]
        timeout = 0 if self.module.check_mode else self.module.params["wait_timeout"]
        # No node takes other pods before the network is there, and what needs the network may end and start again.
        patience = Patience(not_scheduled=timeout, restarts=5)
        problems = result["not_ready"] = Waiter(self.cluster, patience=patience).wait(targets, timeout)
        if problems and not self.module.check_mode:
            self.module.fail_json(msg=f"the {self.plugin} network is not ready: {'; '.join(problems)}", **result)


def main() -> None:
    module = MaskedModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if module.check_mode and module.params["kubeconfig"] in ({}, "{}"):
        params = module.params
        module.exit_json(**manifests.predicted(params["plugin"], params["components"], params["pod_cidr"]))
    cluster = Cluster.from_module(module)
    network = Network(module, cluster)
    try:
        result = network()
    except ApplyError as e:
        module.fail_json(msg=str(e), **network.report(e.done))
    except (ClientError, DefinitionError, OciFilesError, manifests.ManifestError, ValueError, OSError) as e:
        module.fail_json(msg=str(e), changed=False, actions=[])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
