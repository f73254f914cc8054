# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._run_lock import (
    DAMAGED,
    NOTHING,
    REFUSE,
    RELEASE,
    RENEW,
    TAKE,
    TAKE_OVER,
    Decision,
    Holder,
    Record,
    decide,
    decide_release,
    describe,
    dump,
    half_true,
    judge,
    lost,
    lost_unnoticed,
    parse,
    record_of,
    refusal,
    report,
    same_controller,
    span,
)

# 2026-11-25 22:14:03 UTC
SINCE = 1795644843
MINUTE = 60
TTL = 30 * MINUTE

ME = Holder("mine", "bob", "controller-1", 99, "500", "boot", "pid:[1]", "site.yml")
OTHER = Holder("other", "root", "controller-1", 4711, "400", "boot", "pid:[1]", "site.yml")
HELD = Record(OTHER, SINCE, SINCE + MINUTE, SINCE + MINUTE + TTL)
OWN = replace(HELD, holder=ME)
BROKEN = parse("")
NOW = SINCE + 3 * MINUTE
LATE = HELD.expires
NEW = Record(ME, NOW, NOW, NOW + TTL)
NEW_LATE = Record(ME, LATE, LATE, LATE + TTL)


@pytest.mark.parametrize(
    ("found", "now", "replaces", "renewing", "expected"),
    [
        pytest.param(None, NOW, "", False, Decision(TAKE, NEW), id="free"),
        pytest.param(None, NOW, "", True, Decision(TAKE, NEW), id="removed by hand while we ran"),
        pytest.param(
            OWN, NOW, "", True, Decision(RENEW, replace(OWN, renewed=NOW, expires=NOW + TTL)), id="renewed, same since"
        ),
        pytest.param(
            OWN, LATE, "", False, Decision(RENEW, replace(OWN, renewed=LATE, expires=LATE + TTL)), id="own, expired"
        ),
        pytest.param(HELD, NOW, "", False, Decision(REFUSE, HELD), id="another's"),
        pytest.param(HELD, LATE - 1, "", False, Decision(REFUSE, HELD), id="another's, last second"),
        pytest.param(HELD, LATE, "", False, Decision(TAKE_OVER, NEW_LATE), id="another's, expired"),
        pytest.param(HELD, SINCE - 9999, "", False, Decision(REFUSE, HELD), id="clock of the host was set back"),
        pytest.param(HELD, NOW, "other", False, Decision(TAKE_OVER, NEW), id="of the run that was judged"),
        pytest.param(HELD, NOW, "third", False, Decision(REFUSE, HELD), id="somebody else was quicker"),
        pytest.param(HELD, NOW, "other", True, Decision(REFUSE, HELD), id="lost"),
        pytest.param(HELD, LATE, "", True, Decision(REFUSE, HELD), id="lost to one that expired"),
        pytest.param(BROKEN, NOW, "", False, Decision(REFUSE, BROKEN), id="damaged"),
        pytest.param(BROKEN, NOW, DAMAGED, False, Decision(TAKE_OVER, NEW), id="damaged, judged"),
    ],
)
def test_decision(found, now, replaces, renewing, expected):
    assert decide(found, ME, now, TTL, replaces, renewing) == expected


@pytest.mark.parametrize(
    ("found", "replaces", "expected"),
    [
        pytest.param(None, "", Decision(NOTHING), id="free"),
        pytest.param(OWN, "", Decision(RELEASE), id="own"),
        pytest.param(HELD, "", Decision(REFUSE, HELD), id="another's"),
        pytest.param(HELD, "other", Decision(RELEASE), id="another's, told to"),
        pytest.param(HELD, "third", Decision(REFUSE, HELD), id="somebody else was quicker"),
        pytest.param(BROKEN, "", Decision(REFUSE, BROKEN), id="damaged"),
        pytest.param(BROKEN, DAMAGED, Decision(RELEASE), id="damaged, told to"),
    ],
)
def test_release(found, replaces, expected):
    assert decide_release(found, ME.run, replaces) == expected


@pytest.mark.parametrize(
    ("dead", "take_over", "expected"),
    [
        (False, False, ""),
        (True, False, "its process is gone"),
        (True, True, "its process is gone"),
        (False, True, "that was asked for; should that run be alive, two runs now change the same hosts"),
    ],
)
def test_judgement(dead, take_over, expected):
    assert judge(dead, take_over) == expected


