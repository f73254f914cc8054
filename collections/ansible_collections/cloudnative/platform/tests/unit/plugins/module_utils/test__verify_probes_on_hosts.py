# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _etcd_members, _process_state
from ansible_collections.cloudnative.platform.plugins.module_utils._endpoint_probe import PAUSE, until_steady
from ansible_collections.cloudnative.platform.plugins.module_utils._kubeconfig import KubeconfigError, with_server

# What etcdctl 3.6.8 printed for three members of which m3 had been killed, and a learner that never started.
LISTED = json.loads(
    '{"header":{"cluster_id":11678412728581461155,"member_id":2790775704711334680,"raft_term":2},"members":['
    '{"ID":2790775704711334680,"name":"m1","peerURLs":["http://127.0.0.1:41800"],"clientURLs":["http://127.0.0.1:41790"]},'
    '{"ID":14102076420202808307,"name":"m3","peerURLs":["http://127.0.0.1:43800"],"clientURLs":["http://127.0.0.1:43790"]},'
    '{"ID":14112324527507797887,"name":"m2","peerURLs":["http://127.0.0.1:42800"],"clientURLs":["http://127.0.0.1:42790"]},'
    '{"ID":255,"peerURLs":["http://127.0.0.1:44800"],"isLearner":true}]}'
)
STATUSES = json.loads(
    '[{"Endpoint":"http://127.0.0.1:41790","Status":{"header":{"cluster_id":11678412728581461155,'
    '"member_id":2790775704711334680,"revision":1,"raft_term":2},"version":"3.6.8","dbSize":20480,'
    '"leader":2790775704711334680,"raftIndex":12,"raftTerm":2,"raftAppliedIndex":12,"dbSizeInUse":16384}},'
    '{"Endpoint":"http://127.0.0.1:42790","Status":{"header":{"cluster_id":11678412728581461155,'
    '"member_id":14112324527507797887,"revision":1,"raft_term":2},"version":"3.6.8","dbSize":24576,'
    '"leader":2790775704711334680,"raftIndex":12,"raftTerm":2,"raftAppliedIndex":12,"dbSizeInUse":16384}}]'
)
HEALTHS = json.loads(
    '[{"endpoint":"http://127.0.0.1:41790","health":true,"took":"5.141607ms"},'
    '{"endpoint":"http://127.0.0.1:42790","health":true,"took":"2.860413ms"},'
    '{"endpoint":"http://127.0.0.1:43790","health":false,"took":"3.0s","error":"context deadline exceeded"}]'
)


def test_join_members():
    alarms = {"alarms": [{"memberID": 14112324527507797887, "alarm": 1}]}
    members = {member["name"]: member for member in _etcd_members.join_members(LISTED, STATUSES, HEALTHS, alarms)}
    assert list(members) == ["", "m1", "m2", "m3"]
    shown = ("healthy", "leader", "learner", "error", "version", "db_size", "alarms")
    assert {name: tuple(member[key] for key in shown) for name, member in members.items()} == {
        "m1": (True, True, False, "", "3.6.8", 20480, []),
        "m2": (True, False, False, "", "3.6.8", 24576, ["NOSPACE"]),
        "m3": (False, False, False, "context deadline exceeded", "", 0, []),
        "": (False, False, True, "it has no client URL, it was never started", "", 0, []),
    }
    assert members["m1"]["id"] == "26bad3b79f1c0b18"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("123 (kube-apiserver) S 1 123", ("kube-apiserver", "S")),
        ("123 (kube-apiserver) T 1 123", ("kube-apiserver", "T")),
        ("123 (odd) name) (x) R 1", ("odd) name) (x", "R")),
    ],
)
def test_parse_stat(text, expected):
    assert _process_state.parse_stat(text) == expected


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ("paused", {10: "S", 11: "R"}, [10, 11]),
        ("paused", {10: "T"}, []),
        ("running", {10: "T", 11: "S"}, [10]),
        ("running", {10: "S"}, []),
        # Stopped by a debugger.
        ("running", {10: "t"}, []),
    ],
)
def test_plan(wanted, found, expected):
    assert _process_state.plan(wanted, found) == expected


def test_processes(tmp_path):
    for pid, text in (("7", "7 (kube-apiserver) S 1"), ("8", "8 (etcd) S 1"), ("9", "")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "stat").write_text(text)
    (tmp_path / "self").mkdir()
    (tmp_path / "10").mkdir()
    assert _process_state.processes("kube-apiserver", root=str(tmp_path)) == {7: "S"}


class Clock:
    """Time that only passes when someone sleeps or asks."""

    def __init__(self, cost):
        self.now, self.cost = 100.0, cost

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def ask(self, answers):
        self.now += self.cost
        return answers.pop(0) if answers else "down"


@pytest.mark.parametrize(
    ("answers", "cost", "answered", "seconds", "requests", "failures", "error"),
    [
        (["", "", ""], 0, True, 0.0, 3, 0, ""),
        (["down", "", "", ""], 1, True, 1 + PAUSE, 4, 1, ""),
        # A single failure among answers starts the count anew.
        (["", "", "reset", "", "", ""], 0, True, 3 * PAUSE, 6, 1, ""),
        ([], 2, False, 4 + PAUSE, 2, 2, "down"),
        (["", ""], 2, False, 4 + PAUSE, 2, 0, "answered only 2 times"),
    ],
)
def test_until_steady(answers, cost, answered, seconds, requests, failures, error):
    clock = Clock(cost)
    outcome = until_steady(lambda: clock.ask(answers), successes=3, within=4, clock=clock, sleep=clock.sleep)
    assert (outcome.answered, outcome.requests, outcome.failures, outcome.error) == (
        answered,
        requests,
        failures,
        error,
    )
    assert outcome.seconds == pytest.approx(seconds)


KUBECONFIG = {
    "kind": "Config",
    "current-context": "b",
    "contexts": [{"name": "a", "context": {"cluster": "one"}}, {"name": "b", "context": {"cluster": "two"}}],
    "clusters": [
        {"name": "one", "cluster": {"server": "https://one"}},
        {"name": "two", "cluster": {"server": "https://two", "certificate-authority-data": "x"}},
    ],
    "users": [{"name": "u", "user": {"client-key-data": "s3cret"}}],
}


def test_with_server_changes_the_current_cluster_only():
    result = with_server(KUBECONFIG, "https://new:6443")
    assert [item["cluster"]["server"] for item in result["clusters"]] == ["https://one", "https://new:6443"]
    assert KUBECONFIG["clusters"][1]["cluster"]["server"] == "https://two"


@pytest.mark.parametrize(
    "document",
    [
        "s3cret",
        None,
        {"kind": "Pod", "data": "s3cret"},
        {**KUBECONFIG, "current-context": "c"},
        {**KUBECONFIG, "clusters": []},
    ],
)
def test_with_server_refuses_without_showing_the_content(document):
    with pytest.raises(KubeconfigError) as error:
        with_server(document, "https://new:6443")
    assert "s3cret" not in str(error.value)
