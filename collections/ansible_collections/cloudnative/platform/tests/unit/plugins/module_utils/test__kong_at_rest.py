# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every creation that was recorded, applied again: nothing changes. That is what decK does not manage."""

from __future__ import annotations

import base64
import hashlib
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import compare, document, plan, rewrites
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KINDS
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kong_support import (
    ID,
    catalogue,
    load,
    merged,
    parents,
    planned,
    sentences,
    stored,
)

RECORDED = [pytest.param(case, id=f"{case['source']}-{case['kind']}") for case in load("stored")]


def wish_of(case: dict[str, t.Any]) -> dict[str, t.Any]:
    """What was sent, with the references that stood in the path."""
    wish = dict(case["sent"])
    for field in KINDS[case["kind"]].foreign:
        if case["stored"].get(field):
            wish[field] = {"id": case["stored"][field]["id"]}
    return wish


@pytest.mark.parametrize("case", RECORDED)
def test_what_was_created_is_at_rest(case: dict[str, t.Any]) -> None:
    kind, item = case["kind"], case["stored"]
    wish = wish_of(case)
    # Without a key of their own, credentials are told apart by their id.
    generated = KINDS[kind].generated
    if generated and not wish.get(generated[0]) and generated[0] in KINDS[kind].keys[0]:
        wish["id"] = item["id"]
    if kind == "key_sets" and not wish.get("name"):
        wish["id"] = item["id"]
    made = planned({kind: [wish]}, {**parents(kind, item), kind: [item]})
    assert sentences(made) == []


def pair(kind: str, wish: dict[str, t.Any], item: dict[str, t.Any]) -> list[str]:
    return sentences(planned({kind: [wish]}, {kind: [item]}))


@pytest.mark.parametrize(
    ("wish", "kept"),
    [
        ({"algorithm": "consistent-hashing", "hash_on": "none"}, ("round-robin", "none")),
        ({"algorithm": "consistent-hashing"}, ("round-robin", "none")),
        ({"hash_on": "ip"}, ("consistent-hashing", "ip")),
        ({"algorithm": "round-robin", "hash_on": "ip"}, ("consistent-hashing", "ip")),
        ({"algorithm": "least-connections", "hash_on": "ip"}, ("least-connections", "none")),
        ({"algorithm": "latency", "hash_on": "header", "hash_on_header": "X"}, ("latency", "none")),
        ({"algorithm": None, "hash_on": None}, ("round-robin", "none")),
    ],
)
def test_upstreams_whose_algorithm_kong_rewrites(wish: dict[str, t.Any], kept: tuple[str, str]) -> None:
    extra = {"hash_on_header": "X"} if "hash_on_header" in wish else {}
    item = stored("upstreams", 1, name="u", algorithm=kept[0], hash_on=kept[1], **extra)
    assert pair("upstreams", {"name": "u", **wish}, item) == []
    # And the wish is applied where something else is stored.
    other = "least-connections" if kept[0] == "round-robin" else "round-robin"
    assert pair("upstreams", {"name": "u", **wish}, {**item, "algorithm": other}) == ["update upstream u: algorithm"]


def test_a_rewrite_that_loses_a_wish_is_a_warning() -> None:
    made = planned({"upstreams": [{"name": "u", "algorithm": "least-connections", "hash_on": "ip"}]})
    assert "Kong stores algorithm least-connections with hash_on none" in made.warnings[0]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("h.test", "h.test:8000"),
        ("h.test:80", "h.test:80"),
        ("10.0.0.1", "10.0.0.1:8000"),
        ("::1", "[0000:0000:0000:0000:0000:0000:0000:0001]:8000"),
        ("[2001:db8:0::1]:80", "[2001:0db8:0000:0000:0000:0000:0000:0001]:80"),
        ("bad host:1", "bad host:1"),
    ],
)
def test_targets_as_kong_stores_them(text: str, kept: str) -> None:
    assert rewrites.target(text) == kept


def test_a_target_without_port_is_at_rest() -> None:
    upstream = stored("upstreams", 1, name="u")
    item = stored("targets", 2, target="h.test:8000", upstream={"id": ID.format(1)})
    wish = {"upstreams": [{"name": "u", "targets": [{"target": "h.test"}]}]}
    assert sentences(planned(wish, {"upstreams": [upstream], "targets": [item]}, prune=True)) == []


