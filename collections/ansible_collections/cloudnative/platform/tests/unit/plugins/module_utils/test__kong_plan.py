# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import guard, plan, sync, writes
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.catalogue import Catalogue
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import too_many
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kong_support import (
    ID,
    catalogue,
    merged,
    planned,
    sentences,
    stored,
)

SERVICE = {"id": ID.format(1)}
CONSUMER = {"id": ID.format(2)}


def requests(made: plan.Plan) -> list[str]:
    """Methods and paths in the order in which they are sent."""
    assert made.problems == []
    return [" ".join(writes.request(change)[:2]) for step in sync.phases(made) for change in step]


def gateway() -> dict[str, list[dict[str, t.Any]]]:
    return {
        "services": [stored("services", 1, name="a", host="h", tags=["own"])],
        "routes": [stored("routes", 3, name="r", paths=["/"], service=SERVICE, tags=["own"])],
        "consumers": [stored("consumers", 2, username="al", tags=["own"])],
        "keyauth_credentials": [stored("keyauth_credentials", 4, key="K", consumer=CONSUMER, tags=["own"])],
    }


WISH = {
    "services": [{"name": "a", "host": "h", "routes": [{"name": "r", "paths": ["/"]}]}],
    "consumers": [{"username": "al", "keyauth_credentials": [{"key": "K"}]}],
}


def test_nothing_to_do() -> None:
    assert sentences(planned(WISH, gateway(), ["own"], prune=True)) == []


def test_everything_new_goes_level_by_level() -> None:
    made = planned(WISH)
    assert sentences(made)[:2] == [
        "create consumer al",
        "create key-auth credential " + made.changes[1].id + " of consumer al",
    ]
    assert [request.split("/")[1] for request in requests(made)] == ["consumers", "key-auths", "services", "routes"]
    assert all(request.startswith("PUT ") for request in requests(made))


def test_ids_are_the_same_in_every_run() -> None:
    assert [change.id for change in planned(WISH).changes] == [change.id for change in planned(WISH).changes]


def test_the_id_of_a_key_tells_nothing_of_the_key() -> None:
    one = planned({"consumers": [{"username": "al", "keyauth_credentials": [{"key": "one"}]}]})
    two = planned({"consumers": [{"username": "al", "keyauth_credentials": [{"key": "two"}]}]})
    assert one.changes[1].id == two.changes[1].id
    # But a second key of one consumer is a second credential, and a new key does not overwrite the old one.
    item = stored("keyauth_credentials", 0, id=one.changes[1].id, key="one", consumer={"id": one.changes[0].id})
    consumer = stored("consumers", 0, id=one.changes[0].id, username="al")
    made = planned(
        {"consumers": [{"username": "al", "keyauth_credentials": [{"key": "two"}]}]},
        {"consumers": [consumer], "keyauth_credentials": [item]},
    )
    assert made.changes[0].action == "create"
    assert made.changes[0].id != item["id"]


def test_only_what_differs_is_written() -> None:
    wish = {"services": [{"name": "a", "host": "h", "routes": [{"name": "r", "paths": ["/new"]}]}]}
    made = planned(wish, gateway(), ["own"])
    assert sentences(made) == ["update route r: paths"]
    assert requests(made) == [f"PUT /routes/{ID.format(3)}"]
    # A PUT without it would make the route look new.
    assert made.changes[0].body["created_at"] == 1795349498


def test_generated_secrets_are_sent_back() -> None:
    lists = {
        "consumers": [stored("consumers", 2, username="al")],
        "hmacauth_credentials": [stored("hmacauth_credentials", 5, username="h", secret="made-up", consumer=CONSUMER)],
        "jwt_secrets": [stored("jwt_secrets", 6, key="iss", secret="made-up-too", consumer=CONSUMER)],
    }
    wish = {
        "consumers": [
            {
                "username": "al",
                "hmacauth_credentials": [{"username": "h", "tags": ["t"]}],
                "jwt_secrets": [{"key": "iss", "tags": ["t"]}],
            }
        ]
    }
    made = planned(wish, lists)
    assert [change.fields for change in made.changes] == [["tags"], ["tags"]]
    assert [change.body["secret"] for change in made.changes] == ["made-up", "made-up-too"]
    assert made.changes[1].body["key"] == "iss"


