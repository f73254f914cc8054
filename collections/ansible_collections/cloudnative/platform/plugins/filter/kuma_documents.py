# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kuma_documents
short_description: Documents of a Kuma mesh in files on the controller
version_added: 0.1.0
author: cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Reads YAML and JSON files on the controller as O(cloudnative.platform.kuma_resources#module:src) reads those on the
    host where the module runs, which has neither the files nor, perhaps, PyYAML.
  - Kuma's own templates in them, C({{ .Mesh }}), are left as they are.
options:
  _input:
    description: Paths of files, or of directories, which stand for the C(*.yml), C(*.yaml) and C(*.json) in them.
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: Give a control plane on a host what stands in files on the controller
  cloudnative.platform.kuma_resources:
    resources: "{{ ['mesh/'] | cloudnative.platform.kuma_documents }}"
    call_graph: "{{ ['calls.yml'] | cloudnative.platform.kuma_documents | first }}"
"""

RETURN = r"""
_value:
  description: The documents.
  type: list
  elements: raw
"""

import os
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import documents
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError


def kuma_documents(paths: t.Sequence[str]) -> t.Any:
    """Return the documents of files on the controller."""
    if isinstance(paths, str) or not all(isinstance(path, str) for path in paths):
        raise AnsibleFilterError(f"kuma_documents: expected a list of paths, not {paths!r}")
    try:
        found = documents.sources([], [os.path.expanduser(os.path.expandvars(path)) for path in paths])
    except KumaError as error:
        raise AnsibleFilterError(str(error)) from error
    # Older releases of ansible-core would take Kuma's templates for theirs.
    return wrap_var([content for _where, content in found])


class FilterModule:
    """Filter of the role that runs the mesh on hosts."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kuma_documents": kuma_documents}
