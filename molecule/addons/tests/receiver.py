"""A receiver of Alertmanager's webhooks: what it was sent, and with which credentials."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t


class Receiver:
    def __init__(self, address: tuple[str, int]) -> None:
        self.messages: list[dict[str, t.Any]] = []
        self.authorizations: set[str] = set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.authorizations.add(self.headers.get("Authorization", ""))
                receiver.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: t.Any) -> None:
                """Nothing: pytest shows what failed."""

        self._server = http.server.ThreadingHTTPServer(address, Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def alerts(self, name: str, status: str) -> list[dict[str, t.Any]]:
        """Alerts of that name that came with that status, newest last."""
        return [
            alert
            for message in list(self.messages)
            for alert in message["alerts"]
            if alert["labels"]["alertname"] == name and alert["status"] == status
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
