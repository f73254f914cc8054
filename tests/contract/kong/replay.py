# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Play a transcript against a server: send each recorded request with bound values in place, compare the answer."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .compare import Bindings, Comparison, short
from .echo import PORTS

TRANSCRIPTS = Path(__file__).parent / "transcripts"
# What an answer carries unless its record says otherwise.
_USUAL_HEADERS = {"content-type": "application/json; charset=utf-8"}
# Headers that say something about the API; others are the machine's or the HTTP library's.
_COMPARED = {"allow", "access-control-allow-methods", "access-control-allow-headers", "content-type", "location"}
_COMPARED |= {
    "www-authenticate",
    "retry-after",
    "x-cache-status",
    "upgrade",
    "x-echo-server",
    "via",
    "x-correlation-id",
}
_NUMBERS = {"ratelimit-reset", "retry-after"}


# The double does not call itself Kong in the header Via either.
SELF = ("1.1 kong-double/3.9.3", "1.1 kong/3.9.3")


class Step(NamedTuple):
    n: int
    api: str
    note: str
    request: dict | None
    response: dict | None


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def steps(name: str) -> list[Step]:
    lines = (TRANSCRIPTS / name).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return [Step(r["n"], r["api"], r.get("note", ""), r.get("request"), r.get("response")) for r in records]


