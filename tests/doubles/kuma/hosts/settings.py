# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration of kuma-cp: what the double knows of it, from the file and from KUMA_ variables, which win."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

import yaml

from ..node import VERSION

# Path in the file -> variable, default. What is not here is ignored without a word, as Kuma does.
_KNOWN: dict[str, tuple[str, Any]] = {
    "mode": ("KUMA_MODE", "zone"),
    "environment": ("KUMA_ENVIRONMENT", "universal"),
    "multizone.zone.name": ("KUMA_MULTIZONE_ZONE_NAME", "default"),
    "store.type": ("KUMA_STORE_TYPE", "memory"),
    "store.postgres.host": ("KUMA_STORE_POSTGRES_HOST", "127.0.0.1"),
    "store.postgres.port": ("KUMA_STORE_POSTGRES_PORT", 15432),
    "store.postgres.user": ("KUMA_STORE_POSTGRES_USER", "kuma"),
    "store.postgres.password": ("KUMA_STORE_POSTGRES_PASSWORD", "kuma"),
    "store.postgres.dbName": ("KUMA_STORE_POSTGRES_DB_NAME", "kuma"),
    "store.postgres.tls.mode": ("KUMA_STORE_POSTGRES_TLS_MODE", "disable"),
    "store.postgres.tls.caPath": ("KUMA_STORE_POSTGRES_TLS_CA_PATH", ""),
    "general.tlsCertFile": ("KUMA_GENERAL_TLS_CERT_FILE", ""),
    "general.tlsKeyFile": ("KUMA_GENERAL_TLS_KEY_FILE", ""),
    "general.workDir": ("KUMA_GENERAL_WORK_DIR", ""),
    "apiServer.readOnly": ("KUMA_API_SERVER_READ_ONLY", False),
    "apiServer.http.enabled": ("KUMA_API_SERVER_HTTP_ENABLED", True),
    "apiServer.http.interface": ("KUMA_API_SERVER_HTTP_INTERFACE", "0.0.0.0"),
    "apiServer.http.port": ("KUMA_API_SERVER_HTTP_PORT", 5681),
    "apiServer.https.enabled": ("KUMA_API_SERVER_HTTPS_ENABLED", True),
    "apiServer.https.interface": ("KUMA_API_SERVER_HTTPS_INTERFACE", "0.0.0.0"),
    "apiServer.https.port": ("KUMA_API_SERVER_HTTPS_PORT", 5682),
    "apiServer.https.requireClientCert": ("KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT", False),
    "apiServer.https.tlsCaFile": ("KUMA_API_SERVER_HTTPS_TLS_CA_FILE", ""),
    "apiServer.authn.localhostIsAdmin": ("KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN", True),
    "dpServer.port": ("KUMA_DP_SERVER_PORT", 5678),
    "diagnostics.serverPort": ("KUMA_DIAGNOSTICS_SERVER_PORT", 5680),
    "defaults.skipMeshCreation": ("KUMA_DEFAULTS_SKIP_MESH_CREATION", False),
}
# TLS modes of Kuma -> of libpq.
TLS = {"disable": "disable", "verifyNone": "require", "verifyCa": "verify-ca", "verifyFull": "verify-full"}


class ConfigError(Exception):
    """The configuration cannot be used."""


def load(path: str | None, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Path -> value."""
    given = _file(path) if path else {}
    values = {}
    for name, (variable, default) in _KNOWN.items():
        value = _find(given, name.split("."), default)
        if environment.get(variable):
            value = _parse(environment[variable], default, variable)
        values[name] = value
    if values["mode"] not in ("standalone", "zone", "global"):
        what = "invalid mode. Available modes: standalone, zone, global"
        raise ConfigError(f"configuration validation failed: Mode validation failed: {what}")
    if values["store.postgres.tls.mode"] not in TLS:
        raise ConfigError("configuration validation failed: Store validation failed: TLS.Mode: unknown mode")
    return values


def _file(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            content = yaml.safe_load(stream)
    except OSError:
        what = "please check if the file exists and has the correct permissions"
        raise ConfigError(f"unable to access configuration file '{path}', {what}") from None
    except yaml.YAMLError as error:
        what = str(error).splitlines()[0]
        raise ConfigError(
            f"parsing configuration from file '{path}' failed: unable to parse configuration: error converting YAML "
            f"to JSON: yaml: {what}"
        ) from None
    return content if isinstance(content, dict) else {}


def _find(given: Any, path: list[str], default: Any) -> Any:
    for part in path:
        if not isinstance(given, dict) or given.get(part) is None:
            return default
        given = given[part]
    return given


def _parse(text: str, default: Any, variable: str) -> Any:
    if isinstance(default, bool):
        return text.lower() in ("1", "t", "true")
    if isinstance(default, int):
        if not text.isdigit():
            raise ConfigError(f"{variable}: strconv.ParseInt: parsing {text!r}: invalid syntax")
        return int(text)
    return text


def options(values: dict[str, Any]) -> argparse.Namespace:
    """What the rest of the double calls options."""
    return argparse.Namespace(
        host=values["apiServer.http.interface"],
        port=values["apiServer.http.port"],
        mode="global" if values["mode"] == "global" else "zone",
        zone=values["multizone.zone.name"],
        environment=values["environment"],
        read_only=values["apiServer.readOnly"],
        localhost_is_admin=values["apiServer.authn.localhostIsAdmin"],
        delay=0.0,
        dataplanes_connect=False,
        conflict_every=0,
        version=VERSION,
        dataplanes_version=VERSION,
    )
