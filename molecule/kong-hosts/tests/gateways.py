"""The gateways of the scenario as their clients see them, and a small load balancer before them."""

from __future__ import annotations

import http.client
import json
import pathlib
import threading
import typing as t

from waiting import wait_for

INVENTORY = pathlib.Path(__file__).parents[3] / ".lab/molecule/kong-hosts/inventory/hosts.ini"
GATEWAYS = {"gateway1": "10.98.97.11", "gateway2": "10.98.97.12"}
KEY = "a-key-that-only-alice-has"
PASSWORD = 'it\'s #1: {{ secret }} $HOME "word"'


class Answer(t.NamedTuple):
    status: int
    body: str
    headers: dict[str, str]


def ask(name: str, path: str, port: int = 8000, timeout: float = 15, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(GATEWAYS[name], port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, answer.read().decode(), found)
    finally:
        connection.close()


def version_of(name: str) -> str:
    return ask(name, "/")[2]["via"].rpartition("/")[2]


class Balancer:
    """Clients behind a load balancer that asks every node every 0.2 s whether it is ready, and never tries again.

    Every request goes to the next node that is ready, over a new connection. Some get quick answers, others wait for a
    second: a node that simply ends loses what it has begun.
    """

    def __init__(self, quick: int = 3, slow: int = 3) -> None:
        self.asked = 0
        self.lost: list[str] = []
        self._ready = dict.fromkeys(GATEWAYS, False)
        self._turn = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(name,)) for name in GATEWAYS]
        self._threads += [threading.Thread(target=self._run, args=("/",)) for _number in range(quick)]
        self._threads += [threading.Thread(target=self._run, args=("/1",)) for _number in range(slow)]

    def _watch(self, name: str) -> None:
        while True:
            try:
                self._ready[name] = ask(name, "/status/ready", 8100, timeout=5).status == 200
            except (OSError, http.client.HTTPException):
                self._ready[name] = False
            if self._stop.wait(0.2):
                return

    def _next(self) -> str | None:
        with self._lock:
            ready = [name for name, found in self._ready.items() if found]
            self._turn += 1
            self.asked += 1
            return ready[self._turn % len(ready)] if ready else None

    def _run(self, path: str) -> None:
        while not self._stop.wait(0.05):
            name = self._next()
            if name is None:
                self.lost.append("no gateway is ready")
                continue
            try:
                answer = ask(name, path)
                if answer.status != 200:
                    self.lost.append(f"{name}: {answer.status} {answer.body[:100]}")
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{name}: {error!r}")

    def __enter__(self) -> Balancer:
        for number, thread in enumerate(self._threads):
            thread.start()
            if number == len(GATEWAYS) - 1:
                wait_for(lambda: all(self._ready.values()), 30, "both gateways are ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        print(f"{self.asked} requests, {len(self.lost)} lost: {self.lost[:5]}")


class Database:
    """The server, asked by its own superuser."""

    def __init__(self, host: t.Any) -> None:
        self.host = host

    def query(self, statement: str) -> str:
        return self.host.check_output("su postgres -c %s", f'psql --no-psqlrc -tA kong -c "{statement}"').strip()

    def pending(self) -> list[str]:
        found = self.query("SELECT to_json(pending) FROM schema_meta WHERE subsystem = 'core'")
        return json.loads(found) if found else []
