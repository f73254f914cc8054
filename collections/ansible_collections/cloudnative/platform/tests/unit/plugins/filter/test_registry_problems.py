# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import yaml

from ansible_collections.cloudnative.platform.plugins.filter.registry_problems import registry_problems
from ansible_collections.cloudnative.platform.plugins.module_utils._input_conflicts import REGISTRY

ROLE = pathlib.Path(__file__).parents[4] / "roles" / "registry"


def test_the_defaults_of_the_role_are_right():
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert registry_problems({name: defaults[name] for name in REGISTRY if "{{" not in str(defaults[name])}) == []


def test_each_thing_that_is_wrong_is_a_sentence():
    assert registry_problems({"registry_port": 0, "registry_ca_key_pem": "hunter2"}) == [
        "registry_ca_key_pem: is not a private key in PEM; give its text, from -----BEGIN PRIVATE KEY----- on, "
        "not its path",
        "registry_port 0: is not a port; use a number between 1 and 65535",
    ]


def test_the_role_gives_all_that_is_judged():
    given = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__registry_values"]
    assert sorted(given) == sorted(REGISTRY)
    assert given == {name: "{{ " + name + " }}" for name in given}
