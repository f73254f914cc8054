# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role kuma gives the mesh on hosts, through a control plane's API. Here cp1 and cp2 are the controller itself."""

from __future__ import annotations

import re
import socket
import typing as t
import urllib.error
from pathlib import Path

import pytest
import yaml
from kuma_mesh import Control, dataplane
from role_play import play

# As in site.yml.
ROLE = {
    "ansible.builtin.include_role": {"name": "cloudnative.platform.kuma", "tasks_from": "hosts_mesh"},
    "when": "kuma_state | default('present') == 'present'",
}
GRAPH: dict[str, t.Any] = {"services": {"web": {}, "api": {}}, "calls": {"web": ["api"]}}
API = "spiffe://default.default.mesh.local/workload/"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Mesh:
    def __init__(self, directory: Path, control: Control, ports: dict[str, int]) -> None:
        self.directory = directory
        self.control = control
        (directory / "calls.yml").write_text(yaml.safe_dump(GRAPH))
        self.variables = {
            "kuma_hosts_control_planes": ["cp1", "cp2"],
            "kuma_hosts_api_port": int(control.url.rpartition(":")[2]),
            "kuma_hosts_diagnostics_port": f"{{{{ {ports}[inventory_hostname] }}}}",
            "kuma_dataplanes": "{{ [{'name': 'web-1'}, {'name': 'api-1'}] if inventory_hostname == 'dp1' else [] }}",
            "kuma_call_graph": str(directory / "calls.yml"),
            "kuma_monitoring": True,
            "__kuma_admin_token_path": str(directory / "admin.token"),
        }

    def install(self) -> None:
        (self.directory / "admin.token").write_text("the double does not look at it on its own host\n")

    def run(self, *arguments: str, **variables: t.Any) -> dict[str, int]:
        """Number of changes by host."""
        plays = [{"name": "mesh", "hosts": "cp1,cp2", "tasks": [ROLE]}]
        inventory = "--inventory=cp1,cp2,dp1,"
        self.told = play(self.directory, plays, {**self.variables, **variables}, inventory, "--diff", *arguments)
        return {host: int(number) for host, number in re.findall(r"^(\w+) +: ok=.*changed=(\d+)", self.told, re.M)}

    def get(self, path: str) -> t.Any:
        return self.control.get(f"/meshes/default/{path}")


@pytest.fixture(name="mesh")
def fixture_mesh(tmp_path: Path) -> t.Iterator[Mesh]:
    """Of two control planes on one database, of which the first one is down."""
    ports = {"cp1": free_port(), "cp2": free_port()}
    control = Control("--diagnostics-port", str(ports["cp2"]))
    with control.running():
        yield Mesh(tmp_path, control, ports)


def test_bare_hosts_are_predicted(mesh: Mesh) -> None:
    assert mesh.run("--check", kuma_hosts_diagnostics_port=free_port()) == {"cp1": 0, "cp2": 0}


def test_the_one_that_answers_is_told_once_who_is_who_and_who_may_call_whom(mesh: Mesh) -> None:
    mesh.install()
    assert mesh.run("--check") == {"cp1": 0, "cp2": 1}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        mesh.get("meshidentities/identity")
    assert mesh.run() == {"cp1": 0, "cp2": 1}
    assert mesh.control.get("/meshes/default")["meshServices"] == {"mode": "Exclusive"}
    spiffe = mesh.get("meshidentities/identity")["spec"]["spiffeID"]
    assert spiffe == {"trustDomain": "{{ .Mesh }}.{{ .Zone }}.mesh.local", "path": "/workload/{{ .Workload }}"}
    assert mesh.get("meshtlses/mode")["spec"]["rules"] == [{"default": {"mode": "Permissive"}}]
    allowed = mesh.get("meshtrafficpermissions/calls-to-api")["spec"]
    assert allowed["targetRef"]["labels"] == {"kuma.io/workload": "api"}
    assert allowed["rules"] == [{"default": {"allow": [{"spiffeID": {"type": "Exact", "value": f"{API}web"}}]}}]
    assert "warnings" not in mesh.told.lower()
    assert mesh.run() == mesh.run("--check") == {"cp1": 0, "cp2": 0}


def test_each_data_plane_of_a_host_serves_its_metrics_at_a_port_of_its_own(mesh: Mesh) -> None:
    mesh.install()
    mesh.run()
    policies = {one["name"]: one["spec"] for one in mesh.get("meshmetrics")["items"]}
    ports = {name: spec["default"]["backends"][0]["prometheus"]["port"] for name, spec in policies.items()}
    assert ports == {"metrics-default": 5670, "metrics-default-2": 5671}
    assert policies["metrics-default-2"]["targetRef"]["labels"] == {"cloudnative.platform/dataplane": "2"}
    mesh.run(kuma_observability={"metrics": False, "access_log": "stdout"})
    assert mesh.get("meshmetrics")["items"] == []


def test_a_line_less_in_the_file_is_a_permission_less(mesh: Mesh) -> None:
    mesh.install()
    mesh.run()
    (mesh.directory / "calls.yml").write_text(yaml.safe_dump({**GRAPH, "calls": {"api": ["web"]}}))
    assert mesh.run() == {"cp1": 0, "cp2": 1}
    assert [one["name"] for one in mesh.get("meshtrafficpermissions")["items"]] == ["calls-to-web"]


def test_a_control_plane_that_is_taken_away_is_not_asked(mesh: Mesh) -> None:
    mesh.install()
    state = "{{ 'absent' if inventory_hostname == 'cp1' else 'present' }}"
    assert mesh.run(kuma_state=state) == {"cp1": 0, "cp2": 1}


def test_strict_is_refused_while_a_data_plane_has_no_certificate(mesh: Mesh) -> None:
    mesh.install()
    mesh.run()
    mesh.control.ask("PUT", "/meshes/default/dataplanes/web-1", {**dataplane("web-1"), "mesh": "default"})
    with pytest.raises(AssertionError, match=r"mesh default can't become strict .*: default/web-1 is offline"):
        mesh.run(kuma_mtls_mode="strict")
    assert mesh.get("meshtlses/mode")["spec"]["rules"] == [{"default": {"mode": "Permissive"}}]


def test_without_control_plane_there_is_a_reason(mesh: Mesh) -> None:
    with pytest.raises(AssertionError, match=r"cp1 has no .*admin\.token: no control plane was installed"):
        mesh.run()
    mesh.install()
    with pytest.raises(AssertionError, match="none of cp1, cp2 answers on"):
        mesh.run(kuma_hosts_diagnostics_port=free_port())
