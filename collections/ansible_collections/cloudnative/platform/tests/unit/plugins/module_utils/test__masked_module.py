# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic

from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule
from ansible_collections.cloudnative.platform.plugins.modules import network_plugin, oci_files

SPEC = {
    "registry": {
        "type": "dict",
        "options": {"username": {"type": "str"}, "password": {"type": "str", "no_log": True}},
    },
    "path": {"type": "str"},
}


@pytest.mark.parametrize("password", ["plain-password", "it's", 'a "quote"', "ö\\n", "both ' and \""])
def test_a_password_inside_of_an_option_is_not_logged(monkeypatch, password):
    logged = []
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr(MaskedModule, "log", lambda _module, message, log_args=None: logged.append((message, log_args)))
    params = {"registry": {"username": "pull", "password": password}, "path": "/x"}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": params}).encode())
    module = MaskedModule(argument_spec=SPEC)
    assert module.params["registry"]["password"] == password
    text = str(logged)
    assert "Invoked with" in text
    assert "/x" in text
    assert "'username': 'pull'" in text.replace("\\", "")
    assert repr(password)[1:-1] not in text
    assert password not in text


@pytest.mark.parametrize("module", [oci_files, network_plugin])
def test_who_has_passwords_inside_of_options_uses_it(module):
    assert module.MaskedModule is MaskedModule
