"""Pods that are replaced, nodes that are drained, another version, certificates, and the end of the gateway."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time

import pytest
from gateway import HOST, KEY, NODES, Load, ask, certificate
from waiting import wait_for

pytestmark = [pytest.mark.disruptive, pytest.mark.usefixtures("demo")]


def test_clients_notice_a_pod_that_simply_ends(cluster):
    """What the next test is worth: requests that are cut off are seen."""
    with Load(quick=0, slow=6) as load:
        time.sleep(2)
        pod = next(iter(cluster.gateway_pods()))
        cluster.run(f"delete pod --namespace kong {pod} --force --grace-period=0")
        time.sleep(3)
    assert load.lost
    cluster.run("rollout status --namespace kong deployment/kong --timeout=60s")
    wait_for(lambda: len(cluster.gateway_pods()) == 2, 60, "two pods again")


def test_another_version_of_kong_loses_no_request_and_loads_the_configuration(cluster, configure, document):
    """And the configuration changes in the same run."""
    before = cluster.gateway_pods()
    other = document()
    other["services"][0]["routes"][0]["tags"] = ["next"]
    first = ask("/nothing", Host="unknown.example.com").headers["server"]
    with Load() as load:
        assert configure(other, kong_component="kong-double-next").returncode == 0
        wait_for(lambda: len(cluster.gateway_pods()) == 2, 60, "the pods of the other version are gone")
    assert ask("/nothing", Host="unknown.example.com").headers["server"] != first
    assert load.asked > 100
    assert load.lost == []
    assert not set(cluster.gateway_pods()) & set(before)
    assert sorted(cluster.gateway_nodes()) == ["cp1", "worker1"]
    assert ask("/private/hostname", apikey=KEY).status == 200


def test_a_node_that_is_drained_loses_no_request(cluster):
    before = cluster.gateway_pods()
    try:
        with Load() as load:
            cluster.drain("worker1")
            assert cluster.gateway_nodes() == ["cp1"] * 2
            cluster.run("uncordon worker1")
            # Both pods are on one node now: the second may not go before there is another one for the first.
            cluster.drain("cp1", "--pod-selector app.kubernetes.io/component=gateway")
            assert cluster.gateway_nodes() == ["worker1"] * 2
    finally:
        cluster.run("uncordon cp1 worker1")
    assert load.asked > 100
    assert load.lost == []
    assert not set(cluster.gateway_pods()) & set(before)


def test_a_pod_on_each_node_that_takes_the_ports_of_its_host(cluster, configure, document):
    """And back, each time with the version that the scenario began with."""
    done = configure(document(), kong_workload="DaemonSet", kong_exposure="hostPort", kong_http_port=8000)
    assert done.returncode == 0
    wait_for(lambda: sorted(cluster.gateway_nodes()) == ["cp1", "worker1"], 60, "one pod on each node")
    assert [ask("/hostname", node, port=8000).status for node in NODES] == [200, 200]
    namespace = cluster.get("namespace kong")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "privileged"
    done = configure(document())
    assert done.returncode == 0
    assert [ask("/hostname", node).status for node in NODES] == [200, 200]
    namespace = cluster.get("namespace kong")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"


def hostname_over_tls(authority: str) -> int:
    """How a client that trusts only this authority, and asks for the host by its name, is answered."""
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection((NODES[1], 30443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as encrypted,
    ):
        connection = http.client.HTTPConnection(HOST)
        connection.sock = encrypted
        connection.request("GET", "/hostname")
        return connection.getresponse().status


def test_certificate_of_a_host(configure, document):
    given = certificate(HOST, NODES[1])
    done = configure(document(), kong_certificates=[given])
    assert done.returncode == 0
    assert "PRIVATE KEY" not in done.stdout
    assert hostname_over_tls(given["certificate"]) == 200


def test_certificate_that_the_platform_issues(cluster, configure, document, registry):
    pods = cluster.gateway_pods()
    done = configure(document(), kong_certificates=[{"names": [HOST]}])
    assert done.returncode == 0
    assert "PRIVATE KEY" not in done.stdout
    authority = registry.check_output("cat /etc/cloudnative/pki/ca.crt")
    wait_for(lambda: hostname_over_tls(authority) == 200, 30, "the gateway has the certificate")
    assert "changed=0" in configure(document(), kong_certificates=[{"names": [HOST]}]).stdout
    assert cluster.gateway_pods() == pods


def test_the_platform_is_verified_and_then_taken_away(playbook, cluster, configure, document):
    """Last of all: it takes the gateway away."""
    assert configure(document()).returncode == 0
    done = configure(document(), "verify", verify_disruptive=False)
    assert done.returncode == 0
    assert re.search(r"2 pods of Kong [\d.]+ \(community\) have one configuration of", done.stdout)
    done = configure(document(), kong_state="absent")
    assert done.returncode == 0
    assert cluster.run("get namespaces --output name --ignore-not-found kong").strip() == ""
    # Where it is no add-on, the playbook of those who work on routes does not bring it back.
    assert configure(document(), platform_addons=[]).returncode == 0
    assert cluster.run("get namespaces --output name --ignore-not-found kong").strip() == ""
