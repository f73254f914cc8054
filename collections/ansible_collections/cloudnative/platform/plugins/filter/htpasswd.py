# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: htpasswd
version_added: 0.1.0
short_description: Content of an htpasswd file with bcrypt hashes that stay the same
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Hashes passwords for an htpasswd file. The salt of each user is derived from a secret seed, so the same input gives
    the same file and a second run changes nothing.
  - The cost is 5, as C(htpasswd) has it. A registry hashes the password on each request, and a generated password needs
    no more.
requirements:
  - bcrypt (Python package, on the controller)
options:
  _input:
    description: Passwords by user name.
    type: dict
    required: true
  seed:
    description: Secret that nobody but the owner of the file knows.
    type: str
    required: true
"""

EXAMPLES = r"""
content: "{{ {'pull': pull_password} | cloudnative.platform.htpasswd(seed) }}"
"""

RETURN = r"""
_value:
  description: Content of the file.
  type: str
"""

import base64
import hashlib
import hmac
import typing as t

from ansible.errors import AnsibleFilterError

try:
    import bcrypt
except ImportError as exc:
    BCRYPT_ERROR: ImportError | None = exc
else:
    BCRYPT_ERROR = None

COST = 5
LONGEST = 72  # bcrypt ignores what comes after
_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def htpasswd(users: t.Mapping[str, str], seed: str) -> str:
    if BCRYPT_ERROR is not None:
        raise AnsibleFilterError(f"htpasswd needs the Python package bcrypt on the controller: {BCRYPT_ERROR}")
    if not seed:
        raise AnsibleFilterError("htpasswd needs a seed that is not empty")
    return "".join(f"{user}:{_hash(user, password, seed)}\n" for user, password in sorted(users.items()))


def _hash(user: str, password: str, seed: str) -> str:
    if not user or ":" in user:
        raise AnsibleFilterError(f"user name {user!r} cannot stand in an htpasswd file: it is empty or has a colon")
    secret = password.encode()
    if not 0 < len(secret) <= LONGEST:
        raise AnsibleFilterError(f"the password of user {user!r} has {len(secret)} bytes, it must have 1 to {LONGEST}")
    salt = hmac.new(seed.encode(), user.encode(), hashlib.sha256).digest()[:16]
    encoded = base64.b64encode(salt).rstrip(b"=").translate(bytes.maketrans(_STANDARD, _BCRYPT))
    return bcrypt.hashpw(secret, b"$2b$%02d$%s" % (COST, encoded)).decode()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., str]]:
        return {"htpasswd": htpasswd}
