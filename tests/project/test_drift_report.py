"""The drift report looks at what site.yml converges: the same roles, with the same variables, and misses no task."""

from __future__ import annotations

import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"
ROLES = ROOT / "roles"
REPORT = yaml.safe_load((PLAYBOOKS / "report_drift.yml").read_text())
SITE = yaml.safe_load((PLAYBOOKS / "site.yml").read_text())
AREAS = yaml.safe_load((PLAYBOOKS / "vars/drift_areas.yml").read_text())["drift_areas"]

# They decide or hand on, and change no host.
HARMLESS = {"assert", "debug", "fail", "find", "import_role", "import_tasks", "include_tasks", "meta", "set_fact"}
# They read, for the tasks behind them.
READING = {
    "__kong_checked",
    "__kong_compared",
    "__kong_keys_read",
    "__kong_runs",
    "__kubernetes_credentials",
    "__kubernetes_observed",
    "__kuma_admin",
    "__kuma_asked",
    "__kuma_dp_tokens_read",
    "__kuma_key_read",
    "__kuma_rules",
    "__kuma_upgrade",
    "__monitoring_key",
}
# What is missing is told by host_prepare already, which the report reads.
TOLD_BEFORE = {"Install missing packages"}


def tasks_of(tasks: list[dict]) -> list[dict]:
    found = []
    for task in tasks:
        for part in ("block", "rescue", "always"):
            found += tasks_of(task.get(part, []))
        if "block" not in task:
            found.append(task)
    return found


def action_of(task: dict) -> str:
    return next((key for key in task if "." in key), "")


def roles_of(plays: list[dict]) -> dict[str, list[tuple[str, str]]]:
    """Roles with their entry point, in order, by the hosts of their play."""
    found: dict[str, list[tuple[str, str]]] = {}
    for play in plays:
        for task in tasks_of(play.get("tasks", [])):
            role = task.get("ansible.builtin.import_role") or task.get("ansible.builtin.include_role")
            if role:
                found.setdefault(play["hosts"], []).append((role["name"], role.get("tasks_from", "main")))
    return found


def role_tasks(role: str, entry: str) -> list[dict]:
    directory = ROLES / role / "tasks"
    found = []
    for task in tasks_of(yaml.safe_load((directory / f"{entry}.yml").read_text())):
        imported = task.get("ansible.builtin.import_tasks") or task.get("ansible.builtin.include_tasks")
        found += role_tasks(role, imported.removesuffix(".yml")) if imported else [task]
    return found


def compared() -> list[tuple[str, str]]:
    return [(name.rpartition(".")[2], entry) for roles in roles_of(REPORT).values() for name, entry in roles]


def test_the_roles_are_those_that_converge():
    # Measuring what becomes a node compares it with nothing that a run could take back.
    wanted = {hosts: [role for role in roles if role[1] != "measure"] for hosts, roles in roles_of(SITE).items()}
    assert roles_of(REPORT) == wanted


def test_their_variables_are_the_same():
    wanted = {play["hosts"]: play["vars"] for play in SITE if play.get("vars")}
    assert {play["hosts"]: play["vars"] for play in REPORT if play["hosts"] in wanted} == wanted


def test_nothing_but_the_report_itself_is_written():
    assert all(play["check_mode"] is True for play in REPORT)
    files = [yaml.safe_load(path.read_text()) for path in (PLAYBOOKS / "tasks").glob("*.yml")]
    tasks = [task for tasks in (*(play["tasks"] for play in REPORT), *files) for task in tasks_of(tasks)]
    tasks += [task for role, entry in compared() for task in role_tasks(role, entry)]
    # A command that only looks would not run at all in check mode.
    tasks = [task for task in tasks if task.get("changed_when") is not False]
    assert [task["name"] for task in tasks if task.get("check_mode", True) is not True] == ["Write the report"]


def test_every_area_is_registered_by_its_role():
    registered = {(role, task.get("register")) for role, entry in compared() for task in role_tasks(role, entry)}
    assert {(area["role"], area["result"]) for area in AREAS} - registered == set()


@pytest.mark.parametrize(("role", "entry"), dict.fromkeys(compared()))
def test_every_task_that_may_change_something_is_reported(role, entry):
    known = {area["result"] for area in AREAS}
    silent = [
        task["name"]
        for task in role_tasks(role, entry)
        if action_of(task).rpartition(".")[2] not in HARMLESS
        and task["name"] not in TOLD_BEFORE
        and task.get("register") not in known | READING
    ]
    assert silent == []


def test_results_of_silent_tasks_are_reported_without_their_diff():
    silent = {
        task.get("register") for role, entry in compared() for task in role_tasks(role, entry) if task.get("no_log")
    }
    assert {area["result"] for area in AREAS if area.get("secret")} == {
        area["result"] for area in AREAS if area["result"] in silent
    }


def test_roles_ask_no_variable_for_the_mode():
    """ansible_check_mode follows the command line only, not the check_mode of a play or task."""
    found = [
        str(path.relative_to(ROOT))
        for part in ("tasks", "vars", "templates", "handlers")
        for path in ROLES.glob(f"*/{part}/**/*")
        if path.is_file() and "ansible_check_mode" in path.read_text()
    ]
    assert found == []
