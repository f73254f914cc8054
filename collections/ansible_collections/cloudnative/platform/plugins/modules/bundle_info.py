#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_info
short_description: Read, verify and compare bundles
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Returns what a bundle holds.
  - Can hash every blob again and check that the index, the manifests and C(bundle.json) agree and that nothing else is
    there; fails and names what is wrong.
  - Can compare with an older bundle.
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
  path:
    description: Directory of the bundle.
    type: path
    required: true
  verify:
    description: Whether to hash every blob.
    type: bool
    default: false
  compare_to:
    description: Directory of the older bundle that O(path) is compared with.
    type: path
"""

EXAMPLES = r"""
- name: Verify the bundle
  cloudnative.platform.bundle_info:
    path: /srv/bundle
    verify: true

- name: See what an update brings
  cloudnative.platform.bundle_info:
    path: /srv/bundle
    compare_to: /srv/bundle-old
"""

RETURN = r"""
components:
  description: The bundle's components by name, as C(bundle.json) has them.
  returned: always
  type: dict
unobtainable:
  description: Optional components that the bundle doesn't have, with the reason.
  returned: always
  type: list
  elements: dict
blobs:
  description: Number of blobs that were hashed.
  returned: when O(verify=true)
  type: int
  sample: 84
comparison:
  description: Components that were C(added), C(removed) and C(changed), with versions, origins and digests.
  returned: when O(compare_to) is given
  type: dict
summary:
  description: The comparison as sentences.
  returned: when O(compare_to) is given
  type: list
  elements: str
  sample: ["changed kubelet v1.36.3 -> v1.36.4"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import layout
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError


def sentences(comparison: dict[str, list[dict[str, t.Any]]]) -> list[str]:
    def short(component: dict[str, t.Any]) -> str:
        return f"{component['version']} ({component['origin']}, {component['digest'][:19]})"

    lines = [f"added {entry['name']} {short(entry['after'])}" for entry in comparison["added"]]
    lines += [f"removed {entry['name']} {short(entry['before'])}" for entry in comparison["removed"]]
    lines += [
        f"changed {entry['name']} {short(entry['before'])} -> {short(entry['after'])}"
        for entry in comparison["changed"]
    ]
    return lines


def read(params: dict[str, t.Any]) -> dict[str, t.Any]:
    bundle = layout.read_bundle(params["path"])
    result: dict[str, t.Any] = {
        "changed": False,
        "components": layout.components_map(bundle),
        "unobtainable": bundle["unobtainable"],
    }
    if params["verify"]:
        problems, result["blobs"] = layout.verify(params["path"])
        if problems:
            raise BundleError(
                f"{params['path']}: the bundle is damaged; make it again with build_bundle.yml:\n- "
                + "\n- ".join(problems)
            )
    if params["compare_to"]:
        older = layout.read_bundle(params["compare_to"])
        result["comparison"] = layout.compare(older, bundle)
        result["summary"] = sentences(result["comparison"])
        sides = {"before": older, "after": bundle}
        result["diff"] = {
            side: {part["name"]: f"{part['version']} {part['digest']}" for part in content["components"]}
            for side, content in sides.items()
        }
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "verify": {"type": "bool", "default": False},
            "compare_to": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = read(module.params)
    except BundleError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
