# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a transcript does not say: its first state, what happened between its requests, what is left out and why."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from .gateway import Gateway
    from .replay import Player, Step

# Entities whose first appearance is in an answer: they were there before the transcript starts, and are written as
# the answer shows them.
PRIMED = {"pagination_tags.postgres.jsonl", "roundtrip_and_encoding.postgres.jsonl", "routes.postgres.jsonl"}
_COLLECTIONS = {
    "service": "services",
    "consumer": "consumers",
    "key-auth": "key-auths",
    "basic-auth": "basic-auths",
    "hmac-auth": "hmac-auths",
    "jwt": "jwts",
}
_ORDER = (
    "certificates",
    "ca_certificates",
    "snis",
    "vaults",
    "key-sets",
    "keys",
    "consumers",
    "services",
    "routes",
    "upstreams",
    "targets",
    "plugins",
    "acls",
    "basic-auths",
    "hmac-auths",
    "jwts",
    "key-auths",
    "oauth2",
)
Request = tuple[str, str, Any]
# What an answer does not show as it was sent: entity -> fields.
_UNREADABLE: dict[str, dict[str, Any]] = {
    # Shown as a hash.
    "b4ce9d76-6a93-4824-9e8f-8579d92524f0": {"password": "p"},
    # Its other name is an entity of its own in the transcript.
    "cc32e966-927f-4999-97ac-2e2848cc337b": {"snis": ["a.test"]},
}


def primed(steps: list[Step]) -> list[Request]:
    """Requests that make the entities which the answers of a transcript show and its requests do not make."""
    known: set[str] = set()
    found: list[tuple[str, dict]] = []
    for step in steps:
        body = (step.response or {}).get("body")
        if step.request is None or step.api != "admin" or not isinstance(body, dict) or "code" in body:
            continue
        entities = body["data"] if isinstance(body.get("data"), list) else [body]
        for entity in entities:
            if "id" not in entity or entity["id"] in known:
                continue
            known.add(entity["id"])
            collection = _collection(step.request["path"])
            if step.request["method"] == "GET" and collection is not None:
                found.append((collection, entity))
    requests: list[Request] = []
    for collection, entity in sorted(found, key=lambda item: _ORDER.index(item[0])):
        sent = {key: value for key, value in entity.items() if key != "updated_at" and (key, value) != ("ttl", None)}
        sent.update(_UNREADABLE.get(entity["id"], {}))
        if collection == "targets":
            requests.append(("POST", f"/upstreams/{entity['upstream']['id']}/targets", sent))
        else:
            requests.append(("PUT", f"/{collection}/{entity['id']}", sent))
    return requests


def _collection(path: str) -> str | None:
    for segment in reversed(path.partition("?")[0].split("/")):
        name = _COLLECTIONS.get(segment, segment)
        if name in _ORDER:
            return name
    return None


def _plugin(route: str, name: str, **config: Any) -> Request:
    return "POST", f"/routes/{route}/plugins", {"name": name, "config": config}


def _route(name: str, service: str | None, **fields: Any) -> Request:
    body = {"service": {"name": service}} if service else {}
    return "PUT", f"/routes/{name}", {**body, **({} if "hosts" in fields else {"paths": [f"/{name}"]}), **fields}


