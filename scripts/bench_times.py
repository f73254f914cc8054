"""What the callback task_times wrote down, in numbers: how long each phase of a run took, who changed what. Pure."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

# Phases of site.yml, in their order. Whatever a role does is the phase of its name, unless it is named here.
ROLE_PHASES = {"host": "hosts", "containerd": "containerd", "kubernetes": "cluster", "network": "network"}
PLAY_PHASES = {"localhost": "input", "registry": "registry"}


@dataclass
class Task:
    pattern: str
    role: str
    name: str
    started: float
    seconds: float = 0.0
    # host -> seconds after the start of the task
    hosts: dict[str, float] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)


def read(text: str) -> list[Task]:
    """Tasks with what happened until the next one began: a strategy that goes task by task leaves no gap."""
    tasks: list[Task] = []
    for line in text.splitlines():
        event: dict[str, t.Any] = json.loads(line)
        if event["event"] == "result":
            tasks[-1].hosts[event["host"]] = event["time"] - tasks[-1].started
            if event["changed"]:
                tasks[-1].changed.append(event["host"])
            continue
        if tasks:
            tasks[-1].seconds = event["time"] - tasks[-1].started
        if event["event"] == "task":
            tasks.append(Task(event["pattern"], event["role"], event["name"], event["time"]))
    return tasks


def phases(tasks: list[Task], total_seconds: float) -> dict[str, float]:
    """Phase -> seconds; `start` is what is not a task: Python, the inventory, reading roles, the end."""
    found: dict[str, float] = {"start": total_seconds - sum(task.seconds for task in tasks)}
    networked = False
    for task in tasks:
        networked = networked or task.role == "network"
        phase = PLAY_PHASES.get(task.pattern)
        if phase == "registry" and not task.role:
            phase = "lock"
        elif phase is None and not task.role:
            phase = "input"
        elif phase is None:
            phase = ROLE_PHASES.get(task.role, task.role)
            # The cluster's DNS waits for its network, so it ends with it.
            phase = "network" if phase == "cluster" and networked else phase
        found[phase] = found.get(phase, 0.0) + task.seconds
    return {name: round(seconds, 1) for name, seconds in found.items()}


def changed_by_host(tasks: list[Task]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for task in tasks:
        for host in task.changed:
            counts[host] = counts.get(host, 0) + 1
    return counts


def costs(tasks: list[Task]) -> list[str]:
    """The tasks that took longest, as lines for a person."""
    return [
        f"{task.seconds:6.1f} s  {len(task.hosts):3} hosts  {task.role or '-'}: {task.name}"
        for task in sorted(tasks, key=lambda task: task.seconds, reverse=True)
    ]
