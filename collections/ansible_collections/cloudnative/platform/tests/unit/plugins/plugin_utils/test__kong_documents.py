# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

import pytest
from ansible.constants import DEFAULT_VAULT_IDENTITY
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError
from ansible_collections.cloudnative.platform.plugins.plugin_utils._kong_documents import read

TEXT = '_format_version: "3.0"\nservices: [{name: shop, url: "http://{{ shop }}"}]\n'
CONTENT = {"_format_version": "3.0", "services": [{"name": "shop", "url": "http://{{ shop }}"}]}
SECRETS = [(DEFAULT_VAULT_IDENTITY, VaultSecret(b"the password of the vault"))]


@pytest.fixture(name="loader")
def fixture_loader() -> DataLoader:
    return DataLoader()


@pytest.fixture(name="base")
def fixture_base(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A directory with documents; Ansible runs in another one, which has others of the same names."""
    elsewhere = tmp_path / "elsewhere"
    for directory in (tmp_path / "gateway", elsewhere / "gateway", elsewhere / "only-here"):
        directory.mkdir(parents=True)
    (elsewhere / "gateway" / "shop.yml").write_text('_format_version: "3.0"\n')
    (elsewhere / "only-here" / "shop.yml").write_text('_format_version: "3.0"\n')
    (tmp_path / "gateway" / "shop.yml").write_text(TEXT)
    (tmp_path / "gateway" / "more.json").write_text('{"_format_version": "3.0"}')
    (tmp_path / "gateway" / "README.md").write_text("no document")
    monkeypatch.chdir(elsewhere)
    return tmp_path


@pytest.mark.parametrize("path", ["gateway", "gateway/", "{base}/gateway", "~/gateway"])
def test_where_a_path_begins(
    base: pathlib.Path, loader: DataLoader, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("HOME", str(base))
    found = read([path.format(base=base)], str(base), loader)
    assert [(os.path.normpath(name), content) for name, content in found] == [
        (f"{base}/gateway/more.json", {"_format_version": "3.0"}),
        (f"{base}/gateway/shop.yml", CONTENT),
    ]


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("only-here/", "", "/only-here/ does not exist; only-here/ is a relative path, and begins from /"),
        ("gateway/shpo.yml", "", "/gateway/shpo.yml does not exist; gateway/shpo.yml is a relative path"),
        ("/gateway/shpo.yml", "", "/gateway/shpo.yml can't be read: No such file or directory"),
        ("elsewhere", "", "directory /.* has no .yml, .yaml, .json in it"),
        (
            "new.yml",
            "services: []\nservices: []\n",
            "/new.yml is not YAML in line 2, column 1: key 'services' stands there twice",
        ),
        ("new.yml", "services: [", "/new.yml is not YAML in line"),
        ("new.json", '{"a": 1, "a": 2}', "/new.json is not JSON: key 'a' stands there twice"),
        ("new.yml", "key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61\n", "encrypt the file as a whole, which works"),
        ("new.yml", "$ANSIBLE_VAULT;1.1;AES256\n6161\n", "/new.yml can't be deciphered, give its vault password"),
    ],
)
def test_what_is_refused_is_named(base: pathlib.Path, loader: DataLoader, path: str, text: str, said: str) -> None:
    if text:
        (base / path).write_text(text)
    with pytest.raises(KongError, match=said) as caught:
        read([str(base) + path if path.startswith("/") else path], str(base), loader)
    assert "6161" not in str(caught.value)


def test_without_a_base_a_relative_path_is_refused(base: pathlib.Path, loader: DataLoader) -> None:
    for nothing in ("", None):
        with pytest.raises(KongError, match="gateway is a relative path, and there is no directory to begin from"):
            read(["gateway"], nothing, loader)


def test_a_file_that_is_encrypted_as_a_whole_is_read(base: pathlib.Path, loader: DataLoader) -> None:
    loader.set_vault_secrets(SECRETS)
    (base / "secret.yml").write_bytes(VaultLib(SECRETS).encrypt(TEXT))
    assert read(["secret.yml"], str(base), loader) == [(f"{base}/secret.yml", CONTENT)]
    with pytest.raises(KongError, match=r"secret\.yml can't be deciphered, give its vault password"):
        read(["secret.yml"], str(base), DataLoader())
