# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_config against nodes without a database: doubles, or the real ones that `KONG_DBLESS_ADMIN_URLS` names."""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

import pytest
from kong_gateway import Gateway, document, everything

GATEWAY = Gateway("off")


@pytest.fixture(scope="module", autouse=True)
def fixture_gateway() -> t.Iterator[None]:
    with GATEWAY.running(3):
        yield


@pytest.fixture(name="kong", autouse=True)
def fixture_kong(tmp_path: t.Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Gateway:
    GATEWAY.start_test(tmp_path, capsys, monkeypatch)
    return GATEWAY


def test_each_node_is_given_the_document_once(kong: Gateway, tmp_path: t.Any) -> None:
    path = tmp_path / "kong.json"
    told = kong.run(config=everything(), check=True, prune_max=-1)
    assert kong.asked("POST") == [path for path in kong.asked("POST") if path.startswith("/schemas/")]
    kong.seen.clear()
    done = kong.run(config=everything(), dest=str(path), prune_max=-1)
    assert [action for action in done["actions"] if not action.startswith("write")] == told["actions"]
    assert kong.asked("POST") == ["/config?check_hash=1&flatten_errors=1"] * len(kong.urls)
    # What a new node is started with is what the running ones hold.
    text = path.read_bytes()
    assert done["configuration_hash"] == hashlib.md5(text).hexdigest()
    assert {node["configuration_hash"] for node in done["nodes"]} == {done["configuration_hash"]}
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    kong.seen.clear()
    again = kong.run(config=everything(), dest=str(path))
    assert not again["changed"]
    assert again["requests"] == 2 * len(kong.urls)
    assert kong.asked("POST") == []


def test_the_bytes_are_the_same_without_a_kong(kong: Gateway, tmp_path: t.Any) -> None:
    path = tmp_path / "first.json"
    rendered = kong.run(config=everything(), state="rendered", dest=str(path), owner="team-a")
    assert rendered["changed"]
    assert not kong.run(config=everything(), state="rendered", dest=str(path), owner="team-a")["changed"]
    done = kong.run(config=everything(), owner="team-a", prune_max=-1)
    assert done["configuration_hash"] == rendered["configuration_hash"]
    assert done["configuration_hash"] == hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(AssertionError, match="belongs to owner team-a"):
        kong.run(config=everything(), owner="team-b", prune_max=-1)
    kong.run(config=document(services=[{"name": "a", "host": "h"}]), owner="team-a", prune_max=-1)


def test_the_difference_is_the_one_of_the_entities(kong: Gateway) -> None:
    wish = document(services=[{"name": "a", "host": "h"}, {"name": "b", "host": "h"}])
    kong.run(config=wish, prune_max=-1)
    wish["services"] = [{"name": "a", "host": "new"}]
    told = kong.run(config=wish, check=True, diff=True)
    assert told["actions"][:2] == ["update service a: host", "delete service b"]
    assert '"host": "new"' in told["diff"][0]["after"]
    with pytest.raises(AssertionError, match="more than prune_max=0 allows: service b"):
        kong.run(config=wish, prune_max=0)


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        (
            {"services": [{"name": "a", "host": "h", "port": 99999}]},
            r"service a \(config: services\[0\]\): port: value",
        ),
        ({"services": [{"name": "a", "host": "h", "prt": 1}]}, "unknown field prt, did you mean port?"),
        ({"routes": [{"name": "r", "paths": ["/"], "service": "nope"}]}, "there is no service nope"),
        ({"plugins": [{"name": "nope"}]}, "this Kong has no plugin nope"),
        ({"consumers": [{"username": "a", "keyauth_credentials": [{}]}]}, "would make up its own key: give it"),
        ({"consumers": [{"username": "a", "keyauth_credentials": [{"key": "k", "ttl": 9}]}]}, "ttl 9 has passed"),
    ],
)
def test_bad_input_leaves_all_nodes_as_they_are(wish: dict[str, t.Any], problem: str, kong: Gateway) -> None:
    before = [node["configuration_hash"] for node in kong.info(gather=[])["nodes"]]
    for check in (True, False):
        with pytest.raises(AssertionError, match=problem):
            kong.run(config=document(**wish), prune_max=-1, check=check)
    assert [node["configuration_hash"] for node in kong.info(gather=[])["nodes"]] == before


def test_an_export_applied_again_changes_no_entity(kong: Gateway, tmp_path: t.Any) -> None:
    kong.run(config=everything(), prune_max=-1)
    path = tmp_path / "export.yml"
    kong.run(state="exported", dest=str(path))
    again = kong.run(src=[str(path)], check=True, prune_max=-1)
    assert [action for action in again["actions"] if not action.startswith("give node")] == []


def test_it_can_not_be_absent_and_is_no_database(kong: Gateway) -> None:
    with pytest.raises(AssertionError, match="holds one document as a whole"):
        kong.run(config=document(), state="absent")
    with pytest.raises(AssertionError, match="its Admin API is read-only"):
        kong.run(config=document(), mode="postgres")


def test_nodes_in_sync(kong: Gateway) -> None:
    kong.run(config=document(services=[{"name": "a", "host": "h"}]), prune_max=-1)
    assert kong.info()["in_sync"]
    kong.run(admin_urls=kong.urls[:1], config=document(services=[{"name": "b", "host": "h"}]), prune_max=-1)
    told = kong.info(gather=["counts"])
    assert not told["in_sync"]
    assert told["counts"]["services"] == 1


@pytest.mark.skipif("KONG_DBLESS_ADMIN_URLS" in os.environ, reason="ends a node, which only a double may be")
def test_a_node_that_is_down_is_named_and_the_others_are_done(kong: Gateway) -> None:
    kong.stop(1)
    wish = document(services=[{"name": "c", "host": "h"}])
    with pytest.raises(AssertionError) as found:
        kong.run(config=wish, prune_max=-1)
    assert kong.urls[1] in str(found.value)
    assert f"{kong.urls[0]}, {kong.urls[2]} have the configuration" in str(found.value)
    told = kong.info(gather=[])
    assert [node["reachable"] for node in told["nodes"]] == [True, False, True]
    assert len({node.get("configuration_hash") for node in told["nodes"] if node["reachable"]}) == 1
    assert not kong.run(config=wish, admin_urls=[kong.urls[0], kong.urls[2]])["changed"]
