# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _drift

HOST = {"role": "host", "area": "kernel", "result": "host"}
SECRETS = {"role": "registry", "area": "secrets", "result": "secrets", "secret": True}
NETWORK = {"role": "network", "area": "objects", "result": "network", "scope": "cluster"}
AREAS = [HOST, SECRETS, NETWORK]
UNCHANGED = {"changed": False, "actions": [], "diff": []}
EDITED = {
    "changed": True,
    "actions": ["change /etc/hosts"],
    "diff": [{"before_header": "/etc/hosts", "after_header": "/etc/hosts", "before": "a\nb\n", "after": "a\n"}],
}
HOSTS_DIFF = "--- /etc/hosts\tnow\n+++ /etc/hosts\twanted\n@@ -1,2 +1 @@\n a\n-b\n"
LOST = {"changed": False, "unreachable": True, "msg": "no route to host"}
BROKEN = {"changed": False, "failed": True, "msg": "the disk is full"}


def make(**variables):
    return _drift.report(AREAS, list(variables), variables, "2026-01-01T00:00:00Z", {"version": "1.2.3"})


def found(**variables):
    """Drift and errors of one host: actions, and messages."""
    host = make(one=variables)["hosts"][0]
    return [a for e in host["drift"] for a in e["actions"]], [e["message"] for e in host["errors"]]


@pytest.mark.parametrize(
    ("variables", "actions", "errors"),
    [
        pytest.param({"host": UNCHANGED}, [], [], id="nothing"),
        pytest.param({"host": EDITED}, ["change /etc/hosts"], [], id="drift"),
        pytest.param({"host": UNCHANGED, "secrets": {**EDITED, "skipped": True}}, [], [], id="one skipped"),
        pytest.param(
            {"host": {**UNCHANGED, "skipped": True}},
            [],
            ["it was not compared; see the other errors"],
            id="all skipped",
        ),
        pytest.param(
            {"host": {**UNCHANGED, "missing_packages": ["haproxy", "socat"]}},
            ["install packages: haproxy, socat"],
            [],
            id="packages that another task would install",
        ),
        pytest.param({"host": {"changed": True, "dest": "/x"}}, ["change /x"], [], id="a module without sentences"),
        pytest.param(
            {"host": {"changed": True, "actions": {"https://r": ["upload a"]}}},
            ["https://r: upload a"],
            [],
            id="sentences by endpoint",
        ),
        pytest.param(
            {"host": {"changed": True, "results": [UNCHANGED, EDITED, {**EDITED, "skipped": True}, BROKEN]}},
            ["change /etc/hosts"],
            ["the disk is full"],
            id="rounds of a loop",
        ),
        pytest.param({"host": LOST}, [], ["no route to host"], id="unreachable"),
        pytest.param(
            {"host": LOST, "drift_notes": [{"task": "next", "message": "'actions' is undefined"}]},
            [],
            ["no route to host"],
            id="what follows from a lost connection is no error of its own",
        ),
        pytest.param(
            {"host": EDITED, "secrets": LOST}, ["change /etc/hosts"], ["no route to host"], id="lost half way"
        ),
        pytest.param(
            {"host": BROKEN, "drift_notes": [{"task": "x", "message": "the disk is full"}]},
            [],
            ["the disk is full"],
            id="failed, told once",
        ),
        pytest.param(
            {"host": EDITED, "drift_notes": [{"task": "Check", "message": "wrong"}]},
            ["change /etc/hosts"],
            ["wrong"],
            id="a task that registers nothing failed",
        ),
        pytest.param(
            {"host": UNCHANGED, "drift_notes": [{"task": "", "message": ""}]},
            [],
            ["it was not compared any further; see the other errors"],
            id="a task for all hosts failed on another one",
        ),
        pytest.param({}, [], ["it was not compared; see the other errors"], id="nothing ran"),
    ],
)
def test_what_is_told_of_a_host(variables, actions, errors):
    assert found(**variables) == (actions, errors)


@pytest.mark.parametrize(
    ("variables", "status", "totals"),
    [
        pytest.param({"a": {"host": UNCHANGED}}, "none", (1, 0, 0, 0, 0), id="none"),
        pytest.param({"a": {"host": UNCHANGED}, "b": {"host": EDITED}}, "drift", (2, 1, 0, 1, 0), id="drift"),
        pytest.param({"a": {"host": LOST}, "b": {"host": EDITED}}, "error", (2, 1, 1, 1, 1), id="error wins"),
        pytest.param({"a": {"host": UNCHANGED, "network": EDITED}}, "drift", (1, 0, 0, 1, 0), id="of the cluster"),
        pytest.param({"a": {"host": UNCHANGED, "network": BROKEN}}, "error", (1, 0, 0, 0, 1), id="cluster unknown"),
        pytest.param({}, "none", (0, 0, 0, 0, 0), id="no hosts"),
    ],
)
def test_status_and_totals(variables, status, totals):
    report = make(**variables)
    assert (report["status"], tuple(report["totals"].values())) == (status, totals)


