#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kuma_admin_token
short_description: Keep the token of the administrator that a new Kuma control plane makes
version_added: 0.1.0
description:
  - A control plane makes a token of its administrator when it starts for the first time, a second or two after it is
    ready, and gives it to callers on its own host, as long as these are administrators.
  - Fetches it once, into a file that only root can read. After that C(KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN) can be
    turned off. A token that is kept is not asked for again.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._kuma_api
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Says that the file changes, not what is in it.
  idempotent:
    support: full
options:
  path:
    description:
      - File that the token is kept in. Its directory has to exist.
    type: path
    required: true
  fetch:
    description:
      - Whether to fetch a token that is not kept yet. Otherwise the file is only read.
    type: bool
    default: true
  return_token:
    description:
      - Whether to return the token, for tasks that need it. Use C(no_log) on the task then.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait until the control plane has made the token.
    type: int
    default: 60
notes:
  - Runs on the host of a control plane.
  - A control plane without C(bootstrapAdminToken) never makes one.
seealso:
  - module: cloudnative.platform.kuma_token
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Keep the token of the administrator
  cloudnative.platform.kuma_admin_token:
    path: /etc/kuma/admin.token

- name: Read it
  cloudnative.platform.kuma_admin_token:
    path: /etc/kuma/admin.token
    fetch: false
    return_token: true
  no_log: true
  register: administrator
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
check_mode:
  description:
    - Whether the module only predicted. C(ansible_check_mode) follows the command line alone, and not the C(check_mode)
      of a play or task.
  returned: always
  type: bool
token:
  description: The token. Empty when none is kept, in check mode also when one would be fetched.
  returned: with O(return_token)
  type: str
"""

import base64
import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils import _host_files as files
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import (
    ControlPlane,
    Refused,
    Unreachable,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.options import CONNECTION_SPEC, control_plane

SECRET = "/global-secrets/admin-user-token"
ARGUMENT_SPEC: dict[str, t.Any] = {
    **CONNECTION_SPEC,
    "path": {"type": "path", "required": True},
    "fetch": {"type": "bool", "default": True},
    "return_token": {"type": "bool", "default": False, "no_log": False},
    "wait_timeout": {"type": "int", "default": 60},
}


def fetch(control: ControlPlane, timeout: int) -> str:
    """The token, as soon as the control plane has made it."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return base64.b64decode(control.get(SECRET)["data"]).decode()
        except Refused as e:
            if e.status == 403:
                raise KumaError(
                    f"{e}. Callers on its host are no administrators (localhostIsAdmin is off), and the token is not "
                    "kept here: put it into the file, or turn localhostIsAdmin on and run this again"
                ) from e
            if e.status != 404:
                raise
            trouble: KumaError = e
        except Unreachable as e:
            trouble = e
        if time.monotonic() > deadline:
            raise KumaError(f"the control plane has made no token of its administrator within {timeout} s: {trouble}")
        # The control plane makes it some time after it began to answer, and tells nobody.
        time.sleep(0.5)


def give(module: AnsibleModule, token: str, result: dict[str, t.Any]) -> None:
    if module.params["return_token"]:
        result["token"] = token
    elif token:
        module.no_log_values.add(token)


def keep(module: AnsibleModule, result: dict[str, t.Any]) -> None:
    path = module.params["path"]
    found = files.observe(path)
    token = (found.content or b"").decode("utf-8", "replace").strip()
    give(module, token, result)
    if token or not module.params["fetch"]:
        return
    result["actions"].append(f"fetch the token of the administrator and keep it in {path}")
    result["changed"] = True
    if module.check_mode:
        return
    if not os.path.isdir(os.path.dirname(path)):
        raise KumaError(f"directory {os.path.dirname(path)} does not exist: make it first")
    control = control_plane(module.params)
    try:
        token = fetch(control, module.params["wait_timeout"])
    finally:
        control.close()
    wanted = files.Wanted(path=path, mode=0o600, content=f"{token}\n".encode(), secret=True)
    plan = files.plan(wanted, found)
    result["diff"] = files.diff_of(plan, found)
    files.Writer(module).apply(plan)
    give(module, token, result)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {"changed": False, "actions": [], "check_mode": module.check_mode}
    try:
        keep(module, result)
    except (KumaError, files.HostFileError) as e:
        module.fail_json(msg=str(e), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
