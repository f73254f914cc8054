# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS for the proxy listener: the certificate an SNI of the store names, exact before wildcard."""

from __future__ import annotations

import ssl
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .node import Node


class Certificates:
    """Server contexts by certificate; Python loads certificates from files only."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    def listener(self) -> ssl.SSLContext:
        """A context without a certificate of its own: a client that names no known host gets no handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = self.choose
        return context

    def choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        connection.double_sni = name or ""
        row = self.certificate(name or "")
        if row is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        key = (row["cert"], row["key"])
        if key not in self.contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(row["cert"] + "\n" + row["key"] + "\n")
                file.flush()
                context.load_cert_chain(file.name)
            self.contexts[key] = context
        connection.context = self.contexts[key]
        return None

    def certificate(self, name: str) -> dict | None:
        store = self.node.store
        with store.lock:
            snis = store.tables["snis"]
            first, _, rest = name.partition(".")
            last = name.rpartition(".")[0]
            for wanted in (name, f"*.{rest}", f"{last}.*", "*"):
                row = snis.find(("name",), wanted) if first else None
                if row is not None:
                    return store.tables["certificates"].rows[row["certificate"]["id"]]
        return None