_ALICE, _ALICE_KEY = "60faacda-67f6-4d58-aa81-82b66dc3926d", "2ff4626b-3396-49e2-9597-518760ffdf17"
_PROXY: list[Request] = [
    ("PUT", "/services/s1", {"url": "http://127.0.0.1:18101/base"}),
    ("PUT", "/services/s2", {"url": "http://127.0.0.1:18102"}),
    ("PUT", "/upstreams/u1", {}),
    ("POST", "/upstreams/u1/targets", {"target": "127.0.0.1:18101", "weight": 80}),
    ("POST", "/upstreams/u1/targets", {"target": "127.0.0.1:18102", "weight": 20}),
    ("PUT", "/services/sb", {"url": "http://u1"}),
    ("PUT", "/services/down", {"url": "http://127.0.0.1:9", "retries": 0}),
    ("PUT", "/upstreams/ue", {}),
    ("PUT", "/services/empty", {"url": "http://ue"}),
    ("PUT", "/services/nodns", {"url": "http://does-not-exist.invalid"}),
    ("PUT", "/services/dis", {"url": "http://127.0.0.1:18101", "enabled": False}),
    _route("strip", "s1"),
    _route("longer", "s2", paths=["/strip/longer"]),
    _route("nostrip", "s1", strip_path=False),
    _route("v1h", "s1", path_handling="v1"),
    _route("host", "s1", hosts=["h.test"]),
    _route("wild", "s1", hosts=["*.w.test"]),
    _route("ph", "s1", preserve_host=True),
    _route("meth", "s1", methods=["POST"]),
    _route("hdr", "s1", headers={"X-Ver": ["1", "2"]}),
    _route("re", "s1", paths=["~/re/\\d+$"]),
    _route("down", "down"),
    _route("empty", "empty"),
    _route("nodns", "nodns"),
    _route("dis", "dis"),
    _route("nosvc", None),
    _route("ssl", "s1", protocols=["https"]),
    _route("s301", "s1", protocols=["https"], https_redirect_status_code=301),
    _route("bal", "sb"),
    _route("ka", "s1"),
    _plugin("ka", "key-auth"),
    _plugin("ka", "acl", allow=["ok"]),
    _route("kah", "s1"),
    _plugin("kah", "key-auth", hide_credentials=True, realm="kong-test", key_names=["X-API-Key"]),
    ("PUT", f"/consumers/{_ALICE}", {"username": "alice", "custom_id": "A1"}),
    ("PUT", f"/consumers/alice/key-auth/{_ALICE_KEY}", {"key": "akey"}),
    ("PUT", "/consumers/alice/acls/ok", {}),
    ("PUT", "/consumers/bob", {}),
    ("PUT", "/consumers/bob/key-auth/bkey", {}),
    _route("rl", "s1"),
    _plugin("rl", "rate-limiting", minute=3, hour=100, policy="local", limit_by="ip"),
    _route("rlhide", "s1"),
    _plugin(
        "rlhide",
        "rate-limiting",
        minute=1,
        policy="local",
        limit_by="header",
        header_name="x-u",
        hide_client_headers=True,
        error_code=420,
        error_message="slow down",
    ),
    _route("rt", None),
    _plugin("rt", "request-termination", status_code=418, message="teapot"),
    _route("rtbody", None),
    _plugin("rtbody", "request-termination", status_code=200, body='{"ok": true}', content_type="application/json"),
    _route("ci", "s1"),
    _plugin("ci", "correlation-id", header_name="X-Correlation-ID", generator="uuid", echo_downstream=True),
    _route("ba", "s1"),
    _plugin("ba", "basic-auth"),
]

# Transcript -> requests that make the state it starts from.
GIVEN: dict[str, list[Request]] = {
    "routes.postgres.jsonl": [
        ("PUT", "/services/e95e97e8-e00f-4777-b4fd-d5d9da672599", {"name": "s1", "host": "h1.test"}),
    ],
    "pagination_tags.postgres.jsonl": [
        *[
            ("PUT", f"/consumers/{identifier}", {"username": f"c{number}", "tags": ["ct"]})
            for number, identifier in enumerate(
                (
                    "8cc9f816-5a1c-458a-bbd4-1f6ad36fc450",
                    "5bcf1095-3660-4544-b063-ebbfb2841c30",
                    "5efbc831-04d2-4477-a4f8-7a8330489766",
                    "79768177-b1cb-40bb-b67c-1cb98ca18d21",
                    "881588b6-4d21-483d-85b1-05d1be09f407",
                )
            )
        ],
        ("PUT", "/upstreams/05cd7d8c-c73f-4e96-b481-e4291c16440f", {"name": "u"}),
        # Behind those the recorded page shows.
        ("PUT", "/consumers/c0/acls/ffffffff-0000-4000-8000-000000000000", {"group": "g0"}),
    ],
    "plugins.postgres.jsonl": [
        ("PUT", "/services/56c2595f-36c6-4b87-bf4e-464a1a8c73cb", {"name": "s1", "host": "h"}),
        (
            "PUT",
            "/routes/223bfbb1-4190-4b7c-b066-731fe8a6d613",
            {"name": "r1", "paths": ["/r1"], "service": {"name": "s1"}},
        ),
        ("PUT", "/consumers/69849a85-0658-468a-82b1-7cb05bf53ecd", {"username": "alice"}),
    ],
    "proxy.postgres.jsonl": _PROXY,
    "metrics.postgres.jsonl": _PROXY,
    "info.dbless.jsonl": [
        ("POST", "/config", {"_format_version": "3.0", "services": [{"name": "s", "url": "http://127.0.0.1:18101"}]}),
    ],
}
# A transcript that goes on where another one ended: (transcript, number of the request that made the state).
CONTINUED = {"readonly_info.dbless.jsonl": ("config_push.dbless.jsonl", 96)}


