"""Other controllers than the one in .venv converge the same hosts and agree about them. Each test needs the last.

The oldest supported ansible-core and the one of AWX begin with hosts on which there is nothing; the newest does so in
the scenario `cluster`.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

import pytest
import yaml

import controllers
import lab
import lab_report
import lab_run

SCENARIO = pathlib.Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
DIRECTORY = lab.LAB / "molecule" / SCENARIO.name
INVENTORY = DIRECTORY / "inventory"
KEY = DIRECTORY / "ssh" / "id_ed25519"
# How the lab's inventory says to connect; AWX connects with a credential instead.
CONNECTION = {"ansible_user", "ansible_ssh_private_key_file", "ansible_control_path_dir", "ansible_ssh_common_args"}


@pytest.fixture(scope="session")
def logs() -> pathlib.Path:
    path = DIRECTORY / "logs"
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def oldest() -> pathlib.Path:
    return controllers.environment(controllers.OLDEST) / "bin"


def site(logs: pathlib.Path, *arguments: str, **kwargs: pathlib.Path) -> int:
    """How many tasks changed something."""
    return play("site.yml", logs, *arguments, **kwargs).changed


def play(playbook: str, logs: pathlib.Path, *arguments: str, **kwargs: pathlib.Path) -> lab_run.Phase:
    inventory = ["--inventory", str(INVENTORY / "hosts.ini")]
    return lab_run.play("controllers", playbook, logs, {}, [*inventory, *arguments], **kwargs)


def test_the_oldest_converges_from_nothing(logs, oldest):
    assert site(logs, programs=oldest) > 0


def test_the_oldest_changes_nothing_in_a_second_run(logs, oldest):
    assert site(logs, programs=oldest) == 0


def test_the_oldest_predicts_nothing(logs, oldest):
    assert site(logs, "--check", "--diff", programs=oldest) == 0


def test_the_oldest_verifies(logs, oldest):
    play("verify.yml", logs, programs=oldest)


def test_the_newest_agrees_with_the_oldest(logs):
    """What one templating engine rendered, the other renders too."""
    assert site(logs) == 0


@pytest.fixture(scope="session")
def new_hosts() -> None:
    for playbook in ("destroy.yml", "create.yml"):
        subprocess.run(
            [lab.ROOT / ".venv" / "bin" / "ansible-playbook", SCENARIO.parent / "common" / playbook],
            cwd=lab.ROOT,
            stdin=subprocess.DEVNULL,
            check=True,
        )


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> pathlib.Path:
    """What a checkout of this tree has: no file that git does not know, and none that it ignores."""
    target = tmp_path_factory.mktemp("awx") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=lab.ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if os.path.lexists(lab.ROOT / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(lab.ROOT / name, target / name, follow_symlinks=False)
    return target


@pytest.fixture(scope="session")
def awx(project, tmp_path_factory):
    """Runs a playbook as a job of AWX."""
    facts = tmp_path_factory.mktemp("facts") / "of earlier jobs"
    python = controllers.environment(controllers.AWX) / "bin" / "python"

    def run(playbook: str, **extra_vars: str) -> dict:
        job = {
            "project": str(project),
            "playbook": f"playbooks/{playbook}",
            "inventory": awx_inventory(),
            "extra_vars": extra_vars,
            "key": str(KEY),
            "facts": str(facts),
        }
        done = subprocess.run(
            [python, SCENARIO / "awx_job.py"], input=json.dumps(job), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["status"] == "successful", f"{result['worker']}{result['output']}"
        # The last event of a run: without it AWX could not say what became of the hosts.
        assert result["events"]["playbook_on_stats"] == 1
        return result

    return run


def awx_inventory() -> dict:
    """The lab's inventory as AWX prints it for a job: no user, no key, no path of this machine."""
    variables = yaml.safe_load((INVENTORY / "group_vars" / "all" / "lab.yml").read_text())
    groups: dict[str, dict] = {}
    hostvars = {}
    for number, (name, (address, names)) in enumerate(lab_report.read_hosts(INVENTORY / "hosts.ini").items(), 1):
        for group in names:
            groups.setdefault(group, {"hosts": []})["hosts"].append(name)
        enabled = {f"remote_{prefix}_enabled": "true" for prefix in ("host", "tower")}
        identity = {f"remote_{prefix}_id": number for prefix in ("host", "tower")}
        hostvars[name] = {"ansible_host": address, **enabled, **identity}
    everything = {
        "hosts": [],
        "children": sorted(groups),
        "vars": {name: value for name, value in variables.items() if name not in CONNECTION},
    }
    return {"all": everything, **groups, "_meta": {"hostvars": hostvars}}


def test_a_job_of_awx_checks_the_input(awx):
    assert awx("check_input.yml")["events"]["runner_on_ok"] == 1


def test_a_job_of_awx_converges_from_nothing(awx, new_hosts):
    """With the bundle where a mount of the execution environment would show it."""
    result = awx("site.yml", registry_bundle_path=str(lab.BUNDLE))
    assert sum(result["changed"].values()) > 0


def test_a_job_of_awx_changes_nothing_in_a_second_run(awx):
    """Now without a bundle, and with the facts that the first job left."""
    assert awx("site.yml")["changed"] == {}
