# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the playbooks treat what people write of the mesh."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))


def test_a_caller_that_stands_in_the_variables_twice(tmp_path: Path) -> None:
    """Of a graph in a file the module says so. Of one in a variable nothing is left of the first by then."""
    (tmp_path / "hosts").write_text("[all]\nhost1\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text("kuma_call_graph:\n  calls:\n    web: [api]\n    web: [db]\n")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), "--inventory", str(tmp_path / "hosts"), "--list"],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "duplicate" in done.stderr
    assert "'web'" in done.stderr


def roles(tasks: t.Iterable[dict[str, t.Any]], conditions: tuple[str, ...] = ()) -> t.Iterator[tuple[str, str, str]]:
    """Name of each role that tasks bring in, where in it they begin, and under which conditions."""
    for task in tasks:
        given = task.get("when", [])
        under = (*conditions, *(given if isinstance(given, list) else [given]))
        for part in ("block", "rescue", "always"):
            yield from roles(task.get(part, []), under)
        for action in ("import_role", "include_role"):
            role = task.get(f"ansible.builtin.{action}")
            if role:
                yield role["name"], role.get("tasks_from", "main"), " and ".join(str(one) for one in under)


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=[path.stem for path in PLAYBOOKS])
def test_the_mesh_comes_into_clusters_that_want_it_only(playbook: Path) -> None:
    plays = [play for play in yaml.safe_load(playbook.read_text()) if isinstance(play, dict)]
    found = [one for play in plays for one in roles(play.get("tasks", []))]
    for name, begin, conditions in found:
        if name == "cloudnative.platform.kuma" and not begin.startswith("hosts_"):
            assert "'kuma' in platform_addons" in conditions, f"{begin} of role kuma"
    if playbook.stem in ("site", "configure_mesh"):
        assert "cloudnative.platform.kuma" in {name for name, _begin, _conditions in found}


def test_the_network_lets_the_monitoring_in_where_it_is() -> None:
    """Options of role kuma that its NetworkPolicies have to know."""
    (task,) = (
        one
        for one in yaml.safe_load((ROOT / "roles/kuma/tasks/main.yml").read_text())
        if "cloudnative.platform.kuma_resources" in one
    )
    options = task["cloudnative.platform.kuma_resources"]
    assert options["monitoring_namespace"] == "{{ kuma_monitoring_namespace }}"
    assert "kuma_observability" in options["observability"]
