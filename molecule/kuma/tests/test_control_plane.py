"""What happens when a control plane is lost, its certificates are renewed, and when all of it is taken away."""

from __future__ import annotations

import re

import pytest
from mesh import SYSTEM, Writers, workload
from waiting import wait_for

pytestmark = [pytest.mark.disruptive, pytest.mark.usefixtures("shop")]
PODS = f"pods --namespace {SYSTEM} --selector app=kuma-control-plane"


def test_it_is_restricted_and_may_lose_one_pod(cluster):
    namespace = cluster.get(f"namespace {SYSTEM}")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    budget = cluster.get(f"poddisruptionbudget --namespace {SYSTEM} kuma-control-plane")
    assert budget["status"]["disruptionsAllowed"] == 1
    deployment = cluster.get(f"deployment --namespace {SYSTEM} kuma-control-plane")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert "@sha256:" in container["image"]


def test_second_control_plane_serves_when_one_is_lost(cluster):
    first = cluster.get(PODS)["items"][0]["metadata"]["name"]
    cluster.run(f"delete pod --namespace {SYSTEM} {first} --grace-period=1")
    with Writers(cluster) as writers:
        cluster.run(f"rollout status --namespace {SYSTEM} deployment/kuma-control-plane --timeout=60s")
        wait_for(lambda: writers.written > 3, 30, "somebody writes policies")
    # Who asked in the moment in which it went may have been refused; nobody is after that.
    assert writers.refused == []


def test_certificates_are_renewed_while_webhooks_answer(cluster, configure, graph):
    bundles, before = cluster.ca_bundles(), cluster.serving()
    assert bundles == {before["ca.crt"]}
    with Writers(cluster) as writers:
        done = configure(graph(), kuma_certificate_days=90, kuma_certificate_renew_before_days=60)
    assert done.returncode == 0
    after = cluster.serving()
    assert "PRIVATE KEY" not in done.stdout
    assert after["tls.key"] not in done.stdout
    assert after["tls.crt"] != before["tls.crt"]
    assert after["tls.key"] != before["tls.key"]
    assert cluster.ca_bundles() == {after["ca.crt"]} == bundles
    assert writers.written > 5
    assert writers.refused == []
    done = configure(graph(), kuma_certificate_days=90, kuma_certificate_renew_before_days=60)
    assert "changed=0" in done.stdout


def test_no_pod_gets_into_the_mesh_without_a_control_plane_and_the_next_run_repairs(cluster, configure, graph, agnhost):
    cluster.run(f"scale --namespace {SYSTEM} deployment/kuma-control-plane --replicas=0")
    wait_for(lambda: not cluster.get(PODS)["items"], 60, "no control plane runs")
    *_others, pod = workload("late", agnhost)
    pod["spec"]["serviceAccountName"] = "web"
    done = cluster.try_apply([pod])
    assert done.rc != 0
    assert 'failed calling webhook "namespace-kuma-injector.kuma.io"' in done.stderr
    assert configure(graph(), kuma_certificate_days=90, kuma_certificate_renew_before_days=60).returncode == 0
    cluster.apply(pod)


def test_the_platform_is_verified_and_then_the_mesh_is_taken_away(cluster, configure, graph):
    """Last of all: it takes the mesh away."""
    days = {"kuma_certificate_days": 90, "kuma_certificate_renew_before_days": 60}
    done = configure(graph(), "verify", verify_disruptive=False, **days)
    assert done.returncode == 0
    assert re.search(r"Kuma [\d.]+ runs and its webhooks answer, 0 dataplanes are online", done.stdout)
    done = configure(graph(), kuma_state="absent")
    assert done.returncode == 0
    assert cluster.run("get namespaces --output name --ignore-not-found kuma-system").strip() == ""
    for kinds in (
        "customresourcedefinitions",
        "mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "clusterroles,clusterrolebindings",
        "networkpolicies --all-namespaces",
        "configmaps --namespace kube-system",
    ):
        assert "kuma" not in cluster.run(f"get {kinds} --output name")
    assert cluster.run("get networkpolicies --namespace shop --output name").strip() == ""
    assert "kuma.io/sidecar-injection" not in cluster.get("namespace shop")["metadata"]["labels"]
    wait_for(lambda: cluster.reaches("other", "web"), 60, "everybody reaches everybody again")
    done = configure(graph(), kuma_state="absent")
    assert "changed=0" in done.stdout
    # Nothing of it is known to the cluster, and still it can be said what would be made.
    done = configure(graph(), check=True)
    assert done.returncode == 0
    assert cluster.run("get namespaces --output name --ignore-not-found kuma-system").strip() == ""
