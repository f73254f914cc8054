# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The documents of a gateway on the controller: where they are, read as strictly as `kong_config` does, deciphered."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import files
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError

_VAULTED = "$ANSIBLE_VAULT;"


class Loader(t.Protocol):
    """What is used of Ansible's DataLoader."""

    def get_real_file(self, file_path: str) -> str: ...

    def cleanup_tmp_file(self, file_path: str) -> None: ...


def located(path: str, base: str | None) -> str:
    """The absolute path. Never by the directory in which Ansible happens to run."""
    path = os.path.expanduser(path)
    if os.path.isabs(path):
        return path
    if not base:
        raise KongError(f"{path} is a relative path, and there is no directory to begin from: write all of it")
    found = os.path.join(base, path)
    if not os.path.exists(found):
        raise KongError(f"{found} does not exist; {path} is a relative path, and begins from {base}")
    return found


def read(paths: t.Iterable[str], base: str | None, loader: Loader) -> list[tuple[str, t.Any]]:
    """Name and content of each document; raises `KongError` for what is missing, empty or not readable."""

    def text_of(name: str) -> str:
        text = files.text_of(name)
        return _deciphered(name, loader) if text.startswith(_VAULTED) else text

    try:
        return files.read([located(path, base) for path in paths], text_of)
    except KongError as e:
        if "'!vault'" not in str(e):
            raise
        raise KongError(f"{e}: encrypt the file as a whole, which works, or keep the value in a variable") from e


def _deciphered(name: str, loader: Loader) -> str:
    try:
        clear = loader.get_real_file(name)
    except AnsibleError as e:
        reason = " ".join(str(e).split())
        raise KongError(f"{name} can't be deciphered, give its vault password: {reason}") from e
    try:
        return files.text_of(clear)
    finally:
        loader.cleanup_tmp_file(clear)
