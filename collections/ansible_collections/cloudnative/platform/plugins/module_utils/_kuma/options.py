# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the modules are told about the way to a control plane, and how it is opened."""

from __future__ import annotations

import contextlib
import ipaddress
import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.basic import env_fallback

from ansible_collections.cloudnative.platform.plugins.module_utils._http_api import Trust
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import ControlPlane
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError

DEFAULT_URL = "http://127.0.0.1:5681"

CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "api_url": {"type": "str", "default": DEFAULT_URL},
    "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["KUMA_API_TOKEN"])},
    "ca_cert": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 30},
    "parallel": {"type": "int", "default": 10},
}


def control_plane(params: t.Mapping[str, t.Any]) -> ControlPlane:
    """Not yet connected."""
    for name in ("parallel", "timeout"):
        if params[name] < 1:
            raise KumaError(f"{name} is {params[name]}, it must be at least 1")
    if params["client_key"] and not params["client_cert"]:
        raise KumaError("client_key is given without client_cert")
    token = (params["token"] or "").strip()
    if token and params["api_url"].startswith("http://") and not _is_loopback(params["api_url"]):
        raise KumaError(f"a token would go unencrypted to {params['api_url']}: use https, by default on port 5682")
    trust = Trust(params["ca_cert"], params["client_cert"], params["client_key"], params["validate_certs"])
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    control = ControlPlane(params["api_url"], trust, headers, params["timeout"], params["parallel"])
    control.token = token or None
    return control


@contextlib.contextmanager
def connected(params: t.Mapping[str, t.Any], result: dict[str, t.Any]) -> t.Iterator[ControlPlane]:
    """The control plane, closed afterwards. The result says how many requests it was asked, whatever became of them."""
    control = control_plane(params)
    try:
        yield control
    finally:
        result["requests"] = control.requests
        control.close()


def _is_loopback(url: str) -> bool:
    """By the whole name: localhost.example.com is somebody else."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
