# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and refusals, against what was recorded."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import masks, shapes, writes
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Refused
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.plan import Change
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kong_support import (
    ID,
    answer,
    catalogue,
    load,
    planned,
    stored,
)

UPSTREAM = {"id": ID.format(1)}
CONSUMER = {"id": ID.format(9)}


def only(wish: dict[str, t.Any], lists: dict[str, list[dict[str, t.Any]]]) -> Change:
    made = planned(wish, lists)
    assert made.problems == []
    assert len(made.changes) == 1
    return made.changes[0]


def test_a_target_is_created_by_post_and_changed_with_everything_said() -> None:
    lists = {"upstreams": [stored("upstreams", 1, name="u")], "targets": []}
    wish = {"upstreams": [{"name": "u", "targets": [{"target": "h:1"}]}]}
    change = only(wish, lists)
    method, path, body = writes.request(change)
    assert (method, path) == ("POST", f"/upstreams/{ID.format(1)}/targets")
    assert body is not None
    assert body["id"] == change.id
    # A PUT keeps the weight and the tags that it leaves out.
    lists["targets"] = [stored("targets", 2, target="h:1", weight=7, tags=["x"], upstream=UPSTREAM)]
    method, path, body = writes.request(only(wish, lists))
    assert (method, path) == ("PUT", f"/upstreams/{ID.format(1)}/targets/{ID.format(2)}")
    assert body is not None
    assert (body["weight"], body["tags"]) == (100, None)


def test_a_changed_certificate_keeps_its_snis() -> None:
    lists = {"certificates": [stored("certificates", 1, cert="c", key="k", tags=["x"])]}
    method, path, body = writes.request(only({"certificates": [{"id": ID.format(1), "cert": "c", "key": "n"}]}, lists))
    assert (method, path) == ("PATCH", f"/certificates/{ID.format(1)}")
    assert body == {"cert": "c", "key": "n", "tags": None, "cert_alt": None, "key_alt": None}


def basic_auth(password: str, transform: bool, **fields: t.Any) -> writes.Request:
    kept = "657280921c3137e669a5b4e02e75f797300b5eb0"
    item = stored("basicauth_credentials", 1, username="u", password=kept, consumer=CONSUMER)
    credential = {"username": "u", "password": password, "consumer": CONSUMER, **fields}
    wish = {"_transform": transform, "basicauth_credentials": [credential]}
    return writes.request(
        only(wish, {"consumers": [stored("consumers", 9, username="al")], "basicauth_credentials": [item]})
    )


def test_a_password_is_sent_as_such_and_a_hash_never() -> None:
    method, _path, body = basic_auth("new", True)
    assert method == "PUT"
    assert body is not None
    assert body["password"] == "new"
    method, _path, body = basic_auth("657280921c3137e669a5b4e02e75f797300b5eb0", False, tags=["t"])
    assert (method, body) == ("PATCH", {"username": "u", "tags": ["t"]})


def test_a_hashed_oauth2_secret_is_not_hashed_again() -> None:
    item = stored(
        "oauth2_credentials",
        1,
        name="app",
        client_id="c",
        client_secret="$pbkdf2-x",
        hash_secret=True,
        consumer=CONSUMER,
    )
    lists = {"consumers": [stored("consumers", 9, username="al")], "oauth2_credentials": [item]}
    wish = {"name": "new", "client_id": "c", "hash_secret": True, "consumer": CONSUMER}
    method, _path, body = writes.request(only({"oauth2_credentials": [wish]}, lists))
    assert method == "PATCH"
    assert body is not None
    assert body["name"] == "new"
    assert not {"client_secret", "hash_secret"} & set(body)


def test_key_sets_are_written_by_id() -> None:
    """By name, Kong answers 500 (surprises.postgres#14)."""
    assert load("answers")["surprises.postgres#14"]["status"] == 500
    method, path, _body = writes.request(only({"key_sets": [{"name": "ks"}]}, {}))
    assert method == "PUT"
    assert path.startswith("/key-sets/")
    assert path.count("-") > 4


