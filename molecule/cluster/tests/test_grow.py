"""A host that is added to the inventory joins, and the others are left alone but for what names the nodes."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import pytest
import testinfra
from kubectl import KUBECTL

SCENARIO = pathlib.Path(__file__).parents[1]
INVENTORY = SCENARIO.parents[1] / ".lab/molecule/cluster/inventory/hosts.ini"
CONTROL_PLANES = ("cp1", "cp2", "cp3")
WORKERS = ("worker1", "worker2")
NEW = "worker3"

pytestmark = pytest.mark.disruptive


def get_host(name):
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=str(INVENTORY))


@pytest.fixture(scope="module")
def grown(playbook, running):
    """What ran before the new host came, and what the run said that made it a node."""
    before = {name: running(get_host(name)) for name in (*CONTROL_PLANES, *WORKERS)}
    command = [pathlib.Path(sys.executable).with_name("ansible-playbook"), SCENARIO / "grow.yml"]
    made = subprocess.run(command, cwd=SCENARIO, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    done = playbook("site")
    assert done.returncode == 0
    return before, done.stdout


def test_the_new_host_is_a_node(grown):
    shown = get_host("cp1").check_output(f"{KUBECTL} get node {NEW} --output json")
    conditions = {item["type"]: item["status"] for item in json.loads(shown)["status"]["conditions"]}
    assert conditions["Ready"] == "True"


def test_the_others_change_only_where_they_must(grown):
    """The list of known nodes, on the control planes; the first of them also hands out the credentials to join."""
    _before, output = grown
    changed = dict(re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE))
    assert {name: changed[name] for name in (*CONTROL_PLANES, *WORKERS)} == {
        "cp1": "2",
        "cp2": "1",
        "cp3": "1",
        "worker1": "0",
        "worker2": "0",
    }


def test_nothing_but_the_approver_of_certificates_restarted(grown, running):
    before, _output = grown
    for name, was in before.items():
        after = running(get_host(name))
        restarted = {unit.split()[1] for unit, run in was.items() if after.get(unit) != run}
        assert restarted == ({"kubelet-csr-approver.service"} if name in CONTROL_PLANES else set())
