# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of the module run_lock: says who this run is, and judges the run that has the lock."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.cloudnative.platform.plugins.filter.host_failure import host_failure
from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock import (
    EXPIRED,
    GONE,
    REFUSE,
    TAKE,
    TAKE_OVER,
    Holder,
    describe,
    half_true,
    judge,
    lost,
    record_of,
    refusal,
    report,
)
from ansible_collections.cloudnative.platform.plugins.plugin_utils._run_lock import Release, is_dead, this_run

display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        me = this_run(variables)
        take_over = boolean(self._task.args.get("take_over", False), strict=False)
        renew = boolean(self._task.args.get("renew", False), strict=False)
        present = self._task.args.get("state", "present") != "absent"

        answer = self._ask(me, variables)
        found = record_of(answer)
        reason = EXPIRED
        if found is not None and answer["action"] == REFUSE and not (present and renew):
            reason = judge(dead=present and is_dead(found, me), take_over=take_over)
            if reason:
                # From the run that was judged and from no other: somebody else may have been quicker.
                answer = self._ask(me, variables, replaces=found.run)
                found = record_of(answer)
        if answer.get("failed"):
            return {**result, **answer, "msg": host_failure(answer)}

        action, now = answer["action"], answer["now"]
        if present and found is not None and action == REFUSE and not self._task.check_mode:
            # Nothing else, so that the message is what is seen of it.
            said = lost(found, now) if renew else refusal(found, now)
            return {**result, "failed": True, "changed": False, "action": action, "msg": said}
        result.update(answer)
        if not present:
            result["msg"] = report(found, action, now, found is not None and is_dead(found, me))
        elif found is not None and action == REFUSE:
            self._warn(variables, half_true(found, now))
        elif found is not None and action == TAKE_OVER and not self._task.check_mode:
            self._warn(variables, f"took the lock of the platform from {describe(found, now)}: {reason}")
        elif renew and action == TAKE:
            self._warn(variables, GONE)
        if answer["held"] and not Release.at_the_end:
            self._warn(
                variables,
                "the lock of the platform stays until it expires, for nothing gives it back when this run ends; add "
                "cloudnative.platform.run_lock to callbacks_enabled in ansible.cfg",
            )
        return result

    def _ask(self, me: Holder, variables: dict[str, t.Any], replaces: str = "") -> dict[str, t.Any]:
        arguments = {**self._task.args, "holder": asdict(me), "replaces": replaces}
        try:
            return self._execute_module(module_args=arguments, task_vars=variables)
        except AnsibleConnectionFailure:
            # An unreachable host is Ansible's to tell.
            raise
        except AnsibleError as e:
            # It is the first task on the host: becoming root may have failed.
            return {"failed": True, "msg": str(e)}

    @staticmethod
    def _warn(variables: t.Mapping[str, t.Any], text: str) -> None:
        display.warning(f"{variables.get('inventory_hostname', 'the host')}: {text}")
