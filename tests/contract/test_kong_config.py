# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_config and kong_info against a Kong with a database: the double of this repository, or the empty real one that
`KONG_ADMIN_URL` names."""

from __future__ import annotations

import json
import typing as t
import urllib.request

import pytest
from kong_gateway import AT_REST, Gateway, certificate, document, everything

GATEWAY = Gateway("postgres")


@pytest.fixture(scope="module", autouse=True)
def fixture_gateway() -> t.Iterator[None]:
    with GATEWAY.running(1):
        yield


@pytest.fixture(name="kong", autouse=True)
def fixture_kong(tmp_path: t.Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Gateway:
    GATEWAY.start_test(tmp_path, capsys, monkeypatch)
    GATEWAY.run(state="absent", select_tags=["contract"], prune_max=-1)
    GATEWAY.seen.clear()
    return GATEWAY


def run(**options: t.Any) -> dict[str, t.Any]:
    return GATEWAY.run(select_tags=["contract"], **options)


def admin(path: str) -> dict[str, t.Any]:
    with urllib.request.urlopen(GATEWAY.urls[0] + path, timeout=10) as answer:
        return json.loads(answer.read())


def test_everything_comes_to_rest(kong: Gateway) -> None:
    wish = everything()
    first = run(config=wish)
    assert first["changed"]
    assert first["counts"]["created"] == len(first["actions"]) > 20
    assert kong.writes() == len(first["actions"])
    kong.seen.clear()
    second = run(config=wish, prune=True)
    assert (second["changed"], second["actions"]) == (False, [])
    assert kong.writes() == 0
    assert not kong.asked("POST")


def test_check_mode_tells_what_the_run_does(kong: Gateway) -> None:
    wish = everything()
    told = run(config=wish, check=True, diff=True)
    assert admin("/services")["data"] == []
    assert kong.writes() == 0
    done = run(config=wish, diff=True)
    assert told["actions"] == done["actions"]
    assert told["diff"] == done["diff"]
    assert told["changed"]


def test_no_secret_is_shown() -> None:
    wish = everything()
    text = json.dumps(run(config=wish, diff=True)) + json.dumps(run(state="exported"))
    for secret in ("key-0123456789", "password-of-al", "secret-of-hmac", "PRIVATE KEY", "redis-password"):
        assert secret in json.dumps(wish)
        assert secret not in text


@pytest.mark.parametrize("case", AT_REST, ids=str)
def test_at_rest_where_others_are_not(case: str) -> None:
    wish, changed = AT_REST[case]
    assert run(config=document(**wish))["changed"]
    second = run(config=document(**wish), prune=True)
    assert (second["changed"], second["actions"]) == (False, [])
    if changed is not None:
        assert len(run(config=document(**changed))["actions"]) == 1
        assert not run(config=document(**changed), prune=True)["changed"]


def test_a_changed_password_is_applied() -> None:
    def wish(password: str) -> dict[str, t.Any]:
        return document(
            consumers=[{"username": "al", "basicauth_credentials": [{"username": "u", "password": password}]}]
        )

    run(config=wish("first-password"))
    before = admin("/basic-auths/u")["password"]
    assert run(config=wish("second-password"))["actions"] == ["update basic-auth credential u of consumer al: password"]
    assert admin("/basic-auths/u")["password"] != before
    assert not run(config=wish("second-password"))["changed"]


def test_generated_secrets_stay(kong: Gateway) -> None:
    credentials: dict[str, t.Any] = {
        "keyauth_credentials": [{}],
        "jwt_secrets": [{}],
        "hmacauth_credentials": [{"username": "h"}],
        "oauth2_credentials": [{"name": "app"}],
    }
    run(config=document(consumers=[{"username": "al", **credentials}]))
    paths = ("/key-auths", "/jwts", "/hmac-auths", "/oauth2")
    before = [admin(path)["data"][0] for path in paths]
    tagged = {kind: [{**items[0], "tags": ["new"]}] for kind, items in credentials.items()}
    assert run(config=document(consumers=[{"username": "al", **tagged}]))["counts"]["updated"] == 4
    for old, path in zip(before, paths):
        new = admin(path)["data"][0]
        assert "new" in new["tags"]
        names = ("id", "created_at", "key", "secret", "client_id", "client_secret")
        assert [new.get(name) for name in names] == [old.get(name) for name in names]


def test_a_renewed_certificate_keeps_its_snis() -> None:
    cert, key = certificate("a.test")
    wish = {"id": "1fa85f64-5717-4562-b3fc-2c963f66afa6", "cert": cert, "key": key, "snis": ["a.test"]}
    run(config=document(certificates=[wish]))
    wish["cert"], wish["key"] = certificate("a.test", 1)
    assert run(config=document(certificates=[wish]))["counts"] == {"created": 0, "updated": 1, "deleted": 0}
    assert [item["name"] for item in admin("/snis")["data"]] == ["a.test"]
    assert not run(config=document(certificates=[wish]), prune=True)["changed"]


def test_prune_deletes_in_an_order_that_works(kong: Gateway) -> None:
    run(config=everything())
    with pytest.raises(AssertionError, match="more than prune_max=20 allows"):
        run(config=document(), prune=True)
    kong.seen.clear()
    pruned = run(config=document(), prune=True, prune_max=-1)
    assert pruned["changed"]
    assert kong.writes() < pruned["counts"]["deleted"]
    assert admin("/services")["data"] == admin("/consumers")["data"] == admin("/plugins")["data"] == []


def test_what_others_own_stays() -> None:
    GATEWAY.run(config=document(services=[{"name": "theirs", "host": "h", "tags": ["contract"]}]), owner="team-b")
    try:
        with pytest.raises(AssertionError, match="belongs to owner team-b"):
            GATEWAY.run(config=document(services=[{"name": "theirs", "host": "h"}]), owner="team-a")
        GATEWAY.run(config=document(services=[{"name": "ours", "host": "h"}]), owner="team-a")
        GATEWAY.run(config=document(), owner="team-a", prune=True)
        assert [item["name"] for item in admin("/services")["data"]] == ["theirs"]
    finally:
        GATEWAY.run(state="absent", owner="team-b")


def test_an_export_applied_again_changes_nothing(tmp_path: t.Any) -> None:
    run(config=everything())
    path = tmp_path / "export.yml"
    exported = run(state="exported", dest=str(path))
    assert exported["changed"]  # the file
    assert not run(state="exported", dest=str(path))["changed"]
    again = run(src=[str(path)], prune=True)
    assert (again["changed"], again["actions"]) == (False, [])


def test_absence() -> None:
    run(config=everything())
    with pytest.raises(AssertionError, match="still refer"):
        run(config=document(services=[{"name": "shop"}]), state="absent")
    unnamed = {"paths": ["/unnamed"], "headers": {"X-A": ["1"]}}
    named = document(services=[{"name": "shop", "routes": [{"name": "shop"}, unnamed]}])
    gone = run(config=named, state="absent")
    assert gone["changed"]
    assert not run(config=named, state="absent")["changed"]


def test_names_that_change_hands() -> None:
    def wish(first: str, second: str) -> dict[str, t.Any]:
        return document(consumers=[{"username": "a", "custom_id": first}, {"username": "b", "custom_id": second}])

    run(config=wish("1", "2"))
    assert run(config=wish("2", "1"))["changed"]
    assert not run(config=wish("2", "1"))["changed"]


def test_ten_changed_routes_are_ten_writes(kong: Gateway) -> None:
    def wish(prefix: str) -> dict[str, t.Any]:
        routes = [{"name": f"r{number}", "paths": [f"{prefix}/{number}"]} for number in range(20)]
        return document(
            services=[{"name": "s", "host": "u.test", "routes": routes}],
            upstreams=[{"name": "u.test", "targets": [{"target": "h:1"}]}],
        )

    run(config=wish("/old"))
    kong.seen.clear()
    half = wish("/new")
    half["services"][0]["routes"][10:] = wish("/old")["services"][0]["routes"][10:]
    changed = run(config=half)
    assert kong.writes() == len(changed["actions"]) == 10
    kong.seen.clear()
    unchanged = run(config=half, prune=True)
    # Seventeen lists, the targets of one upstream, and what this Kong is.
    assert unchanged["requests"] == len(kong.seen) == 17 + 1 + 1


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({"services": [{"name": "a", "host": "h", "prt": 1}]}, "unknown field prt, did you mean port?"),
        ({"plugins": [{"name": "rate-limitng"}]}, "has no plugin rate-limitng, did you mean rate-limiting?"),
        ({"routes": [{"name": "r", "paths": ["/"], "service": "nope"}]}, "there is no service nope"),
        ({"services": [{"name": "a", "host": "h"}, {"name": "a", "host": "h"}]}, "the same name a"),
        ({"services": [{"name": "a", "host": "h", "port": 99999}]}, "port: value should be between 0 and 65535"),
        ({"services": [{"name": "a", "host": "h:80"}]}, "host: must not have a port"),
        ({"plugins": [{"name": "rate-limiting", "config": {}}]}, "at least one of these fields must be non-empty"),
        ({"certificates": [{"cert": certificate("x.test")[0]}]}, "key is missing"),
        ({"routes": [{"name": "r"}]}, "must set one of"),
    ],
)
def test_bad_input_writes_nothing(wish: dict[str, t.Any], problem: str, kong: Gateway) -> None:
    good = document(consumers=[{"username": "good"}])
    with pytest.raises(AssertionError) as found:
        run(config={**good, **wish})
    assert problem in str(found.value)
    assert kong.writes() == 0


def test_a_kong_of_the_other_kind() -> None:
    with pytest.raises(AssertionError, match=r"mode is dbless, but Kong at .* has a database"):
        run(config=document(), mode="dbless")


def test_two_files_that_claim_one_entity(tmp_path: t.Any) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(document(services=[{"name": "a", "host": "h"}])))
    with pytest.raises(AssertionError, match=r"two services have the same name a: .*a\.json"):
        run(src=[str(tmp_path)])


def test_the_proxy_is_waited_for(kong: Gateway) -> None:
    if not kong.proxy:
        pytest.skip("KONG_PROXY_URL names no proxy to wait for")
    wish = document(
        services=[{"name": "s", "url": "http://127.0.0.1:9", "routes": [{"name": "r", "paths": ["/contract"]}]}]
    )
    url = f"{kong.proxy}/contract"
    assert run(config=wish, wait_proxy={"url": url, "status": [502, 504]})["duration"] < 15
    # What does not change is not waited for.
    assert run(config=wish, wait_proxy={"url": url, "status": [200]})["duration"] < 5


def test_info() -> None:
    run(config=everything())
    told = GATEWAY.info()
    assert (told["mode"], told["supported"], told["in_sync"]) == ("postgres", True, True)
    assert told["counts"]["routes"] == 2
    assert [item["name"] for item in told["upstreams"]] == ["shop.upstream.test"]
    assert len(told["upstreams"][0]["targets"]) == 2
