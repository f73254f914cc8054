"""Writes down when each task began, on which hosts it ended, and what they said: one JSON object a line.

For scripts/bench.py, which names the file in TASK_TIMES_PATH and reads it with bench_times.py.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: Times of tasks as lines of JSON
description:
  - Appends a line to the file named by E(TASK_TIMES_PATH) for each play, task and result.
requirements:
  - enable in configuration
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._path = os.environ["TASK_TIMES_PATH"]
        self._play: t.Any = None

    def _write(self, event: str, **values: t.Any) -> None:
        line = json.dumps({"event": event, "time": time.time(), **values})
        with open(self._path, "a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")

    def _write_result(self, result: t.Any) -> None:
        self._write("result", host=result.host.get_name(), changed=bool(result.result.get("changed")))

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        role = task._role.get_name().rsplit(".", 1)[-1] if task._role else ""
        self._write("task", pattern=":".join(self._play.hosts), role=role, name=task.name)

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self.v2_playbook_on_task_start(task, is_conditional=False)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._write_result(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._write_result(result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._write("end")
