#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kuma_token
short_description: Keep a token of a Kuma control plane in a file
version_added: 0.1.0
description:
  - Issues a token for a dataplane, a zone or a user and writes it to a file that only its owner can read.
  - A new one is issued when there is none, when it is for something else, revoked, or soon to expire. Otherwise nothing
    is asked of the control plane but whether it is revoked.
  - A token is never returned and never shown.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._kuma_api
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Says that the token changes, not what it is.
  idempotent:
    support: full
options:
  path:
    description:
      - File that the token is kept in. Its directory has to exist.
    type: path
    required: true
  type:
    description:
      - Whose token it is.
    type: str
    choices: [dataplane, zone, user]
    default: dataplane
  mesh:
    description:
      - Mesh of the dataplane.
    type: str
    default: default
  name:
    description:
      - Name of the only dataplane that may use the token, or of the user.
    type: str
  tags:
    description:
      - Tags that the dataplane must have, each with a value or a list of them.
    type: dict
  workload:
    description:
      - Workload that the dataplane must have the label of.
    type: str
  proxy_type:
    description:
      - Kind of proxy that may use the token. Any by default.
    type: str
    choices: [dataplane, ingress, egress]
  zone:
    description:
      - Zone of a zone token.
    type: str
  scope:
    description:
      - What a zone token is good for. Kuma 3.0 has no scopes any more; its zone proxies use dataplane tokens.
    type: list
    elements: str
    choices: [ingress, egress, cp]
  groups:
    description:
      - Groups of the user; V(mesh-system:admin) makes an administrator.
    type: list
    elements: str
  valid_for:
    description:
      - How long a new token is good, such as V(720h) or V(30d). The control plane itself would take ten years.
    type: str
    default: 720h
  renew_before:
    description:
      - How long before its end a token is replaced. A third of O(valid_for) by default.
    type: str
  owner:
    description:
      - User that the file belongs to; by default the one that the module runs as.
    type: str
  group:
    description:
      - Group that the file belongs to; by default that of the user the module runs as.
    type: str
  mode:
    description:
      - Mode of the file, as a quoted octal number.
    type: str
    default: "0600"
notes:
  - Runs where the file is to be. Where that host does not reach the API, forward it, or run the module on the control
    plane's host and copy the file.
  - A running C(kuma-dp) reads its token when it starts.
seealso:
  - module: cloudnative.platform.kuma_resources
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Keep the token of this host's dataplane
  cloudnative.platform.kuma_token:
    api_url: https://mesh.internal:5682
    ca_cert: /etc/kuma-dp/ca.crt
    token: "{{ mesh_admin_token }}"
    path: /etc/kuma-dp/token
    owner: kuma-dp
    name: backend-1
    workload: backend
    valid_for: 30d
  notify: Restart the dataplane

- name: Keep a token for the team that looks after the mesh
  cloudnative.platform.kuma_token:
    path: /root/mesh-operator.token
    type: user
    name: operator
    groups: [mesh-system:admin]
    valid_for: 24h
    renew_before: 12h
"""

RETURN = r"""
reason:
  description: Why a token was issued, or would be in check mode.
  returned: when one was
  type: str
  sample: it expires at 2026-12-22T11:57:29Z
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
expires:
  description: When the token in the file ends. In check mode that of the old one.
  returned: when there is one
  type: str
  sample: "2026-12-22T11:57:29Z"
requests:
  description: Number of requests that were sent.
  returned: always
  type: int
