# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.filter.measurement_report import measurement_report


def finding(figure, subject, value, bound, verdict):
    text = f"{figure} {subject}: {value}. What to do: something"
    return {"figure": figure, "subject": subject, "value": value, "bound": bound, "verdict": verdict, "text": text}


def result(*findings):
    facts = {"platform_measurements": {"clock": []}}
    return {"findings": list(findings), "missed": [], "seconds": 1.2, "ansible_facts": facts, "changed": False}


def test_report_of_hosts():
    clock = finding("clock", "against registry r1", "3 ms ahead (± 12)", "at most 500 ms", "ok")
    disk = finding("fsync p99", "in /var/lib", "40.0 ms", "at most 10 ms", "missed")
    path = finding("path MTU", "to worker1", "192.0.2.9 does not answer", "at least 1500", "unknown")
    report = measurement_report({"cp1": result(clock, disk), "worker10": result(path)})
    assert report["summary"] == "hosts: 2, figures: 3, missed: 1, unknown: 1"
    assert report["missed"] == 1
    assert report["table"] == [
        "host      figure                     value              bound           verdict",
        "cp1       clock against registry r1  3 ms ahead (± 12)  at most 500 ms  ok",
        "cp1       fsync p99 in /var/lib      40.0 ms            at most 10 ms   missed",
        "worker10  path MTU to worker1        -                  at least 1500   unknown",
        "cp1, fsync p99 in /var/lib: 40.0 ms. What to do: something",
        "worker10, path MTU to worker1: 192.0.2.9 does not answer. What to do: something",
    ]
    assert report["hosts"]["worker10"] == {"findings": [path], "figures": {"clock": []}, "seconds": 1.2}


def test_report_of_no_host():
    report = measurement_report({})
    assert report["summary"] == "hosts: 0, figures: 0, missed: 0, unknown: 0"
    assert report["hosts"] == {}
