# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values are taken from a real inventory by the templating engine of the Ansible that is here, whichever that is."""

from __future__ import annotations

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.cloudnative.platform.plugins.plugin_utils._input_inventory import (
    Inventory,
    read_inventory,
    syntax_error,
)

try:
    from ansible.template import trust_as_template as template
except ImportError:
    # Before ansible-core 2.19 all text may be a template.
    template = str

WANTED = frozenset({"a", "b", "secret_password"})


def read(tmp_path, variables: str, hosts: str = "[some]\nh1\n", secrets=("secret_password",)) -> Inventory:
    """What is read of an inventory with these variables for all hosts."""
    (tmp_path / "hosts.ini").write_text(hosts)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(variables)
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(tmp_path / "hosts.ini")])
    hostvars = HostVars(manager, VariableManager(loader=loader, inventory=manager), loader)
    return read_inventory(manager.get_groups_dict(), hostvars, WANTED, {"a"}, secrets)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("a: 5\nb: [x, {y: true}]\n", {"a": 5, "b": ["x", {"y": True}]}),
        ("a: null\n", {"a": None}),
        ("c: 7\n", {}),
        ('a: "{{ c }}"\nc: 7\n', {"a": 7}),
        ('a: "{{ inventory_hostname }}"\nb: ["{{ c }}", "x{{ c }}"]\nc: y\n', {"a": "h1", "b": ["y", "xy"]}),
        ('a: "{{ c }}"\nc: "{{ d }}"\nd: [1]\n', {"a": [1]}),
        # What the run itself will know, at any depth.
        ('a: "{{ nowhere }}"\nb: 1\n', {"b": 1}),
        ("a: \"{{ ansible_facts['platform_host']['default_ipv4'] }}\"\n", {}),
        ('a: ["x", {"y": "{{ nowhere }}"}]\n', {}),
        ('a: "{{ c }}"\nc: "{{ nowhere }}"\n', {}),
        ('a: "{{ nowhere | default(3) }}"\n', {"a": 3}),
        ("a: \"{{ undef(hint='give it') }}\"\n", {}),
        ('a: "{{ omit }}"\n', {}),
        # Text that only looks like a template.
        ('a: !unsafe "{{ x"\n', {"a": "{{ x"}),
    ],
)
def test_values(tmp_path, variables, expected):
    inventory = read(tmp_path, variables)
    found = inventory.values["h1"]
    for name, value in expected.items():
        # An older engine makes text of a number.
        assert found[name] == value or str(found[name]) == str(value)
    assert sorted(found) == sorted(expected)
    assert not inventory.problems
    assert not inventory.warnings


@pytest.mark.parametrize(
    ("text", "words"),
    [("{{ x", "unexpected end of template"), ("{% if x %}", "Unexpected end of template"), ("{{ x + }}", "unexpected")],
)
def test_a_template_that_is_none(tmp_path, text, words):
    inventory = read(tmp_path, f"a: {{k: ['{text}']}}\n", hosts="[some]\nh1\nh2\n")
    (finding,) = inventory.problems
    assert finding.problem.startswith(f"is not a template: {words}")
    assert finding.value == text
    assert inventory.problems[finding] == ["h1", "h2"]
    assert inventory.values == {"h1": {}, "h2": {}}


def test_a_template_of_a_secret_does_not_show(tmp_path):
    inventory = read(tmp_path, 'secret_password: "hunter2 {{ x"\n')
    assert "hunter2" not in str(list(inventory.problems))
    assert [finding.subject for finding in inventory.problems] == ["secret_password"]


def test_a_lookup_that_fails_is_a_warning(tmp_path):
    inventory = read(tmp_path, "a: \"{{ lookup('ansible.builtin.file', '/nowhere/hunter2') }}\"\n")
    assert not inventory.problems
    assert [finding.subject for finding in inventory.warnings] == ["a"]
    assert next(iter(inventory.warnings)).problem.startswith("cannot be worked out before the run: ")


def test_a_template_that_fails_in_any_other_way_is_a_warning(tmp_path):
    inventory = read(tmp_path, 'a: "{{ 1 / 0 }}"\nb: "{{ [3] | first }}"\n')
    assert not inventory.problems
    assert [finding.subject for finding in inventory.warnings] == ["a"]
    assert str(inventory.values["h1"]["b"]) == "3"


def test_what_is_made_of_a_secret_is_one(tmp_path):
    inventory = read(tmp_path, 'a: "{{ vault_user }}"\nb: "{{ c }}"\nc: 1\nvault_user: hunter2\n')
    assert inventory.encrypted == {"a"}


def test_the_failing_lookup_of_a_secret_does_not_show(tmp_path):
    inventory = read(tmp_path, "secret_password: \"{{ lookup('ansible.builtin.file', '/nowhere/hunter2') }}\"\n")
    assert [finding.problem for finding in inventory.warnings] == ["cannot be worked out before the run"]


def test_hosts_and_their_connection(tmp_path):
    hosts = "[x]\nh1 ansible_host=192.0.2.1\n[y]\nh1\nh2 ansible_port=2222\n[z]\nh3 ansible_connection=local\n"
    inventory = read(tmp_path, 'a: "{{ inventory_hostname }}"\nb: 1\n', hosts=hosts)
    assert inventory.hosts == [
        {"name": "h1", "groups": ["x", "y"], "address": "192.0.2.1", "settings": {"a": "h1"}},
        {"name": "h2", "groups": ["y"], "address": "h2", "port": 2222, "settings": {"a": "h2"}},
        {"name": "h3", "groups": ["z"], "settings": {"a": "h3"}},
    ]
    assert {"a", "b", "ansible_host", "ansible_port"} <= inventory.names


def test_facts_are_taken_as_they_are():
    hostvars = {"h1": {"ansible_facts": {"platform_host": {"machine_id": "abc"}, "other": 1}}}
    inventory = read_inventory({"all": ["h1"], "x": ["h1"]}, hostvars, (), ())
    assert inventory.hosts == [
        {"name": "h1", "groups": ["x"], "address": "h1", "settings": {}, "facts": {"machine_id": "abc"}}
    ]


def test_each_variable_is_templated_once_and_only_where_it_is_a_template():
    class Variables(dict):
        asked: list[str] = []  # noqa: RUF012

        def __getitem__(self, key):
            self.asked.append(key)
            return "done"

    class Hosts:
        def raw_get(self, _name):
            return {"a": template("{{ b }}"), "b": "text", "c": template("{{ unwanted }}")}

        def __getitem__(self, _name):
            return Variables()

    inventory = read_inventory({"all": ["h1"], "x": ["h1"]}, Hosts(), WANTED, {"a"})
    assert inventory.values == {"h1": {"a": "done", "b": "text"}}
    assert Variables.asked == ["a"]


@pytest.mark.parametrize("text", ["{{ x }}", "{% do y %}", "{% for i in x %}{% break %}{% endfor %}", "{# note #}"])
def test_what_ansible_takes_is_a_template(text):
    assert syntax_error(text) is None
