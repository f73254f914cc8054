# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import (
    DAY,
    Certificate,
    CertificateError,
    authority_problem,
    checked_names,
    days_left,
    leaf_extensions,
    lifetime_days,
    parse_certificate,
    renewal_reason,
    subject_config,
)

NOW = 1_800_000_000
KEY = "-----BEGIN PUBLIC KEY-----\nkey\n-----END PUBLIC KEY-----"
NAMES = ("10.0.0.5", "registry.example")


def certificate(days=100, names=NAMES, issuer="CN=ca", key=KEY, authority=False, subject="CN=registry", begun=1):
    return Certificate(subject, issuer, NOW - begun * DAY, NOW + days * DAY, frozenset(names), authority, key, "AA:BB")


AUTHORITY = certificate(days=3000, names=[], subject="CN=ca", authority=True)


@pytest.mark.parametrize(
    ("current", "signed", "expected"),
    [
        pytest.param(certificate(), True, None, id="good"),
        pytest.param(certificate(days=30), True, None, id="last good day"),
        pytest.param(certificate(days=29), True, "it expires in 29 days", id="due"),
        pytest.param(certificate(days=0), True, "it has expired", id="expired this moment"),
        pytest.param(certificate(days=-5), True, "it has expired", id="expired"),
        pytest.param(None, False, "there is no certificate yet", id="none"),
        pytest.param(certificate(key="other"), True, "it belongs to another key", id="new key"),
        pytest.param(certificate(), False, "it was signed by another authority", id="foreign signature"),
        pytest.param(certificate(issuer="CN=b"), True, "it was signed by another authority", id="foreign issuer"),
        pytest.param(
            certificate(names=["10.0.0.5", "old.example"]),
            True,
            "its names change: registry.example added, old.example removed",
            id="names",
        ),
        pytest.param(certificate(names=NAMES[:1]), True, "its names change: registry.example added", id="a name more"),
    ],
)
def test_renewal_reason(current, signed, expected):
    assert renewal_reason(current, NAMES, KEY, signed, AUTHORITY, NOW, 30) == expected


def test_certificate_that_ends_with_its_authority_is_not_issued_again_and_again():
    authority = certificate(days=20, names=[], subject="CN=ca", authority=True)
    assert renewal_reason(certificate(days=20), NAMES, KEY, True, authority, NOW, 30) is None
    assert renewal_reason(certificate(days=10), NAMES, KEY, True, authority, NOW, 30) == "it expires in 10 days"


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({}, KEY, None),
        ({"authority": False}, KEY, "is not a certificate authority"),
        ({}, "other", "does not belong to the private key"),
        ({"days": -3}, KEY, "expired 3 days ago"),
        ({"begun": -2}, KEY, "is not valid yet"),
    ],
)
def test_authority_problem(changes, key, words):
    problem = authority_problem(certificate(**{"authority": True, **changes}), key, NOW, "the given authority")
    assert problem is None if words is None else words in (problem or "")


@pytest.mark.parametrize(("days", "left", "expected"), [(365, 3000, 365), (365, 100, 100), (365, 0, 1)])
def test_certificate_never_outlives_its_authority(days, left, expected):
    assert lifetime_days(days, certificate(days=left, authority=True), NOW) == expected


def test_checked_names_has_one_spelling_and_no_doubles():
    names = ["10.0.0.5", "Registry.Example", "registry.example", "FD00:0:0::1", "*.apps.example", "localhost"]
    assert checked_names(names, "x") == ["10.0.0.5", "registry.example", "fd00::1", "*.apps.example", "localhost"]


@pytest.mark.parametrize("name", ["", "a b", "a,DNS:evil", "https://a", "a\nb", "-a", "a..b", "10.0.0.5/24"])
def test_wrong_name_is_refused(name):
    with pytest.raises(CertificateError, match="neither a host name nor an address; it was meant for web"):
        checked_names([name], "web")


def test_no_name_is_refused():
    with pytest.raises(CertificateError, match="web needs at least one"):
        checked_names([], "web")


TEXT = """subject=CN=registry
issuer=CN=ca
notBefore=Jan  1 00:00:00 2026 GMT
notAfter=Jan  2 00:00:00 2027 GMT
sha256 Fingerprint=AA:BB
-----BEGIN PUBLIC KEY-----
abc
-----END PUBLIC KEY-----
"""
NAMES_TEXT = """X509v3 Subject Alternative Name: critical
    DNS:Registry.example, IP Address:10.0.0.5, IP Address:FD00:0:0:0:0:0:0:1, email:a@b
X509v3 Basic Constraints: critical
    CA:FALSE
"""


@pytest.mark.parametrize(
    ("text", "names", "authority"),
    [
        (TEXT, set(), False),
        (TEXT + NAMES_TEXT, {"registry.example", "10.0.0.5", "fd00::1"}, False),
        (TEXT.replace("sha256", "SHA256") + "X509v3 Basic Constraints: \n    CA:TRUE\n", set(), True),
    ],
)
def test_parse_certificate(text, names, authority):
    parsed = parse_certificate(text)
    assert (parsed.subject, parsed.issuer, parsed.fingerprint) == ("CN=registry", "CN=ca", "AA:BB")
    assert (parsed.names, parsed.authority) == (names, authority)
    assert parsed.not_after - parsed.not_before == 366 * DAY
    assert days_left(parsed, parsed.not_before) == 366


def test_unknown_description_is_an_error():
    with pytest.raises(CertificateError, match="in an unknown way"):
        parse_certificate("subject=CN=x\n")


def test_extensions_name_addresses_and_hosts():
    text = leaf_extensions(["10.0.0.5", "fd00::1", "registry.example"], ["server", "client"])
    assert "subjectAltName = IP:10.0.0.5, IP:fd00::1, DNS:registry.example\n" in text
    assert "extendedKeyUsage = serverAuth, clientAuth\n" in text
    assert "CA:FALSE" in text


@pytest.mark.parametrize("name", ["", "a\nb", "a$b", "x" * 65, "a=b"])
def test_common_name_cannot_carry_configuration(name):
    with pytest.raises(CertificateError, match="common name"):
        subject_config(name)