def test_a_credential_without_a_key_is_found_again() -> None:
    wish = {"consumers": [{"username": "al", "keyauth_credentials": [{}, {}], "jwt_secrets": [{}]}]}
    consumer = stored("consumers", 2, username="al")
    first = planned(wish, {"consumers": [consumer]})
    lists: dict[str, list[dict[str, t.Any]]] = {"consumers": [consumer]}
    for number, change in enumerate(first.changes):
        item = stored(change.kind, 0, id=change.id, key=f"made-{number}", consumer=CONSUMER)
        lists.setdefault(change.kind, []).append(item)
    assert len(first.changes) == 3
    assert sentences(planned(wish, lists)) == []


def test_prune_takes_what_is_owned_and_nothing_else() -> None:
    lists = gateway()
    lists["services"].append(stored("services", 7, name="theirs", host="h"))
    made = planned({}, lists, ["own"], prune=True)
    assert sentences(made) == [
        "delete consumer al",
        f"delete key-auth credential {ID.format(4)} of consumer al (with consumer al)",
        "delete service a",
        "delete route r",
    ]
    # The key goes with its consumer: it needs no request, and a second one would be refused.
    assert requests(made) == [
        f"DELETE /routes/{ID.format(3)}",
        f"DELETE /services/{ID.format(1)}",
        f"DELETE /consumers/{ID.format(2)}",
    ]
    assert sentences(planned({}, lists, ["own"])) == []


@pytest.mark.parametrize(
    ("kind", "child", "problem"),
    [
        (
            "routes",
            {"name": "x", "paths": ["/"], "service": SERVICE},
            "service a can't be deleted, because route x still refers",
        ),
        (
            "plugins",
            {"name": "cors", "service": SERVICE},
            "plugin cors of service a with it, which is not of this owner",
        ),
        (
            "acls",
            {"group": "g", "consumer": CONSUMER},
            "acl group g of consumer al with it, which is not of this owner",
        ),
    ],
)
def test_what_others_own_is_not_taken_along(kind: str, child: dict[str, t.Any], problem: str) -> None:
    lists = gateway()
    lists[kind] = [*lists.get(kind, []), stored(kind, 8, **child)]
    made = planned({}, lists, ["own"], prune=True)
    assert len(made.problems) == 1
    assert problem in made.problems[0]


def test_a_certificate_in_use_is_not_deleted() -> None:
    """Kong refuses it, and has dropped its SNIs by then."""
    certificate = stored("certificates", 5, cert="c", key="k", tags=["own"])
    lists = {
        "certificates": [certificate],
        "snis": [stored("snis", 6, name="s.test", certificate={"id": ID.format(5)}, tags=["own"])],
        "services": [stored("services", 1, name="a", host="h", client_certificate={"id": ID.format(5)})],
    }
    made = planned({}, lists, ["own"], prune=True)
    assert "certificate" in made.problems[0]
    assert "because service a still refers to it" in made.problems[0]
    lists["services"] = []
    assert requests(planned({}, lists, ["own"], prune=True)) == [f"DELETE /certificates/{ID.format(5)}"]


def test_a_ca_certificate_in_use_is_not_deleted() -> None:
    lists = {
        "ca_certificates": [stored("ca_certificates", 5, cert="c", tags=["own"])],
        "services": [stored("services", 1, name="a", host="h", ca_certificates=[ID.format(5)])],
    }
    assert "because service a still refers to it" in planned({}, lists, ["own"], prune=True).problems[0]


def test_two_owners() -> None:
    lists = {"services": [stored("services", 1, name="a", host="h", tags=["managed-by=team-b"])]}
    made = planned({"services": [{"name": "a", "host": "h"}]}, lists, ["managed-by=team-a"])
    assert "belongs to owner team-b in the gateway" in made.problems[0]


