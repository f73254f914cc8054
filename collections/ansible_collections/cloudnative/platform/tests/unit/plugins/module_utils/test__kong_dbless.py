# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import dbless, document, export, guard, plan
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.identity import Identities
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kong_support import (
    ID,
    answer,
    catalogue,
    load,
    merged,
    stored,
)


def settled(**content: t.Any) -> document.Document:
    made = merged(**content)
    identities = Identities(None, Observed({}), [])
    identities.settle(made)
    assert identities.problems == []
    return made


WISH: dict[str, t.Any] = {
    "services": [{"name": "b", "host": "h"}, {"name": "a", "host": "h", "routes": [{"name": "r", "paths": ["/"]}]}],
    "consumers": [{"username": "al", "basicauth_credentials": [{"username": "u", "password": "p"}]}],
    "certificates": [{"cert": "c", "key": "k", "snis": ["s.test"]}],
}


def test_the_same_wish_gives_the_same_bytes() -> None:
    text = dbless.render(settled(**WISH))
    flat = {
        "services": [{"host": "h", "name": "a"}, {"host": "h", "name": "b"}],
        "routes": [{"paths": ["/"], "service": {"name": "a"}, "name": "r"}],
        "consumers": WISH["consumers"],
        "certificates": WISH["certificates"],
    }
    assert dbless.render(settled(**flat)) == text
    assert dbless.expected_hash(text, False) == hashlib.md5(text.encode()).hexdigest()


def test_the_text_is_flat_and_gives_every_id() -> None:
    """Nested SNIs next to basic-auth credentials are refused (config_push.dbless#64)."""
    content = json.loads(dbless.render(settled(**WISH)))
    assert content["snis"][0]["certificate"] == content["certificates"][0]["id"]
    assert "snis" not in content["certificates"][0]
    items = [item for kind, found in content.items() if isinstance(found, list) for item in found]
    assert all(item["id"] for item in items)


def test_text_that_yaml_reads_as_json_does() -> None:
    text = dbless.render(settled(services=[{"name": "ü\u2028\x7f\u0085😀", "host": "h"}]))
    assert json.loads(text)["services"][0]["name"] == "ü\u2028\x7f\u0085😀"
    assert "\\u2028" in text
    assert "\\u007f" in text
    assert "😀" in text


def test_a_document_without_entities_has_the_hash_of_none() -> None:
    assert dbless.expected_hash(dbless.render(settled()), True) == "0" * 32


@pytest.mark.parametrize(
    ("credential", "problem"),
    [
        ({"keyauth_credentials": [{}]}, "every node would make up its own key: give it"),
        ({"jwt_secrets": [{}]}, "make up its own key and secret"),
        ({"hmacauth_credentials": [{"username": "u"}]}, "make up its own secret"),
        ({"keyauth_credentials": [{"key": "k", "ttl": 100}]}, "ttl 100 has passed"),
        ({"keyauth_credentials": [{"key": "k", "ttl": 5000}]}, None),
        ({"jwt_secrets": [{"key": "k", "algorithm": "RS256", "rsa_public_key": "p"}]}, None),
    ],
)
def test_what_a_node_would_take_and_get_wrong(credential: dict[str, t.Any], problem: str | None) -> None:
    made = merged(consumers=[{"username": "al", **credential}])
    found = guard.without_database(made, 1000)
    assert (problem is None and found == []) or (problem is not None and problem in found[0])


def test_errors_are_told_at_the_place_in_the_document() -> None:
    recorded = load("answers")["config_push.dbless#52"]
    made = document.merge([("gateway.yml", json.loads(recorded["request"][2]["config"]))])
    identities = Identities(None, Observed({}), [])
    identities.settle(made)
    found = dbless.flattened(recorded["body"], made)
    assert any("service noh (gateway.yml: services[2]): host: required field missing" in line for line in found)
    assert any(line.startswith("service bad (gateway.yml: services[1]): retries: value should be") for line in found)
    assert any("route badr (gateway.yml: services[1].routes[0])" in line for line in found)
    assert any("plugins[0]" in line and "config.minute: value must be greater than 0" in line for line in found)


def test_a_lost_reference_leaves_nothing_to_tell() -> None:
    assert dbless.flattened(answer("config_push.dbless#58"), merged()) == []


def test_an_unknown_kind_is_told() -> None:
    body = {"fields": {"bogus": "unknown field"}, "flattened_errors": {}}
    assert dbless.flattened(body, merged()) == ["bogus: unknown field"]


def lists() -> dict[str, list[dict[str, t.Any]]]:
    service, consumer = {"id": ID.format(1)}, {"id": ID.format(2)}
    return {
        "services": [stored("services", 1, name="a", host="h", port=81, retries=None)],
        "routes": [stored("routes", 3, name="r", paths=["/"], service=service), stored("routes", 4, hosts=["x"])],
        "consumers": [stored("consumers", 2, username="al"), stored("consumers", 8, username="bo")],
        "basicauth_credentials": [
            stored("basicauth_credentials", 5, username="u", password="0" * 40, consumer=consumer)
        ],
        "keyauth_credentials": [stored("keyauth_credentials", 6, key="secret-key", consumer={"id": ID.format(8)})],
        "plugins": [
            stored("plugins", 7, name="cors", service=service, consumer=consumer, config={"origins": ["*"]}),
            stored("plugins", 10, name="acl", service=service, config={"allow": ["g"]}),
        ],
        "certificates": [stored("certificates", 11, cert="c", key="private")],
        "snis": [stored("snis", 12, name="s.test", certificate={"id": ID.format(11)})],
        "upstreams": [stored("upstreams", 13, name="u")],
        "targets": [stored("targets", 14, target="h:1", upstream={"id": ID.format(13)})],
    }


def with_plugin_defaults() -> Observed:
    found = lists()
    for item in found["plugins"]:
        item["config"] = catalogue().canonical("plugins", item)["config"]
    return Observed(found)


def test_an_export_applied_again_changes_nothing() -> None:
    observed = with_plugin_defaults()
    content = export.document(observed, catalogue())
    made = document.merge([("export", json.loads(json.dumps(content)))])
    assert plan.compute(made, observed, catalogue(), (), ()).problems == []
    assert [change.sentence() for change in plan.compute(made, observed, catalogue(), (), ()).changes] == []


def test_an_export_is_what_a_person_would_write() -> None:
    content = export.document(with_plugin_defaults(), catalogue())
    assert content["_transform"] is False
    service = dict(content["services"][0])
    plugins, routes = service.pop("plugins"), service.pop("routes")
    assert service == {"name": "a", "retries": None, "protocol": "http", "host": "h", "port": 81}
    assert routes == [{"name": "r", "paths": ["/"]}]
    assert plugins == [{"name": "acl", "config": {"allow": ["g"]}}]
    # Two parents: it stands by itself.
    assert content["plugins"] == [{"name": "cors", "service": "a", "consumer": "al", "config": {"origins": ["*"]}}]
    # The hash of a password contains the id of its consumer.
    assert content["consumers"][0]["id"] == ID.format(2)
    assert "id" not in content["consumers"][1]


def test_a_masked_export_can_not_be_applied() -> None:
    content = export.document(with_plugin_defaults(), catalogue(), with_secrets=False)
    assert "secret-key" not in json.dumps(content)
    assert "private" not in json.dumps(content)
    with pytest.raises(document.Problems, match="export it to a file"):
        document.merge([("export", content)])
