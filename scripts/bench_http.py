"""The requests that there have to be, and nothing else: no comparison, no parsing, connections that stay open.

Run as a program it reads what to do from a file, and prints what it took as JSON.
"""

from __future__ import annotations

import json
import pathlib
import sys
import threading
import time
import typing as t
from http.client import HTTPConnection
from urllib.parse import urlsplit

#: of a Kong with the plugins that come with it
LISTS = (
    *("services", "routes", "consumers", "upstreams", "plugins", "certificates", "snis", "ca_certificates", "vaults"),
    *("keys", "key-sets", "key-auths", "basic-auths", "hmac-auths", "jwts", "acls", "oauth2"),
)
Request = tuple[str, str, t.Optional[dict[str, t.Any]]]


class Floor:
    def __init__(self, url: str, connections: int) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.connections = connections

    def run(self, requests: t.Sequence[Request]) -> list[bytes]:
        answers: list[bytes] = [b""] * len(requests)
        errors: list[str] = []

        def worker(start: int) -> None:
            connection = HTTPConnection(*self.address, timeout=120)
            for number in range(start, len(requests), self.connections):
                method, path, body = requests[number]
                data = None if body is None else json.dumps(body)
                connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
                answer = connection.getresponse()
                answers[number] = answer.read()
                if answer.status >= 400:
                    errors.append(f"{method} {path}: {answer.status} {answers[number][:200]!r}")
            connection.close()

        threads = [threading.Thread(target=worker, args=(start,)) for start in range(self.connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise SystemExit(f"the floor was refused: {errors[0]}")
        return answers

    def write(self, levels: t.Sequence[t.Sequence[Request]]) -> int:
        """Level by level: what refers to something comes after it."""
        for level in levels:
            self.run(level)
        return sum(map(len, levels))

    def read(self) -> int:
        """All lists in pages of a thousand, and one list of targets for each upstream."""
        targets: set[str] = set()
        count, todo = 0, [f"/{name}?size=1000" for name in LISTS]
        while todo:
            answers = self.run([("GET", path, None) for path in todo])
            count += len(todo)
            more: list[str] = []
            for path, answer in zip(todo, answers):
                page = json.loads(answer)
                name = path.split("?")[0]
                if page.get("offset"):
                    more.append(f"{name}?size=1000&offset={page['offset']}")
                if name == "/upstreams":
                    targets.update(f"{name}/{item['id']}/targets?size=1000" for item in page["data"])
            todo = more
        self.run([("GET", path, None) for path in sorted(targets)])
        return count + len(targets)


def main(path: str) -> None:
    todo = json.loads(pathlib.Path(path).read_text())
    floor = Floor(todo["url"], todo["connections"])
    started = time.monotonic()
    requests = floor.read() if todo["levels"] is None else floor.write(todo["levels"])
    print(json.dumps({"wall_seconds": round(time.monotonic() - started, 2), "requests": requests}))


if __name__ == "__main__":
    main(sys.argv[1])
