# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The `openssl` command, as far as certificates need it.

Managed hosts have no cryptography library, only the command. Private keys are passed by path or read from its output,
never on a command line.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import (
    Certificate,
    CertificateError,
    leaf_extensions,
    parse_certificate,
    subject_config,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class OpenSSL:
    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        found = module.get_bin_path("openssl")
        if not found:
            raise CertificateError("there is no openssl command on this host: install the package openssl")
        self._command: str = found

    def _run(self, what: str, args: t.Sequence[str], data: str | None = None) -> str:
        # Its messages and dates are parsed, so they must not be translated.
        code, out, err = self._module.run_command(
            [self._command, *args], data=data, environ_update={"LC_ALL": "C", "LANGUAGE": "C"}
        )
        if code != 0:
            lines = [line for line in err.strip().splitlines() if line] or [f"exit code {code}"]
            raise CertificateError(f"{what}: openssl says {lines[-1]}")
        return out

    def new_key(self) -> str:
        """A new ECDSA P-256 key as PEM."""
        return self._run("cannot make a key", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])

    def public_key(self, key_path: str) -> str:
        return self._run(f"{key_path} is not a private key", ["pkey", "-in", key_path, "-pubout"]).strip()

    def public_key_of(self, key_pem: str, origin: str) -> str:
        return self._run(f"{origin} is not a private key without passphrase", ["pkey", "-pubout"], key_pem).strip()

    def request(self, key_path: str, common_name: str) -> str:
        """A certificate signing request for the key."""
        return self._run(
            f"cannot make a signing request for {key_path}",
            ["req", "-new", "-sha256", "-key", key_path, "-config", "/dev/stdin"],
            subject_config(common_name),
        )

    def request_key(self, request: str, owner: str) -> str:
        """The public key of a signing request, whose signature proves the possession of the private one."""
        out = self._run(f"the signing request of {owner} is not good", ["req", "-verify", "-noout", "-pubkey"], request)
        return out.strip()

    def describe(self, certificate: str, origin: str) -> Certificate:
        fields = ["-subject", "-issuer", "-startdate", "-enddate", "-fingerprint", "-sha256", "-pubkey"]
        extensions = ["-nameopt", "RFC2253", "-ext", "subjectAltName,basicConstraints"]
        out = self._run(f"{origin} is not a certificate", ["x509", "-noout", *fields, *extensions], certificate)
        return parse_certificate(out)

    def is_signed_by(self, certificate: str, authority: str) -> bool:
        # Time is judged elsewhere, with a margin; here only the signature counts.
        with _Scratch(self._module.tmpdir, authority) as path:
            code, _out, _err = self._module.run_command(
                [self._command, "verify", "-no_check_time", "-CAfile", path], data=certificate
            )
        return bool(code == 0)

    def new_authority(self, key_path: str, common_name: str, days: int) -> str:
        return self._run(
            "cannot make a certificate authority",
            [
                *["req", "-new", "-x509", "-sha256", "-key", key_path, "-days", str(days)],
                *["-set_serial", _serial(), "-extensions", "authority", "-config", "/dev/stdin"],
            ],
            subject_config(common_name),
        )

    def sign(
        self,
        request: str,
        owner: str,
        authority_path: str,
        authority_key_path: str,
        names: t.Sequence[str],
        usages: t.Sequence[str],
        days: int,
    ) -> str:
        with _Scratch(self._module.tmpdir, leaf_extensions(names, usages)) as extensions:
            return self._run(
                f"cannot sign a certificate for {owner}",
                [
                    *["x509", "-req", "-sha256", "-CA", authority_path, "-CAkey", authority_key_path],
                    *["-set_serial", _serial(), "-days", str(days), "-extfile", extensions],
                ],
                request,
            )


def _serial() -> str:
    return "0x" + secrets.token_hex(15)


class _Scratch:
    """A short-lived file for what openssl takes from a path only. Holds nothing secret."""

    def __init__(self, directory: str, content: str) -> None:
        self._directory = directory
        self._content = content

    def __enter__(self) -> str:
        descriptor, self._path = tempfile.mkstemp(dir=self._directory)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(self._content)
        return self._path

    def __exit__(self, *_exc: object) -> None:
        os.unlink(self._path)