UNKNOWN = {"boot_id": "", "pid_namespace": ""}


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        pytest.param({}, {}, True, id="same"),
        pytest.param({"boot_id": "earlier boot"}, {}, False, id="before a reboot, or another machine"),
        pytest.param({"pid_namespace": "pid:[2]"}, {}, False, id="another container"),
        pytest.param(UNKNOWN, {}, False, id="theirs is unknown"),
        pytest.param(UNKNOWN, UNKNOWN, False, id="both are unknown"),
    ],
)
def test_same_controller(theirs, ours, expected):
    assert same_controller(Record(replace(OTHER, **theirs)), replace(ME, **ours)) is expected


def test_record_is_what_was_written():
    text = dump(HELD)
    assert json.loads(text)["since"] == "2026-11-25T22:14:03Z"
    assert parse(text) == HELD


def test_record_comes_through_the_result_of_a_module():
    assert record_of({"found": json.loads(json.dumps(asdict(HELD)))}) == HELD
    assert record_of({"found": None}) is None
    assert record_of({"failed": True}) is None


def test_newer_and_older_records_are_read():
    content = json.loads(dump(HELD))
    content["invented_later"] = 1
    del content["job"]
    assert parse(json.dumps(content)) == HELD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"run": "x"}',
        dump(HELD).replace("2026-", "soon-"),
        dump(HELD).replace("4711", "null"),
    ],
)
def test_damaged_record_belongs_to_nobody(text):
    assert parse(text).run == DAMAGED


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (90000, "1 d 1 h"),
        (-61, "1 min"),
    ],
)
def test_span(seconds, expected):
    assert span(seconds) == expected


WHO = "site.yml by root on controller-1 (pid 4711), since 2026-11-25 22:14:03 UTC (3 min ago)"


@pytest.mark.parametrize(
    ("record", "now", "expected"),
    [
        pytest.param(
            HELD,
            NOW,
            f"{WHO}, renewed 2026-11-25 22:15:03 UTC (2 min ago), expires 2026-11-25 22:45:03 UTC (in 28 min)",
            id="renewed",
        ),
        pytest.param(
            replace(HELD, renewed=SINCE), NOW, f"{WHO}, expires 2026-11-25 22:45:03 UTC (in 28 min)", id="never renewed"
        ),
        pytest.param(
            replace(HELD, renewed=SINCE),
            LATE + 7200,
            "site.yml by root on controller-1 (pid 4711), since 2026-11-25 22:14:03 UTC (2 h 31 min ago), "
            "expired 2026-11-25 22:45:03 UTC (2 h 0 min ago)",
            id="expired",
        ),
        pytest.param(
            Record(replace(OTHER, user="alice", job="AWX job 17 of template X"), SINCE, SINCE, LATE),
            SINCE - 5,
            "site.yml by alice on controller-1 (pid 4711), AWX job 17 of template X, since 2026-11-25 22:14:03 UTC, "
            "expires 2026-11-25 22:45:03 UTC (in 31 min)",
            id="AWX, clock set back",
        ),
        pytest.param(BROKEN, NOW, "somebody whose record cannot be read", id="damaged"),
    ],
)
def test_description(record, now, expected):
    assert describe(record, now) == expected


def test_what_is_said_names_the_holder_and_the_remedy():
    who = describe(HELD, NOW)
    assert refusal(HELD, NOW) == (
        f"Another run holds the lock of this platform: {who}. No host was changed by this run. Wait for the other one; "
        "or, when you know that it is dead, take the lock with -e platform_lock_break=true"
    )
    assert lost(HELD, NOW).startswith(f"Another run took the lock of this platform away from this one: {who}. ")
    assert lost_unnoticed(HELD, NOW).startswith(
        f"another run took the lock of this platform away from this one while it ran: {who}. "
    )
    assert half_true(HELD, NOW).startswith(f"another run holds the lock of this platform: {who}. ")


@pytest.mark.parametrize(
    ("found", "action", "now", "dead", "expected"),
    [
        (None, NOTHING, NOW, False, "The lock of this platform is free"),
        (HELD, RELEASE, NOW, False, f"Removed the lock of {describe(HELD, NOW)}"),
        (HELD, REFUSE, NOW, False, "; remove it with -e platform_lock_break=true when you know that this run is dead"),
        (HELD, REFUSE, NOW, True, "; that run is dead, so the next one takes the lock over"),
        (HELD, REFUSE, LATE, False, "; the next run takes it over"),
    ],
)
def test_report(found, action, now, dead, expected):
    assert report(found, action, now, dead).endswith(expected)
