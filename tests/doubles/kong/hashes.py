"""What Kong stores instead of a password or a secret."""

from __future__ import annotations

import base64
import hashlib
import os

_ROUNDS, _LENGTH, _SALT = 10000, 32, 16


def password(given: str, consumer: str) -> str:
    """As basic-auth does it."""
    return hashlib.sha1((given + consumer).encode(), usedforsecurity=False).hexdigest()


def secret(given: str) -> str:
    """As oauth2 does it with `hash_secret`; by its source, no transcript shows one."""
    salt = os.urandom(_SALT)
    made = hashlib.pbkdf2_hmac("sha512", given.encode(), salt, _ROUNDS, _LENGTH)
    return f"$pbkdf2-sha512$i={_ROUNDS},l={_LENGTH}${_text(salt)}${_text(made)}"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")
