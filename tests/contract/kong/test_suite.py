# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The suite itself: it sees wrong answers, and says how much of the recording it replays."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import stories
from .compare import UUID, Bindings, Comparison
from .gateway import DOUBLE
from .replay import Answer, Player, Step, paged, steps
from .test_transcripts import NAMES

# Made up by a server or read off its clock: other values of the same kind are right.
_MADE_UP = {"created_at", "updated_at", "id", "offset", "next", "node_id", "ttl", "configuration_hash"}


def answer(step: Step, body: Any) -> Answer:
    assert step.response is not None
    headers = {"content-type": "application/json; charset=utf-8", **step.response.get("headers", {})}
    return Answer(step.response["status"], headers, json.dumps(body).encode())


def problems(step: Step, body: Any) -> list[str]:
    return Player({}, {}).compare(step, answer(step, body))


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from leaves(item, (*path, position))
    else:
        yield path


def wrong(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return f"{value} and more" if isinstance(value, str) else 0


def changed(body: Any, path: tuple) -> Any:
    body = copy.deepcopy(body)
    at = body
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = wrong(at[path[-1]])
    return body


def entity_answers(name: str) -> list[Step]:
    """Answers of the Admin API that show one entity or an error."""
    found = []
    for step in steps(name):
        body = (step.response or {}).get("body")
        if step.request is not None and step.api == "admin" and isinstance(body, dict) and {"id", "code"} & set(body):
            found.append(step)
    return found


@pytest.mark.parametrize("name", ["services.postgres.jsonl", "routes.postgres.jsonl", "plugins.postgres.jsonl"])
def test_every_wrong_value_is_seen(name: str) -> None:
    tried = 0
    for step in entity_answers(name):
        assert step.response is not None
        body = step.response["body"]
        assert problems(step, body) == []
        for path in leaves(body):
            if set(path) & _MADE_UP or UUID.search(str(path)):
                continue
            tried += 1
            assert problems(step, changed(body, path)), f"{name}#{step.n}: a wrong {path} went unseen"
    assert tried > 500


@pytest.mark.parametrize("name", ["services.postgres.jsonl", "upstreams_targets.postgres.jsonl"])
def test_missing_and_additional_fields_are_seen(name: str) -> None:
    for step in entity_answers(name):
        assert step.response is not None
        body = step.response["body"]
        assert problems(step, {**body, "additional": 1})
        for key in body:
            assert problems(step, {other: value for other, value in body.items() if other != key}), f"{step.n} {key}"


def test_another_status_is_seen() -> None:
    step = entity_answers("services.postgres.jsonl")[0]
    assert step.response is not None
    given = answer(step, step.response["body"])
    assert Player({}, {}).compare(step, given._replace(status=200))
    assert Player({}, {}).compare(step, given._replace(headers={"content-type": "text/plain"}))


def test_an_id_that_changes_is_seen() -> None:
    created, read = steps("services.postgres.jsonl")[:2]
    assert created.response is not None and read.response is not None
    player = Player({}, {})
    mine, other = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    assert player.compare(created, answer(created, {**created.response["body"], "id": mine})) == []
    assert player.compare(read, answer(read, {**read.response["body"], "id": mine})) == []
    assert player.compare(read, answer(read, {**read.response["body"], "id": other}))


def test_a_derived_id_is_not_made_up() -> None:
    comparison = Comparison(Bindings())
    comparison.value({"id": "356ebaf8-b7af-5cba-99a1-f392e34730ab"}, {"id": "356ebaf8-b7af-5cba-99a1-f392e34730ac"})
    assert comparison.problems


def test_a_missing_item_and_a_wrong_item_of_a_list_are_seen() -> None:
    listed = next(step for step in steps("consumers_credentials.postgres.jsonl") if step.n == 10)
    assert listed.response is not None and not paged(listed)
    body = listed.response["body"]
    assert problems(listed, body) == []
    assert problems(listed, {**body, "data": list(reversed(body["data"]))}) == []
    assert problems(listed, {**body, "data": body["data"][1:]})
    assert problems(listed, {**body, "data": [*body["data"][1:], {**body["data"][0], "username": "someone-else"}]})


def test_the_readme_says_how_much_is_replayed() -> None:
    recorded: Counter[str] = Counter()
    replayed: Counter[str] = Counter()
    for name in NAMES:
        for step in steps(name):
            if step.request is not None:
                kind = step.api.rpartition("-")[2]
                recorded[kind] += 1
                replayed[kind] += stories.skipped(name, step.n) is None
    assert replayed["admin"] >= 0.95 * recorded["admin"]
    readme = (DOUBLE / "README.md").read_text(encoding="utf-8")
    for kind, title in (("admin", "Admin API"), ("status", "Status API"), ("proxy", "proxy")):
        assert f"| {title} | {replayed[kind]} | {recorded[kind]} |" in readme
    for reasons in stories.SKIPPED.values():
        for reason in reasons:
            assert reason in " ".join(readme.split()), f"the README does not say: {reason}"


def test_every_exception_names_a_request() -> None:
    """A table that outlives its transcript would hide what it once explained."""
    numbers = {name: {step.n for step in steps(name)} for name in NAMES}
    for name, n in stories.BETWEEN:
        assert n in numbers[name], f"{name}#{n}"
    for name, reasons in stories.SKIPPED.items():
        for found in reasons.values():
            assert found <= numbers[name]
    assert stories.RESTARTED <= stories.FRESH
    assert stories.DRAINED <= stories.FRESH
    assert {*stories.GIVEN, *stories.PRIMED, *stories.CONTINUED, *stories.AHEAD, *stories.FRESH} <= set(NAMES)
    assert Path(DOUBLE / "__main__.py").exists()