def test_validation_knows_references_by_id_and_no_times() -> None:
    lists = {"services": [stored("services", 1, name="s", host="h")]}
    change = only({"routes": [{"name": "r", "paths": ["/"], "service": "s"}]}, lists)
    method, path, body = writes.validation(change)
    assert (method, path) == ("POST", "/schemas/routes/validate")
    assert body is not None
    assert body["service"] == {"id": ID.format(1)}
    key = only({"key_sets": [{"name": "x"}]}, {})
    assert writes.validation(key)[1] == "/schemas/key_sets/validate"


ROUTE = {"name": "r", "hosts": ["a.test"], "paths": ["/a"], "service": {"id": ID.format(1)}}


@pytest.mark.parametrize(
    ("kind", "one", "other", "alike"),
    [
        ("consumers", {"username": "a", "tags": ["x"]}, {"username": "b", "tags": ["y:z", "a b"]}, True),
        ("consumers", {"username": "a", "tags": ["x"]}, {"username": "b", "tags": ["y,z"]}, False),
        ("consumers", {"username": "a"}, {"custom_id": "a"}, False),
        ("consumers", {"username": "a"}, {"username": 5}, False),
        ("keyauth_credentials", {"key": "a"}, {"key": "b"}, True),
        ("keyauth_credentials", {"key": "a"}, {"key": ""}, False),
        ("routes", ROUTE, {**ROUTE, "name": "s", "hosts": ["b.test"], "paths": ["/b/c"]}, True),
        ("routes", ROUTE, {**ROUTE, "paths": ["/a//b"]}, False),
        ("routes", ROUTE, {**ROUTE, "paths": ["~/a("]}, False),
        ("routes", ROUTE, {**ROUTE, "paths": []}, False),
        ("routes", ROUTE, {**ROUTE, "hosts": ["h:80"]}, False),
        ("routes", ROUTE, {**ROUTE, "protocols": ["tcp"]}, False),
        ("services", {"host": "h", "port": 80}, {"host": "h", "port": 81}, True),
        ("services", {"host": "h", "port": 80}, {"host": "h", "port": 99999}, False),
        ("services", {"host": "h", "port": 80}, {"host": "h", "port": True}, False),
        ("services", {"host": "h", "path": "/a"}, {"host": "h", "path": None}, False),
        ("services", {"host": "h"}, {"host": "h:80"}, False),
        ("upstreams", {"name": "u.test"}, {"name": "127.0.0.1"}, False),
        ("targets", {"target": "10.0.0.1:80"}, {"target": "h.test:8080"}, True),
        ("targets", {"target": "10.0.0.1:80"}, {"target": "10.0.0.1:70000"}, False),
        ("plugins", {"name": "x", "config": {"a": 1}}, {"name": "x", "config": {"a": 2}}, False),
    ],
)
def test_entities_that_kong_need_be_asked_about_once(
    kind: str, one: dict[str, t.Any], other: dict[str, t.Any], alike: bool
) -> None:
    assert (shapes.shape(kind, one) == shapes.shape(kind, other)) is alike


def test_what_is_plain_kong_took() -> None:
    """Everything plain that was recorded was stored; what was refused has a shape of its own."""
    # Code 2 is a schema violation; references and uniqueness are not what validation looks at.
    refused = [one for one in load("answers").values() if one["body"].get("code") == 2 and one["request"][2]]
    taken = {shapes.shape(case["kind"], case["sent"]) for case in load("stored")}
    for record in refused:
        kind = record["request"][1].split("/")[-2 if record["request"][1].endswith("validate") else -1]
        assert shapes.shape(kind, record["request"][2]) not in taken


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("validate.postgres#2", ["host: required field missing"]),
        ("validate.postgres#18", ["config.bogus: unknown field"]),
        ("validate.postgres#10", ["service.id: missing primary key"]),
        (
            "validate.postgres#34",
            ["at least one of these fields must be non-empty: 'pem', 'jwk'", "kid: required field missing"],
        ),
        ("validate.postgres#25", ["certificate does not match key"]),
        ("certificates_snis_ca.postgres#14", ["key: required field missing"]),
        ("surprises.postgres#14", ["An unexpected error occurred"]),
        ("config_push.dbless#87", ["routes.r: invalid reference 'service: absent' (no such entry in 'services')"]),
        ("config_push.dbless#64", ["certificates[0].snis[0].certificate: required field missing"]),
    ],
)
def test_reasons(name: str, expected: list[str]) -> None:
    assert writes.reasons(answer(name)) == expected


