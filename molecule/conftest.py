"""Says on which hosts of a scenario a test runs, and in which order: what disrupts the hosts comes last."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from testinfra.utils.ansible_runner import AnsibleRunner

PROJECT = pathlib.Path(__file__).parents[1]
RUNNING = (PROJECT / "molecule/common/running.sh").read_text()
BASELINE = (PROJECT / "molecule/common/baseline.py").read_text()


@pytest.fixture(scope="session")
def playbook(request: pytest.FixtureRequest) -> t.Callable[..., subprocess.CompletedProcess[str]]:
    """Run a playbook on the hosts of the scenario as people do, not as molecule does."""
    inventory = request.config.getoption("ansible_inventory")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(pathlib.Path(sys.executable).with_name("ansible-playbook")), f"--inventory={inventory}"]
        done = subprocess.run(
            [*command, *arguments, f"playbooks/{name}.yml"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        # Why a task failed stands before what it returned, which may be long.
        failures = [line[:3000] for line in done.stdout.splitlines() if line.startswith(("fatal:", "[ERROR]:"))]
        print(*failures, done.stdout[-10000:], done.stderr[-2000:], sep="\n")
        return done

    return run


@pytest.fixture(scope="session")
def left_behind(request: pytest.FixtureRequest) -> t.Callable[[t.Any], list[str]]:
    """What is on a host that was not there when common/record_baseline.yml looked, and what is missing."""
    records = pathlib.Path(request.config.getoption("ansible_inventory")).parents[1]

    def compare(host: t.Any) -> list[str]:
        before = set((records / f"baseline-{host.backend.get_hostname()}").read_text().splitlines())
        now = set(host.check_output("python3 - <<'END'\n" + BASELINE + "\nEND\n").splitlines())
        difference = sorted([f"+ {line}" for line in now - before] + [f"- {line}" for line in before - now])
        print("\n".join(difference))
        return difference

    return compare


@pytest.fixture(scope="session")
def running() -> t.Callable[[t.Any], dict[str, str]]:
    """What runs on a host: name of a unit or container -> what identifies this one run of it."""

    def read(host: t.Any) -> dict[str, str]:
        return parse_running(host.check_output("sh -c %s", RUNNING))

    return read


@pytest.fixture(scope="session")
def parse_running_record() -> t.Callable[[pathlib.Path], dict[str, str]]:
    """The same, as common/record_running.yml wrote it down."""
    return lambda path: parse_running(path.read_text())


def parse_running(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if line)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "groups(*names, once=False): run on hosts of these inventory groups only, or on the first of them"
    )
    config.addinivalue_line("markers", "disruptive: stops or restarts something, so other tests come before")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    inventory = AnsibleRunner(config.getoption("ansible_inventory"))
    selected, others = [], []
    for item in items:
        marker = item.get_closest_marker("groups")
        if marker is None:
            selected.append(item)
            continue
        members = [name for group in marker.args for name in inventory.get_hosts(group)]
        wanted = members[:1] if marker.kwargs.get("once") else members
        name = item.callspec.params["_testinfra_host"].backend.get_hostname()
        (selected if name in wanted else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = sorted(selected, key=lambda item: item.get_closest_marker("disruptive") is not None)
