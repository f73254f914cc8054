# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What both modules are told about the way to the Admin API, and how it is opened."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import (
    AUTH_ARG_SPEC,
    ConfigError,
    open_kubeconfig,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin, Trust
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError

CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "admin_urls": {"type": "list", "elements": "str", "aliases": ["admin_url"]},
    "kubernetes": {
        "type": "dict",
        "options": {
            **AUTH_ARG_SPEC,
            "namespace": {"type": "str", "required": True},
            "selector": {"type": "str", "required": True},
            "port": {"type": "int", "default": 8001},
            "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
        },
    },
    "ca_cert": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "validate_certs": {"type": "bool", "default": True},
    "headers": {"type": "dict", "no_log": True},
    "timeout": {"type": "int", "default": 30},
    "parallel": {"type": "int", "default": 10},
    "cache_dir": {"type": "path", "default": "~/.cache/cloudnative-platform/kong"},
}
DEFAULT_URL = "http://127.0.0.1:8001"


def mask_kubeconfig(module: AnsibleModule) -> None:
    """What is secret in a kubeconfig is masked, and no word of it that is none, as "v1"."""
    try:
        open_kubeconfig(module, (module.params["kubernetes"] or {}).get("kubeconfig"))
    except ConfigError as e:
        raise KongError(str(e)) from e


def nodes(params: t.Mapping[str, t.Any]) -> list[Admin]:
    """One `Admin` for each node, not yet connected."""
    if params["parallel"] < 1:
        raise KongError(f"parallel is {params['parallel']}, it must be at least 1")
    if params["timeout"] < 1:
        raise KongError(f"timeout is {params['timeout']}, it must be at least 1 second")
    if params["client_key"] and not params["client_cert"]:
        raise KongError("client_key is given without client_cert")
    trust = Trust(params["ca_cert"], params["client_cert"], params["client_key"], params["validate_certs"])
    headers = {str(name): str(value) for name, value in (params["headers"] or {}).items()}
    if params["kubernetes"]:
        # Only here: the library that it needs is on the controller, and hosts have no use for it.
        from ansible_collections.cloudnative.platform.plugins.module_utils._kong.through_kubernetes import pods

        return pods(
            params["kubernetes"],
            trust,
            headers,
            params["timeout"],
            params["parallel"],
            ready_only=bool(params.get("ready_only")),
        )
    urls = list(dict.fromkeys(url.rstrip("/") for url in params["admin_urls"] or [DEFAULT_URL]))
    return [Admin(url, trust, headers, params["timeout"], params["parallel"]) for url in urls]


def cache_dir(params: t.Mapping[str, t.Any]) -> str | None:
    return os.path.expanduser(params["cache_dir"]) if params["cache_dir"] else None
