#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pki_authority
version_added: 0.1.0
short_description: Keeps a certificate authority and issues certificates that are due
description:
  - Makes a certificate authority once (ECDSA P-256), or keeps a given one, in a directory that only root can read.
  - Answers signing requests. A request that comes with a certificate that is still good gets that certificate back, so
    a second run changes nothing. A certificate is issued again when it expires soon, when its names changed, when it
    belongs to another key or when another authority signed it.
  - Runs on the host that keeps the authority. Signing requests and certificates travel as values, keys stay.
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
  path:
    description:
      - Directory of the authority. It holds C(ca.crt) and C(ca.key).
    type: path
    default: /etc/cloudnative/pki
  common_name:
    description:
      - Common name of an authority that is made here.
    type: str
    default: cloudnative.platform
  days:
    description:
      - Days an authority that is made here lasts.
    type: int
    default: 3650
  certificate:
    description:
      - Certificate of a given authority, PEM. More certificates may follow up to the root.
      - An authority that was made here before is replaced by it.
    type: str
  private_key:
    description:
      - Private key of the given authority, PEM without passphrase.
    type: str
  requests:
    description:
      - Signing requests.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the request, under which the certificate is returned.
        type: str
        required: true
      csr:
        description: The signing request, PEM. May be empty in check mode, where the key may not exist yet.
        type: str
        required: true
      names:
        description: Host names and addresses the certificate is good for.
        type: list
        elements: str
        required: true
      certificate:
        description: The certificate in use, PEM, if there is one.
        type: str
        default: ""
      usages:
        description: What the certificate may be used for.
        type: list
        elements: str
        choices: [server, client]
        default: [server]
  certificate_days:
    description:
      - Days an issued certificate lasts. It never outlives its authority.
    type: int
    default: 365
  renew_before_days:
    description:
      - A certificate with fewer days left is issued again.
    type: int
    default: 30
seealso:
  - module: cloudnative.platform.host_secrets
"""

EXAMPLES = r"""
- name: Have the certificates of all registry hosts signed where they are due
  cloudnative.platform.pki_authority:
    requests:
      - name: registry1
        csr: "{{ result.requests.registry.csr }}"
        certificate: "{{ result.requests.registry.certificate }}"
        names: "{{ result.requests.registry.names }}"
  delegate_to: registry1
  register: authority
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
  sample:
    - "issue the certificate of registry1: it expires in 12 days"
ca_pem:
  description: Certificate of the authority, PEM. Empty in check mode as long as there is none.
  returned: success
  type: str
  sample: "-----BEGIN CERTIFICATE-----…"
certificates:
  description:
    - Certificates by name of the request, PEM. In check mode those that are in use, and a line of text in the place of
      each that would be issued.
  returned: success
  type: dict
  sample:
    registry1: "-----BEGIN CERTIFICATE-----…"
