# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._verify import hosts, result
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.result import Result
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.state import Expectation, ExpectedNode

THREE = Expectation(nodes=tuple(ExpectedNode(f"cp{n}", "control_plane") for n in (1, 2, 3)))
ONE = Expectation(nodes=(ExpectedNode("cp1", "control_plane"), ExpectedNode("w1")))


def member(name, **changes):
    return {"name": name, "healthy": True, "leader": name == "cp1", "raft_term": 2, "version": "3.6.8", **changes}


MEMBERS = [member("cp1"), member("cp2"), member("cp3")]


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        (MEMBERS, None),
        (MEMBERS[:2], "cp3 is no voter"),
        ([*MEMBERS, member("cp9")], "voter cp9 is not a control plane"),
        ([*MEMBERS[:2], member("cp3", learner=True)], "cp3 is no voter"),
        ([*MEMBERS, member("cp4", learner=True)], "cp4 is still a learner"),
        ([*MEMBERS, member("", learner=True, id="ab", healthy=False)], "ab is still a learner"),
        ([*MEMBERS[:2], member("cp3", healthy=False, error="deadline")], "cp3 is not healthy: deadline"),
        ([*MEMBERS[:2], member("cp3", alarms=["NOSPACE"])], "cp3 raised alarm NOSPACE"),
        ([member("cp1", leader=False), *MEMBERS[1:]], "there are 0 leaders instead of one"),
        ([*MEMBERS[:2], member("cp3", leader=True)], "there are 2 leaders instead of one"),
        ([*MEMBERS[:2], member("cp3", raft_term=3)], "members disagree about the raft term"),
    ],
)
def test_etcd(members, fault):
    found = hosts.etcd(THREE, {"cp1": {"members": MEMBERS}, "cp2": {"members": members}})
    assert found.status == ("failed" if fault else "ok")
    assert found.message.startswith(f"seen from cp2: {fault}" if fault else "3 voters healthy, leader cp1")


def test_etcd_is_skipped_when_nobody_was_asked():
    assert hosts.etcd(THREE, {}).status == "skipped"


YES = {"answered": True, "url": "https://u", "seconds": 0.5}
NO = {"answered": False, "url": "https://u", "error": "does not answer: timed out"}


@pytest.mark.parametrize(
    ("observed", "status", "message"),
    [
        ({}, "skipped", "no host was asked for its local endpoint"),
        ({"a": YES, "b": YES}, "ok", "2 node-local endpoints answer"),
        ({"a": YES, "b": NO}, "failed", "b: https://u does not answer: timed out"),
        ({"a": YES}, "failed", "b: not probed"),
    ],
)
def test_endpoints(observed, status, message):
    found = hosts.endpoints(observed, ["a", "b"])
    assert (found.status, found.message) == (status, message)


def lost(name, was_paused=True, **probes):
    return {"control_plane": name, "resumed": {"was_paused": was_paused}, "endpoints": probes or {"a": YES}}


@pytest.mark.parametrize(
    ("expected", "disruptive", "observed", "status", "message"),
    [
        (ONE, True, [], "skipped", "there is one control plane"),
        (THREE, False, [], "skipped", "it makes each API server hang"),
        (THREE, True, [lost("cp1"), lost("cp2"), lost("cp3")], "ok", "every local endpoint answers with any one of 3"),
        (THREE, True, [lost("cp1"), lost("cp2")], "failed", "cp3 was not made to hang"),
        (
            THREE,
            True,
            [lost("cp1"), lost("cp2"), lost("cp3", a=NO)],
            "failed",
            "with cp3 hanging: a: https://u does not",
        ),
        (THREE, True, [lost("cp1"), lost("cp2"), lost("cp3", was_paused=False)], "failed", "with cp3 hanging: its API"),
        (
            THREE,
            True,
            [lost("cp1"), lost("cp2"), {**lost("cp3"), "endpoints": {}}],
            "failed",
            "with cp3 hanging: no endpoint was probed",
        ),
    ],
)
def test_failover(expected, disruptive, observed, status, message):
    found = hosts.failover(expected, disruptive, observed)
    assert found.status == status
    assert found.message.startswith(message)


RESULTS = [
    Result("dns", "ok", "2 names resolved", ["slow once"], 0.25),
    Result("service", "failed", 'cp1 cannot reach <10.0.0.1> & "more" \x1b[31m', ["one", "two"], 1.5),
    Result("etcd", "skipped", "nobody was asked"),
]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["ok", "skipped"], True),
        (["ok", "failed"], False),
        (["skipped"], False),
        ([], False),
    ],
)
def test_passed(statuses, expected):
    assert result.passed([Result("x", status, "") for status in statuses]) is expected


def test_summary():
    assert result.summary(RESULTS, 3.21) == "FAILED: 1 of 3 checks ok, 1 failed, 1 skipped in 3.2 s"
    assert result.summary(RESULTS[:1], 1).startswith("passed: 1 of 1 checks ok")


def test_table_shows_details_of_what_failed_only():
    assert result.table(RESULTS) == [
        "ok      dns       0.2 s  2 names resolved",
        'failed  service   1.5 s  cp1 cannot reach <10.0.0.1> & "more" \x1b[31m',
        "        - one",
        "        - two",
        "skipped etcd      0.0 s  nobody was asked",
    ]


def test_json():
    document = json.loads(result.as_json(RESULTS, 3.2))
    assert document["passed"] is False
    assert [item["name"] for item in document["results"]] == ["dns", "service", "etcd"]
    assert document["results"][0] == {
        "name": "dns",
        "status": "ok",
        "message": "2 names resolved",
        "details": ["slow once"],
        "seconds": 0.25,
    }


def test_junit_is_xml_whatever_the_messages_hold():
    suite = ElementTree.fromstring(result.as_junit(RESULTS, 3.2))
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped", "errors")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    cases = {case.get("name"): case for case in suite}
    failure = cases["service"].find("failure")
    assert failure.get("message").startswith('cp1 cannot reach <10.0.0.1> & "more"')
    assert failure.text == "one\ntwo"
    assert cases["etcd"].find("skipped").get("message") == "nobody was asked"
    assert cases["dns"].find("system-out").text == "2 names resolved\nslow once"


@pytest.mark.parametrize(
    ("faults", "message"),
    [(["a"], "a"), (["a", "b", "c"], "a (and 2 more)"), ([], "good")],
)
def test_verdict(faults, message):
    found = result.verdict("x", faults, "good", ["seen"])
    assert found.message == message
    assert found.details == [*faults, "seen"]
