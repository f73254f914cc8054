#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_service
short_description: Put the files and units of a service on a host and keep it running on them
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Brings users, directories, files and systemd units of one service to their desired state in one call, in the order
    that a person would do it - users, stops, directories and files, C(daemon-reload), enable, start or restart, wait.
  - A unit restarts when its unit file or a watched file changes, and also when a watched file is newer than the
    running unit. So a run that was killed after it wrote a file and before it restarted the unit is finished by the
    next one.
  - Files are replaced atomically, with their final mode and owner, after their check has passed.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._attributes.platform
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
options:
  users:
    description: Users that own files of the service. Missing ones are created, existing ones are left as they are.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user.
        type: str
        required: true
      group:
        description: Primary group, created when it is missing. Without it, a group with the name of the user.
        type: str
      home:
        description: Home directory. It isn't created; list it in O(directories) where it is needed.
        type: path
        default: /nonexistent
      shell:
        description: Login shell.
        type: path
        default: /usr/sbin/nologin
      system:
        description: Whether the user and the group get numbers from the range of system accounts.
        type: bool
        default: true
  directories:
    description: Directories, parents first. A missing parent that isn't listed is created with mode 0755.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      mode:
        description: Octal mode, quoted.
        type: str
        default: "0755"
      owner:
        description: Owner, name or number.
        type: str
        default: root
      group:
        description: Group, name or number.
        type: str
        default: root
  files:
    description: Files, written in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description:
          - The whole content. Lists and dicts are written as JSON.
          - Ignored with O(files[].state=absent).
        type: raw
      mode:
        description: Octal mode, quoted.
        type: str
        default: "0644"
      owner:
        description: Owner, name or number.
        type: str
        default: root
      group:
        description: Group, name or number.
        type: str
        default: root
      secret:
        description:
          - Whether the content is secret. It is then shown nowhere - not in the diff, not in a log, not in an error.
        type: bool
        default: false
      state:
        description: Whether the file should be there.
        type: str
        choices: [present, absent]
        default: present
      validate:
        description:
          - Command that checks the new content before it replaces the old one, with C(%s) where the path goes.
          - Not run in check mode, since the command and the files that it reads may not be there yet.
        type: str
  units:
    description: systemd units, worked on in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the unit with its type.
        type: str
        required: true
      state:
        description:
          - With V(started) the unit runs. A oneshot unit without C(RemainAfterExit) is run when it is new, when it
            failed, and when something that it watches changes in this call; with C(RemainAfterExit=yes) it is treated
            as any other unit.
          - With V(stopped) it doesn't run.
          - With V(present) it is neither started nor stopped, but restarted when it runs and something that it watches
            has changed.
          - With V(absent) it is stopped, disabled, and its unit file and drop-ins under C(/etc/systemd/system) are
            removed.
        type: str
        choices: [started, stopped, present, absent]
        default: started
      enabled:
        description: Whether it starts at boot. Without it, that is left as it is.
        type: bool
      watch:
        description:
          - Paths whose change restarts the unit. They need not be files of this call.
          - Without it, a C(.service) watches all O(files) that aren't unit files and aren't in O(units[].reload_on);
            other types of units watch nothing more.
          - The unit's own file and drop-ins are always watched.
        type: list
        elements: path
      reload_on:
        description: Paths whose change reloads the unit.
        type: list
        elements: path
        default: []
      wait:
        description:
          - Where the unit answers when it is ready.
          - Asked on every run with O(units[].state=started), also when nothing changes.
        type: dict
        suboptions:
          tcp:
            description: Address of the form C(host:port) that accepts a connection.
            type: str
          unix:
            description: Path of a socket that accepts a connection.
            type: path
          url:
            description: URL that answers with one of O(units[].wait.status).
            type: str
          ca_path:
            description: File with the certificates that O(units[].wait.url) is checked against.
            type: path
          status:
            description: Statuses that mean ready.
            type: list
            elements: int
            default: [200]
          timeout:
            description: Seconds to wait.
            type: int
            default: 30
notes:
  - Times are compared in microseconds, a file's modification time with the unit's C(ActiveEnterTimestamp).
