"""The virtual environments with other versions of ansible-core."""

from __future__ import annotations

import re

import pytest

import controllers
from lab_run import Failed

FILES = sorted((controllers.REQUIREMENTS / "controllers").glob("*.txt"))


def test_every_environment_has_its_pins():
    assert [path.stem for path in FILES] == sorted(controllers.PYTHONS)


@pytest.mark.parametrize("name", sorted(controllers.PYTHONS))
def test_every_package_has_one_version(name):
    """Its own, or that of the constraints."""
    text = (controllers.REQUIREMENTS / "controllers" / f"{name}.txt").read_text()
    own, shared = controllers.pins(name), controllers.constraints(name)
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-r"))]
    bare = [line for line in lines if "==" not in line]
    assert [line for line in bare if not re.search(rf"^{re.escape(line)}==", shared, re.MULTILINE)] == []
    assert [package for package in own if re.search(rf"^{re.escape(package)}==", shared, re.MULTILINE | re.I)] == []


@pytest.mark.parametrize("name", sorted(controllers.CORES))
def test_the_core_is_the_one_in_its_name(name):
    assert controllers.pins(name)["ansible-core"].startswith(f"{name}.")
    # 2.21.5 or 2.19.14 of the constraints would not go together with it.
    assert "ansible-core" not in controllers.constraints(name)


def test_the_oldest_is_the_one_that_is_promised():
    runtime = (controllers.ROOT / "collections/ansible_collections/cloudnative/platform/meta/runtime.yml").read_text()
    assert f'requires_ansible: ">={controllers.OLDEST}.0"' in runtime


@pytest.mark.parametrize(
    ("name", "here", "chosen"),
    [
        ("2.16", [("3.11.2", "a"), ("3.12.1", "b"), ("3.13.0", "c")], "b"),
        ("2.16", [("3.11.2", "a"), ("3.13.0", "c")], "a"),
        # Debian 13 has no other.
        ("2.16", [("3.13.5", "c")], "c"),
        ("2.18", [("3.11.2", "a"), ("3.9.1", "x"), ("3.12.1", "b")], "b"),
        ("2.18", [("3.11.2", "a"), ("3.11.10", "b")], "b"),
    ],
)
def test_choice_of_an_interpreter(name, here, chosen):
    assert controllers.choose(name, here) == chosen


@pytest.mark.parametrize(("here", "said"), [([], "here is none"), ([("3.14.0", "a"), ("3.1.1", "b")], "3.14.0, 3.1.1")])
def test_no_interpreter_that_fits(here, said):
    with pytest.raises(Failed, match=r"2\.16 needs one of Python 3\.11, 3\.12, 3\.13 with venv.*Install one") as failed:
        controllers.choose("2.16", here)
    assert said in str(failed.value)
