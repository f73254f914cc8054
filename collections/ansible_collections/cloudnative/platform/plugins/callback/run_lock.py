# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: run_lock
type: aggregate
short_description: Gives the lock of a platform back when a run ends
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Gives back what M(cloudnative.platform.run_lock) took, after the last play, however the run ended. A play of its own
    at the end of a playbook could not do that, as Ansible runs none after a play in which all hosts failed or could not
    be reached.
  - Says nothing when all goes well. A lock that cannot be given back is a warning and does not change the exit code.
  - Nothing can be done when C(ansible-playbook) is interrupted or killed. Then the next run of the same controller
    takes the lock over, and others wait until it expires.
requirements:
  - enable in configuration (C(callbacks_enabled)), or lay it in C(callback_plugins) beside the playbook
"""

import typing as t

from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.playbook.play import Play
from ansible.plugins.callback import CallbackBase

from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock import (
    REFUSE,
    lost_unnoticed,
    record_of,
)
from ansible_collections.cloudnative.platform.plugins.plugin_utils._run_lock import Release

NAME = "cloudnative.platform.run_lock"
# How a host is reached may be said by the play or the task that takes the lock, and holds for giving it back as well.
CONNECTION = ("become", "become_user", "become_method", "become_flags", "remote_user", "connection", "port")

NOT_GIVEN_BACK = (
    "the lock of the platform was not given back: {}. If it is still there, it expires, or is removed with "
    "playbooks/unlock.yml"
)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = NAME
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # The first of a process gives back, a second one listens: to the play that gives back, or to nothing where the
        # plugin is enabled and lies beside the playbook as well.
        self._listens = Release.at_the_end
        Release.at_the_end = True
        self._play: t.Any = None
        self._passwords: dict[str, str] = {}
        self._held: dict[str, dict[str, t.Any]] = {}

    def set_play_context(self, play_context: t.Any) -> None:
        self._passwords = {"conn_pass": play_context.password, "become_pass": play_context.become_pass}

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play

    def v2_runner_on_ok(self, result: t.Any) -> None:
        task, host, answer = result._task, result._host.get_name(), result._result
        if task.action.rpartition(".")[2] != "run_lock":
            return
        if self._listens:
            record = record_of(answer)
            if record is not None and answer["action"] == REFUSE:
                Release.failures[host] = lost_unnoticed(record, answer["now"])
        elif answer.get("held"):
            self._held[host] = self._play_for(host, task)
        else:
            self._held.pop(host, None)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        host, answer = result._host.get_name(), result._result
        if self._listens:
            Release.failures[host] = NOT_GIVEN_BACK.format(answer.get("msg"))
        elif result._task.action.rpartition(".")[2] == "run_lock" and answer.get("action") == REFUSE:
            # It was lost, and the run knows.
            self._held.pop(host, None)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        held, self._held = self._held, {}
        if not held:
            return
        variables = self._play.get_variable_manager()
        # The last play may have been about other hosts.
        variables._inventory.remove_restriction()
        # This plugin itself is what listens, so that nothing of it is shown.
        manager = TaskQueueManager(
            variables._inventory, variables, self._play.get_loader(), self._passwords, NAME, False
        )
        # --start-at-task was about the plays before.
        manager._start_at_done = True
        try:
            for content in held.values():
                manager.run(Play.load(content, variable_manager=variables, loader=self._play.get_loader()))
        finally:
            manager.cleanup()
        for host, reason in Release.failures.items():
            self._display.warning(f"{host}: {reason}")
        Release.failures.clear()

    def _play_for(self, host: str, task: t.Any) -> dict[str, t.Any]:
        """A play that gives back what a task took, as a playbook would have it."""
        how = {name: getattr(task, name) for name in CONNECTION}
        release: dict[str, t.Any] = {"name": "Give the lock of the platform back", NAME: {"state": "absent"}}
        if "path" in task.args:
            release[NAME]["path"] = task.args["path"]
        if task.delegate_to:
            release["delegate_to"] = task.delegate_to
        return {
            "name": release["name"],
            "hosts": [host],
            "gather_facts": False,
            "vars": dict(self._play.vars),
            "tags": ["always"],
            "tasks": [release],
            **{name: value for name, value in how.items() if value is not None},
        }