"""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    HostFileError,
    Wanted,
    Writer,
    diff_of,
    observe,
    plan,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._openssl import OpenSSL
from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import (
    Certificate,
    CertificateError,
    authority_problem,
    checked_names,
    days_left,
    lifetime_days,
    renewal_reason,
)

# Stands for what is still to be signed, so that whoever writes and watches the certificate predicts that too.
PREDICTED = "(a certificate that this run would issue)\n"


class Authority:
    def __init__(self, module: AnsibleModule, now: int) -> None:
        self.module = module
        self.params = module.params
        self.now = now
        self.openssl = OpenSSL(module)
        self.writer = Writer(module)
        self.certificate_path = os.path.join(self.params["path"], "ca.crt")
        self.key_path = os.path.join(self.params["path"], "ca.key")
        self.actions: list[str] = []
        self.diff: list[dict[str, str]] = []

    def keep(self, wanted: Wanted) -> None:
        """The one place that changes files."""
        found = observe(wanted.path)
        step = plan(wanted, found)
        if not step.needed:
            return
        self.actions.append(step.text)
        self.diff.append(diff_of(step, found))
        if not self.module.check_mode:
            self.writer.apply(step)

    def keep_pair(self, certificate: str | None, key: str) -> None:
        self.keep(Wanted(path=self.params["path"], mode=0o700))
        self.keep(Wanted(path=self.key_path, mode=0o600, content=key.encode(), secret=True))
        if certificate is not None:
            self.keep(Wanted(path=self.certificate_path, mode=0o644, content=certificate.encode()))

    def ensure(self) -> str:
        """Certificate of the authority that is to be used; empty in check mode when it is still to be made."""
        given, given_key = self.params["certificate"], self.params["private_key"]
        if given and given_key:
            origin = "the given certificate authority"
            self.check(self.openssl.describe(given, origin), self.openssl.public_key_of(given_key, origin), origin)
            self.keep_pair(given.strip() + "\n", given_key.strip() + "\n")
            return given.strip() + "\n"
        certificate, key = observe(self.certificate_path), observe(self.key_path)
        if certificate.exists and not key.exists:
            raise CertificateError(
                f"{self.certificate_path} has lost its private key {self.key_path}: restore it from a backup, "
                "or remove the certificate to have a new authority made"
            )
        if certificate.exists:
            text = (certificate.content or b"").decode()
            origin = f"the certificate authority {self.certificate_path}"
            self.check(self.openssl.describe(text, origin), self.openssl.public_key(self.key_path), origin)
            self.keep_pair(text, (key.content or b"").decode())
            return text
        # A run that was killed half way may have left the key.
        self.keep_pair(None, (key.content or b"").decode() if key.exists else self.openssl.new_key())
        if self.module.check_mode and not key.exists:
            # Nothing to sign with: what it would be cannot be told, only that it would be.
            self.keep(Wanted(path=self.certificate_path, mode=0o644, content=PREDICTED.encode()))
            return ""
        text = self.openssl.new_authority(self.key_path, self.params["common_name"], self.params["days"])
        self.keep(Wanted(path=self.certificate_path, mode=0o644, content=text.encode()))
        return text

    def check(self, certificate: Certificate, public_key: str, origin: str) -> None:
        problem = authority_problem(certificate, public_key, self.now, origin)
        if problem:
            raise CertificateError(problem)
        left = days_left(certificate, self.now)
        if left < self.params["renew_before_days"]:
            self.module.warn(f"{origin} expires in {left} days, and with it every certificate it signed: replace it")

    def answer(self, request: t.Mapping[str, t.Any], ca_pem: str) -> str:
        """The certificate for a request: the one in use as long as it will do, else a new one."""
        owner, names = request["name"], checked_names(request["names"], f"the certificate of {request['name']}")
        if not request["usages"]:
            raise CertificateError(f"the certificate of {owner} has no usage: give server, client or both")
        current = request["certificate"]
        if not ca_pem or (self.module.check_mode and not request["csr"]):
            self.note(owner, "there is no certificate yet")
            return PREDICTED
        authority = self.openssl.describe(ca_pem, "the certificate authority")
        reason = renewal_reason(
            self.openssl.describe(current, f"the certificate of {owner}") if current else None,
            names,
            self.openssl.request_key(request["csr"], owner),
            bool(current) and self.openssl.is_signed_by(current, ca_pem),
            authority,
            self.now,
            self.params["renew_before_days"],
        )
        if reason is None:
            return current
        self.note(owner, reason)
        if self.module.check_mode:
            return PREDICTED
        days = lifetime_days(self.params["certificate_days"], authority, self.now)
        return self.openssl.sign(
            request["csr"], owner, self.certificate_path, self.key_path, names, request["usages"], days
        )

    def note(self, owner: str, reason: str) -> None:
        self.actions.append(f"issue the certificate of {owner}: {reason}")
        name = f"certificate of {owner}"
        self.diff.append({"before_header": name, "after_header": name, "before": "", "after": f"issued: {reason}\n"})

    def run(self) -> dict[str, t.Any]:
        if self.params["certificate_days"] <= self.params["renew_before_days"]:
            raise CertificateError(
                f"certificate_days ({self.params['certificate_days']}) must be more than renew_before_days "
                f"({self.params['renew_before_days']}), or every run would issue a certificate"
            )
        ca_pem = self.ensure()
        certificates = {item["name"]: self.answer(item, ca_pem) for item in self.params["requests"]}
        return {"ca_pem": ca_pem, "certificates": certificates}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/cloudnative/pki"},
            "common_name": {"type": "str", "default": "cloudnative.platform"},
            "days": {"type": "int", "default": 3650},
            "certificate": {"type": "str"},
            "private_key": {"type": "str", "no_log": True},
            "requests": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "csr": {"type": "str", "required": True},
                    "names": {"type": "list", "elements": "str", "required": True},
                    "certificate": {"type": "str", "default": ""},
                    "usages": {
                        "type": "list",
                        "elements": "str",
                        "choices": ["server", "client"],
                        "default": ["server"],
                    },
                },
            },
            "certificate_days": {"type": "int", "default": 365},
            "renew_before_days": {"type": "int", "default": 30},
        },
        required_together=[("certificate", "private_key")],
        supports_check_mode=True,
    )
    actions: list[str] = []
    try:
        authority = Authority(module, int(time.time()))
        actions = authority.actions
        with lock_for(module):
            issued = authority.run()
    except (CertificateError, HostFileError, HostLockError) as exc:
        module.fail_json(msg=str(exc), changed=bool(actions) and not module.check_mode, actions=actions)
    module.exit_json(changed=bool(actions), actions=actions, diff=authority.diff, **issued)


if __name__ == "__main__":
    main()
