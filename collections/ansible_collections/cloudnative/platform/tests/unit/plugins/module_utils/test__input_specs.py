# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._input_rules import form_of
from ansible_collections.cloudnative.platform.plugins.module_utils._input_specs import (
    Option,
    SpecError,
    judge_value,
    option_of,
    read_roles,
    variable_of,
    wrong_type,
)

SPEC = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "size": {"type": "int"},
        "kind": {"type": "str", "choices": ["small", "large"]},
        "password": {"type": "str", "no_log": True},
        "inner": {"type": "dict", "options": {"on": {"type": "bool"}}},
    },
}


def sentences(value, spec=None, name="things"):
    return [finding.sentence() for finding in judge_value(option_of(name, spec or SPEC), value, form_of)]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("str", ["a", "", 5], [True, 1.5, None, [], {}, datetime.date(2026, 1, 1)]),
        ("path", ["/a", 5], [True, []]),
        ("int", [5, "5", "-5", " 5 "], [True, 5.0, "5.0", "five", "", []]),
        ("float", [5, 1.5, "1.5"], [True, "x", []]),
        ("bool", [True, "yes", "no", "on", 1, 0, "False"], [2, "maybe", [], {}]),
        ("list", [[], ["a"]], ["a", "a,b", 5, {}]),
        ("dict", [{}, {"a": 1}], ["a=b", "{}", 5, []]),
        ("raw", [1, "a", [], {}], []),
    ],
)
def test_types(kind, right, wrong):
    assert [value for value in right if wrong_type(kind, value)] == []
    assert [value for value in wrong if not wrong_type(kind, value)] == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"name": "a", "size": "3", "inner": {"on": "yes"}}], []),
        ("a", ["things: is text, not a list; write a list, e.g. [one, two]"]),
        (["a"], ["things[0]: is text, not a dictionary; write a dictionary"]),
        ([{}], ["things[0].name: is missing; give it: text in quotes"]),
        ([{"name": None}], ["things[0].name: has no value; give it one: text in quotes"]),
        ([{"name": "a", "size": None}], []),
        ([{"name": True}], ["things[0].name True: is not text, YAML took it for true or false; write text in quotes"]),
        (
            [{"name": "a"}, {"name": "b", "sise": 1}],
            ["things[1].sise: is not a known key; did you mean size? known: inner, kind, name, password, size"],
        ),
        (
            [{"name": "a", "inner": {"on": "perhaps", "off": 1}}],
            [
                "things[0].inner.off: is not a known key; known: on",
                "things[0].inner.on 'perhaps': is text, not true or false; write true or false",
            ],
        ),
        (
            [{"name": "a", "kind": "smal"}],
            ["things[0].kind 'smal': is not a valid choice; did you mean small? valid: small, large"],
        ),
    ],
)
def test_values(value, expected):
    found = sentences(value)
    assert len(found) == len(expected)
    for sentence, start in zip(found, expected):
        assert sentence.startswith(start)


@pytest.mark.parametrize(
    ("name", "spec", "value"),
    [
        ("things", SPEC, [{"name": "a", "password": ["hunter2"]}]),
        ("things", SPEC, "hunter2"),
        ("things", SPEC, [["hunter2"]]),
        ("some_token", {"type": "int"}, "hunter2"),
        ("some_thing", {"type": "dict", "no_log": True}, "hunter2"),
        ("some_list", {"type": "list", "elements": "int", "no_log": True}, ["hunter2"]),
        ("some_dict", {"type": "dict", "options": {"api_key": {"type": "int"}}}, {"api_key": "hunter2"}),
        ("some_extra_args", {"type": "dict"}, {"token_X": {"a": "hunter2"}}),
        ("x_address", {"type": "str"}, "https://user:hunter2@example.org"),
        ("x_address", {"type": "str"}, "-----BEGIN PRIVATE KEY----- hunter2"),
        ("x_port", {"type": "int"}, {"password": "hunter2"}),
    ],
)
def test_secrets_never_show(name, spec, value):
    found = judge_value(option_of(name, spec), value, form_of)
    assert found != []
    assert "hunter2" not in str([finding.as_dict() for finding in found])
    assert "hunter2" not in " ".join(finding.sentence() for finding in found)


def test_a_value_that_was_encrypted_never_shows():
    found = judge_value(option_of("x_port", {"type": "int"}), "hunter2", form_of, secret=True)
    assert "hunter2" not in found[0].sentence()


def test_long_values_are_cut():
    assert len(sentences("x" * 1000, {"type": "int"})[0]) < 200


@pytest.mark.parametrize(
    ("default", "nullable", "known"),
    [(None, True, None), ("a", False, "a"), ("{{ x }}", False, None), (["{{ x }}"], False, None), ("", False, "")],
)
def test_defaults(default, nullable, known):
    option = variable_of("x", {"type": "str"}, {"x": default})
    assert (option.nullable, option.default) == (nullable, known)


def test_the_default_is_shown_as_the_example():
    option = Option("x_port", type="int", default=8443)
    assert judge_value(option, "many", form_of)[0].remedy == "write a whole number, e.g. 8443"


def test_roles_are_read_with_all_entry_points(tmp_path):
    meta = tmp_path / "thing" / "meta"
    meta.mkdir(parents=True)
    (meta / "argument_specs.yml").write_text(
        "argument_specs: {main: {options: {thing_a: {type: int}}}, verify: {options: {thing_b: {type: bool}}}}"
    )
    (tmp_path / "thing" / "defaults").mkdir()
    (tmp_path / "thing" / "defaults" / "main.yml").write_text('thing_a: 1\nthing_b: "{{ x }}"\n')
    catalog = read_roles(str(tmp_path))
    assert (sorted(catalog.variables), catalog.roles, catalog.defaults) == (
        ["thing_a", "thing_b"],
        ("thing",),
        {"thing_a": 1},
    )


def test_playbooks_have_variables_as_well(tmp_path):
    meta = tmp_path / "roles" / "thing" / "meta"
    meta.mkdir(parents=True)
    (meta / "argument_specs.yml").write_text("argument_specs: {main: {options: {thing_a: {type: int}}}}")
    own = tmp_path / "specs.yml"
    own.write_text("argument_specs: {main: {options: {shop_size: {type: int, default: 3}, shop_name: {}}}}")
    catalog = read_roles(str(tmp_path / "roles"), [str(own)])
    assert (sorted(catalog.variables), catalog.roles, catalog.prefixes, catalog.defaults) == (
        ["shop_name", "shop_size", "thing_a"],
        ("thing",),
        ("shop", "thing"),
        {"shop_size": 3},
    )


@pytest.mark.parametrize("text", ["{", "argument_specs: [", "\t"])
def test_a_role_that_cannot_be_read_is_named(tmp_path, text):
    meta = tmp_path / "thing" / "meta"
    meta.mkdir(parents=True)
    (meta / "argument_specs.yml").write_text(text)
    with pytest.raises(SpecError, match=r"thing/meta/argument_specs\.yml"):
        read_roles(str(tmp_path))


def test_a_directory_without_roles_is_named(tmp_path):
    with pytest.raises(SpecError, match=str(tmp_path)):
        read_roles(str(tmp_path))
