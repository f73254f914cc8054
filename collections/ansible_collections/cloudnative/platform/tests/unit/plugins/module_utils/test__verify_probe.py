# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._verify import probe
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.probe import Dial
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.probes import Probes

IMAGE = "registry.k8s.io/agnhost@sha256:abc"


@pytest.mark.parametrize(
    ("answer", "responses", "error"),
    [
        ('{"responses":["probe-1"]}', ["probe-1"], ""),
        ({"responses": ["probe-1", "probe-2"]}, ["probe-1", "probe-2"], ""),
        ('{"errors":["timed out","timed out"]}', [], "timed out"),
        ('{"responses":["a"],"errors":["reset"]}', ["a"], "reset"),
        ("{}", [], ""),
        ("not json", [], "unexpected answer 'not json'"),
        ("[]", [], "unexpected answer '[]'"),
    ],
)
def test_parse_dial(answer, responses, error):
    dial = probe.parse_dial("a", "b", answer)
    assert (dial.responses, dial.error) == (responses, error)


@pytest.mark.parametrize(
    ("dials", "expected", "status", "message"),
    [
        ([Dial("a", "b", ["x"])], None, "ok", "1 things"),
        ([Dial("a", "b", error="refused")], None, "failed", "a cannot reach b: refused"),
        ([Dial("a", "b")], None, "failed", "a cannot reach b: no answer"),
        ([Dial("a", "b", ["x"], "one try was reset")], None, "failed", "a cannot reach b: one try was reset"),
        ([Dial("a", "b", ["x"])], ["y"], "failed", "a to b was answered by x"),
        ([], None, "failed", "there is no pod to connect from"),
    ],
)
def test_connections(dials, expected, status, message):
    found = probe.connections("n", dials, "things", expected)
    assert (found.status, found.message) == (status, message)


def test_a_connection_that_took_several_attempts_is_told():
    assert probe.connections("n", [Dial("a", "b", ["x"], attempts=3)], "things").details == ["a reached b at attempt 3"]


@pytest.mark.parametrize(
    ("dials", "status"),
    [
        ([Dial("a", "b", ["x"]), Dial("b", "a", ["y"])], "ok"),
        ([Dial("a", "b", ["x"]), Dial("b", "a", error="no route")], "failed"),
        ([Dial("a", "b", ["x"], error="z answered instead of x")], "failed"),
        ([], "failed"),
    ],
)
def test_pod_pairs(dials, status):
    assert probe.pod_pairs(dials).status == status


@pytest.mark.parametrize(
    ("responses", "backends", "status", "message"),
    [
        (["p1", "p2"], {"p1": "n1", "p2": "n2"}, "ok", "1 pods reach the Service, it has 2 backends"),
        (["p1", "p1"], {"p1": "n1"}, "ok", "1 pods reach the Service, it has 1 backends"),
        (["p1", "p1"], {"p1": "n1", "p2": "n2"}, "failed", "only p1 answers for 2 backends"),
        (["p9"], {"p1": "n1"}, "failed", "a to s was answered by p9"),
    ],
)
def test_service_spread(responses, backends, status, message):
    found = probe.service_spread([Dial("a", "s", responses)], backends)
    assert (found.status, found.message) == (status, message)


def test_service_backend_that_did_not_answer_is_told():
    found = probe.service_spread([Dial("a", "s", ["p1", "p2"])], {"p1": "n1", "p2": "n2", "p3": "n3"})
    assert (found.status, found.details) == ("ok", ["no answer happened to come from n3"])


class OnePodAfterTheOther(Probes):
    """The rules of the nodes know p2 only after some rounds of connections."""

    def __init__(self, rounds: int) -> None:
        super().__init__(None, "image", ["n1", "n2"], "cluster.local", with_policy=False, stop=threading.Event())
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.pods = {
            name: {"metadata": {"name": name}, "spec": {"nodeName": node}, "status": ready}
            for name, node in (("p1", "n1"), ("p2", "n2"))
        }
        self.rounds = rounds

    def dial(self, pod, source, *_arguments, **_options):
        return Dial(source, "s", ["p1", "p1"] if self.rounds > 0 else ["p1", "p2"])

    def pause(self, seconds):
        self.rounds -= 1


@pytest.mark.parametrize(("rounds", "status"), [(0, "ok"), (1, "ok"), (4, "ok"), (99, "failed")])
def test_service_may_know_its_backends_a_moment_later(rounds, status):
    assert OnePodAfterTheOther(rounds).check_service().status == status


REACHED = Dial("c", "s", ["x"])
BLOCKED = Dial("c", "s", error="i/o timeout")
MUTE = Dial("c", "s", error="pod proxy failed", asked=False)


@pytest.mark.parametrize(
    ("before", "allowed", "denied", "message"),
    [
        (REACHED, REACHED, BLOCKED, None),
        (BLOCKED, REACHED, BLOCKED, "c cannot reach s even without a policy: i/o timeout"),
        (REACHED, BLOCKED, BLOCKED, "c is allowed but cannot reach s: i/o timeout"),
        (REACHED, REACHED, REACHED, "c still reaches s although no policy allows it"),
        (REACHED, REACHED, MUTE, "c cannot be asked: pod proxy failed"),
    ],
)
def test_policy(before, allowed, denied, message):
    found = probe.policy([before], [allowed], [denied])
    assert found.status == ("failed" if message else "ok")
    assert not message or found.message == message


def pod(name, node, image_id):
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": node},
        "status": {"containerStatuses": [{"imageID": image_id}]},
    }


def event(name, message="Successfully pulled image in 35ms", reason="Pulled"):
    return {"reason": reason, "message": message, "involvedObject": {"name": name}}


@pytest.mark.parametrize(
    ("pods", "events", "missing", "message"),
    [
        ([pod("p", "n", IMAGE)], [event("p")], {}, f"1 nodes pulled {IMAGE}"),
        ([pod("p", "n", IMAGE)], [], {}, f"n did not report that it pulled {IMAGE}"),
        (
            [pod("p", "n", IMAGE)],
            [event("p", "Container image already present on machine")],
            {},
            f"n did not report that it pulled {IMAGE}",
        ),
        ([pod("p", "n", "x@sha256:def")], [event("p")], {}, "n runs x@sha256:def instead of sha256:abc"),
        ([], [], {"n": "ErrImagePull not found"}, f"n has not pulled {IMAGE}: ErrImagePull not found"),
    ],
)
def test_image_pull(pods, events, missing, message):
    assert probe.image_pull(IMAGE, pods, events, missing).message == message


def test_node_of_a_pod_that_is_not_scheduled():
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    assert probe.node_of({"spec": {"affinity": affinity}}) == "n1"
    assert probe.node_of({"spec": {"affinity": affinity, "nodeName": "n2"}}) == "n2"
    assert probe.node_of({"spec": {}}) == ""


@pytest.mark.parametrize(
    "item", [probe.daemon_set(IMAGE)["spec"]["template"], probe.policy_pod("policy-server", IMAGE)]
)
def test_pods_meet_the_restricted_level(item):
    spec = item["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["imagePullPolicy"] == "Always"
        assert container["image"] == IMAGE


def test_objects_are_json_and_belong_to_the_namespace():
    objects = [
        probe.service_account(),
        probe.daemon_set(IMAGE),
        probe.service(),
        probe.network_policy(),
        probe.policy_pod("policy-server", IMAGE),
    ]
    for item in objects:
        assert json.loads(json.dumps(item)) == item
        assert item["metadata"]["namespace"] == probe.namespace()["metadata"]["name"]