def test_what_nobody_owns_is_adopted() -> None:
    lists = {"services": [stored("services", 1, name="a", host="h")]}
    made = planned({"services": [{"name": "a", "host": "h"}]}, lists, ["managed-by=team-a"])
    assert sentences(made) == ["update service a: tags"]


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        (
            {
                "routes": [{"name": "r", "paths": ["/"], "service": "ordrs"}],
                "services": [{"name": "orders", "host": "h"}],
            },
            "there is no service ordrs, neither in the documents nor in the gateway, did you mean orders?",
        ),
        ({"plugins": [{"name": "rate-limitng"}]}, "this Kong has no plugin rate-limitng, did you mean rate-limiting?"),
        ({"services": [{"name": "a", "host": "h", "prt": 1}]}, "unknown field prt, did you mean port?"),
        ({"services": [{"name": "a"}]}, "host is missing"),
        ({"services": [{"name": "a", "host": "h", "port": None}]}, "port is null, leave it out to get its default"),
        ({"upstreams": [{"name": "u", "slots": None}]}, "slots is null, leave it out to get its default"),
        ({"certificates": [{"cert": "c"}]}, "key is missing"),
        (
            {"plugins": [{"name": "cors", "config": {"orgins": ["*"]}}]},
            "unknown field config.orgins, did you mean origins?",
        ),
        ({"plugins": [{"config": {}}]}, "a plugin needs a name"),
        ({"consumers": [{"tags": ["t"]}]}, "a consumer needs username, custom_id or id"),
        (
            {"plugins": [{"name": "cors"}, {"name": "cors"}]},
            "two plugins have the same name and service and route and consumer",
        ),
        (
            {"upstreams": [{"name": "u", "targets": [{"target": "h"}, {"target": "h:8000"}]}]},
            "two targets have the same",
        ),
        ({"consumers": [{"username": "a", "basicauth_credentials": [{"username": "b"}]}]}, "password is missing"),
    ],
)
def test_bad_input(wish: dict[str, t.Any], problem: str) -> None:
    made = planned(wish)
    assert len(made.problems) == 1
    assert problem in made.problems[0]
    assert "kong.yml: " in made.problems[0]
    assert made.changes == []


def test_credentials_of_a_plugin_that_is_not_installed() -> None:
    known = catalogue()
    raw = {name: schema for name, schema in known.raw.items() if name != "acls"}
    made = plan.compute(merged(consumers=[{"username": "a", "acls": [{"group": "g"}]}]), Observed({}), Catalogue(raw))
    assert "this Kong has no acls, because it does not have the plugin acl" in made.problems[0]


def test_a_consumer_is_referred_to_by_its_user_name() -> None:
    wish = {
        "consumers": [{"username": "a", "custom_id": "b"}, {"username": "b"}],
        "acls": [{"group": "g", "consumer": "b"}],
    }
    made = planned(wish)
    owner = {change.id: change.label for change in made.changes}
    assert [owner[change.body["consumer"]["id"]] for change in made.changes if change.kind == "acls"] == ["consumer b"]


def test_a_name_that_another_gives_up() -> None:
    lists = {
        "consumers": [
            stored("consumers", 1, username="a", custom_id="1"),
            stored("consumers", 2, username="b", custom_id="2"),
        ]
    }
    wish = {"consumers": [{"username": "a", "custom_id": "2"}, {"username": "b", "custom_id": "1"}]}
    made = planned(wish, lists)
    assert requests(made) == [
        f"PATCH /consumers/{ID.format(1)}",
        f"PATCH /consumers/{ID.format(2)}",
        f"PUT /consumers/{ID.format(1)}",
        f"PUT /consumers/{ID.format(2)}",
    ]
    assert [change.body for change in made.of("release")] == [{"custom_id": None}, {"custom_id": None}]


def test_consumers_keep_one_name_while_they_swap_the_other() -> None:
    """Kong refuses a consumer that has neither."""
    lists = {"consumers": [stored("consumers", 1, username="a"), stored("consumers", 2, username="b")]}
    wish = {"consumers": [{"id": ID.format(1), "username": "b"}, {"id": ID.format(2), "username": "a"}]}
    assert planned(wish, lists).problems == [
        "consumer b and consumer a swap their username: do it in two steps",
        "consumer a and consumer b swap their username: do it in two steps",
    ]


def test_a_run_without_owner_says_whose_tag_it_takes_away() -> None:
    lists = {"services": [stored("services", 1, name="a", host="h", tags=["managed-by=team"])]}
    made = planned({"services": [{"name": "a", "host": "other"}]}, lists)
    assert made.warnings == ["service a (kong.yml: services[0]): owner team loses it, because this run has no owner"]
    kept = planned({"services": [{"name": "a", "host": "other", "tags": ["managed-by=team"]}]}, lists)
    assert kept.warnings == []


def test_a_reference_by_id_in_any_letters() -> None:
    service = "0000000a-0000-4000-8000-00000000000a"
    wish = {
        "services": [{"id": service, "name": "a", "host": "h", "url": None}],
        "routes": [{"name": "r", "paths": ["/"], "service": {"id": service.upper()}}],
    }
    made = planned(wish)
    assert made.problems == []
    assert [change.body["service"] for change in made.changes if change.kind == "routes"] == [{"id": service}]


