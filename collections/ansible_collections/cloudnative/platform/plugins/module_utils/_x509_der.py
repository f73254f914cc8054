# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Certificates and private keys read from their DER, where there is no openssl: on the controller. Pure.

Reads what is needed to say whether a pair can sign, in the terms of _x509. Signatures are not checked.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
import ipaddress
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._x509 import Certificate, CertificateError

SEQUENCE, INTEGER, BITS, OCTETS, OID = 0x30, 0x02, 0x03, 0x04, 0x06
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
RSA, EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
BASIC_CONSTRAINTS, ALTERNATIVE_NAMES = "2.5.29.19", "2.5.29.17"
_ATTRIBUTES = {"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s+(.*?)-----END \1-----", re.DOTALL)

Item = tuple[int, bytes]


def items(data: bytes) -> t.Iterator[Item]:
    """Tag and content of each element in turn."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise CertificateError("it ends in the middle")
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + length > len(data):
            raise CertificateError("it ends in the middle")
        yield tag, data[at : at + length]
        at += length


def inside(item: Item, tag: int = SEQUENCE) -> list[Item]:
    if item[0] != tag:
        raise CertificateError("its structure is unknown")
    return list(items(item[1]))


def encode(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | octets]) + size.to_bytes(octets, "big") + content


def oid(content: bytes) -> str:
    numbers, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2) if numbers else 0
    return ".".join(str(number) for number in ([first, numbers[0] - 40 * first, *numbers[1:]] if numbers else []))


def seconds(item: Item) -> int:
    text = item[1].decode("ascii", "replace")
    if item[0] == UTC_TIME:
        # Two digits of a year: from 50 on it is of the last century (RFC 5280).
        text = ("19" if text[:2] >= "50" else "20") + text
    if not re.fullmatch(r"\d{14}Z", text):
        raise CertificateError("its dates are unreadable")
    return calendar.timegm(tuple(int(part) for part in re.findall(r"^\d{4}|\d{2}", text)))


def name(item: Item) -> str:
    """As RFC 2253 has it: the last part first."""
    parts = []
    for group in inside(item):
        for attribute in inside(group, 0x31):
            kind, value = inside(attribute)
            parts.append(f"{_ATTRIBUTES.get(oid(kind[1]), oid(kind[1]))}={value[1].decode('utf-8', 'replace')}")
    return ",".join(reversed(parts))


def blocks(pem: str) -> list[tuple[str, str]]:
    return _PEM.findall(pem)


def decode(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CertificateError("what stands between BEGIN and END is not base64") from error


def public_key_pem(spki: bytes) -> str:
    text = base64.b64encode(spki).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----"])


def read_certificate(pem: str) -> Certificate:
    """The first certificate of a text, as openssl takes it."""
    found = [body for kind, body in blocks(pem) if kind in ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")]
    if not found:
        raise CertificateError("it has no -----BEGIN CERTIFICATE-----")
    der = decode(found[0])
    try:
        return _certificate(der)
    except (ValueError, IndexError) as error:
        raise CertificateError("its structure is unknown") from error


def _certificate(der: bytes) -> Certificate:
    fields = inside(inside(next(items(der)))[0])
    if fields[0][0] == 0xA0:
        # The version, which only the oldest ones lack.
        fields = fields[1:]
    issuer, validity, subject, key = fields[2:6]
    not_before, not_after = inside(validity)
    names: list[str] = []
    authority = False
    for tag, content in fields[6:]:
        if tag != 0xA3:
            continue
        for extension in inside(next(items(content))):
            parts = inside(extension)
            kind, value = oid(parts[0][1]), next(items(parts[-1][1]))
            if kind == BASIC_CONSTRAINTS:
                authority = any(part == (0x01, b"\xff") for part in inside(value))
            elif kind == ALTERNATIVE_NAMES:
                names += _names(value)
    digest = hashlib.sha256(der).hexdigest().upper()
    return Certificate(
        subject=name(subject),
        issuer=name(issuer),
        not_before=seconds(not_before),
        not_after=seconds(not_after),
        names=frozenset(names),
        authority=authority,
        public_key=public_key_pem(encode(*key)),
        fingerprint=":".join(digest[at : at + 2] for at in range(0, len(digest), 2)),
    )


def _names(value: Item) -> t.Iterator[str]:
    for tag, content in inside(value):
        if tag == 0x82:
            yield content.decode("ascii", "replace").lower()
        elif tag == 0x87:
            yield str(ipaddress.ip_address(content))


def public_key_of(pem: str) -> str | None:
    """The public half of a private key. None where the file does not hold it and only arithmetic would tell."""
    if "ENCRYPTED" in pem:
        raise CertificateError("it has a passphrase")
    kinds = dict(blocks(pem))
    kind = next((kind for kind in ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY") if kind in kinds), None)
    if kind is None:
        raise CertificateError("it has no -----BEGIN PRIVATE KEY-----")
    try:
        fields = inside(next(items(decode(kinds[kind]))))
        if kind == "RSA PRIVATE KEY":
            return _rsa(fields)
        if kind == "EC PRIVATE KEY":
            return _ec(fields, None)
        algorithm = fields[1]
        inner = fields[2]
        kind_of_key = oid(inside(algorithm)[0][1])
        if kind_of_key == RSA:
            return _rsa(inside(next(items(inner[1]))))
        if kind_of_key == EC:
            return _ec(inside(next(items(inner[1]))), encode(*algorithm))
    except (ValueError, IndexError, StopIteration) as error:
        raise CertificateError("its structure is unknown") from error
    return None


def _rsa(fields: list[Item]) -> str:
    algorithm = encode(SEQUENCE, encode(OID, bytes.fromhex("2a864886f70d010101")) + b"\x05\x00")
    key = encode(SEQUENCE, encode(*fields[1]) + encode(*fields[2]))
    return public_key_pem(encode(SEQUENCE, algorithm + encode(BITS, b"\x00" + key)))


def _ec(fields: list[Item], algorithm: bytes | None) -> str | None:
    tagged = {tag: content for tag, content in fields if tag in (0xA0, 0xA1)}
    if algorithm is None and 0xA0 in tagged:
        algorithm = encode(SEQUENCE, encode(OID, bytes.fromhex("2a8648ce3d0201")) + tagged[0xA0])
    if algorithm is None or 0xA1 not in tagged:
        return None
    return public_key_pem(encode(SEQUENCE, algorithm + tagged[0xA1]))
