# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a Kubernetes API answers instead of what was asked for, in sentences. Pure."""

from __future__ import annotations

import base64
import datetime
import json
import random
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import ClientError

MAX_RETRY_DELAY = 5.0


class Unreachable(ClientError):
    """No answer came from the server."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"the Kubernetes API at {url} can't be reached: {reason}")
        self.url = url
        self.reason = reason


class ApiError(ClientError):
    """The server answered with an error."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        method: str,
        path: str,
        details: dict[str, t.Any] | None = None,
    ) -> None:
        super().__init__(describe_error(status, reason, message, method, path))
        self.status = status
        self.reason = reason
        self.message = message
        self.method = method
        self.path = path
        self.details = details or {}

    @property
    def causes(self) -> list[dict[str, t.Any]]:
        return self.details.get("causes") or []


def describe_request(method: str, path: str) -> str:
    """Say what a request does in the API's own terms: verb, resource, name, namespace."""
    parts = path.split("?", 1)[0].strip("/").split("/")
    prefix = 2 if parts[0] == "api" else 3
    if parts[0] not in ("api", "apis") or len(parts) <= prefix:
        return f"{method.lower()} {path}"
    rest = parts[prefix:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace = f" in namespace {rest[1]}"
        rest = rest[2:]
    group = f".{parts[1]}" if parts[0] == "apis" else ""
    resource, name = rest[0] + group, "/".join(rest[1:])
    verbs = {"GET": "get" if name else "list", "POST": "create", "PUT": "update"}
    verb = verbs.get(method.upper(), method.lower())
    return f"{verb} {resource}{f' {name}' if name else ''}{namespace}"


# Quota, limits, Pod Security and webhooks may answer 403 too: not who asks is wrong, but what is asked for.
_REFUSED = re.compile(
    r"admission webhook|denied (the )?request|exceeded quota|violates PodSecurity|(maxi|mini)mum \w+ usage"
)


def describe_error(status: int, reason: str, message: str, method: str, path: str) -> str:
    what = describe_request(method, path)
    if status == 401:
        return (
            f"not authenticated to {what} (401): the token or client certificate is missing, expired or "
            f"not known to this cluster: {message or reason}"
        )
    if status in (400, 403, 422) and _REFUSED.search(message):
        return f"the cluster refused to {what} ({status}): {message}"
    if status == 403:
        return f"not allowed to {what} (403): {message or reason}"
    return f"{what} failed ({status} {reason}): {message}" if message else f"{what} failed ({status} {reason})"


def retry_delay(attempt: int, retry_after: str | None) -> float:
    """Seconds to wait before the next try; the server's own wish comes first."""
    if retry_after and re.fullmatch(r"\d+", retry_after):
        return min(float(retry_after), MAX_RETRY_DELAY)
    return min(0.25 * 2**attempt, MAX_RETRY_DELAY) * random.uniform(0.8, 1.2)


# An API server answers a definition that does not fit its kind's types, or a value that can't be read (base64, a
# quantity, a time), with an error of its own, 500.
_HOPELESS = ("failed to create typed patch object", "unable to convert unstructured object")


def is_retriable(status: int, method: str, body: str = "") -> bool:
    """429 and 503 were not handled. 500, 502 and 504 may have been: only repeat what can be repeated."""
    if status in (429, 503):
        return True
    return status in (500, 502, 504) and method.upper() != "POST" and not any(text in body for text in _HOPELESS)


def expired(token: str, now: datetime.datetime) -> str:
    """When a token ended, if it is one that says so (JWT) and that moment is past; else nothing."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        end = datetime.datetime.fromtimestamp(int(claims["exp"]), datetime.timezone.utc)
    except (ValueError, KeyError, TypeError, OverflowError):
        return ""
    return f"the token expired at {end:%Y-%m-%d %H:%M:%S} UTC" if end < now else ""