def test_an_algorithm_that_is_no_text_is_left_to_kong() -> None:
    made = planned({"upstreams": [{"name": "u", "algorithm": ["a"]}]})
    assert (made.warnings, made.changes[0].body["algorithm"]) == ([], ["a"])


def test_a_name_that_goes_with_what_is_deleted() -> None:
    lists = {"plugins": [stored("plugins", 1, name="cors", instance_name="x", tags=["own"])]}
    made = planned({"plugins": [{"name": "prometheus", "instance_name": "x"}]}, lists, ["own"], prune=True)
    # The same instance name on another plugin: found by it, so it is the same entity.
    assert [request.split()[0] for request in requests(made)] == ["PUT"]


def test_a_name_that_somebody_keeps() -> None:
    lists = {"consumers": [stored("consumers", 1, username="a", custom_id="1"), stored("consumers", 2, username="b")]}
    made = planned({"consumers": [{"username": "b", "custom_id": "1"}]}, lists)
    assert "its custom_id 1 is already taken by consumer a, which is not in the documents" in made.problems[0]


def test_an_explicit_id_replaces_a_service_without_a_gap() -> None:
    wish = {
        "services": [{"id": ID.format(9), "name": "a", "host": "h", "routes": [{"name": "r", "paths": ["/"]}]}],
    }
    made = planned(wish, {name: gateway()[name] for name in ("services", "routes")}, ["own"])
    assert requests(made) == [
        f"PATCH /services/{ID.format(1)}",
        f"PUT /services/{ID.format(9)}",
        f"PUT /routes/{ID.format(3)}",
        f"DELETE /services/{ID.format(1)}",
    ]


def test_an_explicit_id_replaces_a_consumer_and_its_credentials() -> None:
    wish = {"consumers": [{"id": ID.format(9), "username": "al", "keyauth_credentials": [{"key": "K"}]}]}
    made = planned(wish, {name: gateway()[name] for name in ("consumers", "keyauth_credentials")}, ["own"])
    assert requests(made) == [
        f"DELETE /consumers/{ID.format(2)}",
        f"PUT /consumers/{ID.format(9)}",
        f"PUT /key-auths/{ID.format(4)}",
    ]


def test_targets_of_a_replaced_upstream_are_created_again() -> None:
    lists = {
        "upstreams": [stored("upstreams", 1, name="u")],
        "targets": [stored("targets", 2, target="h:1", upstream={"id": ID.format(1)})],
    }
    wish = {"upstreams": [{"id": ID.format(9), "name": "u", "targets": [{"target": "h:1"}]}]}
    assert requests(planned(wish, lists)) == [
        f"DELETE /upstreams/{ID.format(1)}",
        f"PUT /upstreams/{ID.format(9)}",
        f"POST /upstreams/{ID.format(9)}/targets",
    ]


def absence(wish: dict[str, t.Any] | None, lists: dict[str, list[dict[str, t.Any]]], tags: list[str]) -> plan.Plan:
    return plan.compute_absence(None if wish is None else merged(**wish), Observed(lists), catalogue(), tags)


def test_absence_of_what_is_named() -> None:
    made = absence({"consumers": [{"username": "al"}, {"username": "gone"}]}, gateway(), [])
    assert requests(made) == [f"DELETE /consumers/{ID.format(2)}"]
    made = absence({"services": [{"name": "a"}]}, gateway(), [])
    assert "service a can't be deleted, because route r still refers to it" in made.problems[0]
    made = absence({"services": [{"name": "a", "routes": [{"name": "r"}]}]}, gateway(), [])
    assert len(requests(made)) == 2


def test_absence_of_an_owner() -> None:
    assert len(absence(None, gateway(), ["own"]).changes) == 4
    assert absence(None, gateway(), ["other"]).changes == []


def test_the_guard() -> None:
    assert too_many(["a", "b"], 2) is None
    assert too_many(["a"] * 50, -1) is None
    assert "3 entities would be deleted, more than prune_max=2 allows: a, b, c" in (too_many(["a", "b", "c"], 2) or "")


def test_a_hash_is_not_given_to_a_kong_that_would_hash_it() -> None:
    wish = {
        "_transform": False,
        "consumers": [{"username": "al", "basicauth_credentials": [{"username": "u", "password": "0" * 40}]}],
    }
    made = planned(wish)
    assert "only the hash of its password" in guard.hashes(made, False)[0]
    assert guard.hashes(made, True) == []
