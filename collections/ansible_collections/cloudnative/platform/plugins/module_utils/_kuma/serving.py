# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Certificates of the control plane on Kubernetes: given, or made here and kept in the cluster from run to run.

Sidecars learn the authority when their pod is made and keep it until the pod ends. So a new authority is trusted for a
year before it signs anything, and leaves only when it has expired: at no time is there a pod that trusts nobody.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils import _x509
from ansible_collections.cloudnative.platform.plugins.module_utils._openssl import OpenSSL

AUTHORITY_DAYS = 3650
#: For how long workloads get to know a new authority before it signs.
OVERLAP_DAYS = 365
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.S)


@dataclass
class Serving:
    """What the control plane serves with. `authority` may hold several certificates."""

    authority: str
    certificate: str
    key: str
    # None where it is kept elsewhere: the certificate was given.
    authority_keys: str | None = None
    actions: list[str] = field(default_factory=list)

    @property
    def ca_bundle(self) -> str:
        return base64.b64encode(self.authority.encode()).decode()

    @property
    def fingerprint(self) -> str:
        """Changes with what pods have to read anew."""
        return hashlib.sha256(f"{self.authority}\n{self.certificate}".encode()).hexdigest()


def pieces(text: str) -> list[str]:
    """The PEM blocks of a text. Pure."""
    return [match.group(0) + "\n" for match in _BLOCK.finditer(text)]


def signer(authorities: t.Sequence[_x509.Certificate], now: int, days: int) -> int:
    """Which one signs: the oldest that outlives what it signs, so that the youngest is known before it does. Pure."""
    return next(
        (number for number, one in enumerate(authorities) if _x509.days_left(one, now) >= days), len(authorities) - 1
    )


def needs_successor(authorities: t.Sequence[_x509.Certificate], now: int, days: int) -> bool:
    """Whether there has to be a further authority by now. Pure."""
    return not authorities or _x509.days_left(authorities[-1], now) < days + OVERLAP_DAYS


class Certificates:
    """Reads and makes; keys touch the disk in `directory` only, which is private and goes with the module."""

    def __init__(self, openssl: OpenSSL, directory: str, now: int) -> None:
        self.openssl = openssl
        self.directory = directory
        self.now = now

    def _file(self, name: str, content: str) -> str:
        path = os.path.join(self.directory, name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(content)
        return path

    # -- given --------------------------------------------------------------------------------------------------

    def given(self, given: t.Mapping[str, str], names: t.Sequence[str]) -> Serving:
        certificate = self.openssl.describe(given["certificate"], "certificate")
        if self.openssl.public_key_of(given["key"], "certificate.key") != certificate.public_key:
            raise _x509.CertificateError("certificate.key is not the key of certificate.certificate")
        if not self.openssl.is_signed_by(given["certificate"], given["ca"]):
            raise _x509.CertificateError("certificate.certificate was not signed by certificate.ca")
        missing = sorted(set(names) - certificate.names)
        if missing:
            raise _x509.CertificateError(
                f"certificate.certificate is not for {', '.join(missing)}, by which the API server and sidecars call "
                "the control plane; issue it for these names as well"
            )
        if certificate.not_after <= self.now:
            raise _x509.CertificateError("certificate.certificate has expired: give a new one")
        return Serving(given["ca"], given["certificate"], given["key"])

    # -- made here ----------------------------------------------------------------------------------------------

    def kept(
        self,
        authority: t.Mapping[str, str],
        serving: t.Mapping[str, str],
        names: t.Sequence[str],
        days: int,
        renew_before_days: int,
    ) -> Serving:
        """What the Secrets hold, renewed where its time has come."""
        actions: list[str] = []
        pems, keys = self._authorities(authority)
        known = [self.openssl.describe(pem, "authority") for pem in pems]
        if needs_successor(known, self.now, days):
            key = self.openssl.new_key()
            path = self._file("authority.key", key)
            pems.append(self.openssl.new_authority(path, "Kuma control plane", AUTHORITY_DAYS))
            keys.append(key)
            actions.append("made an authority for the control plane's certificates")
            known = [self.openssl.describe(pem, "authority") for pem in pems]
        number = signer(known, self.now, days)
        certificate, key = serving.get("tls.crt", ""), serving.get("tls.key", "")
        reason = self._reason(certificate, key, names, pems[number], known[number], renew_before_days)
        if reason:
            certificate, key = self._sign(pems[number], keys[number], names, days)
            actions.append(f"made a certificate for the control plane: {reason}")
        return Serving("".join(pems), certificate, key, "".join(keys), actions)

    def _authorities(self, secret: t.Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Pairs that have not expired; keys of others are of no use to anybody."""
        pems, keys = pieces(secret.get("ca.crt", "")), pieces(secret.get("ca.key", ""))
        if len(pems) != len(keys):
            raise _x509.CertificateError(
                f"the Secret of the authority has {len(pems)} certificates and {len(keys)} keys; restore it, or delete "
                "it and restart all pods of the mesh after the next run"
            )
        pairs = []
        for pem, key in zip(pems, keys):
            found = self.openssl.describe(pem, "ca.crt of the authority's Secret")
            if found.not_after <= self.now:
                continue
            public = self.openssl.public_key_of(key, "ca.key of the authority's Secret")
            fault = _x509.authority_problem(found, public, self.now, "the authority of the control plane")
            if fault:
                raise _x509.CertificateError(fault)
            pairs.append((pem, key))
        return [pem for pem, _key in pairs], [key for _pem, key in pairs]

    def _reason(
        self,
        certificate: str,
        key: str,
        names: t.Sequence[str],
        authority: str,
        known: _x509.Certificate,
        renew_before_days: int,
    ) -> str | None:
        if not certificate or not key:
            return "there is no certificate yet"
        return _x509.renewal_reason(
            self.openssl.describe(certificate, "tls.crt of the Secret"),
            names,
            self.openssl.public_key_of(key, "tls.key of the Secret"),
            self.openssl.is_signed_by(certificate, authority),
            known,
            self.now,
            renew_before_days,
        )

    def _sign(self, authority: str, authority_key: str, names: t.Sequence[str], days: int) -> tuple[str, str]:
        key = self.openssl.new_key()
        request = self.openssl.request(self._file("serving.key", key), names[0])
        signed = self.openssl.sign(
            request,
            "the control plane",
            self._file("ca.crt", authority),
            self._file("ca.key", authority_key),
            names,
            ["server", "client"],
            days,
        )
        return signed, key
