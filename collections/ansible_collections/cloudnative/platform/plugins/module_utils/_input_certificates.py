# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Judges a certificate authority that is given: on the controller, without openssl.

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Finding
from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import CertificateError, authority_fault
from ansible_collections.cloudnative.platform.plugins.module_utils._x509_der import public_key_of, read_certificate


def judge_authority(values: t.Mapping[str, t.Any], certificate_name: str, key_name: str, now: int) -> list[Finding]:
    """A pair of variables, both in PEM. Neither ever shows: one is secret, the other one is long."""
    certificate_pem, key_pem = str(values.get(certificate_name) or ""), str(values.get(key_name) or "")
    if not certificate_pem and not key_pem:
        return []
    if not certificate_pem or not key_pem:
        given, missing = (certificate_name, key_name) if certificate_pem else (key_name, certificate_name)
        return [Finding(given, None, f"is given without {missing}", "they belong together, give both or none")]
    try:
        certificate = read_certificate(certificate_pem)
    except CertificateError as error:
        return [Finding(certificate_name, None, f"is not a certificate: {error}", "give its text in PEM")]
    try:
        public_key = public_key_of(key_pem)
    except CertificateError as error:
        remedy = "give its text in PEM, without passphrase"
        return [Finding(key_name, None, f"is not a private key that can be used: {error}", remedy)]
    fault = authority_fault(certificate, public_key, now)
    if fault is None:
        return []
    return [Finding(certificate_name, certificate.subject, *fault)]