def test_what_runs_once_is_told_once():
    report = make(a={"host": UNCHANGED, "network": EDITED}, b={"host": UNCHANGED, "network": EDITED})
    assert report["cluster"]["drift"] == [
        {"role": "network", "area": "objects", "actions": ["change /etc/hosts"], "diff": HOSTS_DIFF}
    ]
    assert [host["status"] for host in report["hosts"]] == ["none", "none"]


def test_a_failure_of_the_cluster_is_told_once():
    notes = {"drift_cluster_notes": [{"task": "", "message": ""}]}
    report = make(
        a={
            "host": UNCHANGED,
            "network": BROKEN,
            "drift_cluster_notes": [{"task": "Net", "message": "the disk is full"}],
        },
        b={"host": UNCHANGED, "network": BROKEN, **notes},
    )
    assert report["cluster"]["errors"] == [{"role": "network", "area": "objects", "message": "the disk is full"}]


def test_a_failure_of_the_cluster_is_no_error_of_the_host_that_saw_it():
    report = make(
        a={"host": UNCHANGED, "network": BROKEN, "drift_notes": [{"task": "x", "message": "the disk is full"}]}
    )
    assert [host["status"] for host in report["hosts"]] == ["none"]


def test_hosts_that_ansible_took_out_are_not_called_compared():
    later = {"host": UNCHANGED, "drift_compared": True}
    variables = {"a": {"host": BROKEN}, "b": {"host": UNCHANGED}, "c": {"host": EDITED}, "d": later}
    report = _drift.report(AREAS, list(variables), variables, "", {}, ended=["a", "b", "d"])
    assert [host["status"] for host in report["hosts"]] == ["error", "error", "drift", "none"]
    assert report["hosts"][1]["errors"][0]["message"] == "it was not compared any further; see the other errors"


def test_reasons_can_be_explained():
    variables = {"a": {"host": BROKEN, "drift_notes": [{"task": "x", "message": "make room"}]}}
    report = _drift.report(AREAS, ["a"], variables, "", {}, explain=lambda result: "make room")
    assert [error["message"] for error in report["hosts"][0]["errors"]] == ["make room"]


def test_wrong_input_is_known_from_notes():
    note = {"task": "Judge inventory and variables", "message": "there is no control plane"}
    report = _drift.report(AREAS, [], {}, "", {}, notes=[note])
    assert (report["status"], report["cluster"]["errors"][0]["message"]) == ("error", "there is no control plane")


def test_wrong_input_is_an_error_of_the_cluster():
    notes = [{"task": "Judge inventory and variables", "message": "there is no control plane"}]
    report = make(a={"drift_cluster_notes": notes})
    assert report["status"] == "error"
    assert [error["message"] for error in report["cluster"]["errors"]] == ["there is no control plane"]


def test_diff_of_secrets_is_left_out():
    report = make(a={"host": EDITED, "secrets": EDITED})
    assert [entry["diff"] for entry in report["hosts"][0]["drift"]] == [HOSTS_DIFF, ""]


def test_scope_is_checked():
    with pytest.raises(_drift.DriftError, match="scope of an area must be host or cluster"):
        _drift.report([{**HOST, "scope": "node"}], [], {}, "", {})


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"before_header": "/a", "after_header": "/a", "before": "x\n", "after": "x\n"}, ""),
        (
            {"before": {"mode": "0600", "path": "/a"}, "after": {"mode": "0644", "path": "/a"}},
            "-mode: 0600\n+mode: 0644\n",
        ),
        ({"before": "x", "after": "x\n"}, "-x\n\\ No newline at end of file\n+x\n"),
        ({"before": ["x"], "after": ["y"]}, '-  "x"\n+  "y"\n'),
        ({"prepared": "done by hand"}, "done by hand\n"),
        ({"dst_larger": 104448, "after_header": "/bin/x"}, "/d: the content differs\n"),
        ("nothing", ""),
        (None, ""),
    ],
)
def test_every_form_of_a_diff_is_understood(entry, expected):
    assert expected in _drift.unified(entry, "/d")
    assert bool(_drift.unified(entry, "/d")) is bool(expected)


def test_table():
    many = {"changed": True, "actions": [f"action {number}" for number in range(13)]}
    report = make(first={"host": EDITED, "network": many}, b={"host": {**BROKEN, "msg": "a\n  b"}})
    lines = _drift.table(report)
    assert lines[0] == "the state could not be determined (1 error); drift found so far: 14 changes"
    assert lines[1] == "cluster  network  action 0"
    assert lines[-4:] == [
        "cluster  network  … and 3 more",
        "first    host     change /etc/hosts",
        "b        ERROR    host (kernel): a",
        "b        ERROR      b",
    ]
    assert _drift.problems(report)[1:] == ["b  ERROR  host (kernel): a", "b  ERROR    b"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"a": {"host": UNCHANGED}}, "no drift on 1 host"),
        ({"a": {"host": EDITED}, "b": {"host": UNCHANGED}}, "drift: 1 change, on 1 of 2 hosts"),
        ({"a": {"host": EDITED, "network": EDITED}}, "drift: 2 changes, on 1 of 1 host and in the cluster"),
    ],
)
def test_headline(variables, expected):
    assert _drift.headline(make(**variables)) == expected