seealso:
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
- name: Run the local API endpoint
  cloudnative.platform.host_service:
    directories:
      - path: /etc/cloudnative
    files:
      - path: /etc/cloudnative/haproxy.cfg
        content: "{{ lookup('ansible.builtin.template', 'haproxy.cfg.j2') }}"
        validate: haproxy -c -f %s
      - path: /etc/systemd/system/api-endpoint.service
        content: "{{ lookup('ansible.builtin.file', 'api-endpoint.service') }}"
    units:
      - name: api-endpoint.service
        enabled: true
        reload_on:
          - /etc/cloudnative/haproxy.cfg
        wait:
          tcp: 127.0.0.1:8443

- name: Remove it
  cloudnative.platform.host_service:
    files:
      - path: /etc/cloudnative/haproxy.cfg
        state: absent
    units:
      - name: api-endpoint.service
        state: absent
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: always
  type: list
  elements: str
  sample: ["write /etc/cloudnative/haproxy.cfg", "reload api-endpoint.service: /etc/cloudnative/haproxy.cfg changes"]
diff:
  description: Files before and after, secret content masked, and what happens to units.
  returned: always
  type: list
  elements: dict
started:
  description: Units that were started.
  returned: always
  type: list
  elements: str
restarted:
  description: Units that were restarted.
  returned: always
  type: list
  elements: str
reloaded:
  description: Units that were reloaded.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import HostFileError
from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._host_service import plan, without_secrets
from ansible_collections.cloudnative.platform.plugins.module_utils._host_service_io import (
    Host,
    ServiceError,
    desired_from,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import SystemdError

PATH_SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}
WAIT_SPEC: dict[str, t.Any] = {
    "tcp": {"type": "str"},
    "unix": {"type": "path"},
    "url": {"type": "str"},
    "ca_path": {"type": "path"},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "timeout": {"type": "int", "default": 30},
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    "users": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "group": {"type": "str"},
            "home": {"type": "path", "default": "/nonexistent"},
            "shell": {"type": "path", "default": "/usr/sbin/nologin"},
            "system": {"type": "bool", "default": True},
        },
    },
    "directories": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {**PATH_SPEC, "mode": {"type": "str", "default": "0755"}},
    },
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            **PATH_SPEC,
            "mode": {"type": "str", "default": "0644"},
            "content": {"type": "raw"},
            "secret": {"type": "bool", "default": False, "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "validate": {"type": "str"},
        },
        "required_if": [("state", "present", ["content"])],
    },
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped", "present", "absent"], "default": "started"},
            "enabled": {"type": "bool"},
            "watch": {"type": "list", "elements": "path"},
            "reload_on": {"type": "list", "elements": "path", "default": []},
            "wait": {
                "type": "dict",
                "options": WAIT_SPEC,
                "mutually_exclusive": [("tcp", "unix", "url")],
                "required_one_of": [("tcp", "unix", "url")],
            },
        },
    },
}


class HostServiceModule(AnsibleModule):
    """Keeps the content of files out of the host's log and out of the recorded invocation.

    Core masks parameters as a whole or not at all; here one file is secret and the next one isn't.
    """

    def _log_invocation(self) -> None:
        names = [item[key] for kind, key in (("files", "path"), ("units", "name")) for item in self.params[kind]]
        self.log(f"Invoked for {', '.join(names)}")

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        kwargs["invocation"] = {"module_args": without_secrets(self.params, ARGUMENT_SPEC["files"]["options"])}
        super()._return_formatted(kwargs)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {"changed": False, "actions": [], "diff": []}
    result.update(started=[], restarted=[], reloaded=[])
    try:
        host = Host(module)
        desired, observed = host.observe(desired_from(module.params))
        todo = plan(desired, observed)
        result["diff"] = list(todo.diff)
        waits = {unit.name: unit for unit in desired.units if unit.state == "started"}
        for action in todo.actions:
            if not module.check_mode:
                host.apply(action)
                if action.kind in ("start", "restart", "reload") and action.target in waits:
                    host.wait_until_up(waits.pop(action.target))
            result["changed"] = True
            result["actions"].append(action.text)
        for key, kind in (("started", "start"), ("restarted", "restart"), ("reloaded", "reload")):
            result[key] = todo.targets(kind)
        if not module.check_mode:
            for unit in waits.values():
                host.wait_until_up(unit)
    except (HostFileError, ServiceError, SystemdError, ValueError) as e:
        module.fail_json(msg=str(e), **result)
    return result


def main() -> None:
    module = HostServiceModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        with lock_for(module):
            result = run(module)
    except HostLockError as e:
        module.fail_json(msg=str(e))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
