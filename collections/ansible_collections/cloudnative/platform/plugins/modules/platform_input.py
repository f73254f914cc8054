#!/usr/bin/python

# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_input
short_description: Check an inventory and its variables before any host is touched
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Judges hosts, groups and variables on the controller, offline, and names everything that is wrong at once.
    Each problem names the host or the variable, its value, and what would be right.
  - Fails when there is a problem. Things that work but are unwise are returned as warnings.
  - When O(hosts[].facts) are given, it also finds what only shows when the facts of all hosts lie side by side,
    such as cloned machines.
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
    details:
      - This module does not modify anything.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  hosts:
    description:
      - The hosts of the inventory. The filter P(cloudnative.platform.inventory_hosts#filter) makes the list.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the host in the inventory.
        type: str
        required: true
      groups:
        description: The groups the host is in.
        type: list
        elements: str
        default: []
      address:
        description: The address that Ansible connects to.
        type: str
      port:
        description: The port that Ansible connects to.
        type: int
      subnets:
        description: Networks the host is connected to.
        type: list
        elements: str
        default: []
      settings:
        description:
          - Values of O(settings) as they are set for this host.
          - A value that differs between hosts is a problem.
        type: dict
        default: {}
      facts:
        description: Facts of the host as M(cloudnative.platform.host_prepare) returns them in C(platform_host).
        type: dict
        default: {}
  settings:
    description:
      - Values of the variables that are judged, by their names. They win over O(hosts[].settings).
      - Known names are V(kubernetes_api_name), V(kubernetes_api_port), V(kubernetes_dns_domain),
        V(kubernetes_node_cidr_mask), V(kubernetes_pod_cidr), V(kubernetes_service_cidr), V(kubernetes_version),
        V(network_plugin), V(registry_metrics_port), V(registry_port), V(registry_push_metrics_port) and
        V(registry_push_port).
    type: dict
    default: {}
  variables:
    description:
      - Names of the variables set for the hosts. One that begins like the variables of a role in O(roles_path) but
        is not among them is refused when it looks like a misspelt one, which Ansible itself would ignore. Any other
        such name is a warning.
    type: list
    elements: str
    default: []
  known_variables:
    description: Names of variables that are right although no role documents them, such as those of playbooks.
    type: list
    elements: str
    default: []
  roles_path:
    description:
      - Directory of the roles in use. Their C(meta/argument_specs.yml) say which O(variables) are known, and what is
        set nowhere is judged by its value in their C(defaults/main.yml), unless that is a template.
    type: path
  supported_versions:
    description:
      - Versions of Kubernetes that can be installed, such as V(1.36) or V(1.36.4).
      - Any version is accepted when the list is empty.
    type: list
    elements: str
    default: []
  network_plugins:
    description: Network plugins that can be installed.
    type: list
    elements: str
    default: [calico, flannel, none]
  architectures:
    description: Architectures that hosts may have.
    type: list
    elements: str
    default: [amd64, arm64]
  control_plane_group:
    description: The group of the control planes.
    type: str
    default: kube_control_plane
  worker_group:
    description: The group of the workers.
    type: str
    default: kube_node
  registry_group:
    description: The group of the registry hosts.
    type: str
    default: registry
seealso:
  - module: cloudnative.platform.cluster_verify
"""

EXAMPLES = r"""
- name: Check the input before any host is touched
  cloudnative.platform.platform_input:
    hosts: "{{ groups | cloudnative.platform.inventory_hosts(hostvars) }}"
    supported_versions: ["1.35", "1.36", "1.37"]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
problems:
  description: Everything that is wrong.
  returned: always
  type: list
  elements: dict
  contains:
    subject:
      description: What is wrong, the name of a variable or V(host) or V(group).
      type: str
    value:
      description: Its value or name.
      type: raw
    problem:
      description: Why it is wrong.
      type: str
    remedy:
      description: What would be right.
      type: str
  sample:
    - subject: kubernetes_service_cidr
      value: 10.244.0.0/20
      problem: overlaps kubernetes_pod_cidr 10.244.0.0/16
      remedy: choose two networks that share no address
unwise:
  description: What works but should be changed, in the same form as RV(problems). Also shown as warnings.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import glob
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import yaml

    YAML_ERROR: Exception | None = None
except ImportError as error:
    YAML_ERROR = error

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Rules
from ansible_collections.cloudnative.platform.plugins.module_utils._input_settings import SETTINGS
from ansible_collections.cloudnative.platform.plugins.module_utils._platform_input import judge, report

HOST_SPEC = {
    "name": {"type": "str", "required": True},
    "groups": {"type": "list", "elements": "str", "default": []},
    "address": {"type": "str"},
    "port": {"type": "int"},
    "subnets": {"type": "list", "elements": "str", "default": []},
    "settings": {"type": "dict", "default": {}},
    "facts": {"type": "dict", "default": {}},
}


def read_yaml(module: AnsibleModule, path: str) -> dict[str, t.Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            content = yaml.safe_load(stream)
    except (OSError, yaml.YAMLError) as error:
        module.fail_json(msg=f"roles_path: cannot read {path}: {error}; give the directory of the roles")
    return content if isinstance(content, dict) else {}


def read_roles(module: AnsibleModule, directory: str) -> tuple[set[str], tuple[str, ...], dict[str, t.Any]]:
    """Names of all documented variables, names of the roles, and defaults of the settings that are judged."""
    names: set[str] = set()
    roles: list[str] = []
    defaults: dict[str, t.Any] = {}
    for path in sorted(glob.glob(os.path.join(directory, "*", "meta", "argument_specs.yml"))):
        role = os.path.dirname(os.path.dirname(path))
        roles.append(os.path.basename(role))
        for entry in read_yaml(module, path).get("argument_specs", {}).values():
            names.update(entry.get("options") or {})
        content = read_yaml(module, os.path.join(role, "defaults", "main.yml"))
        # Only Ansible can say what a template is.
        defaults.update({key: content[key] for key in SETTINGS if key in content and "{{" not in str(content[key])})
    if not roles:
        module.fail_json(msg=f"roles_path: {directory} holds no role with meta/argument_specs.yml")
    return names, tuple(roles), defaults


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "hosts": {"type": "list", "elements": "dict", "required": True, "options": HOST_SPEC},
            "settings": {"type": "dict", "default": {}},
            "variables": {"type": "list", "elements": "str", "default": []},
            "known_variables": {"type": "list", "elements": "str", "default": []},
            "roles_path": {"type": "path"},
            "supported_versions": {"type": "list", "elements": "str", "default": []},
            "network_plugins": {"type": "list", "elements": "str", "default": ["calico", "flannel", "none"]},
            "architectures": {"type": "list", "elements": "str", "default": ["amd64", "arm64"]},
            "control_plane_group": {"type": "str", "default": "kube_control_plane"},
            "worker_group": {"type": "str", "default": "kube_node"},
            "registry_group": {"type": "str", "default": "registry"},
        },
        supports_check_mode=True,
    )
    params: dict[str, t.Any] = module.params
    known: set[str] = set()
    roles: tuple[str, ...] = ()
    defaults: dict[str, t.Any] = {}
    if params["roles_path"]:
        if YAML_ERROR is not None:
            module.fail_json(msg=missing_required_lib("PyYAML"), exception=YAML_ERROR)
        known, roles, defaults = read_roles(module, params["roles_path"])
    rules = Rules(
        control_plane_group=params["control_plane_group"],
        worker_group=params["worker_group"],
        registry_group=params["registry_group"],
        supported_versions=tuple(params["supported_versions"]),
        network_plugins=tuple(params["network_plugins"]),
        architectures=tuple(params["architectures"]),
        known_variables=frozenset(known.union(params["known_variables"])) if roles else frozenset(),
        variable_prefixes=roles,
    )
    judgement = judge(params["hosts"], params["settings"], rules, params["variables"], defaults)
    for finding in judgement.warnings:
        module.warn(finding.sentence())
    result: dict[str, t.Any] = {
        "changed": False,
        "problems": [finding.as_dict() for finding in judgement.problems],
        "unwise": [finding.as_dict() for finding in judgement.warnings],
    }
    if judgement.problems:
        module.fail_json(msg=report(judgement.problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