@pytest.mark.parametrize(
    ("plugin", "wish", "kept"),
    [
        ("opentelemetry", {"endpoint": "http://o/v1"}, {"traces_endpoint": "http://o/v1"}),
        ("response-ratelimiting", {"limits": {"x": {"minute": 1}}, "redis_host": "r"}, {"redis.host": "r"}),
        ("acme", {"account_email": "a@b.c", "storage": "redis", "storage_config": {"redis": {"host": "r"}}}, {}),
        ("acme", {"account_email": "a@b.c", "storage_config": {"redis": {"auth": "p"}}}, {}),
        ("statsd", {}, {}),
        ("datadog", {}, {}),
        ("session", {"cookie_samesite": "off"}, {"cookie_same_site": "Lax"}),
        ("rate-limiting", {"minute": 5, "redis_host": "r", "redis": {"host": "r"}}, {"redis.host": "r"}),
    ],
)
def test_plugins_that_deck_never_brings_to_rest(plugin: str, wish: dict[str, t.Any], kept: dict[str, t.Any]) -> None:
    known = catalogue()
    body = known.record("plugins", {"name": plugin}).without_shorthands({"name": plugin, "config": wish}, [])
    item = stored("plugins", 1, **known.canonical("plugins", body))
    for path, value in kept.items():
        place = item["config"]
        for step in path.split("."):
            place = place[step]
        assert place == value
    # Kong shows the old names as well, and a null for every field of a record that has no value.
    item["config"]["redis_host"] = "r"
    for metric in item["config"].get("metrics") or []:
        metric.update(dict.fromkeys({"sample_rate", "consumer_identifier"} - set(metric)))
    assert pair("plugins", {"name": plugin, "config": wish}, item) == []
    other = {**item, "enabled": False}
    assert pair("plugins", {"name": plugin, "config": wish}, other) == [f"update plugin {plugin} (global): enabled"]


def test_two_names_of_one_setting_must_agree() -> None:
    wish = {"name": "rate-limiting", "config": {"minute": 1, "redis_host": "a", "redis": {"host": "b"}}}
    made = planned({"plugins": [wish]})
    assert "config.redis_host and config.redis.host are two names of one setting and differ" in made.problems[0]


@pytest.mark.parametrize(
    ("wish", "left", "changes"),
    [
        (3600, 3599, []),
        (3600, 0, []),
        (100, 3600, ["ttl"]),
        (3600, None, ["ttl"]),
        (None, 3600, ["ttl"]),
        (0, None, []),
    ],
)
def test_a_key_that_ends(wish: int | None, left: int | None, changes: list[str]) -> None:
    item = stored("keyauth_credentials", 1, key="K", consumer={"id": ID.format(9)}, ttl=left)
    made = planned(
        {"keyauth_credentials": [{"key": "K", "ttl": wish, "consumer": {"id": ID.format(9)}}]},
        {"consumers": [stored("consumers", 9, username="al")], "keyauth_credentials": [item]},
    )
    assert made.problems == []
    assert [change.fields for change in made.changes] == ([changes] if changes else [])
    for change in made.changes:
        # A null, which is what Kong itself returns, makes it answer 500.
        assert change.body.get("ttl", 1) is not None


def test_another_change_does_not_make_a_key_live_longer() -> None:
    item = stored("keyauth_credentials", 1, key="K", consumer={"id": ID.format(9)}, ttl=50)
    wish = {"key": "K", "ttl": 3600, "tags": ["t"], "consumer": {"id": ID.format(9)}}
    made = planned(
        {"keyauth_credentials": [wish]},
        {"consumers": [stored("consumers", 9, username="al")], "keyauth_credentials": [item]},
    )
    assert made.changes[0].body["ttl"] == 50


def basic_auth(password: str, stored_hash: str, transform: bool = True) -> list[str]:
    consumer = "74e71589-bee5-4760-b1f4-b6c2ca04e4b3"
    item = stored("basicauth_credentials", 1, username="u", password=stored_hash, consumer={"id": consumer})
    made = plan.compute(
        merged(
            _transform=transform,
            consumers=[{"username": "alice", "basicauth_credentials": [{"username": "u", "password": password}]}],
        ),
        Observed(
            {"consumers": [stored("consumers", 2, id=consumer, username="alice")], "basicauth_credentials": [item]}
        ),
        catalogue(),
    )
    return sentences(made)


