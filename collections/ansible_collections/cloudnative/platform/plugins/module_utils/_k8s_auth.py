# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How a module is told which Kubernetes API it talks to, and which parts of that are secret."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.module_utils.basic import env_fallback

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

AUTH_ARG_SPEC: dict[str, dict[str, t.Any]] = {
    "kubeconfig": {"type": "raw", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG"])},
    "context": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_CONTEXT"])},
    "host": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_HOST"])},
    "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_API_KEY"])},
    "ca_cert": {
        "type": "path",
        "aliases": ["ssl_ca_cert"],
        "fallback": (env_fallback, ["K8S_AUTH_SSL_CA_CERT"]),
    },
    "client_cert": {"type": "path", "aliases": ["cert_file"], "fallback": (env_fallback, ["K8S_AUTH_CERT_FILE"])},
    "client_key": {
        "type": "path",
        "no_log": False,
        "aliases": ["key_file"],
        "fallback": (env_fallback, ["K8S_AUTH_KEY_FILE"]),
    },
    "validate_certs": {
        "type": "bool",
        "aliases": ["verify_ssl"],
        "fallback": (env_fallback, ["K8S_AUTH_VERIFY_SSL"]),
    },
}

# Keys of a kubeconfig whose values must never be shown.
_SECRET_KEYS = frozenset(
    {
        "client-key-data",
        "token",
        "password",
        "client-secret",
        "id-token",
        "refresh-token",
        "access-token",
        "value",
    }
)


class ClientError(Exception):
    """Anything the client reports to a user; str() is the whole sentence."""


class ConfigError(ClientError):
    """The connection options or the kubeconfig are unusable."""


def secrets_of(kubeconfig: t.Any) -> set[str]:
    """Every string in a kubeconfig that must not be shown."""
    found: set[str] = set()
    if isinstance(kubeconfig, dict):
        for key, value in kubeconfig.items():
            if isinstance(value, str) and key in _SECRET_KEYS:
                found.add(value)
            else:
                found |= secrets_of(value)
    elif isinstance(kubeconfig, list):
        for item in kubeconfig:
            found |= secrets_of(item)
    return found


def _strings_of(value: t.Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*(_strings_of(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(_strings_of(item) for item in value))
    return set() if value is None else {str(value)}


def mask_only(module: AnsibleModule, option: t.Any, secrets: set[str]) -> None:
    """Narrow what `no_log` hides of an option down to its secrets.

    `no_log` keeps the option as a whole out of the system log. But it would also mask each harmless word in it
    ("v1", "default") wherever the result has it.
    """
    module.no_log_values.difference_update(_strings_of(option) - secrets)
    module.no_log_values.update(secrets)


def open_kubeconfig(module: AnsibleModule, given: t.Any) -> dict[str, t.Any] | str | None:
    """Parse a kubeconfig. From then on what is secret in it is masked, and nothing else of it, even if this fails."""
    try:
        kubeconfig = parse_kubeconfig(given)
    except ConfigError:
        if _may_be_path(given):
            mask_only(module, given, set())
        raise
    mask_only(module, [given, kubeconfig], secrets_of(kubeconfig))
    return kubeconfig


def _may_be_path(given: t.Any) -> bool:
    """Whether it may be shown as the name of a file: the content of a kubeconfig must not."""
    return isinstance(given, str) and len(given) < 256 and "\n" not in given and not given.lstrip().startswith("{")


def parse_kubeconfig(kubeconfig: t.Any) -> dict[str, t.Any] | str | None:
    """Accept a path, a dictionary, or a dictionary that a survey or a template made a string of."""
    if isinstance(kubeconfig, str) and kubeconfig.lstrip().startswith("{"):
        try:
            kubeconfig = json.loads(kubeconfig)
        except ValueError as e:
            raise ConfigError(f"kubeconfig looks like JSON but isn't: {e}") from e
    if kubeconfig is None or kubeconfig == "":
        return None
    if isinstance(kubeconfig, dict):
        return kubeconfig
    if isinstance(kubeconfig, (str, os.PathLike)):
        path = os.path.expandvars(os.path.expanduser(os.fspath(kubeconfig)))
        if not any(os.path.exists(one) for one in path.split(os.pathsep)):
            if not _may_be_path(os.fspath(kubeconfig)):
                raise ConfigError(
                    "kubeconfig is a text, but neither JSON nor the path of a file that exists; make a dictionary of "
                    "the content of a file with the filter from_yaml"
                )
            raise ConfigError(f"kubeconfig {path} does not exist")
        return path
    raise ConfigError(f"kubeconfig must be a path or a dictionary, not {type(kubeconfig).__name__}")
