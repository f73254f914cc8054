# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every option of every role's argument_specs, at any depth: what is wrong with it is said, and its default is right.

Nothing here names a variable, so a new one is tested from the day it appears.
"""

from __future__ import annotations

import base64
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._input_rules import MONITORING_COMPONENTS, form_of
from ansible_collections.cloudnative.platform.plugins.module_utils._input_specs import (
    Option,
    judge_value,
    read_roles,
    wrong_type,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.run import CHECKS

ROLES = pathlib.Path(__file__).parents[4] / "roles"
CATALOG = read_roles(str(ROLES))
PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
# One of these is a good value of anything that has no default.
CANDIDATES = [
    PEM,
    PEM.replace("CERTIFICATE", "PRIVATE KEY"),
    "https://r.example.org:5000",
    "192.0.2.10",
    "127.0.0.1:1338",
    "cp1",
    "/srv",
    "sha256:" + "a" * 64,
    base64.b64encode(b"k" * 32).decode(),
    "v1.36.4",
    50,
    1500,
    True,
    {},
    {"key": "dedicated", "effect": "NoSchedule"},
    {"name": "policy", "hostPath": "/etc/policy", "mountPath": "/etc/policy"},
]
WRONG = {
    "bool": ["perhaps", [True], 7],
    "dict": ["text", 5, ["one"]],
    "float": ["many", True, [1.5]],
    "int": ["many", 1.5, True, [1], {"a": 1}],
    "list": ["text", 5, {"a": 1}],
    "path": [["/a"], {"a": 1}, True, 1.5],
    "str": [["text"], {"a": 1}, True, 1.36],
}
# No form takes it, and neither does a number's range take one of these.
NO_FORM = "no form\nat all :: /?"
NO_RANGE = [-1, 10**15]


class Place(t.NamedTuple):
    """An option, and the way to it from the variable: keys, and 0 for the first element of a list."""

    variable: str
    way: tuple[str | int, ...]
    option: Option

    @property
    def subject(self) -> str:
        return self.variable + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.way)

    @property
    def form_name(self) -> str:
        return self.variable + "".join("[]" if isinstance(key, int) else f".{key}" for key in self.way)

    def value(self, content: t.Any) -> t.Any:
        """The variable as it would be given, with this content at the place."""
        if not self.way:
            return content
        value = good(CATALOG.variables[self.variable], self.variable)
        inner = value
        for key in self.way[:-1]:
            inner = inner[key]
        inner[self.way[-1]] = content
        return value


def good(option: Option, path: str) -> t.Any:
    """A value that is right, with all keys that it may have. Path: as form_of takes it."""
    if option.options:
        part = f"{path}[]" if option.type == "list" else path
        value = {key: good(inner, f"{part}.{key}") for key, inner in option.options.items()}
        return [value] if option.type == "list" else value
    if option.type == "list":
        return [good(element_of(option), f"{path}[]")]
    for candidate in (*option.choices, option.default, *CANDIDATES):
        form = form_of(path)
        if candidate is None or wrong_type(option.type, candidate):
            continue
        if (candidate in option.choices) if option.choices else (form is None or not form.judge(candidate)):
            return candidate
    raise AssertionError(f"{path} needs a good value in CANDIDATES")


def element_of(option: Option) -> Option:
    return Option(option.name, type=option.elements or "raw", choices=option.choices, required=True)


def places(variable: str, option: Option, way: tuple[str | int, ...] = ()) -> t.Iterator[Place]:
    yield Place(variable, way, option)
    if option.type == "list":
        if not option.options:
            yield Place(variable, (*way, 0), element_of(option))
        way = (*way, 0)
    for key, inner in option.options.items():
        yield from places(variable, inner, (*way, key))


PLACES = [place for name, option in sorted(CATALOG.variables.items()) for place in places(name, option)]


def of(*kinds):
    return pytest.mark.parametrize(
        "place", [place for place in PLACES if place.option.type in kinds], ids=lambda place: place.subject
    )


def findings(place: Place, content: t.Any):
    return judge_value(CATALOG.variables[place.variable], place.value(content), form_of)


def assert_named(place: Place, content: t.Any, subject: str = "") -> None:
    found = findings(place, content)
    assert [finding.subject for finding in found] == [subject or place.subject], (content, found)
    assert found[0].problem
    assert found[0].remedy
    assert place.variable in found[0].sentence()
    if place.option.holds_secret:
        assert found[0].value is None


def test_defaults_of_monitoring_are_good_resources():
    """Whoever copies them to change them has the right form, and no component is missing from the rule."""
    defaults = yaml.safe_load((ROLES / "monitoring/vars/main.yml").read_text())["__monitoring_default_resources"]
    assert set(defaults) == set(MONITORING_COMPONENTS)
    assert judge_value(CATALOG.variables["monitoring_resources"], defaults, form_of) == []
    wrong = {"prometeus": {}, "prometheus": {"limit": {}}, "grafana": "64Mi"}
    assert sorted(one.subject for one in judge_value(CATALOG.variables["monitoring_resources"], wrong, form_of)) == [
        "monitoring_resources.grafana",
        "monitoring_resources.prometeus",
        "monitoring_resources.prometheus.limit",
    ]


def test_there_are_options():
    assert len(PLACES) > 150
    assert set(CATALOG.roles) >= {"bundle", "containerd", "host", "kubernetes", "lab", "network", "registry", "verify"}


@of(*WRONG)
def test_a_wrong_type_is_refused(place):
    for content in WRONG[place.option.type]:
        assert_named(place, content)


@pytest.mark.parametrize(
    "place",
    [place for place in PLACES if place.option.choices and place.option.type != "list"],
    ids=lambda place: place.subject,
)
def test_what_is_no_choice_is_refused_and_each_choice_is_accepted(place):
    assert_named(place, "no-such-choice")
    for choice in place.option.choices:
        assert findings(place, choice) == []


@of("int", "float")
def test_what_is_out_of_range_is_refused(place):
    """A number without bounds is a decision that nobody has taken: give it a rule in _input_rules."""
    for content in NO_RANGE:
        if not place.option.choices:
            assert_named(place, content)


@of("str", "path")
def test_what_has_no_form_is_refused(place):
    form = form_of(place.form_name)
    if place.option.choices:
        return
    assert form is not None, f"{place.form_name} needs a rule in _input_rules, or any_text() with the reason"
    if form.judge(NO_FORM):
        assert_named(place, NO_FORM)
    else:
        # An exemption says why.
        assert len(form.means) > 20


@pytest.mark.parametrize("place", [place for place in PLACES if place.option.options], ids=lambda place: place.subject)
def test_unknown_keys_are_refused(place):
    way = (*place.way, 0) if place.option.type == "list" else place.way
    first = next(iter(place.option.options))
    misspelt = first[:-1] + first[-1] * 2
    for key, hint in ((misspelt, f"did you mean {first}?"), ("zzzzzz", "known: ")):
        inner = Place(place.variable, (*way, key), place.option.options[first])
        found = findings(inner, "x")
        assert [finding.subject for finding in found] == [inner.subject]
        assert hint in found[0].remedy


@pytest.mark.parametrize("place", [place for place in PLACES if place.option.options], ids=lambda place: place.subject)
def test_missing_keys_are_named(place):
    for key, option in place.option.options.items():
        if not option.required:
            continue
        content = good(place.option, place.form_name)
        (content[0] if isinstance(content, list) else content).pop(key)
        found = findings(place, content)
        assert [finding.problem for finding in found] == ["is missing"]
        assert found[0].subject.endswith(f".{key}")


@pytest.mark.parametrize("name", sorted(CATALOG.variables))
def test_the_default_is_right(name):
    option = CATALOG.variables[name]
    if option.default is not None:
        assert judge_value(option, option.default, form_of) == []
    if option.nullable:
        assert judge_value(option, None, form_of) == []
    else:
        assert [finding.problem for finding in judge_value(option, None, form_of)] == ["has no value"]


@pytest.mark.parametrize("name", sorted(name for name, option in CATALOG.variables.items() if option.default))
def test_the_default_has_the_form_that_is_asked_for(name):
    """Not only because a default is never looked at."""
    option = CATALOG.variables[name]
    bare = Option(**{**vars(option), "default": None})
    assert judge_value(bare, option.default, form_of) == []


@pytest.mark.parametrize("name", sorted(CATALOG.variables))
def test_what_stands_in_for_a_good_value_is_one(name):
    option = CATALOG.variables[name]
    assert judge_value(option, good(option, name), form_of) == []


def test_lenient_conversions_of_ansible_hold():
    for place in PLACES:
        if place.option.type == "bool":
            for content in ("yes", "off", 1, "true"):
                assert findings(place, content) == []
        if place.option.type == "int" and place.option.default is not None:
            assert wrong_type("int", str(place.option.default)) is None
            assert findings(place, str(place.option.default)) == []


def test_checks_of_a_verification_are_those_of_the_module():
    assert CATALOG.variables["verify_checks"].choices == CHECKS
