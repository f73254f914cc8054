# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Ask a service once whether it answers."""

from __future__ import annotations

import socket
import typing as t
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

PROBE_TIMEOUT = 2


def split_host_port(address: str) -> tuple[str, int]:
    """Pure: '127.0.0.1:8443' or '[::1]:8443' in its parts."""
    host, _colon, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f'"{address}" is not an address of the form host:port')
    return host.strip("[]"), int(port)


def target_of(wait: t.Mapping[str, t.Any]) -> str:
    return str(wait.get("tcp") or wait.get("unix") or wait.get("url"))


def probe(wait: t.Mapping[str, t.Any]) -> str | None:
    """None when the service answers, else the reason why not."""
    try:
        if wait.get("tcp"):
            with socket.create_connection(split_host_port(wait["tcp"]), PROBE_TIMEOUT):
                return None
        if wait.get("unix"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
                stream.settimeout(PROBE_TIMEOUT)
                stream.connect(wait["unix"])
                return None
        return _probe_url(wait)
    except OSError as e:
        return e.strerror or str(e)


def _probe_url(wait: t.Mapping[str, t.Any]) -> str | None:
    expected = wait.get("status") or [200]
    try:
        with open_url(wait["url"], timeout=PROBE_TIMEOUT, ca_path=wait.get("ca_path"), use_proxy=False) as answer:
            status = answer.status
    except HTTPError as e:
        status = e.code
        e.close()
    except URLError as e:
        return str(e.reason)
    return None if status in expected else f"answers with status {status}"
