"""ansible-builder makes a build context of this repository, and what it collects can be installed and is enough.

The build itself needs the base image and a container engine: it is not part of this test.
"""

from __future__ import annotations

import pathlib
import subprocess

import pytest
import yaml

import check_collection
import controllers

ROOT = controllers.ROOT
DEFINITION = ROOT / "execution-environment.yml"


def run(*command: str | pathlib.Path, cwd: pathlib.Path = ROOT) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def builder() -> pathlib.Path:
    return controllers.environment(controllers.BUILDER) / "bin" / "ansible-builder"


def lines(path: pathlib.Path) -> list[str]:
    return sorted(line for line in path.read_text().splitlines() if line and not line.startswith("#"))


def test_it_has_the_versions_that_are_tested():
    pins = controllers.pins(controllers.AWX)
    dependencies = yaml.safe_load(DEFINITION.read_text())["dependencies"]
    for key, name in (("ansible_core", "ansible-core"), ("ansible_runner", "ansible-runner")):
        assert dependencies[key] == {"package_pip": f"{name}=={pins[name]}"}


def test_context_is_created(builder, tmp_path):
    run(builder, "create", "--file", DEFINITION, "--context", tmp_path / "context", cwd=tmp_path)
    build = tmp_path / "context" / "_build"
    assert lines(build / "requirements.txt") == lines(check_collection.COLLECTION / "requirements.txt")
    assert lines(build / "bindep.txt") == lines(check_collection.COLLECTION / "bindep.txt")
    recipe = (tmp_path / "context" / "Containerfile").read_text()
    assert f"ansible-core=={controllers.pins(controllers.AWX)['ansible-core']}" in recipe
    assert "_build/requirements.txt" in recipe
    assert "_build/bindep.txt" in recipe


def test_an_environment_that_holds_the_collection_gets_its_requirements(builder):
    """What ansible-builder finds by itself when a definition lists the collection: meta/execution-environment.yml."""
    found = yaml.safe_load(run(builder, "introspect", ROOT / "collections"))
    mark = f"  # from collection {check_collection.NAME}"
    assert all(line.endswith(mark) for line in found["python"] + found["system"])
    # PyYAML comes with ansible-core, ansible-builder leaves it out.
    wanted = [line for line in lines(check_collection.COLLECTION / "requirements.txt") if "PyYAML" not in line]
    assert [line.removesuffix(mark) for line in found["python"]] == wanted
    assert [line.removesuffix(mark) for line in found["system"]] == lines(check_collection.COLLECTION / "bindep.txt")


def test_what_it_holds_is_enough(builder, tmp_path):
    """In a clean environment with the packages of the definition and nothing else."""
    requirements = tmp_path / "requirements.txt"
    run(builder, "introspect", ROOT / "collections", "--write-pip", requirements)
    dependencies = yaml.safe_load(DEFINITION.read_text())["dependencies"]
    packages = [dependencies[key]["package_pip"] for key in ("ansible_core", "ansible_runner")]
    clean = tmp_path / "venv"
    run(controllers.choose(controllers.AWX, controllers.working_pythons()), "-m", "venv", clean)
    (clean / "constraints.txt").write_text(controllers.constraints(controllers.AWX))
    controllers.install(clean, "--requirement", requirements, *packages)
    run(clean / "bin" / "python", "-c", "import ansible_runner, bcrypt, kubernetes, yaml")
    example = ROOT / "inventories" / "example" / "hosts.ini"
    run(clean / "bin" / "ansible-playbook", "--inventory", example, ROOT / "playbooks" / "check_input.yml")
