"""Stands between a client and an HTTP server: remembers what is asked, passes it on, or answers in its place."""

from __future__ import annotations

import http.client
import http.server
import threading
import typing as t
from urllib.parse import urlsplit

#: Status and body; a status of 0 ends the connection without an answer.
Answer = tuple[int, bytes]


def pass_on(_method: str, _path: str) -> Answer | None:
    return None


class Relay:
    """A server on a free port of loopback, as long as it is needed."""

    def __init__(self, url: str, instead: t.Callable[[str, str], Answer | None] = pass_on) -> None:
        """`instead` gives the answers that do not come from `url`, and None for the others."""
        self.behind = urlsplit(url).netloc
        self.instead = instead
        self.seen: list[tuple[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), type("_", (_Handler,), {"relay": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    # A client opens ten connections at once, and one that finds no place tries again a second later.
    request_queue_size = 100


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    relay: t.ClassVar[Relay]

    def setup(self) -> None:
        super().setup()
        self.behind = http.client.HTTPConnection(self.relay.behind, timeout=60)

    def finish(self) -> None:
        self.behind.close()
        super().finish()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.relay.seen.append((self.command, self.path))
        status, payload = self.relay.instead(self.command, self.path) or self._asked(body)
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        if status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def _asked(self, body: bytes) -> Answer:
        kept = {name: value for name, value in self.headers.items() if name.lower() in ("accept", "content-type")}
        self.behind.request(self.command, self.path, body or None, kept)
        answer = self.behind.getresponse()
        return answer.status, answer.read()

    def log_message(self, *_arguments: t.Any) -> None:
        """What is asked is remembered, not printed."""
