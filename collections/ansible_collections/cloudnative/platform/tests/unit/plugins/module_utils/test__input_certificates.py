# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reader of DER is compared with a library that knows all of X.509; only tests have it."""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from ansible_collections.cloudnative.platform.plugins.module_utils._input_certificates import judge_authority
from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import CertificateError
from ansible_collections.cloudnative.platform.plugins.module_utils._x509_der import public_key_of, read_certificate

# The certificates below are made a moment later.
NOW = int(time.time()) + 60
KEYS = {
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
FORMATS = {
    "pkcs8": serialization.PrivateFormat.PKCS8,
    "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
}


def certificate(key="p256", begins=-10, ends=3650, authority=True, names=(), common_name="site"):
    """In PEM; times are days from now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Örg"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEYS[key].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=ends))
    )
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
    signed = builder.sign(KEYS[key], None if key == "ed25519" else hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key="p256", form="pkcs8", password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return KEYS[key].private_bytes(serialization.Encoding.PEM, FORMATS[form], encryption).decode()


def public_pem(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return KEYS[key].public_key().public_bytes(serialization.Encoding.PEM, form).decode().strip()


@pytest.mark.parametrize("key", KEYS)
def test_a_certificate_is_read_as_the_library_reads_it(key):
    names = [x509.DNSName("A.example.org"), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
    pem = certificate(key, names=names)
    known = x509.load_pem_x509_certificate(pem.encode())
    read = read_certificate(f"some words before\n{pem}{certificate()}")
    assert read.subject == known.subject.rfc4514_string()
    assert read.issuer == known.issuer.rfc4514_string()
    assert read.not_before == int(known.not_valid_before_utc.timestamp())
    assert read.not_after == int(known.not_valid_after_utc.timestamp())
    assert read.authority is True
    assert read.names == {"a.example.org", "192.0.2.1"}
    assert read.public_key == public_pem(key)
    assert read.fingerprint.replace(":", "").lower() == known.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize(("ends", "authority"), [(365 * 30, False), (365 * 40, None)])
def test_late_dates_and_what_is_no_authority(ends, authority):
    """From 2050 on dates have another form."""
    pem = certificate(ends=ends, authority=authority)
    read = read_certificate(pem)
    assert read.not_after == int(x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp())
    assert read.authority is False


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("key", ["p256", "p384", "rsa"])
def test_the_public_half_of_a_key(key, form):
    assert public_key_of(key_pem(key, form)) == public_pem(key)


def test_a_public_half_that_only_arithmetic_would_tell_is_unknown():
    assert public_key_of(key_pem("ed25519")) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no -----BEGIN CERTIFICATE-----"),
        ("-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----", "not base64"),
        ("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----", "ends in the middle"),
        ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", "structure is unknown"),
        (certificate()[:300] + "\n-----END CERTIFICATE-----", "ends in the middle"),
    ],
    # The text is another one in every process.
    ids=range(5),
)
def test_what_is_no_certificate(text, words):
    with pytest.raises(CertificateError, match=words):
        read_certificate(text)


@pytest.mark.parametrize("octet", range(0, 400, 7))
def test_a_damaged_certificate_is_an_error_and_never_a_crash(octet):
    lines = certificate().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    der[octet % len(der)] ^= 0xFF
    text = f"{lines[0]}\n{base64.b64encode(bytes(der)).decode()}\n{lines[-1]}\n"
    with contextlib.suppress(CertificateError):
        read_certificate(text)


PAIR = {"certificate": certificate(), "key": key_pem()}


@pytest.mark.parametrize(
    ("certificate_pem", "key", "expected"),
    [
        ("", "", None),
        (PAIR["certificate"], PAIR["key"], None),
        (PAIR["certificate"], key_pem(form="traditional"), None),
        (certificate("rsa"), key_pem("rsa"), None),
        # It cannot be told here; pki_authority does on the host.
        (certificate("ed25519"), key_pem("ed25519"), None),
        (PAIR["certificate"], "", "ca: is given without key; they belong together, give both or none"),
        ("", PAIR["key"], "key: is given without ca; they belong together, give both or none"),
        ("hello", PAIR["key"], "ca: is not a certificate: it has no -----BEGIN CERTIFICATE-----; give its text in PEM"),
        (
            PAIR["certificate"],
            "hello",
            "key: is not a private key that can be used: it has no -----BEGIN PRIVATE KEY-----; "
            "give its text in PEM, without passphrase",
        ),
        (
            PAIR["certificate"],
            key_pem(password=b"x"),
            "key: is not a private key that can be used: it has a passphrase; give its text in PEM, without passphrase",
        ),
        (
            PAIR["certificate"],
            key_pem(form="traditional", password=b"x"),
            "key: is not a private key that can be used: it has a passphrase; give its text in PEM, without passphrase",
        ),
        (
            PAIR["certificate"],
            key_pem("p384"),
            "ca 'CN=site,O=Örg': does not belong to the private key; give the pair that belongs together",
        ),
        (certificate(ends=-3), PAIR["key"], "ca 'CN=site,O=Örg': expired 3 days ago; replace it"),
        (
            certificate(begins=3),
            PAIR["key"],
            "ca 'CN=site,O=Örg': is not valid yet; is the clock of this host right?",
        ),
        (
            certificate(authority=False),
            PAIR["key"],
            "ca 'CN=site,O=Örg': is not a certificate authority; it lacks basicConstraints CA:TRUE",
        ),
    ],
    ids=range(15),
)
def test_a_pair(certificate_pem, key, expected):
    found = judge_authority({"ca": certificate_pem, "key": key}, "ca", "key", NOW)
    assert [finding.sentence() for finding in found] == ([expected] if expected else [])


def test_half_a_pair_in_a_dictionary():
    assert judge_authority({}, "ca", "key", NOW) == []
    assert len(judge_authority({"ca": PAIR["certificate"]}, "ca", "key", NOW)) == 1
