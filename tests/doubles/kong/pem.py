# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Just enough DER to tell a certificate from a key, compare their public halves, and see a CA constraint.

Kong asks OpenSSL; the double has nothing but Python's standard library, so the texts of parse errors of OpenSSL
that depend on its build are those of the recorded server.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_RSA = bytes.fromhex("2a864886f70d010101")
_EC = bytes.fromhex("2a8648ce3d0201")
_BASIC_CONSTRAINTS = bytes.fromhex("551d13")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Certificate(NamedTuple):
    der: bytes
    public_key: bytes
    algorithm: bytes
    is_ca: bool
    # As OpenSSL prints it (and ssl.cert_time_to_seconds reads it): "Nov 19 11:42:36 2036 GMT".
    not_after: str | None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.der).hexdigest()


class Key(NamedTuple):
    algorithm: bytes
    # The public half (modulus of RSA, point of EC), or None where the file does not carry it.
    public: bytes | None


def blocks(pem: str) -> list[tuple[str, bytes]]:
    found = []
    for label, body in _BLOCK.findall(pem):
        try:
            found.append((label, base64.b64decode("".join(body.split()), validate=True)))
        except (binascii.Error, ValueError):
            continue
    return found


def children(der: bytes) -> list[tuple[int, bytes]]:
    """Split a DER value into its (tag, content) pairs; raises ValueError where it is cut short."""
    items, at = [], 0
    while at < len(der):
        if at + 2 > len(der):
            raise ValueError("DER value is cut short")
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[at : at + size], "big")
            at += size
        if at + length > len(der):
            raise ValueError("DER value is cut short")
        items.append((tag, der[at : at + length]))
        at += length
    return items


def _spki(content: bytes) -> tuple[bytes, bytes]:
    """Algorithm and public half of a SubjectPublicKeyInfo."""
    algorithm, bits = children(content)
    oid = children(algorithm[1])[0][1]
    raw = bits[1][1:]
    if oid == _RSA:
        return oid, children(children(raw)[0][1])[0][1]
    return oid, raw


def certificate(pem: str) -> Certificate | None:
    """The first certificate of a PEM text, or None where there is none."""
    for label, der in blocks(pem):
        if label not in ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"):
            continue
        try:
            body = children(children(children(der)[0][1])[0][1])
            # The version stands first where it is given: [0] EXPLICIT.
            fields = body[1:] if body[0][0] == 0xA0 else body
            algorithm, public = _spki(fields[5][1])
            is_ca = any(_is_ca(content) for tag, content in fields[6:] if tag == 0xA3)
        except (ValueError, IndexError):
            return None
        return Certificate(der, public, algorithm, is_ca, _time(*children(fields[3][1])[1]))
    return None


def _time(tag: int, content: bytes) -> str:
    text = content.decode()
    # UTCTime has a year of two digits, GeneralizedTime of four.
    year = text[:4] if tag == 0x18 else ("19" if text[0] >= "5" else "20") + text[:2]
    month, day, hour, minute, second = (text[i : i + 2] for i in range(len(text) - 11, len(text) - 1, 2))
    return f"{_MONTHS[int(month) - 1]} {day} {hour}:{minute}:{second} {year} GMT"


def _is_ca(extensions: bytes) -> bool:
    for _tag, extension in children(children(extensions)[0][1]):
        parts = children(extension)
        if parts[0][1] == _BASIC_CONSTRAINTS:
            constraint = children(children(parts[-1][1])[0][1])
            return bool(constraint) and constraint[0] == (0x01, b"\xff")
    return False


def _ec_public(content: bytes) -> bytes | None:
    for tag, value in children(content):
        if tag == 0xA1:
            return children(value)[0][1][1:]
    return None


def key(pem: str) -> Key | None:
    """The first private or public key of a PEM text, or None where there is none."""
    for label, der in blocks(pem):
        try:
            body = children(children(der)[0][1])
            if label == "PRIVATE KEY":
                oid = children(body[1][1])[0][1]
                inner = children(children(body[2][1])[0][1]) if oid in (_RSA, _EC) else []
                if oid == _RSA:
                    return Key(oid, inner[1][1])
                return Key(oid, _ec_public(children(body[2][1])[0][1]) if oid == _EC else None)
            if label == "RSA PRIVATE KEY":
                return Key(_RSA, body[1][1])
            if label == "EC PRIVATE KEY":
                return Key(_EC, _ec_public(children(der)[0][1]))
            if label == "PUBLIC KEY":
                return Key(*_spki(children(der)[0][1]))
            if label == "ENCRYPTED PRIVATE KEY":
                return Key(b"", None)
        except (ValueError, IndexError):
            return None
    return None