class Client:
    """One kept connection a listener, as a client of an API has."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(str(parts.hostname), parts.port, timeout=60)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        self.connection.putrequest(method, path, skip_host=any(name.lower() == "host" for name in headers))
        for name, value in headers.items():
            self.connection.putheader(name, value)
        if body is not None or method in ("POST", "PUT", "PATCH"):
            self.connection.putheader("Content-Length", str(len(body or b"")))
        self.connection.endheaders(body)
        response = self.connection.getresponse()
        content = response.read()
        found = {name.lower(): value.replace(*SELF) for name, value in response.getheaders()}
        return Answer(response.status, found, content.replace(SELF[0].encode(), SELF[1].encode()))


def payload(body: Any) -> bytes | None:
    if body is None:
        return None
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body).encode()


class Player:
    def __init__(self, clients: dict[str, Client], replaced: dict[Any, Any]) -> None:
        self.clients = clients
        # What the recording says -> what this run says: ports, addresses, times that must lie ahead.
        self.replaced = replaced
        # Ids are derived from what an entity contains, ports among it.
        self.bindings = Bindings(derived=not set(PORTS) & set(replaced))
        self.last: Answer | None = None

    def translate(self, value: Any) -> Any:
        """The value as this run says it."""
        if not self.replaced:
            return value
        text = json.dumps(value, ensure_ascii=False)
        for old, new in self.replaced.items():
            # Not within ids, hashes and times, but behind the colon of a form.
            text = re.sub(rf"(?:(?<![0-9A-Za-z.-])|(?<=%3A)){old}(?![0-9A-Za-z-])", str(new), text)
        return json.loads(text)

    def make(self, requests: list[tuple[str, str, Any]]) -> None:
        """Make a state that a transcript takes for granted; what a client chose here stays as it is."""
        for method, path, body in requests:
            sent = self.translate(body)
            self.bindings.choose(json.dumps([path, sent]))
            headers = {"Content-Type": "application/json"} if body is not None else {}
            answer = self.clients["admin"].send(method, path, headers, payload(sent))
            assert answer.status in (200, 201, 204), f"{method} {path}: {answer.status} {answer.body.decode()}"

    def request(self, step: Step) -> Answer:
        assert step.request is not None
        recorded = step.request
        translated = self.translate(recorded)
        self._remember_config(recorded.get("body"), translated.get("body"))
        sent = self.bindings.apply_deep(translated)
        text = json.dumps(sent, ensure_ascii=False)
        self.bindings.choose(text)
        headers = sent.get("headers", {})
        return self.clients[step.api].send(sent["method"], sent["path"], headers, payload(sent.get("body")))

    def _remember_config(self, recorded: Any, actual: Any) -> None:
        if isinstance(recorded, dict) and isinstance(recorded.get("config"), str):
            recorded, actual = recorded["config"], actual["config"]
        if isinstance(recorded, str):
            self.bindings.choose_config(recorded, self.bindings.apply(actual))
        elif isinstance(recorded, dict) and "_format_version" in recorded:
            # A bare object: its hash is taken of the entities, with the seconds at which they were made.
            self.bindings.forget_hashes()

    def play(self, step: Step) -> list[str]:
        """Send one request; the answer is what differs from the record."""
        self.last = self.request(step)
        return self.compare(step, self.last)

    def compare(self, step: Step, answer: Answer) -> list[str]:
        assert step.request is not None and step.response is not None
        recorded = self.translate(step.response)
        if answer.status != recorded["status"]:
            return [f"status: recorded {recorded['status']}, got {answer.status} {short(answer.body.decode()[:300])}"]
        comparison = Comparison(self.bindings, lenient_lists=paged(step))
        self.headers(recorded, answer, comparison)
        wanted = recorded.get("body")
        text = answer.body.decode()
        if step.request["method"] == "HEAD" or (wanted is None and not text):
            return comparison.problems
        actual: Any = text
        if answer.headers.get("content-type", "").startswith("application/json"):
            actual = json.loads(text)
        path = step.request["path"].partition("?")[0]
        special = SPECIAL.get(path)
        if path.startswith(("/schemas/", "/plugins/schema/")):
            special = _schema
        if special is not None and step.api != "proxy" and answer.status == 200:
            special(comparison, wanted, actual)
        elif wanted == "" and actual is None:
            pass
        else:
            comparison.value(wanted, actual)
        return comparison.problems

    def headers(self, recorded: dict, answer: Answer, comparison: Comparison) -> None:
        wanted = {name: value for name, value in recorded.get("headers", {}).items() if _is_compared(name)}
        if recorded.get("body") is not None:
            wanted = {**_USUAL_HEADERS, **wanted}
        for name, value in wanted.items():
            actual = answer.headers.get(name)
            if name in _NUMBERS and actual is not None and actual.isdigit():
                continue
            comparison.value(value, actual, f"header {name}")


def _is_compared(name: str) -> bool:
    return name in _COMPARED or name.startswith(("x-ratelimit-", "ratelimit-"))


def paged(step: Step) -> bool:
    """Whether the answer is a part of a list, so that chance decides what stands in it."""
    assert step.request is not None and step.response is not None
    body = step.response.get("body")
    return isinstance(body, dict) and ("offset" in body or "offset=" in step.request["path"])


# Answers about the node: which fields there are, and of which kind.


def _kinds(comparison: Comparison, recorded: Any, actual: Any, at: str = "", optional: tuple[str, ...] = ()) -> None:
    if not isinstance(recorded, dict):
        if not isinstance(actual, type(recorded)) and not isinstance(recorded, (int, float)):
            comparison.fail(at, recorded, actual)
        return
    if not isinstance(actual, dict):
        comparison.fail(at, recorded, actual)
        return
    for key in recorded:
        if key not in actual:
            if key not in optional:
                comparison.problems.append(f"{at}.{key}: missing")
        else:
            _kinds(comparison, recorded[key], actual[key], f"{at}.{key}", optional)


def _root(comparison: Comparison, recorded: Any, actual: Any) -> None:
    for key in ("version", "edition", "tagline"):
        comparison.value(recorded[key], actual.get(key), key)
    comparison.value(recorded["plugins"]["available_on_server"], actual["plugins"]["available_on_server"], "plugins")
    comparison.value(sorted(recorded["plugins"]["enabled_in_cluster"]), actual["plugins"]["enabled_in_cluster"], "in")
    for key in ("database", "role", "router_flavor"):
        comparison.value(recorded["configuration"][key], actual["configuration"].get(key), key)
    masked = sorted(key for key, value in recorded["configuration"].items() if value == "******")
    comparison.value(
        masked, sorted(key for key, value in actual["configuration"].items() if value == "******"), "masked"
    )
    _kinds(comparison, {k: v for k, v in recorded.items() if k != "configuration"}, actual)


def _status(comparison: Comparison, recorded: Any, actual: Any) -> None:
    if set(recorded) == {"configuration_hash"}:
        # The recording kept nothing else.
        actual = {"configuration_hash": actual.get("configuration_hash")}
    for key in ("database", "configuration_hash"):
        if key in recorded or key in actual:
            comparison.value(recorded.get(key), actual.get(key), key)
    _kinds(comparison, recorded, actual, optional=("workers_lua_vms",))


def _metrics(comparison: Comparison, recorded: str, actual: str) -> None:
    """The same families, and the same series of the proxy; values only where they count requests."""
    ours, theirs = families(recorded), families(actual)
    comparison.value(sorted(ours), sorted(theirs), "families")
    for name in ours:
        if not name.startswith(
            ("kong_http_requests_total", "kong_node_info", "kong_datastore", "kong_upstream_target")
        ):
            continue
        for series, value in ours[name].items():
            mine = theirs.get(name, {}).get(comparison.bindings.apply(series))
            if mine is None:
                comparison.problems.append(f"{series}: missing among {sorted(theirs.get(name, {}))}")
            elif mine != value:
                comparison.problems.append(f"{series}: recorded {value}, got {mine}")


def families(text: str) -> dict[str, dict[str, str]]:
    out: dict[str, dict[str, str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name = line.split()[2]
            out[name] = {}
        elif line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            series = series.replace('node_id="', "node_id=").split("node_id=")[0] if "node_id" in series else series
            out[name][series] = value
    # This family appears once something went wrong in nginx' own metrics library.
    out.pop("kong_nginx_metric_errors_total", None)
    return out


def _schema(comparison: Comparison, recorded: Any, actual: Any) -> None:
    comparison.value(pruned(recorded), pruned(actual))


def pruned(schema: Any, element: bool = False) -> Any:
    """A schema without its prose, and without what a server adds to it when it validates for the first time."""
    if isinstance(schema, dict):
        out = {}
        for key, value in schema.items():
            prose = key == "description" and isinstance(value, str)
            learnt = (key == "len_min" and value == 1) or (key == "required" and value is True and element)
            if not prose and not learnt:
                out[key] = pruned(value, key in ("elements", "keys", "values", "if_match", "then_match"))
        return out
    return [pruned(item) for item in schema] if isinstance(schema, list) else schema


def _exported(comparison: Comparison, recorded: Any, actual: Any) -> None:
    """GET /config: the same lines; their order within an entity is that of a Lua table."""
    ours, theirs = (sorted(line.lstrip("- ") for line in body["config"].splitlines()) for body in (recorded, actual))
    clock = ("created_at", "updated_at")
    comparison.value(
        [line for line in ours if not line.startswith(clock)],
        [line for line in theirs if not line.startswith(clock)],
        "config",
    )


SPECIAL = {
    "/": _root,
    "/status": _status,
    "/metrics": _metrics,
    "/timers": lambda comparison, recorded, actual: _kinds(comparison, {key: {} for key in recorded}, actual),
    "/config": lambda comparison, recorded, actual: (
        _exported(comparison, recorded, actual)
        if isinstance(recorded, dict) and isinstance(recorded.get("config"), str)
        else comparison.value(recorded, actual)
    ),
}
