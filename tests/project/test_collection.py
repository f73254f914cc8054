"""The collection says the same in all the places that say it."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
COLLECTION = ROOT / "collections" / "ansible_collections" / "cloudnative" / "platform"
ROLES = sorted(path.name for path in (COLLECTION / "roles").iterdir() if path.is_dir())
MODULES = sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("*.py") if path.stem != "__init__")

RUNTIME = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text())
GALAXY = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())


def load(path: pathlib.Path):
    return yaml.safe_load(path.read_text()) if path.exists() else None


def options(role: str) -> dict:
    return (
        load(COLLECTION / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options") or {}
    )


def defaults(role: str) -> dict:
    return load(COLLECTION / "roles" / role / "defaults" / "main.yml") or {}


def is_required(value) -> bool:
    return isinstance(value, str) and "undef(" in value


def test_action_group_holds_every_module():
    assert RUNTIME["action_groups"]["all"] == MODULES


def test_ansible_versions_are_the_ones_promised():
    assert RUNTIME["requires_ansible"] == ">=2.16.0"


def test_galaxy_metadata_fits_galaxy():
    assert len(GALAXY["tags"]) <= 20
    assert re.fullmatch(r"\d+\.\d+\.\d+", GALAXY["version"])
    assert (COLLECTION / GALAXY["license_file"]).read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_specified_and_every_specified_variable_exists(role):
    assert sorted(defaults(role)) == sorted(options(role))


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_the_specified_ones(role):
    given = defaults(role)
    for name, option in options(role).items():
        if is_required(given[name]):
            assert "default" not in option, f"{name} is required, so its specification has no default"
        elif "default" in option:
            assert option["default"] == given[name], f"{name}: defaults/main.yml and argument_specs.yml differ"


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_carry_the_name_of_their_role(role):
    assert [name for name in defaults(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_explained_where_it_is_set(role):
    """Above each variable, or above the group it stands in, there is a comment."""
    path = COLLECTION / "roles" / role / "defaults" / "main.yml"
    if not path.exists():
        return
    blocks = re.split(r"\n\s*\n", path.read_text().removeprefix("---\n"))
    silent = [block.splitlines()[0] for block in blocks if block.strip() and not block.lstrip().startswith("#")]
    assert silent == []


@pytest.mark.parametrize("role", ROLES)
def test_role_is_complete(role):
    wanted = {"README.md", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml", "tasks/verify.yml"}
    if role == "verify":
        # The role is a verification.
        wanted.remove("tasks/verify.yml")
    assert sorted(name for name in wanted if not (COLLECTION / "roles" / role / name).exists()) == []


@pytest.mark.parametrize("role", ["containerd", "host", "kubernetes", "monitoring", "network", "registry", "storage"])
def test_role_that_changes_hosts_takes_back_what_it_did(role):
    assert (COLLECTION / "roles" / role / "tasks" / "absent.yml").exists()
    assert (
        f"name: cloudnative.platform.{role}\n        tasks_from: absent" in (ROOT / "playbooks/reset.yml").read_text()
    )


def test_every_file_of_the_lock_is_taken_back():
    """A host gets files of these artifacts; one that is added to the lock has to be removed, too."""
    lock = load(COLLECTION / "roles" / "bundle" / "files" / "lock.yml")
    on_the_controller = {"helm", "calico", "flannel", "prometheus-operator-crds", "kuma"}
    names = {
        name
        for component in lock["components"]
        if component["kind"] == "files" and component["name"] not in on_the_controller
        for name in component["files"]
    }
    removed = "".join(path.read_text() for path in (COLLECTION / "roles").glob("*/tasks/*absent.yml"))
    # The registry's binary has a variable of its own.
    assert sorted(name for name in names - {"registry"} if f"'{name}'" not in removed) == []


@pytest.mark.parametrize("role", ROLES)
def test_role_knows_no_inventory_groups(role):
    """Group names stand in playbooks: a role works in any inventory."""
    pattern = re.compile(r"groups\s*\[|groups\.(?!get\b)|\bkube_control_plane\b|\bkube_node\b")
    found = [
        f"{path.relative_to(COLLECTION)}: {line.strip()}"
        for part in ("tasks", "templates", "vars", "handlers")
        for path in sorted((COLLECTION / "roles" / role / part).rglob("*.*"))
        for line in path.read_text().splitlines()
        if pattern.search(line)
    ]
    assert found == []


# `verify` looks at a whole cluster: the scenario `cluster` runs it.
@pytest.mark.parametrize("role", [role for role in ROLES if role != "verify"])
def test_role_has_a_scenario(role):
    # One cluster is enough for the roles that put something into it.
    name = {"storage": "addons", "monitoring": "addons"}.get(role, role)
    assert (ROOT / "molecule" / name / "molecule.yml").exists()


def test_every_scenario_is_run():
    check = (ROOT / "scripts" / "check.py").read_text()
    listed = set(re.findall(r'"([\w-]+)"', re.search(r"SCENARIOS = \(([^)]*)\)", check).group(1)))
    assert listed == {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}


def test_subnets_of_scenarios_differ():
    found: dict[str, str] = {}
    for path in sorted((ROOT / "molecule").glob("*/topology.yml")):
        subnet = load(path)["lab_subnet"]
        assert subnet not in found, f"{path.parent.name} and {found.get(subnet)} have the same subnet"
        found[subnet] = path.parent.name