def test_a_read_only_admin_api_is_called_that() -> None:
    recorded = load("answers")["readonly_info.dbless#35"]
    error = Refused("n", "POST", "/services", recorded["status"], recorded["body"])
    assert error.message == "this Admin API is read-only"
    assert "is read-only" in Refused("n", "POST", "/services", 403, {}).message


def test_secrets_are_hidden_and_that_they_change_is_shown() -> None:
    item = stored("keyauth_credentials", 1, key="old-key-1", consumer=CONSUMER)
    wish = {"id": ID.format(1), "key": "new-key-2", "consumer": CONSUMER}
    change = only(
        {"keyauth_credentials": [wish]},
        {"consumers": [stored("consumers", 9, username="al")], "keyauth_credentials": [item]},
    )
    shown = masks.difference(change, catalogue())
    assert '"key": "<hidden, old value>"' in shown["before"]
    assert '"key": "<hidden, new value>"' in shown["after"]
    assert "old-key-1" not in str(shown)
    assert "new-key-2" not in str(shown)


def test_secrets_of_plugins_are_those_that_the_schema_names() -> None:
    config = {"minute": 1, "policy": "redis", "redis": {"host": "r", "password": "hunter22"}}
    wish = {"name": "rate-limiting", "config": config}
    change = only({"plugins": [wish]}, {})
    assert set(masks.secrets("plugins", change.body, catalogue())) == {"hunter22"}
    shown = masks.difference(change, catalogue())
    assert "hunter22" not in str(shown)
    assert '"host": "r"' in shown["after"]
    # Without a schema a name is enough.
    assert set(masks.secrets("plugins", {"name": "own", "config": {"a": {"api_key": "abcdef"}}}, None)) == {"abcdef"}


@pytest.mark.parametrize(
    ("name", "config", "shown"),
    [
        ("http-log", {"http_endpoint": "http://log", "headers": {"Authorization": "Basic hunter22"}}, "content_type"),
        ("opentelemetry", {"traces_endpoint": "http://t", "headers": {"x-api-key": "hunter22"}}, "http://t"),
        (
            "request-transformer",
            {"add": {"headers": ["X-Team: a", "Authorization: Bearer hunter22"]}},
            "Authorization: <hidden>",
        ),
    ],
)
def test_headers_for_other_apis_are_secrets(name: str, config: dict[str, t.Any], shown: str) -> None:
    change = only({"plugins": [{"name": name, "config": config}]}, {})
    assert any("hunter22" in text for text in masks.secrets("plugins", change.body, catalogue()))
    difference = masks.difference(change, catalogue())
    assert "hunter22" not in str(difference)
    assert shown in difference["after"]


def test_a_header_that_changes_says_so() -> None:
    lists = {
        "plugins": [
            stored("plugins", 1, name="request-transformer", config={"add": {"headers": ["Authorization:old"]}})
        ]
    }
    wish = {"name": "request-transformer", "config": {"add": {"headers": ["Authorization:new"]}}}
    shown = masks.difference(only({"plugins": [wish]}, lists), catalogue())
    assert '"Authorization:<hidden, old value>"' in shown["before"]
    assert '"Authorization:<hidden, new value>"' in shown["after"]


def test_a_reference_to_a_vault_is_no_secret() -> None:
    assert list(masks.secrets("keyauth_credentials", {"key": "{vault://env/KEY}"}, None)) == []


def test_secrets_in_messages_of_kong() -> None:
    message = answer("surprises.postgres#33")["message"]
    assert masks.scrub(message, ["K2"]) == "UNIQUE violation detected on '{key=\"<hidden>\"}'"
    # A short secret is part of many words.
    assert masks.scrub("key=a is taken", ["a"]) == "key=<hidden> is taken"


def test_a_document_that_is_not_understood_yet() -> None:
    content = {"consumers": [{"keyauth_credentials": [{"key": "abcdef"}], "username": "http"}]}
    assert masks.of_sources(content) == {"abcdef"}
