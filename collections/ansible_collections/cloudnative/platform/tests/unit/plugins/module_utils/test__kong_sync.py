# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When writes are given up, and how many that failed are told."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import sync
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Refused, Unreachable
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kong_support import catalogue, planned


def refused(status: int) -> Refused:
    return Refused("n", "PUT", "/services/x", status, {"message": "no"})


SILENT = Unreachable("n", "no answer to PUT /services/x within 30 s")


@pytest.mark.parametrize(
    ("endings", "over"),
    [
        ([None] * 50, False),
        ([SILENT], True),
        ([None, SILENT, None], True),
        *(([refused(status)], True) for status in (401, 403, 405)),
        # Of the entity, not of the node.
        *(([refused(status)] * 50, False) for status in (400, 404, 409)),
        ([refused(500)] * 9, False),
        ([refused(500)] * 10, True),
        ([*[refused(500)] * 4, refused(502), refused(504), *[refused(503)] * 4], True),
        ([*[refused(500)] * 9, None, *[refused(500)] * 9], False),
        ([*[refused(500)] * 9, refused(400), *[refused(500)] * 9], False),
    ],
)
def test_a_node_is_given_up(endings: list[KongError | None], over: bool) -> None:
    patience = sync.Patience()
    for ending in endings:
        patience.note(ending)
    assert patience.over is over


def failures(count: int, reason: str = "no", **fields: t.Any) -> list[sync.Failure]:
    return [sync.Failure(f"create service s{number}", fields.get("sort", reason), reason) for number in range(count)]


def test_each_reason_is_told_once() -> None:
    assert sync.told(failures(1)) == "create service s0 failed: no"
    assert sync.told([*failures(2), *failures(1, "another")]) == (
        "create service s0, create service s1 failed: no; create service s0 failed: another"
    )
    assert sync.told(failures(7)).endswith("create service s4 and 2 more failed: no")


def test_of_reasons_of_one_sort_the_first_is_told() -> None:
    found = [*failures(1, "no answer to /a", sort="silence"), *failures(1, "no answer to /b", sort="silence")]
    assert sync.told(found) == "create service s0, create service s0 failed: no answer to /a"


def test_of_many_reasons_the_number_is_told() -> None:
    found = [failure for number in range(25) for failure in failures(1, f"reason {number}")]
    said = sync.told(found)
    assert said.count(" failed: ") == 20
    assert said.endswith("; and 5 more reasons")


class Silent:
    """Refuses keys that are there and in no list, and answers nothing more."""

    def request(self, method: str, path: str, _body: t.Any) -> t.NoReturn:
        if path.startswith("/key-auths/"):
            raise Refused("n", method, path, 409, {"code": 5, "message": "UNIQUE violation"})
        raise Unreachable("n", f"no answer to {method} {path} within 30 s")

    def each(self, work: t.Callable[[t.Any], t.Any], items: t.Sequence[t.Any]) -> list[t.Any]:
        return [work(item) for item in items]


def test_a_key_shows_in_no_path() -> None:
    made = planned({"consumers": [{"username": "al", "keyauth_credentials": [{"key": "very secret/key"}]}]})
    made.changes = [change for change in made.changes if change.kind == "keyauth_credentials"]
    with pytest.raises(sync.Incomplete) as found:
        sync.apply(t.cast(t.Any, Silent()), made, catalogue(), True)
    assert "no answer to PUT /consumers/" in str(found.value)
    assert "very" not in str(found.value)
