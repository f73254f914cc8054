#!/usr/bin/python

# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_hosts
short_description: Make and remove test hosts on this machine
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Makes systemd containers with an ssh server that behave like hosts, so that the roles of this collection
    can be run and tested on one machine. Each has its own address, machine-id, ssh host key and volumes.
  - The root file system is built from distribution packages with C(mmdebstrap) and kept in a cache.
  - An inventory directory and an ssh key for the hosts are written, so that plays can use them at once.
  - Hosts of the lab that are not in O(hosts) are removed.
  - Everything that is made carries the label C(cloudnative.platform/lab), and O(state=absent) removes exactly that.
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
  name:
    description:
      - Name of the lab. Its network has this name, and its containers begin with it.
    type: str
    default: lab
  state:
    description:
      - V(present) makes the hosts, starts stopped ones and waits until all answer on ssh.
      - V(absent) removes containers, volumes, network, inventory and key of the lab.
    type: str
    choices:
      - present
      - absent
    default: present
  hosts:
    description:
      - The hosts of the lab. Used with O(state=present).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Host name.
        type: str
        required: true
      groups:
        description:
          - Inventory groups of the host.
        type: list
        elements: str
        default: []
      address:
        description:
          - Address of the host. By default the address it has already, else the lowest free one, beginning at the
            eleventh of the subnet.
        type: str
  subnet:
    description:
      - Network of the hosts, in CIDR notation.
    type: str
    default: 10.99.0.0/24
  packages:
    description:
      - Distribution packages of the root file system, on top of systemd, openssh-server and python3.
    type: list
    elements: str
    default: []
  suite:
    description:
      - Distribution release of the root file system.
    type: str
    default: bookworm
  mirror:
    description:
      - Package mirror the root file system is built from.
    type: str
    default: http://deb.debian.org/debian
  cache_path:
    description:
      - Directory that keeps built root file systems.
    type: path
    default: ~/.cache/cloudnative-platform/lab
  remove_image:
    description:
      - Whether O(state=absent) also removes the image and its archive in the cache.
    type: bool
    default: false
  inventory_path:
    description:
      - Directory that the inventory is written to (C(hosts.ini) and C(group_vars/all/lab.yml)).
    type: path
    required: true
  key_path:
    description:
      - Private ssh key of the lab. It is made when it is missing; C(known_hosts) is written beside it.
    type: path
    required: true
  group_vars:
    description:
      - Variables that are written to C(group_vars/all/lab.yml), besides those that the connection needs.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds to wait for the hosts to boot.
    type: int
    default: 90
  progress_file:
    description:
      - File that a line is added to for every step.
    type: path
requirements:
  - podman 4.3 or newer
  - PyYAML
  - mmdebstrap, when the root file system is not in the cache
notes:
  - Must run as root on the machine that carries the hosts.
  - C(fs.inotify.max_user_instances) of the machine is raised while a lab exists, and restored with the last one.
"""

EXAMPLES = r"""
- name: Make three hosts
  cloudnative.platform.lab_hosts:
    name: lab
    hosts:
      - name: registry1
        groups: [registry]
      - name: cp1
        groups: [kube_control_plane]
      - name: worker1
        groups: [kube_node]
    inventory_path: /root/lab/inventory
    key_path: /root/lab/ssh/id_ed25519

- name: Remove them
  cloudnative.platform.lab_hosts:
    name: lab
    state: absent
    inventory_path: /root/lab/inventory
    key_path: /root/lab/ssh/id_ed25519
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: ["create network lab (10.99.0.0/24)", "create host cp1 (10.99.0.12)"]
hosts:
  description: The hosts of the lab.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "cp1", "address": "10.99.0.12", "groups": ["kube_control_plane"], "container": "lab-cp1"}]
image:
  description: The image hosts are made from.
  returned: success
  type: str
  sample: localhost/cloudnative-lab:0a1b2c3d4e5f
inventory:
  description: The inventory file.
  returned: success
  type: str
  sample: /root/lab/inventory/hosts.ini
"""

import time
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.cloudnative.platform.plugins.module_utils import _lab_plan as lab_plan
from ansible_collections.cloudnative.platform.plugins.module_utils._lab_image import Recipe
from ansible_collections.cloudnative.platform.plugins.module_utils._lab_podman import Machine

try:
    import yaml

    YAML_IMPORT_ERROR = None
except ImportError:
    YAML_IMPORT_ERROR = traceback.format_exc()


def _to_yaml(data: t.Any) -> str:
    return yaml.safe_dump(data, sort_keys=True, default_flow_style=False)


def _progress_to(path: str | None) -> t.Callable[[str], None]:
    started = time.monotonic()

    def progress(text: str) -> None:
        if path:
            with open(path, "a", encoding="utf-8") as handle:
                handle.write(f"[{time.monotonic() - started:5.1f} s] {text}\n")

    return progress


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    present = params["state"] == "present"
    lab_plan.check_lab(params["name"], params["subnet"], params["hosts"])
    recipe = Recipe(suite=params["suite"], packages=tuple(params["packages"]))
    lab = lab_plan.Lab(
        name=params["name"],
        subnet=params["subnet"],
        image=recipe.image,
        hosts=(),
        inventory_path=params["inventory_path"].rstrip("/"),
        key_path=params["key_path"],
        group_vars=params["group_vars"],
    )
    machine = Machine(lab, recipe, params["cache_path"], _progress_to(params["progress_file"]))
    if present:
        lab = machine.address(params["hosts"])
    files = lab_plan.render_files(lab, _to_yaml)
    paths = [lab.known_hosts_path, *reversed(files)]
    seen = machine.see(paths)
    if present:
        files |= lab_plan.foresee_known_hosts(lab, seen)
        actions = lab_plan.plan_present(lab, seen, files)
    else:
        actions = lab_plan.plan_absent(lab, seen, paths, params["remove_image"])
    before = lab_plan.describe(lab, seen, paths)

    if not module.check_mode:
        machine.apply(actions, files, params["mirror"], seen)
        now = machine.see(paths) if actions else seen
        if present:
            new = {action.target for action in actions if action.kind == "create_host"}
            machine.write_known_hosts(machine.wait(new, now.hosts, params["timeout"]))

    return {
        "changed": bool(actions),
        "actions": [action.text for action in actions],
        "diff": {"before": before, "after": lab_plan.foresee(lab, before, actions, files)},
        "hosts": [
            {
                "name": host.name,
                "address": host.address,
                "groups": list(host.groups),
                "container": lab.container(host.name),
            }
            for host in lab.hosts
        ],
        "image": lab.image,
        "inventory": f"{lab.inventory_path}/hosts.ini",
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "lab"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "hosts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "groups": {"type": "list", "elements": "str", "default": []},
                    "address": {"type": "str"},
                },
            },
            "subnet": {"type": "str", "default": "10.99.0.0/24"},
            "packages": {"type": "list", "elements": "str", "default": []},
            "suite": {"type": "str", "default": "bookworm"},
            "mirror": {"type": "str", "default": "http://deb.debian.org/debian"},
            "cache_path": {"type": "path", "default": "~/.cache/cloudnative-platform/lab"},
            "remove_image": {"type": "bool", "default": False},
            "inventory_path": {"type": "path", "required": True},
            "key_path": {"type": "path", "required": True, "no_log": False},
            "group_vars": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 90},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if YAML_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=YAML_IMPORT_ERROR)
    try:
        result = run(module)
    except lab_plan.LabError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
