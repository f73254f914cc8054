# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The suite itself: a wrong answer is seen, every exception names a request, the README says how much is replayed."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from . import stories
from .compare import TIME
from .control_plane import DOUBLE
from .replay import TRANSCRIPTS, Answer, Player, Step, steps

NAMES = sorted(path.name for path in TRANSCRIPTS.glob("*.jsonl"))
# Made up by the server: matched by shape.
_MADE_UP = {"creationTime", "modificationTime", "data", "clusterId", "hostname", "instanceId"}


def answer(step: Step, body: Any, status: int | None = None) -> Answer:
    assert step.response is not None
    headers = {name.lower(): value for name, value in step.response.get("headers", {}).items()}
    headers.setdefault("content-type", "application/json")
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status or step.response["status"], headers, content)


def problems(step: Step, body: Any) -> list[str]:
    return Player({}).compare(step, answer(step, body), "127.0.0.1:15681")


def leaves(value: Any, path: tuple = ()) -> list[tuple]:
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [found for number, item in enumerate(value) for found in leaves(item, (*path, number))]
    return [path]


def changed(body: Any, path: tuple) -> Any:
    body = copy.deepcopy(body)
    at = body
    for part in path[:-1]:
        at = at[part]
    value = at[path[-1]]
    if isinstance(value, bool) or value is None:
        at[path[-1]] = not value
    elif isinstance(value, (int, float)):
        at[path[-1]] = value + 1
    else:
        at[path[-1]] = f"{value} and more"
    return body


@pytest.mark.parametrize(
    "name", ["mesh_crud.jsonl", "policies_valid.jsonl", "policies_invalid.jsonl", "dataplane.jsonl"]
)
def test_every_wrong_value_is_seen(name: str) -> None:
    tried = 0
    for step in steps(name):
        body = (step.response or {}).get("body")
        if not isinstance(body, dict) or "chars)" in json.dumps(body):
            # What was cut is matched by its start and its length.
            continue
        assert problems(step, body) == []
        assert problems(step, {**body, "additional": 1})
        for path in leaves(body):
            if not set(path) & _MADE_UP:
                tried += 1
                assert problems(step, changed(body, path)), f"{name}#{step.n}: a wrong {path} went unseen"
    assert tried > 70


def test_another_status_is_seen() -> None:
    step = steps("mesh_crud.jsonl")[0]
    assert step.response is not None
    given = answer(step, step.response["body"], status=200)
    assert Player({}).compare(step, given)
    html = given._replace(status=404, headers={"content-type": "text/html"})
    assert Player({}).compare(step, html)


def test_a_time_that_does_not_move_is_seen() -> None:
    """An identical PUT bumps modificationTime and leaves creationTime alone."""
    before, after = (next(step for step in steps("mesh_crud.jsonl") if step.n == number) for number in (9, 11))
    assert before.response is not None and after.response is not None
    first, second = before.response["body"], after.response["body"]
    cases = [(second, []), (first, ["modificationTime"]), ({**second, "creationTime": "x"}, ["creationTime"])]
    for body, seen in cases:
        player = Player({})
        assert player.compare(before, answer(before, first)) == []
        found = player.compare(after, answer(after, body))
        assert [problem.partition(":")[0] for problem in found] == seen


def test_a_wrong_time_and_a_short_token_are_seen() -> None:
    mesh = steps("mesh_crud.jsonl")[2]
    token = steps("tokens.jsonl")[0]
    assert mesh.response is not None
    assert TIME.match(mesh.response["body"]["creationTime"])
    assert problems(mesh, {**mesh.response["body"], "modificationTime": "yesterday"})
    assert Player({}).compare(token, answer(token, "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEiLCJ0eXAi"))


def test_the_readme_says_how_much_is_replayed() -> None:
    readme = " ".join((DOUBLE / "README.md").read_text(encoding="utf-8").split())
    requests = claims = replayed = notes = 0
    for name in NAMES:
        for step in steps(name):
            requests += step.request is not None
            replayed += step.request is not None and stories.skipped(name, step.n) is None
            claims += step.claims is not None
            notes += step.request is None and step.claims is None
    assert f"**{replayed} of {requests} requests** and {claims} tokens" in readme
    assert f"{notes} {stories.NOTES}" in readme
    counts: dict[str, int] = {}
    for reasons in stories.SKIPPED.values():
        for reason, numbers in reasons.items():
            counts[reason] = counts.get(reason, 0) + len(numbers)
    assert sum(counts.values()) == requests - replayed
    for reason, number in counts.items():
        assert f"| {number} | {reason} |" in readme, f"{number} | {reason}"


def test_every_exception_names_a_request() -> None:
    """A table that outlives its transcript would hide what it once explained."""
    numbers = {name: {step.n for step in steps(name) if step.request is not None} for name in NAMES}
    for name, number in stories.BETWEEN:
        assert number in numbers[name], f"{name}#{number}"
    for name, reasons in stories.SKIPPED.items():
        listed = [number for found in reasons.values() for number in found]
        assert set(listed) <= numbers[name]
        assert len(listed) == len(set(listed))
    assert {*stories.SETTINGS, *stories.CONTINUED, *stories.HEADERS} <= set(NAMES)
