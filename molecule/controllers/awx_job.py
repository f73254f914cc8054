"""Runs a playbook as AWX runs a job, with the Python of an environment that has ansible-runner and nothing of AWX.

AWX sends the job's directory to the execution environment, where `ansible-runner worker` unpacks and runs it, and reads
the events that come back. So does this: only the container around the worker is missing. Layout, variables and
environment are those of AWX's RunJob (awx/main/tasks/jobs.py).

Reads a job as JSON from standard input, writes what became of it as JSON to standard output.
"""

from __future__ import annotations

import collections
import configparser
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing as t

import ansible_runner

JOB_ID = 7
# What AWX answers when a program asks (get_password_prompts): patterns of prompts, and here no password for any.
PROMPTS = (
    r"BECOME password.*:\s*?$",
    r"SSH password:\s*?$",
    r"Password:\s*?$",
    r"Vault password:\s*?$",
    r"Enter passphrase for .*:\s*?$",
    r"Bad passphrase, try again for .*:\s*?$",
)
BIN = pathlib.Path(sys.executable).parent


def main() -> None:
    job = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix=f"awx_{JOB_ID}_") as directory:
        print(json.dumps(run(job, pathlib.Path(directory))))


def run(job: dict[str, t.Any], directory: pathlib.Path) -> dict[str, t.Any]:
    controller, runner = directory / "controller", directory / "runner"
    controller.mkdir()
    runner.mkdir()
    write_private_data(job, controller)
    params = {
        "ident": JOB_ID,
        "private_data_dir": str(controller),
        "playbook": job["playbook"],
        "inventory": str(controller / "inventory" / "hosts"),
        "passwords": dict.fromkeys(PROMPTS, ""),
        "suppress_env_files": True,
        "envvars": environment(job, controller / "project", runner),
        "ssh_key": pathlib.Path(job["key"]).read_text(),
        "fact_cache_type": "jsonfile",
    }
    sent, received = directory / "sent", directory / "received"
    with sent.open("wb") as stream:
        ansible_runner.interface.run(streamer="transmit", _output=stream, **params)
    with sent.open("rb") as stream, received.open("wb") as output:
        work(runner, stream, output)
    events: list[dict[str, t.Any]] = []

    def keep(event: dict[str, t.Any]) -> bool:
        events.append(event)
        # AWX writes it to its database, so it needs no file.
        return False

    with received.open("rb") as stream:
        result = ansible_runner.interface.run(
            streamer="process", quiet=True, _input=stream, event_handler=keep, **params
        )
    facts = controller / "artifacts" / str(JOB_ID) / "fact_cache"
    if facts.is_dir():
        shutil.copytree(facts, job["facts"], dirs_exist_ok=True)
    stats = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
    return {
        "status": result.status,
        "rc": result.rc,
        "events": collections.Counter(event["event"] for event in events),
        "changed": stats[-1]["changed"] if stats else None,
        "output": "".join(f"{event['stdout']}\n" for event in events if event.get("stdout")),
        "worker": received.read_text()[-2000:] if not events else "",
    }


def write_private_data(job: dict[str, t.Any], directory: pathlib.Path) -> None:
    for name in ("inventory", "env", "cp"):
        (directory / name).mkdir(mode=0o700)
    shutil.copytree(job["project"], directory / "project", symlinks=True)
    script = directory / "inventory" / "hosts"
    inventory = json.dumps(job["inventory"])
    script.write_text(f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({inventory!r})\n")
    script.chmod(0o700)
    (directory / "env" / "extravars").write_text(json.dumps({**job["extra_vars"], **meta_variables()}))
    (directory / "env" / "cmdline").write_text("-u root --forks=5")
    settings = {"job_timeout": 0, "suppress_ansible_output": True, "suppress_output_file": True}
    (directory / "env" / "settings").write_text(json.dumps(settings))
    # Facts that earlier jobs left, for a template with "Enable fact storage".
    facts = pathlib.Path(job["facts"])
    if facts.is_dir():
        shutil.copytree(facts, directory / "artifacts" / str(JOB_ID) / "fact_cache")


def meta_variables() -> dict[str, t.Any]:
    values = {
        "job_id": JOB_ID,
        "job_launch_type": "manual",
        "job_template_id": 3,
        "job_template_name": "Converge the platform",
        "inventory_id": 2,
        "inventory_name": "platform",
        "project_revision": "0" * 40,
        "project_scm_branch": "",
        "user_id": 1,
        "user_name": "admin",
        "user_email": "admin@example.com",
        "user_first_name": "",
        "user_last_name": "",
    }
    return {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in values.items()}


def environment(job: dict[str, t.Any], project: pathlib.Path, runner: pathlib.Path) -> dict[str, str]:
    config = configparser.ConfigParser()
    config.read(project / "ansible.cfg")
    found = {
        "ANSIBLE_FORCE_COLOR": "True",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(runner / "cp"),
        "AWX_HOST": "https://towerhost",
        "AWX_PRIVATE_DATA_DIR": str(project.parent),
        "INVENTORY_ID": "2",
        "JOB_ID": str(JOB_ID),
        "MAX_EVENT_RES": "700000",
        "PROJECT_REVISION": "0" * 40,
    }
    # What the project's ansible.cfg says comes after what a project sync installs and before the image's own.
    for variable, option, folder in (
        ("ANSIBLE_COLLECTIONS_PATHS", "collections_paths", "collections"),
        ("ANSIBLE_COLLECTIONS_PATH", "collections_path", "collections"),
        ("ANSIBLE_ROLES_PATH", "roles_path", "roles"),
    ):
        image = [f"~/.ansible/{folder}", f"/usr/share/ansible/{folder}"]
        own = [config["defaults"][option]] if option in config["defaults"] else []
        found[variable] = os.pathsep.join([str(runner / f"requirements_{folder}"), *own, *image])
    return found


def work(runner: pathlib.Path, stream: t.BinaryIO, output: t.BinaryIO) -> None:
    """The execution environment: no files and no variables of the person who runs this."""
    home = runner / "home"
    home.mkdir()
    clean = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    command = [str(BIN / "ansible-runner"), "worker", "--private-data-dir", str(runner)]
    subprocess.run(command, stdin=stream, stdout=output, env=clean, cwd="/", check=False)


if __name__ == "__main__":
    main()
