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
  - With O(roles_path), every variable of these roles is judged as each host has it - its type, its choices and the keys
    of dictionaries by the role's C(meta/argument_specs.yml), ranges and forms, and what does not go together. What only
    the run itself will know, such as a template of facts, is left out.
  - Values of secret variables never show, neither in messages nor in results.
  - Fails when there is a problem. Things that work but are unwise are returned as warnings.
  - When the facts of hosts are known, it also finds what only shows when those of all hosts lie side by side - cloned
    machines, hosts of another cluster, a version of Kubernetes that cannot be reached from the one that runs.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._attributes.action
attributes:
  action:
    support: full
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
      - The hosts to judge. Those of the inventory when it is not given.
    type: list
    elements: dict
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
        V(monitoring_node_exporter_port), V(monitoring_observer_alertmanager_port), V(monitoring_observer_port),
        V(network_plugin), V(registry_metrics_port), V(registry_port), V(registry_push_metrics_port) and
        V(registry_push_port).
    type: dict
    default: {}
  variables:
    description:
      - Names of further variables, besides those that the hosts of the inventory have. One that begins like the
        variables of a role in O(roles_path) but is not among them is refused when it looks like a misspelt one, which
        Ansible itself would ignore. Any other such name is a warning.
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
      - Directory of the roles in use. Their C(meta/argument_specs.yml) say which variables are known and what their
        values may be. What is set nowhere is judged by its value in their C(defaults/main.yml), unless that is a
        template.
    type: path
  specs:
    description:
      - Further files with C(argument_specs), for variables that belong to no role, such as those of playbooks.
        With O(roles_path) only.
    type: list
    elements: path
    default: []
  held_version:
    description:
      - The version of Kubernetes that the registry holds, such as V(v1.36.4). C(kubernetes_version) must be the same.
      - Nothing is compared when it is empty.
    type: str
    default: ""
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
    roles_path: "{{ playbook_dir }}/../roles"
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
      description: What is wrong, V(host), V(group), or a variable and where in it, such as V(lab_hosts[0].name).
      type: str
    value:
      description: Its value or name. Null for secrets and for what is too large to show.
      type: raw
    hosts:
      description: Hosts that it is wrong for, where that is not all of them.
      type: list
      elements: str
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

# What it does stands in plugins/action/platform_input.py: it needs the variables of all hosts, and no host.
