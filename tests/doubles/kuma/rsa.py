# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RSA with nothing but Python: signatures of tokens, keys as PKCS #1. The keys were made for the double."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NamedTuple

from . import data_files

_DATA = data_files.load("keys")
CERTIFICATE: str = _DATA["certificate"]
# DigestInfo of SHA-256, RFC 8017 section 9.2.
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_E = 65537


class Key(NamedTuple):
    n: int
    d: int
    p: int
    q: int

    def sign(self, message: bytes) -> bytes:
        value = int.from_bytes(_padded(message, self.size), "big")
        one, other = pow(value, self.d % (self.p - 1), self.p), pow(value, self.d % (self.q - 1), self.q)
        signature = other + self.q * (pow(self.q, -1, self.p) * (one - other) % self.p)
        return signature.to_bytes(self.size, "big")

    def verify(self, message: bytes, signature: bytes) -> bool:
        value = pow(int.from_bytes(signature, "big"), _E, self.n)
        return value.to_bytes(self.size, "big") == _padded(message, self.size)

    @property
    def size(self) -> int:
        return (self.n.bit_length() + 7) // 8

    def pem(self) -> str:
        exponents = (self.d % (self.p - 1), self.d % (self.q - 1), pow(self.q, -1, self.p))
        numbers = (0, self.n, _E, self.d, self.p, self.q, *exponents)
        content = _tagged(0x30, b"".join(_integer(number) for number in numbers))
        text = base64.b64encode(content).decode()
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        name = "RSA PRIVATE KEY"
        return "\n".join([f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", ""])


def _padded(message: bytes, size: int) -> bytes:
    digest = _SHA256 + hashlib.sha256(message).digest()
    return b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest


def _tagged(tag: int, content: bytes) -> bytes:
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _integer(number: int) -> bytes:
    return _tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _key(p: int, q: int) -> Key:
    return Key(p * q, pow(_E, -1, (p - 1) * (q - 1)), p, q)


MADE = {name: _key(*(int(prime, 16) for prime in primes)) for name, primes in _DATA["primes"].items()}


def _read(content: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, value and end of one DER element."""
    tag, length = content[at], content[at + 1]
    at += 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(content[at : at + count], "big")
        at += count
    return tag, content[at : at + length], at + length


def _children(content: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(content):
        tag, value, at = _read(content, at)
        found.append((tag, value))
    return found


def load(pem: str) -> Key | None:
    """A key from PKCS #1 or PKCS #8; None where there is none."""
    block = re.search(r"-----BEGIN (RSA )?PRIVATE KEY-----\s(.*?)-----END", pem, re.DOTALL)
    try:
        content = base64.b64decode("".join(block.group(2).split()), validate=True) if block else b""
        parts = _children(_read(content, 0)[1])
        if len(parts) < 9:
            parts = _children(_read(parts[2][1], 0)[1])
        numbers = [int.from_bytes(value, "big") for _, value in parts]
        return Key(numbers[1], numbers[3], numbers[4], numbers[5])
    except (ValueError, IndexError):
        return None
