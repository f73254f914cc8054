"""Fixtures of the scenario."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import testinfra
from gateways import GATEWAYS, INVENTORY, Database

PROJECT = pathlib.Path(__file__).parents[3]
SCENARIO = "molecule/kong-hosts"


@pytest.fixture(scope="session")
def hosts() -> dict[str, t.Any]:
    return {name: testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY)) for name in GATEWAYS}


@pytest.fixture(scope="session")
def database(hosts: dict[str, t.Any]) -> Database:
    return Database(hosts["gateway2"])


@pytest.fixture(scope="session")
def start() -> t.Callable[..., subprocess.Popen[str]]:
    """Starts a play of the scenario as people do, in a session of its own so that it can be killed as a whole."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}

    def run(*arguments: str, playbook: str = "converge", **variables: t.Any) -> subprocess.Popen[str]:
        command = [
            str(pathlib.Path(sys.executable).with_name("ansible-playbook")),
            f"--inventory={INVENTORY}",
            f"{SCENARIO}/{playbook}.yml",
        ]
        return subprocess.Popen(
            [*command, *arguments, "--extra-vars", json.dumps(variables)],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return run


@pytest.fixture(scope="session")
def converge(start: t.Any) -> t.Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, **variables)
        output = process.communicate(timeout=180)[0]
        print(output[-8000:])
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    return run


@pytest.fixture
def untouched(hosts: dict[str, t.Any], running: t.Any) -> t.Iterator[None]:
    """Nothing is installed, written or restarted by what a test does."""

    def state() -> dict[str, t.Any]:
        look = "stat -c %n:%Y:%Z /etc/kong/* /etc/systemd/system/kong.service.d/*; dpkg-query -W -f '${Version}' kong"
        return {name: (host.check_output(look), running(host)["unit kong.service"]) for name, host in hosts.items()}

    before = state()
    yield
    assert state() == before
