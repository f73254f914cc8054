# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Play a transcript: send each recorded request, compare the answer."""

from __future__ import annotations

import base64
import http.client
import json
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .compare import Comparison, short

TRANSCRIPTS = Path(__file__).parent / "transcripts"
# Address of the API in the recordings.
_RECORDED = re.compile(r"//127\.0\.0\.1:15\d{3}/")
_COMPARED = ("allow", "location", "content-type")


class Step(NamedTuple):
    n: int
    note: str
    request: dict | None
    response: dict | None
    # The claims of the token that the answer before this step carries.
    claims: list | None


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def steps(name: str) -> list[Step]:
    records = [json.loads(line) for line in (TRANSCRIPTS / name).read_text(encoding="utf-8").splitlines()]
    return [
        Step(r["n"], r.get("note", ""), r.get("request"), r.get("response"), r.get("step", {}).get("claims"))
        for r in records
    ]


class Client:
    """One kept connection, as a client of an API has."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.address = parts.netloc
        self.connection = kind(str(parts.hostname), parts.port, timeout=60)

    def send(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None) -> Answer:
        headers = headers or {}
        content = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        self.connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            self.connection.putheader(name, value)
        if content is not None or method in ("POST", "PUT", "PATCH"):
            self.connection.putheader("Content-Length", str(len(content or b"")))
        self.connection.endheaders(content)
        response = self.connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())

    def write(self, method: str, path: str, body: Any = None) -> Answer:
        """A request that makes a state; it must succeed."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        answer = self.send(method, path, headers, body)
        assert answer.status in (200, 201), f"{method} {path}: {answer.status} {answer.body.decode()}"
        return answer

    def read(self, path: str) -> Any:
        return json.loads(self.send("GET", path).body)


def claims(token: str) -> list[dict]:
    """Header and claims of a token, as the recording shows them."""
    parts = [part + "=" * (-len(part) % 4) for part in token.split(".")[:2]]
    return [json.loads(base64.urlsafe_b64decode(part)) for part in parts]


def settings(value: Any, like: Any) -> Any:
    """What two configurations have in common by what they are made of."""
    if not isinstance(like, dict) or not isinstance(value, dict):
        return "(a path)" if isinstance(like, str) and "<rundir>" in like else value
    names = [name for name in value if name in like and not name.lower().endswith("port")]
    return {name: settings(value[name], like[name]) for name in names}


class Player:
    """Plays one transcript; the clients are named by what the notes of its records begin with."""

    def __init__(self, clients: dict[str, Client]) -> None:
        self.clients = clients
        self.times: dict[str, str] = {}
        self.last: Answer | None = None

    def client(self, step: Step) -> Client:
        who = step.note.partition(":")[0]
        return self.clients.get(who) or self.clients[""]

    def play(self, step: Step, headers: dict[str, str]) -> list[str]:
        assert step.request is not None
        client, request = self.client(step), step.request
        sent = {**request.get("headers", {}), **headers}
        self.last = client.send(request["method"], request["path"], sent, request.get("body"))
        return self.compare(step, self.last, client.address)

    def compare(self, step: Step, answer: Answer, address: str = "") -> list[str]:
        assert step.request is not None and step.response is not None
        recorded = step.response
        if answer.status != recorded["status"]:
            return [f"status: recorded {recorded['status']}, got {answer.status} {short(answer.body.decode()[:400])}"]
        comparison = Comparison(self.times)
        wanted, text = recorded.get("body"), answer.body.decode()
        headers = {name.lower(): value for name, value in recorded.get("headers", {}).items()}
        if isinstance(wanted, (dict, list)):
            headers.setdefault("content-type", "application/json")
        for name in _COMPARED:
            if name in headers:
                comparison.value(headers[name], answer.headers.get(name), f"header {name}")
        if step.request["method"] == "HEAD" or (wanted is None and not text):
            return comparison.problems
        if isinstance(wanted, dict) and set(wanted) == {"__raw_text__"}:
            # How it is laid out, not what this machine is called.
            ours = [line.split(":")[0] for line in wanted["__raw_text__"].splitlines()]
            comparison.value(ours, [line.split(":")[0] for line in text.splitlines()], "lines")
            return comparison.problems
        actual: Any = text
        if answer.headers.get("content-type", "").startswith("application/json"):
            actual = json.loads(text)
        if isinstance(wanted, str) and wanted.startswith("(cut"):
            return comparison.problems
        if step.request["path"] == "/config":
            # Of some only a part was recorded; paths and ports are the machine's.
            wanted, actual = settings(wanted, wanted), settings(actual, wanted)
        comparison.value(self.translated(wanted, address), actual)
        return comparison.problems

    def translated(self, wanted: Any, address: str) -> Any:
        """The recorded body with the address of this run."""
        if isinstance(wanted, dict) and isinstance(wanted.get("next"), str):
            return {**wanted, "next": _RECORDED.sub(f"//{address}/", wanted["next"])}
        return wanted

    def check_claims(self, step: Step) -> list[str]:
        """The token of the last answer says what the recorded one said, for as long."""
        assert step.claims is not None and self.last is not None
        comparison = Comparison()
        ours, theirs = step.claims, claims(self.last.body.decode())
        comparison.value(ours[0], theirs[0], "header")
        moving = ("exp", "nbf", "iat")
        fixed = [{key: value for key, value in one[1].items() if key not in moving} for one in (ours, theirs)]
        comparison.value(fixed[0], fixed[1], "claims")
        for name in ("exp", "nbf"):
            lasts = [one[1][name] - one[1]["iat"] for one in (ours, theirs)]
            if abs(lasts[0] - lasts[1]) > 2:
                comparison.fail(f"claims.{name} after iat", *lasts)
        return comparison.problems
