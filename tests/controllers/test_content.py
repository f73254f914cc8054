"""Older versions of ansible-core read every playbook and module and run every unit test; needs no hosts."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import subprocess
import typing as t

import pytest

import check_collection
import controllers

ROOT = controllers.ROOT
EXAMPLE = ("--inventory", "inventories/example/hosts.ini")
PLUGINS = check_collection.COLLECTION / "plugins"


class Core(t.NamedTuple):
    name: str
    programs: pathlib.Path

    def run(self, program: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=ROOT,
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module", params=list(controllers.CORES))
def core(request) -> Core:
    return Core(request.param, controllers.environment(request.param) / "bin")


def test_it_is_the_pinned_version(core):
    version = controllers.pins(core.name)["ansible-core"]
    assert version.startswith(f"{core.name}.")
    assert f"[core {version}]" in core.run("ansible", "--version").stdout


def test_it_reads_every_playbook_without_a_warning(core):
    playbooks = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "playbooks").glob("*.yml"))
    # Some groups are made by the plays that come before.
    done = core.run("ansible-playbook", "--syntax-check", *EXAMPLE, *playbooks, ANSIBLE_HOST_PATTERN_MISMATCH="ignore")
    assert (done.returncode, done.stderr) == (0, "")


def modules() -> set[str]:
    return {path.stem for path in (PLUGINS / "modules").glob("*.py")}


def filters() -> set[str]:
    """A file may have several."""
    package = f"ansible_collections.{check_collection.NAME}.plugins.filter"
    files = sorted(path.stem for path in (PLUGINS / "filter").glob("*.py"))
    return {name for file in files for name in importlib.import_module(f"{package}.{file}").FilterModule().filters()}


@pytest.mark.parametrize(("kind", "names"), [("module", modules()), ("filter", filters())])
def test_it_documents_every_plugin(core, kind, names):
    listed = json.loads(core.run("ansible-doc", "--json", "--list", "--type", kind, check_collection.NAME).stdout)
    assert {name.rpartition(".")[2] for name in listed} == names
    documented = json.loads(core.run("ansible-doc", "--json", "--type", kind, *listed).stdout)
    assert [name for name in listed if not documented[name].get("doc")] == []


def test_it_knows_every_role(core):
    roles = {path.parent.name for path in (check_collection.COLLECTION / "roles").glob("*/meta")}
    listed = json.loads(core.run("ansible-doc", "--json", "--list", "--type", "role", check_collection.NAME).stdout)
    assert roles == {name.rpartition(".")[2] for name in listed}


def test_it_checks_the_input(core):
    good = core.run("ansible-playbook", *EXAMPLE, "playbooks/check_input.yml")
    assert good.returncode == 0, good.stdout + good.stderr
    bad = core.run("ansible-playbook", *EXAMPLE, "-e", "kubernetes_verison=v1.36.4", "playbooks/check_input.yml")
    assert bad.returncode != 0
    assert "did you mean kubernetes_version?" in bad.stdout


def test_a_project_sync_of_awx_has_nothing_to_install(core):
    done = core.run("ansible-galaxy", "install", "-r", "requirements.yml")
    assert (done.returncode, done.stdout) == (0, "Skipping install, no requirements found\n")


def test_it_runs_the_unit_tests(core):
    tests = str(check_collection.COLLECTION / "tests" / "unit")
    done = core.run("pytest", "--quiet", "--numprocesses=auto", "-p", "no:cacheprovider", tests)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