# A time that lay this many seconds ahead when the request was recorded.
AHEAD = {"ttl_and_tls.dbless.jsonl": (1795349252, 100)}


# What happened between two requests: (transcript, number of the record) -> what to do before it, or at it where the
# record is no request.
Action = Callable[["Gateway", "Player"], None]


def _router(gateway: Gateway, _player: Player) -> None:
    gateway.wait_for_router()


def _sleep(seconds: float) -> Action:
    return lambda _gateway, _player: time.sleep(seconds)


def _requests(*requests: Request) -> Action:
    return lambda _gateway, player: player.make(list(requests))


def _consumers(_gateway: Gateway, player: Player) -> None:
    for number in range(105):
        player.make([("PUT", f"/consumers/extra-{number:03d}", {})])


def _restart(text: str | None = None, suffix: str = ".yml") -> Action:
    return lambda gateway, _player: gateway.restart(text, suffix)


def _middle_of_a_minute(_gateway: Gateway, _player: Player) -> None:
    """A window of the rate limiter must not end between the requests that count in it."""
    if time.time() % 60 > 55:
        time.sleep(61 - time.time() % 60)


def _traffic(*requests: tuple[str, dict[str, str]]) -> Action:
    def send(gateway: Gateway, player: Player) -> None:
        gateway.wait_for_router()
        for path, headers in requests:
            player.clients["proxy"].send("GET", path, headers, None)

    return send


def _delete_last(_gateway: Gateway, player: Player) -> None:
    """Delete the plugin of the last answer: the recording tried one plugin after another in the same place."""
    if player.last is not None and player.last.status == 201:
        player.make([("DELETE", f"/plugins/{json.loads(player.last.body)['id']}", None)])


_KEY = {"apikey": "akey"}
_FILE = '_format_version: "3.0"\nservices:\n- name: fromfile\n  host: h\n'
_JSON_FILE = {"_format_version": "3.0", "services": [{"name": "fromjson", "host": "h"}]}

