#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_secrets
version_added: 0.1.0
short_description: Generates passwords and private keys where they are kept
description:
  - Makes the passwords and private keys that are missing, in files that only root can read, and leaves those that are
    there as they are.
  - Passwords are returned, so that they can be given to whoever needs them; use C(no_log) on the task. Private keys
    never leave the host, a certificate signing request is returned for each of them.
  - In check mode a password that is missing is returned as it could be, but not kept.
  - Runs on the host that keeps the secrets.
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  passwords:
    description:
      - Passwords to keep. A password that is to be replaced has its file removed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name under which the password is returned.
        type: str
        required: true
      path:
        description: File that holds it. Its directory is made for root only.
        type: path
        required: true
      length:
        description: Number of letters and digits of a new password.
        type: int
        default: 40
  keys:
    description:
      - Private keys to keep (ECDSA P-256).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name under which the signing request is returned.
        type: str
        required: true
      path:
        description: File that holds the key. Its directory is made for root only.
        type: path
        required: true
      certificate_path:
        description: File with the certificate of this key, if there is one by now. It is only read.
        type: path
        required: true
      common_name:
        description: Common name in the signing request.
        type: str
        required: true
      names:
        description:
          - Host names and addresses the certificate has to be good for. They are returned with the signing request for
            the authority, which judges them.
        type: list
        elements: str
        required: true
seealso:
  - module: cloudnative.platform.pki_authority
"""

EXAMPLES = r"""
- name: Keep the password of the push user and the key of the server
  cloudnative.platform.host_secrets:
    passwords:
      - name: push
        path: /etc/cloudnative/secrets/registry-push
    keys:
      - name: registry
        path: /etc/cloudnative/pki/registry.key
        certificate_path: /etc/registry/server.crt
        common_name: registry
        names:
          - 10.0.0.5
          - registry1.example.org
  register: result
  no_log: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - create /etc/cloudnative/secrets/registry-push (mode 0600)
passwords:
  description: Passwords by name.
  returned: success
  type: dict
  sample:
    push: kept secret
requests:
  description: Signing requests by name of the key.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the key.
      type: str
    csr:
      description: The signing request, PEM. Empty in check mode as long as there is no key.
      type: str
    names:
      description: Names and addresses as given.
      type: list
      elements: str
    certificate:
      description: The current certificate, PEM. Empty when there is none.
      type: str
"""

import os
import secrets
import string
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    HostFileError,
    Wanted,
    Writer,
    diff_of,
    observe,
    plan,
    read_text,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._openssl import OpenSSL
from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import CertificateError

ALPHABET = string.ascii_letters + string.digits
SHORTEST = 16


class HostSecrets:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.writer = Writer(module)
        self.actions: list[str] = []
        self.diff: list[dict[str, str]] = []

    def keep(self, wanted: Wanted) -> None:
        """The one place that changes anything."""
        found = observe(wanted.path)
        step = plan(wanted, found)
        if not step.needed:
            return
        self.actions.append(step.text)
        self.diff.append(diff_of(step, found))
        if not self.module.check_mode:
            self.writer.apply(step)

    def keep_directory_of(self, path: str) -> None:
        directory = os.path.dirname(path)
        if not os.path.isdir(directory):
            self.keep(Wanted(path=directory, mode=0o700))

    def password(self, path: str, length: int) -> str:
        if length < SHORTEST:
            raise CertificateError(f"length {length} of {path} is too short for a password, at least {SHORTEST}")
        found = observe(path)
        value = (found.content or b"").decode().strip()
        if found.exists and not value:
            raise CertificateError(f"{path} is empty: remove it to have a new password made")
        if not value:
            value = "".join(secrets.choice(ALPHABET) for _index in range(length))
        self.keep_directory_of(path)
        # What stands there is kept to the byte, with or without a newline at its end.
        self.keep(Wanted(path=path, mode=0o600, content=found.content or f"{value}\n".encode(), secret=True))
        return value

    def key(self, openssl: OpenSSL, item: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        path = item["path"]
        found = observe(path)
        self.keep_directory_of(path)
        content = found.content if found.exists else openssl.new_key().encode()
        self.keep(Wanted(path=path, mode=0o600, content=content, secret=True))
        there = found.exists or not self.module.check_mode
        return {
            "name": item["name"],
            "csr": openssl.request(path, item["common_name"]) if there else "",
            "names": item["names"],
            "certificate": read_text(item["certificate_path"]),
        }

    def run(self) -> dict[str, t.Any]:
        params = self.module.params
        passwords = {item["name"]: self.password(item["path"], item["length"]) for item in params["passwords"]}
        openssl = OpenSSL(self.module) if params["keys"] else None
        requests = {item["name"]: self.key(openssl, item) for item in params["keys"] if openssl}
        return {"passwords": passwords, "requests": requests}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "passwords": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "no_log": False,
                "options": {
                    "name": {"type": "str", "required": True},
                    "path": {"type": "path", "required": True},
                    "length": {"type": "int", "default": 40},
                },
            },
            "keys": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "no_log": False,
                "options": {
                    "name": {"type": "str", "required": True},
                    "path": {"type": "path", "required": True},
                    "certificate_path": {"type": "path", "required": True},
                    "common_name": {"type": "str", "required": True},
                    "names": {"type": "list", "elements": "str", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    work = HostSecrets(module)
    try:
        with lock_for(module):
            kept = work.run()
    except (CertificateError, HostFileError, HostLockError) as exc:
        module.fail_json(msg=str(exc), changed=bool(work.actions) and not module.check_mode, actions=work.actions)
    module.exit_json(changed=bool(work.actions), actions=work.actions, diff=work.diff, **kept)


if __name__ == "__main__":
    main()
