# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import (
    ConfigError,
    mask_only,
    open_kubeconfig,
    parse_kubeconfig,
    secrets_of,
)

KUBECONFIG = {
    "apiVersion": "v1",
    "current-context": "admin@lab",
    "clusters": [{"name": "lab", "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority-data": "Q0E="}}],
    "users": [
        {"name": "admin", "user": {"client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"}},
        {"name": "bot", "user": {"token": "t0ken", "exec": {"env": [{"name": "X", "value": "from-exec"}]}}},
        {"name": "old", "user": {"username": "u", "password": "pw"}},
    ],
}


def test_secrets_of_a_kubeconfig():
    assert secrets_of(KUBECONFIG) == {"S0VZ", "t0ken", "from-exec", "pw"}
    assert secrets_of("~/.kube/config") == set()


def test_only_secrets_stay_masked():
    module = SimpleNamespace(no_log_values={"v1", "admin", "lab", "S0VZ", "from-another-option"})
    mask_only(module, KUBECONFIG, secrets_of(KUBECONFIG))
    assert module.no_log_values == {"S0VZ", "t0ken", "from-exec", "pw", "from-another-option"}


def test_parse_kubeconfig(tmp_path):
    path = tmp_path / "config"
    path.write_text("{}")
    assert parse_kubeconfig(None) is None
    assert parse_kubeconfig("") is None
    assert parse_kubeconfig(KUBECONFIG) == KUBECONFIG
    assert parse_kubeconfig(json.dumps(KUBECONFIG)) == KUBECONFIG
    assert parse_kubeconfig(str(path)) == str(path)
    assert parse_kubeconfig(f"/nowhere:{path}") == f"/nowhere:{path}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("/no/such/file", "/no/such/file does not exist"),
        ('{"a":', "isn't"),
        ([1], "not list"),
        # Its content, which must not be shown.
        ("apiVersion: v1\nkind: Config\n", "^kubeconfig is a text, but neither JSON nor the path"),
        ("YXBpVmVyc2lvbjogdjEK" * 20, "^kubeconfig is a text, but neither JSON nor the path"),
    ],
)
def test_parse_kubeconfig_refuses(value, message):
    with pytest.raises(ConfigError, match=message):
        parse_kubeconfig(value)


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        ("/no/such/file", set()),
        # What it is, is not known: all of it may be secret.
        ('{"token": "t0ken"', {'{"token": "t0ken"'}),
        ("token: t0ken\n", {"token: t0ken\n"}),
        (["t0ken"], {"t0ken"}),
    ],
)
def test_only_a_path_is_shown_of_a_kubeconfig_that_is_unusable(given, masked):
    module = SimpleNamespace(no_log_values={given[0] if isinstance(given, list) else given, "from-another-option"})
    with pytest.raises(ConfigError):
        open_kubeconfig(module, given)
    assert module.no_log_values == {*masked, "from-another-option"}


def test_opened_kubeconfig_is_masked_as_far_as_it_is_secret():
    module = SimpleNamespace(no_log_values={json.dumps(KUBECONFIG), "v1", "from-another-option"})
    assert open_kubeconfig(module, json.dumps(KUBECONFIG)) == KUBECONFIG
    assert module.no_log_values == {"S0VZ", "t0ken", "from-exec", "pw", "from-another-option"}
