# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: registry_problems
short_description: Say what is wrong with the variables of the registry
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Judges the variables of role P(cloudnative.platform.registry#role) by the same rules as
    M(cloudnative.platform.platform_input) does before a run, for plays that call the role without it.
  - Values of secret variables are in no sentence.
options:
  _input:
    description: Values of the role's variables by their names.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Check the ports
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('; ') }}"
  vars:
    problems: "{{ {'registry_port': 0} | cloudnative.platform.registry_problems }}"
"""

RETURN = r"""
_value:
  description: A sentence for each thing that is wrong.
  type: list
  elements: str
"""

import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._input_conflicts import judge_registry


def registry_problems(values: t.Mapping[str, t.Any]) -> list[str]:
    return [finding.sentence() for finding in judge_registry(values, int(time.time()))]


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"registry_problems": registry_problems}
