#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kuma_upgrade_check
short_description: Refuse a version that a Kuma control plane on this host may not go to
version_added: 0.1.0
description:
  - Fails when the control plane of this host may not go to O(target_version), by the same rules by which
    M(cloudnative.platform.kuma_info) tells; a version that this collection does not write for, a step back, more than
    two minor versions in one step, data planes or zones that would be too far away, resources that the new version
    refuses.
  - Is run before the new program is put in place, as a database that was migrated does not go back.
  - Where no control plane answers, the version of the program that is installed decides. Where there is none either,
    all that counts is whether this collection writes for that version.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._kuma_api
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  target_version:
    description:
      - Version of Kuma that is to be put in place.
    type: str
    required: true
  program:
    description:
      - The C(kuma-cp) that is asked for its version where no control plane answers.
    type: path
    default: /usr/local/bin/kuma-cp
  skip_upgrade_checks:
    description:
      - Whether to go there all the same. What stands against it is warned of then.
    type: bool
    default: false
notes:
  - Runs on the host of a control plane.
seealso:
  - module: cloudnative.platform.kuma_info
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Refuse a version that the mesh may not go to
  cloudnative.platform.kuma_upgrade_check:
    target_version: 2.14.3
"""

RETURN = r"""
version:
  description: Version that runs here, or is installed. Empty when there is none, or it is not known.
  returned: success
  type: str
  sample: 2.13.10
upgrade:
  description: What was found, as M(cloudnative.platform.kuma_info) returns it.
  returned: success
  type: dict
requests:
  description: Number of requests that were sent.
  returned: always
  type: int
"""

import os
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import information, upgrade
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import ControlPlane, Unreachable
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.options import CONNECTION_SPEC, connected

ARGUMENT_SPEC: dict[str, t.Any] = {
    **CONNECTION_SPEC,
    "target_version": {"type": "str", "required": True},
    "program": {"type": "path", "default": "/usr/local/bin/kuma-cp"},
    "skip_upgrade_checks": {"type": "bool", "default": False},
}
OPTION = "skip_upgrade_checks (of role kuma: kuma_skip_upgrade_checks)"


def installed(module: AnsibleModule) -> str:
    """Version of the program; empty when there is none, or it does not say."""
    program = module.params["program"]
    if not os.path.exists(program):
        return ""
    code, out, _err = module.run_command([program, "version"])
    found = re.search(r"\d+\.\d+\.\d+\S*", out) if code == 0 else None
    if found is None:
        module.warn(f"no control plane answers and {program} does not say its version: nothing was checked")
        return ""
    return found.group(0)


def look(module: AnsibleModule, control: ControlPlane) -> tuple[str, dict[str, t.Any]]:
    """The version that is there, and what is to be said of the way from it."""
    target = module.params["target_version"]
    try:
        version = str(control.get("/").get("version") or "")
    except Unreachable as e:
        version = installed(module)
        if version in ("", target):
            return version, upgrade.first(target)
        made = upgrade.check(target, upgrade.bare(version, "universal", "postgres"), upgrade.Content({}))
        made["warnings"].append(f"{e}: the versions of data planes are not known")
        return version, made
    if version == target:
        # A mesh that is not as it should be still gets its certificates.
        return version, upgrade.first(target)
    return version, information.gather(control, False, target)["upgrade"]


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {"changed": False, "requests": 0}
    skip = module.params["skip_upgrade_checks"]
    try:
        with connected(module.params, result) as control:
            version, made = look(module, control)
    except KumaError as e:
        if not skip:
            module.fail_json(msg=f"{e}; to go to {module.params['target_version']} unseen, set {OPTION}", **result)
        version, made = "", {**upgrade.first(""), "warnings": [f"nothing was checked: {e}"]}
    result.update(version=version, upgrade=made)
    refusal = upgrade.refusal(made, version, OPTION)
    if refusal and not skip:
        module.fail_json(msg=refusal, **result)
    for text in (*made["problems"], *made["warnings"]):
        module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
