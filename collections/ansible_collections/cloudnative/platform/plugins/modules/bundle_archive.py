#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_archive
short_description: Pack a bundle into one file, or unpack it
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Packs the directory of a bundle into one tar file, to be carried to a site without internet, and unpacks it there.
  - Equal bundles give equal files. A file that was cut short or in which any byte has changed is refused, with the name
    of what is damaged, and the directory stays as it was.
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
  archive:
    description: The tar file.
    type: path
    required: true
  state:
    description:
      - V(packed) makes O(archive) from O(path).
      - V(unpacked) makes O(path) from O(archive); what was in the directory is replaced.
    type: str
    choices: [packed, unpacked]
    required: true
"""

EXAMPLES = r"""
- name: Pack the bundle
  cloudnative.platform.bundle_archive:
    path: /srv/bundle
    archive: /media/usb/bundle.tar
    state: packed

- name: Unpack it at the site
  cloudnative.platform.bundle_archive:
    path: /srv/bundle
    archive: /media/usb/bundle.tar
    state: unpacked
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
  sample: ["packed /srv/bundle into /media/usb/bundle.tar"]
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import archive as tar
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError, sha256_file


def index_of_archive(path: str) -> str:
    """Sum of the index in an archive; empty when there is none that can be read."""
    try:
        return tar.first_member(path).get("files", {}).get("index.json", "")
    except (BundleError, ValueError, AttributeError):
        return ""


def index_of_directory(path: str) -> str:
    index = os.path.join(path, "index.json")
    return sha256_file(index) if os.path.exists(index) else ""


def apply(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    path, archive = os.path.abspath(params["path"]), os.path.abspath(params["archive"])
    packed, directory = index_of_archive(archive), index_of_directory(path)
    if params["state"] == "packed":
        if not directory:
            raise BundleError(f"{path}: holds no bundle (no index.json); make one with build_bundle.yml")
        # The same index means the same content; that the file still is what was packed is for unpacking to say.
        needed, action = packed != directory, f"packed {path} into {archive}"
    else:
        if not os.path.exists(archive):
            raise BundleError(f"{archive}: no such file")
        tar.first_member(archive)
        needed, action = packed != directory, f"unpacked {archive} to {path}"
    if needed and not check_mode:
        if params["state"] == "packed":
            tar.pack(path, archive)
        else:
            tar.unpack(archive, path)
    before, after = (packed, directory) if params["state"] == "packed" else (directory, packed)
    return {
        "changed": needed,
        "actions": [action] if needed else [],
        "diff": {"before": {"index_sha256": before}, "after": {"index_sha256": after}},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "archive": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["packed", "unpacked"], "required": True},
        },
        supports_check_mode=True,
    )
    try:
        result = apply(module.params, module.check_mode)
    except BundleError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