def test_a_changed_password_is_applied_and_an_unchanged_one_is_not() -> None:
    kept = "657280921c3137e669a5b4e02e75f797300b5eb0"  # as recorded for "secret"
    assert basic_auth("secret", kept) == []
    assert basic_auth("other", kept) == ["update basic-auth credential u of consumer alice: password"]
    assert basic_auth(kept, kept, transform=False) == []


def test_an_oauth2_secret_that_kong_hashed() -> None:
    # In the form that the plugin's secret.lua writes.
    made = hashlib.pbkdf2_hmac("sha512", b"s3cret", b"0123456789abcdef", 10000, 32)
    hashed = f"$pbkdf2-sha512$i=10000,l=32$MDEyMzQ1Njc4OWFiY2RlZg${base64.b64encode(made).decode().rstrip('=')}"
    assert rewrites.secret_matches("s3cret", hashed)
    assert not rewrites.secret_matches("other", hashed)
    assert rewrites.secret_matches("plain", "plain")


@pytest.mark.parametrize(
    ("wish", "kept", "changes"),
    [
        ({"retries": None}, {"retries": None}, []),
        ({"retries": None}, {"retries": 5}, ["retries"]),
        ({}, {"retries": None}, ["retries"]),
        ({}, {"retries": 5}, []),
        ({"path": None, "tags": None, "ca_certificates": None}, {}, []),
        ({"tags": []}, {"tags": None}, []),
        ({"tags": ["b", "a", "a"]}, {"tags": ["a", "b"]}, []),
        ({"url": "http://h.test"}, {"port": 80}, []),
        ({"url": "https://h.test:8443/base?x=1"}, {"protocol": "https", "port": 8443, "path": "/base"}, []),
        ({"url": "https://h.test", "path": "/p", "port": 9}, {"protocol": "https", "port": 443, "path": None}, []),
        ({"url": "http://H.test"}, {"port": 80}, ["host"]),
    ],
)
def test_services(wish: dict[str, t.Any], kept: dict[str, t.Any], changes: list[str]) -> None:
    item = stored("services", 1, name="s", host="h.test", **kept)
    base = {"name": "s"} if "url" in wish else {"name": "s", "host": "h.test"}
    made = planned({"services": [{**base, **wish}]}, {"services": [item]})
    assert made.problems == []
    assert [change.fields for change in made.changes] == ([changes] if changes else [])


def test_a_route_without_name_is_found_by_what_it_matches() -> None:
    service = stored("services", 1, name="s", host="h")
    item = stored("routes", 2, paths=["/x"], service={"id": ID.format(1)})
    wish = {"services": [{"name": "s", "host": "h", "routes": [{"paths": ["/x"]}]}]}
    assert sentences(planned(wish, {"services": [service], "routes": [item]}, prune=True)) == []


def test_a_certificate_without_id_is_found_by_its_text() -> None:
    item = stored("certificates", 1, cert="-----BEGIN C-----\nab\n-----END C-----", key="k")
    wish = {"cert": "-----BEGIN C-----\r\nab\r\n-----END C-----\r\n", "key": "k\n"}
    assert pair("certificates", wish, item) == []


def test_what_kong_made_up_is_kept() -> None:
    item = stored("plugins", 1, name="oauth2", config={"scopes": None, "provision_key": "made-up"})
    item["config"] = {**catalogue().canonical("plugins", {"name": "oauth2", "config": {}})["config"], **item["config"]}
    assert pair("plugins", {"name": "oauth2", "config": {}}, item) == []
    made = planned({"plugins": [{"name": "oauth2", "config": {"pkce": "strict"}}]}, {"plugins": [item]})
    assert made.changes[0].body["config"]["provision_key"] == "made-up"


def test_the_secret_of_a_session_is_each_nodes_own_default() -> None:
    item = stored("plugins", 1, **catalogue().canonical("plugins", {"name": "session", "config": {}}))
    item["config"]["secret"] = "random-of-some-node"
    assert pair("plugins", {"name": "session"}, item) == []


def test_a_certificate_by_lines() -> None:
    entity = document.Entity("ca_certificates", {}, "", "")
    entity.body = {"cert": "a\nb\n"}
    assert compare.differing(entity, {"cert": "a\nb"}, catalogue()) == []
