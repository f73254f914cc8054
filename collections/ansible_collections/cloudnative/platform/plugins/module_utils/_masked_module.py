# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A module whose log keeps the secrets that are inside of its options."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values


class MaskedModule(AnsibleModule):
    """For modules with `no_log` in suboptions.

    Core writes a dictionary to the system log as text, and masks secrets in that text. A password with a quote or a
    letter beyond ASCII in it is written differently there, and stays. Here it is masked before it becomes text.
    """

    params: dict[str, t.Any]

    def _log_invocation(self) -> None:
        params = self.params
        self.params = remove_values(params, self.no_log_values)
        try:
            super()._log_invocation()
        finally:
            self.params = params
