# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks, and what only an admin may see."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import Refused
from .http_server import Request
from .store import Store
from .tokens import check_user

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)(:\d+)?\Z")


class User(NamedTuple):
    name: str
    groups: tuple[str, ...]

    @property
    def admin(self) -> bool:
        return self.name == "mesh-system:admin" or "mesh-system:admin" in self.groups

    def __str__(self) -> str:
        return f"{self.name}/{','.join(self.groups)}"


ADMIN = User("mesh-system:admin", ("mesh-system:admin", "mesh-system:authenticated"))
ANONYMOUS = User("mesh-system:anonymous", ("mesh-system:unauthenticated",))


def authenticate(store: Store, request: Request, localhost_is_admin: bool) -> User:
    if localhost_is_admin and _local(request):
        # A token does not matter then, not even a bad one.
        return ADMIN
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        return ANONYMOUS
    claims = check_user(store, token.strip())
    if claims is None:
        raise Refused(401, "Invalid authentication data", "Unauthenticated")
    return User(claims["Name"], (*(claims.get("Groups") or ()), "mesh-system:authenticated"))


def _local(request: Request) -> bool:
    if not _LOOPBACK.match(request.peer) or any(name in request.headers for name in _FORWARDED):
        return False
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    same = origin is None or origin.partition("://")[2] == host
    return _LOOPBACK.match(host) is not None and same


def allow_resource(user: User, kind: str) -> None:
    if not user.admin:
        raise Refused(403, "Access Denied", f'user "{user}" cannot access the resource of type "{kind}"')


def allow_token(user: User, what: str) -> None:
    if not user.admin:
        raise Refused(403, "Access Denied", f'user "{user}" cannot access {what}' if what else "action not allowed")
