#!/usr/bin/python

# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_members_info
short_description: List the members of an etcd cluster with their health
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Asks C(etcdctl) on a control plane for the members, the status and health of each, and raised alarms.
  - A member that does not answer is listed as not healthy. The module only fails when no member can be asked.
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
  endpoint:
    description: URL of the member to ask first.
    type: str
    default: https://127.0.0.1:2379
  ca_cert:
    description: Path of the certificate of etcd's CA.
    type: path
    default: /etc/kubernetes/pki/etcd/ca.crt
  client_cert:
    description: Path of a client certificate.
    type: path
    default: /etc/kubernetes/pki/etcd/healthcheck-client.crt
  client_key:
    description: Path of the key of O(client_cert).
    type: path
    default: /etc/kubernetes/pki/etcd/healthcheck-client.key
  executable:
    description: Path of C(etcdctl).
    type: path
    default: /usr/local/bin/etcdctl
  timeout:
    description: Seconds that one member may take to answer.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: List the members of etcd
  cloudnative.platform.etcd_members_info:
  register: etcd
"""

RETURN = r"""
members:
  description: The members, in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Identity in hexadecimal.
      type: str
    name:
      description: Name, empty when the member has never started.
      type: str
    peer_urls:
      description: URLs for other members.
      type: list
      elements: str
    client_urls:
      description: URLs for clients.
      type: list
      elements: str
    learner:
      description: Whether it does not vote yet.
      type: bool
    healthy:
      description: Whether it commits proposals.
      type: bool
    error:
      description: Why it is not healthy.
      type: str
    leader:
      description: Whether it leads.
      type: bool
    version:
      description: Version of etcd.
      type: str
    db_size:
      description: Bytes of its database file.
      type: int
    db_size_in_use:
      description: Bytes of its database file that hold data.
      type: int
    raft_term:
      description: Term of the election it knows of.
      type: int
    raft_index:
      description: Index of the last entry it has.
      type: int
    alarms:
      description: Alarms it has raised.
      type: list
      elements: str
"""

import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._etcd_members import join_members


def ask(module: AnsibleModule, *arguments: str, partial: bool = False) -> t.Any:
    """Run etcdctl. With `partial` it may fail for some members as long as it prints what it knows."""
    params = module.params
    command = [
        params["executable"],
        f"--endpoints={params['endpoint']}",
        f"--cacert={params['ca_cert']}",
        f"--cert={params['client_cert']}",
        f"--key={params['client_key']}",
        f"--dial-timeout={params['timeout']}s",
        f"--command-timeout={params['timeout']}s",
        "--write-out=json",
        *arguments,
    ]
    code, output, error = module.run_command(command, environ_update={"ETCDCTL_API": "3"})
    try:
        parsed = json.loads(output.strip() or "null")
    except ValueError:
        parsed = None
    if parsed is None and (code != 0 or not partial):
        last = (error.strip() or output.strip() or f"exit code {code}").splitlines()[-1]
        module.fail_json(msg=f"etcdctl {' '.join(arguments)} at {params['endpoint']} failed: {last}")
    return parsed or []


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "endpoint": {"type": "str", "default": "https://127.0.0.1:2379"},
            "ca_cert": {"type": "path", "default": "/etc/kubernetes/pki/etcd/ca.crt"},
            "client_cert": {"type": "path", "default": "/etc/kubernetes/pki/etcd/healthcheck-client.crt"},
            "client_key": {"type": "path", "default": "/etc/kubernetes/pki/etcd/healthcheck-client.key"},
            "executable": {"type": "path", "default": "/usr/local/bin/etcdctl"},
            "timeout": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    for option in ("executable", "ca_cert", "client_cert", "client_key"):
        if not os.path.isfile(module.params[option]):
            module.fail_json(msg=f"{option}: {module.params[option]} does not exist; is this host a control plane?")
    members = join_members(
        ask(module, "member", "list"),
        ask(module, "endpoint", "status", "--cluster", partial=True),
        ask(module, "endpoint", "health", "--cluster", partial=True),
        ask(module, "alarm", "list"),
    )
    module.exit_json(changed=False, members=members)


if __name__ == "__main__":
    main()
