# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: host_failure
short_description: Say in one sentence why the first task on a host failed
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Ansible reports a host without Python, or without the right to become root, as a module that failed.
    This filter tells those cases apart and says what to do about them.
  - The message of any other failure is returned as it is.
options:
  _input:
    description: The result of the failed task, C(ansible_failed_result) within C(rescue).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Prepare the host
  block:
    - name: Prepare the host
      ansible.builtin.import_role:
        name: cloudnative.platform.host
  rescue:
    - name: Say why the host cannot be used
      ansible.builtin.fail:
        msg: "{{ ansible_failed_result | cloudnative.platform.host_failure }}"
"""

RETURN = r"""
_value:
  description: Why the host cannot be used and what to do.
  type: str
"""

import re
import typing as t

_NOT_FOUND = r"(?:command not found|not found|No such file or directory|inaccessible or not found)"
_INSTALL_PYTHON = "install Python 3.9 or newer (Debian: apt-get install python3) or set ansible_python_interpreter"

# The texts of ansible-core 2.16 to 2.21 and of the programs behind them; the first that matches names the cause.
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        rf"\b(?:sudo|doas|su): {_NOT_FOUND}",
        "the program that becomes root is not installed",
        "install sudo, set ansible_become_method, or connect as root (ansible_user: root)",
    ),
    (
        r"Missing \S+ password|password is required|Incorrect \S+ password|Sorry, try again",
        "becoming root needs a password that is missing or wrong",
        "set ansible_become_password or allow the user to become root without a password",
    ),
    (
        r"not in the sudoers file|is not allowed to (?:execute|run sudo)|waiting for become success|"
        r"privilege escalation prompt|currently not available",
        "the user may not become root",
        "allow it in sudoers or connect as root (ansible_user: root)",
    ),
    (
        r"requires a minimum of Python|future feature annotations is not defined|not support Python 2",
        "Python is too old",
        _INSTALL_PYTHON,
    ),
    (
        rf"module interpreter .* was not found|python[0-9.]*'?: {_NOT_FOUND}|need to set the interpreter",
        "there is no Python",
        _INSTALL_PYTHON,
    ),
)


def host_failure(result: t.Mapping[str, t.Any]) -> str:
    message = str(result.get("msg") or "the task failed without a message")
    text = "\n".join(str(result.get(key) or "") for key in ("module_stderr", "module_stdout", "msg", "exception"))
    for pattern, cause, remedy in _CAUSES:
        match = re.search(pattern, text)
        if match:
            line = next(line.strip() for line in text.splitlines() if match[0].splitlines()[0] in line)
            return f"This host cannot be used: {cause}; {remedy}. The host said: {line}"
    return message


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"host_failure": host_failure}
