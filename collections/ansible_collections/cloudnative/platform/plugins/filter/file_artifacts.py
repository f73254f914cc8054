# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: file_artifacts
short_description: Say which files of which components go into which directories
version_added: 0.1.0
author: cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Makes the option C(artifacts) of M(cloudnative.platform.oci_files) out of the registry's components.
positional: directories
options:
  _input:
    description: Components by name, the fact C(registry_components) of the registry role.
    type: dict
    required: true
  directories:
    description: The directory that all files of a component go to, by component.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Install the tools
  cloudnative.platform.oci_files:
    registry: "{{ registry_client }}"
    artifacts: "{{ registry_components | cloudnative.platform.file_artifacts({'kubectl': '/usr/local/bin'}) }}"
"""

RETURN = r"""
_value:
  description: The artifacts, in the order of O(directories).
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError


def file_artifacts(components: dict[str, t.Any], directories: dict[str, str]) -> list[dict[str, t.Any]]:
    """Return artifacts with the path of each of their files."""
    missing = sorted(set(directories) - set(components))
    if missing:
        raise AnsibleFilterError(
            f"the registry does not hold {', '.join(missing)}: put them into the bundle and fill the registry"
        )
    return [
        {
            "ref": components[name]["ref"],
            "digest": components[name]["digest"],
            "files": [
                {
                    "name": file["name"],
                    "path": f"{directory}/{file['name']}",
                    "mode": file["mode"],
                    "sha256": file["sha256"],
                }
                for file in components[name]["files"]
            ],
        }
        for name, directory in directories.items()
    ]


class FilterModule:
    """Filter of roles that install binaries from the registry."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"file_artifacts": file_artifacts}
