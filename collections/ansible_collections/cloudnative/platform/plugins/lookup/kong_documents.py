# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kong_documents
short_description: Documents of a Kong Gateway's configuration, read on the controller
version_added: 0.1.0
author: cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Reads documents in Kong's declarative format, as strictly as M(cloudnative.platform.kong_config) does. A path that
    does not exist, a directory without documents in it, a file that is neither YAML nor JSON and a key that stands
    twice are errors that name the file.
  - A file that is encrypted with Ansible Vault as a whole is deciphered.
  - For a module that runs elsewhere than on the controller. Hosts need no PyYAML then.
options:
  _terms:
    description:
      - Paths on the controller, or lists of them. A directory stands for the C(*.yml), C(*.yaml) and C(*.json) in it.
    type: list
    elements: path
    required: true
  base:
    description:
      - Directory that relative paths begin from. Without it they are refused.
    type: str
seealso:
  - module: cloudnative.platform.kong_config
"""

EXAMPLES = r"""
- name: Configure the gateway on a host with files of the controller
  cloudnative.platform.kong_config:
    config: "{{ documents | map(attribute='content') }}"
    config_names: "{{ documents | map(attribute='name') }}"
    owner: platform
    prune: true
  vars:
    documents: "{{ query('cloudnative.platform.kong_documents', 'gateway/', base=inventory_dir) }}"
"""

RETURN = r"""
_raw:
  description: The documents, in the order of the paths, those of a directory sorted by name.
  type: list
  elements: dict
  contains:
    name:
      description: Path of the file, for messages.
      type: str
    content:
      description: What is in it.
      type: dict
"""

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError
from ansible_collections.cloudnative.platform.plugins.plugin_utils._kong_documents import read


class LookupModule(LookupBase):
    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        self.set_options(var_options=variables, direct=kwargs)
        paths = [str(path) for term in terms for path in (term if isinstance(term, (list, tuple)) else [term])]
        try:
            found = read(paths, self.get_option("base"), self._loader)
        except KongError as e:
            # The reason is in its text; Ansible would say it a second time for the cause.
            raise AnsibleError(str(e)) from None
        return [{"name": name, "content": content} for name, content in found]
