"""Finds secrets where none may be: in the output of a run, in logs, in process lists, in files that anyone can read.

A secret is looked for as it is, in base64 (wherever it starts in what was encoded), quoted for URLs, escaped for JSON.
"""

from __future__ import annotations

import base64
import json
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import quote

#: shorter ones would be found by chance
SHORTEST = 8
_PEM = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----\s+(.*?)-----END", re.DOTALL)


@dataclass(frozen=True)
class Secret:
    name: str
    value: bytes

    def __repr__(self) -> str:
        return f"Secret({self.name})"


@dataclass(frozen=True)
class Channel:
    """One place to look at."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Leak:
    secret: str
    form: str
    channel: str
    around: str

    def __str__(self) -> str:
        return f"{self.secret} ({self.form}) is in {self.channel}: {self.around}"


def forms(value: bytes) -> dict[str, bytes]:
    """The shapes in which a secret may show up: name of the shape → bytes to look for."""
    value = value.strip()
    if len(value) < SHORTEST:
        raise ValueError(f"a secret of {len(value)} bytes is too short to look for, at least {SHORTEST} are needed")
    key = _PEM.search(value)
    if key:
        return {f"{kind} of the key": needle for kind, needle in _key_forms(key).items()}
    found = {"as it is": value, **_base64_forms(value)}
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return found
    found["URL-quoted"] = quote(text, safe="").encode()
    found["URL-quoted, blanks as +"] = quote(text, safe=" ").replace(" ", "+").encode()
    found["escaped for JSON"] = json.dumps(text)[1:-1].encode()
    found["escaped for JSON as UTF-8"] = json.dumps(text, ensure_ascii=False)[1:-1].encode()
    found["escaped for Python"] = repr(text)[1:-1].encode()
    shapes: dict[bytes, str] = {}
    for shape, needle in found.items():
        shapes.setdefault(needle, shape)
    return {shape: needle for needle, shape in shapes.items()}


def _base64_forms(value: bytes) -> dict[str, bytes]:
    """base64 of the value inside of anything: it depends on how many bytes, modulo three, come before it."""
    found = {}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value)
        # Characters that also hold bits of what comes before or after are not ours.
        needle = encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
        if len(needle) >= SHORTEST:
            found[f"base64, {before} bytes in"] = needle
    return found


def _key_forms(key: re.Match[bytes]) -> dict[str, bytes]:
    """A private key holds the public one too, which is no secret: only lines with what is private are looked for."""
    lines = [line for line in key[2].split() if len(line) >= 32]
    # Elliptic curves begin with the private number; RSA begins with the public modulus and ends with the primes.
    private = lines[:1] if len(lines) <= 4 else lines[len(lines) // 2 :]
    found = {}
    for number, line in enumerate(private):
        found[f"line {number + 1}"] = line
        for shape, needle in _base64_forms(line).items():
            found[f"line {number + 1} in {shape}"] = needle
    return found


def search(secrets: t.Iterable[Secret], channels: t.Iterable[Channel]) -> list[Leak]:
    """Every secret in every channel, once each. What is reported shows none of it."""
    needles = {secret.name: forms(secret.value) for secret in secrets}
    leaks = []
    for channel in channels:
        for name, shapes in needles.items():
            for shape, needle in shapes.items():
                position = channel.content.find(needle)
                if position >= 0:
                    around = _around(channel.content, position, len(needle), needles)
                    leaks.append(Leak(name, shape, channel.name, around))
                    break
    return leaks


def _around(content: bytes, position: int, length: int, needles: t.Mapping[str, t.Mapping[str, bytes]]) -> str:
    """What stands before and after, without any secret in it."""
    text = content[max(0, position - 160) : position] + b"<HERE>" + content[position + length : position + length + 40]
    for shapes in needles.values():
        for needle in shapes.values():
            text = text.replace(needle, b"<SECRET>")
    return repr(text.decode(errors="replace"))
