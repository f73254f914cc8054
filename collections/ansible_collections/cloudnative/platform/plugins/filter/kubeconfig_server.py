# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeconfig_server
short_description: Point a kubeconfig at another address of the API server
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - A kubeconfig made by kubeadm names the address that is right on the hosts of the cluster. This filter returns it
    with an address that is right from elsewhere, such as the controller.
  - The result holds a private key. Use C(no_log) on tasks that would show it.
positional: _input, server
options:
  _input:
    description: The kubeconfig, as text in YAML or as a dictionary.
    type: raw
    required: true
  server:
    description: The URL of the API server.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Read the nodes through the first control plane
  kubernetes.core.k8s_info:
    kubeconfig: "{{ conf.content | b64decode | cloudnative.platform.kubeconfig_server('https://192.0.2.11:6443') }}"
    kind: Node
  no_log: true
"""

RETURN = r"""
_value:
  description: The kubeconfig as a dictionary.
  type: dict
"""

import typing as t

import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeconfig import KubeconfigError, with_server


def kubeconfig_server(kubeconfig: t.Any, server: str) -> dict[str, t.Any]:
    try:
        content = yaml.safe_load(kubeconfig) if isinstance(kubeconfig, str) else kubeconfig
        return with_server(content, str(server))
    except yaml.YAMLError:
        # The error of the parser quotes the document, and with it the key; Ansible would show it as the cause.
        raise AnsibleFilterError("kubeconfig_server: the kubeconfig is not valid YAML") from None
    except KubeconfigError as error:
        raise AnsibleFilterError(f"kubeconfig_server: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kubeconfig_server": kubeconfig_server}
