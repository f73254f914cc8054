# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import node, rollout


class Runtime:
    """What crictl says, look after look; the last answer stays. Newest containers come first, as from crictl."""

    def __init__(self, *looks, logs=None):
        self.looks = list(looks)
        self.logs = logs or {}

    def run(self, command, **_options):
        if command[1] == "logs":
            return 0, "", self.logs.get(command[-1], "")
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        listed = [{"id": name, "state": f"CONTAINER_{state}"} for name, state in look.items()]
        return 0, json.dumps({"containers": listed}), ""


@pytest.fixture
def why(monkeypatch):
    """Why the new container is not well; empty when it is."""

    def wait(runtime, well="", timeout=0.0):
        monkeypatch.setattr(node, "run", runtime.run)
        monkeypatch.setattr(node, "diagnosis", lambda: "what a person would look at")
        monkeypatch.setattr(rollout, "probe", lambda _manifest: well)
        monkeypatch.setattr(rollout.time, "sleep", lambda _seconds: None)
        known = [rollout.Container("old", running=True)]
        return rollout.Rollout({}, {}, timeout)._wait_for_new("kube-apiserver", "", known)

    return wait


def test_new_container_that_is_well(why):
    assert why(Runtime({"old": "EXITED"}, {"new": "CREATED", "old": "EXITED"}, {"new": "RUNNING"}), timeout=60) == ""


def test_container_that_was_only_created_has_not_ended(why):
    """The third one is on its way; the second tells why, and the first one's log is gone already."""
    looks = (
        {"one": "RUNNING"},
        {"two": "CREATED", "one": "EXITED"},
        {"three": "CREATED", "two": "EXITED", "one": "EXITED"},
    )
    said = why(Runtime(*looks, logs={"two": "unknown flag: --no-such-flag\n"}), "refused", 60)
    assert said == "it ended 2 times; its last words:\nunknown flag: --no-such-flag"


def test_words_are_kept_when_the_next_one_says_nothing(why):
    looks = ({"one": "EXITED"}, {"two": "EXITED", "one": "EXITED"})
    said = why(Runtime(*looks, logs={"one": "no space left on device"}), timeout=60)
    assert said == "it ended 2 times; its last words:\nno space left on device"


@pytest.mark.parametrize(
    ("look", "logs", "said"),
    [
        ({"one": "RUNNING"}, {"one": "waiting for etcd"}, "refused; its last words:\nwaiting for etcd"),
        ({"one": "RUNNING"}, {}, "refused\nwhat a person would look at"),
        ({"old": "EXITED"}, {"old": "bye"}, "it was not started\nwhat a person would look at"),
    ],
    ids=["runs and is not well", "says nothing", "never came"],
)
def test_when_the_time_is_over(why, look, logs, said):
    assert why(Runtime(look, logs=logs), "refused", -1) == said
