"""A service behind the gateway, as its clients and those who work on its routes see it.

What answers is a double of Kong, not Kong: it stands for its Admin API and for the plugins that are used here.
"""

from __future__ import annotations

import collections
import re

import pytest
from gateway import KEY, NODES, Load, ask
from waiting import wait_for

pytestmark = pytest.mark.usefixtures("demo")


def test_it_is_a_double_that_answers_and_says_so():
    server = ask("/nothing", Host="unknown.example.com").headers["server"]
    assert server.startswith("kong-double/") and server.endswith(" (not Kong)")


def test_route_leads_to_the_service_from_every_node():
    assert {ask("/hostname", node).body.rsplit("-", 2)[0] for node in NODES * 10} <= {"demo-v1", "demo-v2"}
    unknown = ask("/hostname", Host="unknown.example.com")
    assert (unknown.status, "no Route matched" in unknown.body) == (404, True)


def test_only_a_consumer_with_a_key_gets_in():
    assert ask("/private/hostname").status == 401
    assert ask("/private/hostname", apikey="wrong").status == 401
    assert ask("/private/hostname", apikey=KEY).status == 200


def test_who_asks_too_often_is_told_so():
    found = collections.Counter(ask("/limited/hostname").status for _number in range(30))
    # Each of two pods counts for itself.
    assert found[200] >= 5
    assert found[429] >= 1
    assert found[200] + found[429] == 30


def test_versions_get_their_share():
    found = collections.Counter(ask("/hostname").body.rsplit("-", 2)[0] for _number in range(200))
    assert found["demo-v1"] + found["demo-v2"] == 200
    assert 130 <= found["demo-v1"] <= 185


def test_admin_api_is_out_of_reach(cluster, other_node):
    pods = cluster.get("pods --namespace kong --selector app.kubernetes.io/component=gateway")["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {"cp1", "worker1"}
    for pod in pods:
        address, somewhere_else = pod["status"]["podIP"], other_node(pod["spec"]["nodeName"])
        assert somewhere_else.run(f"timeout 2 bash -c '</dev/tcp/{address}/8000'").rc == 0
        assert somewhere_else.run(f"timeout 2 bash -c '</dev/tcp/{address}/8001'").rc != 0
        # Whoever reaches the status port could make a pod drain. The node of the pod may: probes come from there.
        assert somewhere_else.run(f"timeout 2 bash -c '</dev/tcp/{address}/8100'").rc != 0


def test_pods_are_restricted(cluster):
    assert cluster.get("namespace kong")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    container = cluster.get("deployment --namespace kong kong")["spec"]["template"]["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert "@sha256:" in container["image"]


def test_the_same_document_once_more_changes_nothing(configure, document):
    done = configure(document())
    assert done.returncode == 0
    assert "changed=0" in done.stdout
    assert KEY not in done.stdout


def test_changed_pruned_and_rolled_back_without_a_lost_request_or_a_restart(cluster, configure, document):
    pods = cluster.gateway_pods()
    other = document()
    other["upstreams"][0]["targets"][0]["weight"] = 0
    other["upstreams"][0]["targets"][1]["weight"] = 100
    del other["services"][0]["routes"][1:]
    with Load() as load:
        assert configure(other).returncode == 0
        wait_for(lambda: ask("/hostname").body.startswith("demo-v2"), 30, "the second version gets everything")
        # What the document does not name any more is gone, and the open route takes what came to it.
        assert ask("/private/hostname").status != 401
        assert {ask("/hostname").body.rsplit("-", 2)[0] for _number in range(20)} == {"demo-v2"}
        assert configure(document()).returncode == 0
        wait_for(lambda: ask("/private/hostname").status == 401, 30, "the private route is back")
    assert load.asked > 100
    assert load.lost == []
    assert cluster.gateway_pods() == pods


def test_what_somebody_changed_by_hand_is_taken_back(cluster, configure, document):
    cluster.run("""patch service kong --namespace kong --patch '{"spec": {"externalTrafficPolicy": "Local"}}'""")
    cluster.run("label namespace kong pod-security.kubernetes.io/enforce=privileged --overwrite")
    assert configure(document()).returncode == 0
    assert cluster.get("service --namespace kong kong")["spec"]["externalTrafficPolicy"] == "Cluster"
    labels = cluster.get("namespace kong")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_what_kong_refuses_changes_nothing(cluster, configure, document):
    kept, pods = cluster.kept_configuration(), cluster.gateway_pods()
    bad = document()
    # Nobody asks whether a port can be one before a node does that is given the document.
    bad["services"][0]["port"] = 99999
    done = configure(bad)
    assert done.returncode != 0
    assert "refuses the configuration" in done.stdout
    assert "port: value should be between 0 and 65535" in done.stdout
    assert cluster.kept_configuration() == kept
    assert cluster.gateway_pods() == pods
    assert ask("/hostname").status == 200
    # No new pod starts with it either, and no node holds half of it.
    again = configure(document())
    assert again.returncode == 0
    assert not re.search(r"changed=[1-9]", again.stdout)


def test_what_is_refused_before_kong_is_asked_changes_nothing(cluster, configure, document):
    kept = cluster.kept_configuration()
    bad = document()
    bad["services"][0]["retires"] = 3
    bad["services"][0]["plugins"] = [{"name": "rate-limitting", "config": {"minute": 5}}]
    done = configure(bad)
    assert done.returncode != 0
    assert "retires" in done.stdout and "retries" in done.stdout
    assert "rate-limitting" in done.stdout
    assert cluster.kept_configuration() == kept
    assert ask("/hostname").status == 200


def test_what_can_not_work_is_refused_before_any_host_is_touched(configure, document):
    half = {"names": ["demo.example.com"], "certificate": "-----BEGIN CERTIFICATE-----"}
    done = configure(document(), kong_edition="enterprise", kong_certificates=[half])
    assert done.returncode != 0
    assert "starts read-only and without configuration when it has no licence" in done.stdout
    assert "kong_certificates[0]" in done.stdout and "has no key" in done.stdout
    assert "Configure the gateway" not in done.stdout