"""

import base64
import dataclasses
import grp
import os
import pwd
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils import _host_files as files
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import tokens
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import ControlPlane, Refused
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.options import CONNECTION_SPEC, connected

ARGUMENT_SPEC: dict[str, t.Any] = {
    **CONNECTION_SPEC,
    "path": {"type": "path", "required": True},
    "type": {"type": "str", "choices": ["dataplane", "zone", "user"], "default": "dataplane"},
    "mesh": {"type": "str", "default": "default"},
    "name": {"type": "str"},
    "tags": {"type": "dict"},
    "workload": {"type": "str"},
    "proxy_type": {"type": "str", "choices": ["dataplane", "ingress", "egress"]},
    "zone": {"type": "str"},
    "scope": {"type": "list", "elements": "str", "choices": ["ingress", "egress", "cp"]},
    "groups": {"type": "list", "elements": "str"},
    "valid_for": {"type": "str", "default": "720h"},
    "renew_before": {"type": "str"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str", "default": "0600"},
}

#: Stands for a token that check mode does not ask for.
PREDICTED = "(a token that this run would issue)"


def revoked(control: ControlPlane, wish: tokens.Wish) -> set[str]:
    """Ids of revoked tokens. Whoever may not read them may not issue tokens either, and is told so then."""
    try:
        data = control.get(wish.revocations).get("data") or ""
    except Refused as e:
        if e.status in (403, 404):
            return set()
        raise
    return set(base64.b64decode(data).decode("utf-8", "replace").replace(",", " ").split())


def issue(control: ControlPlane, wish: tokens.Wish) -> str:
    try:
        return control.issue(wish.path, wish.body())
    except Refused as e:
        if e.status == 404 and e.title == "Signing Key not found":
            hint = (
                "a zone of a global control plane issues none, ask that one"
                if wish.type == "zone"
                else "is there such a mesh?"
            )
            raise KumaError(f"{e} ({hint})") from e
        raise


def checked(params: dict[str, t.Any], found: files.Found) -> files.Wanted:
    """The file, with the content that it has; whatever would stand in the way of writing it is told now."""
    path = params["path"]
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise KumaError(f"directory {directory} does not exist: make it first, a token that can't be written is lost")
    wanted = files.Wanted(
        path=path,
        mode=files.parse_mode(params["mode"], path),
        owner=params["owner"] or pwd.getpwuid(os.geteuid()).pw_name,
        group=params["group"] or grp.getgrgid(os.getegid()).gr_name,
        content=found.content or b"",
        secret=True,
    )
    if wanted.mode & 0o077 and not params["group"]:
        raise KumaError(f"mode {params['mode']} lets others read the token: name the group that is to read it")
    files.uid_of(wanted.owner, path)
    files.gid_of(wanted.group, path)
    # Refuses what is no file.
    files.plan(wanted, found)
    return wanted


def keep(module: AnsibleModule, control: ControlPlane, wish: tokens.Wish, result: dict[str, t.Any]) -> None:
    found = files.observe(module.params["path"])
    # A token that was issued and can't be kept is lost, and good all the same.
    wanted = checked(module.params, found)
    text = (found.content or b"").decode("utf-8", "replace")
    module.no_log_values.update(filter(None, [text.strip()]))
    why = tokens.reason(text, wish, time.time(), ())
    if why is None:
        why = tokens.reason(text, wish, time.time(), revoked(control, wish))
    if why is not None:
        directory = os.path.dirname(wanted.path) or "."
        if not os.access(directory, os.W_OK):
            raise KumaError(f"no file can be written in {directory}: become a user who may, a token would be lost")
        result.update(reason=why)
        result["actions"].append(f"issue a token for {wanted.path}: {why}")
        new = PREDICTED
        if not module.check_mode:
            new = text = issue(control, wish)
            module.no_log_values.add(text)
        wanted = dataclasses.replace(wanted, content=new.encode())
    plan = files.plan(wanted, found)
    result["changed"] = plan.needed or why is not None
    if plan.needed:
        result["actions"].append(plan.text)
        result["diff"] = files.diff_of(plan, found)
        if not module.check_mode:
            files.Writer(module).apply(plan)
    ends = tokens.expiry(text)
    if ends:
        result["expires"] = ends


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {"changed": False, "actions": []}
    try:
        wish = tokens.wish(module.params)
        with connected(module.params, result) as control:
            keep(module, control, wish, result)
    except (KumaError, files.HostFileError) as e:
        module.fail_json(msg=str(e), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