BETWEEN: dict[tuple[str, int], list[Action]] = {
    ("upstreams_targets.postgres.jsonl", 60): [_router],
    ("upstreams_targets.postgres.jsonl", 63): [_router],
    ("upstreams_targets.postgres.jsonl", 65): [_router, _sleep(1.2)],
    # Set by hand; the next active check, a second later, would find the target healthy again.
    ("upstreams_targets.postgres.jsonl", 75): [_router],
    ("surprises.postgres.jsonl", 31): [_sleep(1.2)],
    ("pagination_tags.postgres.jsonl", 46): [_consumers],
    **{("plugins.postgres.jsonl", n): [_delete_last] for n in range(53, 89)},
    ("ops_consistency.postgres.jsonl", 3): [_requests(_route("cons0", "c1")), _router],
    ("ops_consistency.postgres.jsonl", 4): [_requests(("DELETE", "/routes/cons0", None))],
    ("proxy.postgres.jsonl", 1): [_router],
    ("proxy.postgres.jsonl", 48): [_middle_of_a_minute],
    ("metrics.postgres.jsonl", 4): [
        _traffic(*[(path, {}) for path in ("/rt", "/down", "/ka", "/strip", "/bal") for _ in range(3)], ("/ka", _KEY))
    ],
    ("metrics.postgres.jsonl", 6): [_traffic(("/ka", _KEY), ("/strip", {}))],
    ("metrics.postgres.jsonl", 8): [_router],
    ("ops_consistency.postgres.jsonl", 7): [_restart()],
    ("ops_consistency.postgres.jsonl", 38): [_restart()],
    ("boot_and_persistence.dbless.jsonl", 3): [_sleep(1.1)],
    ("boot_and_persistence.dbless.jsonl", 5): [_sleep(1.1)],
    ("boot_and_persistence.dbless.jsonl", 14): [_restart()],
    ("boot_and_persistence.dbless.jsonl", 17): [_restart()],
    ("boot_and_persistence.dbless.jsonl", 21): [_restart()],
    ("boot_and_persistence.dbless.jsonl", 26): [_restart(_FILE)],
    ("boot_and_persistence.dbless.jsonl", 33): [_restart(_FILE)],
    ("boot_and_persistence.dbless.jsonl", 37): [_restart(_FILE)],
    ("boot_and_persistence.dbless.jsonl", 40): [_restart(json.dumps(_JSON_FILE), ".json")],
    ("ttl_and_tls.dbless.jsonl", 5): [_router],
    ("readonly_info.dbless.jsonl", 58): [_router],
    ("expressions_router.postgres.jsonl", 11): [_router],
}
# Transcripts that need a gateway which was not asked to drain, nor reported anything, before.
FRESH = {"info.postgres.jsonl", "info.dbless.jsonl", "metrics.postgres.jsonl", "ops_consistency.postgres.jsonl"}
FRESH |= {"readonly_info.dbless.jsonl", "boot_and_persistence.dbless.jsonl"}
# Transcripts in which the server is started anew: nothing a suite may do to a gateway that was given to it.
RESTARTED = {"ops_consistency.postgres.jsonl", "boot_and_persistence.dbless.jsonl"}
# Transcripts that leave a draining server behind, which only a restart ends; they come last.
DRAINED = {"info.postgres.jsonl", "info.dbless.jsonl"}


_OTHER_PLUGIN = "the proxy of the double answers 501 for this plugin"
_NO_DATABASE = "needs a PostgreSQL that is stopped and started again; the double has none"
_STRING = "declarative_config_string is a setting of kong.conf, which the double has not"
_LINK = "shows a server in hybrid mode; the double is one node"
_CUT_OFF = "an expired credential cuts off the list at a random id"
_EXPRESSIONS = "needs a node with router_flavor=expressions; the double has the default router"


def _numbers(*spans: Any) -> set[int]:
    found: set[int] = set()
    for span in spans:
        found.update(range(span[0], span[1] + 1) if isinstance(span, tuple) else {span})
    return found


# Transcript -> reason -> the requests that are not replayed on the double.
SKIPPED: dict[str, dict[str, set[int]]] = {
    "control_and_data_plane.hybrid.jsonl": {_LINK: _numbers((1, 35))},
    "expressions_router.postgres.jsonl": {_EXPRESSIONS: _numbers(1, (3, 13))},
    "ops_consistency.postgres.jsonl": {_NO_DATABASE: _numbers((11, 19))},
    "boot_and_persistence.dbless.jsonl": {_STRING: _numbers((46, 49))},
    "ttl_and_tls.dbless.jsonl": {_CUT_OFF: {2}},
    "proxy.postgres.jsonl": {_OTHER_PLUGIN: _numbers((39, 47), (61, 76))},
}


def skipped(name: str, n: int) -> str | None:
    return next((reason for reason, numbers in SKIPPED.get(name, {}).items() if n in numbers), None)
