# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may call whom."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import callgraph
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Problems
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import wanted

SHOP: dict[str, t.Any] = {
    "services": {
        "web": {},
        "api": {"labels": {"app": "api"}},
        "db": {"workload": "postgres"},
        "gateway": {"namespace": "kong", "service_account": "kong"},
        "partner": {"spiffe_id": "spiffe://partner.example/billing"},
    },
    "calls": {"gateway": ["web"], "web": ["api"], "api": ["db"], "partner": ["api"], "db": ["db"]},
}


def allowed(content: dict[str, t.Any]) -> dict[str, list[str]]:
    return {
        one["name"]: [item["spiffeID"]["value"] for item in one["spec"]["rules"][0]["default"]["allow"]]
        for one in callgraph.permissions(callgraph.read(content, "default"))
    }


def test_one_permission_for_each_service_that_is_called() -> None:
    domain = "spiffe://default.default.mesh.local"
    assert allowed(SHOP) == {
        "calls-to-api": [f"{domain}/workload/web", "spiffe://partner.example/billing"],
        "calls-to-db": [f"{domain}/workload/api", f"{domain}/workload/postgres"],
        "calls-to-web": [f"{domain}/ns/kong/sa/kong"],
    }
    targets = {
        one["name"]: one["spec"]["targetRef"]["labels"]
        for one in callgraph.permissions(callgraph.read(SHOP, "default"))
    }
    assert targets == {
        "calls-to-api": {"app": "api"},
        "calls-to-db": {"kuma.io/workload": "postgres"},
        "calls-to-web": {"kuma.io/workload": "web"},
    }


def test_a_permission_is_a_resource_that_the_control_plane_knows() -> None:
    assert len(wanted(*callgraph.permissions(callgraph.read(SHOP, "default")))) == 3


def test_one_line_changes_one_object() -> None:
    more = {**SHOP, "calls": {**SHOP["calls"], "gateway": ["web", "api"]}}
    before, after = allowed(SHOP), allowed(more)
    assert [name for name in after if before.get(name) != after[name]] == ["calls-to-api"]


def test_where_the_trust_domain_comes_from() -> None:
    small = {"services": {"a": {}, "b": {}}, "calls": {"a": ["b"]}}
    assert allowed({**small, "mesh": "prod", "zone": "z1"}) == {
        "calls-to-b-prod": ["spiffe://prod.z1.mesh.local/workload/a"]
    }
    assert allowed({**small, "trust_domain": "example.org"})["calls-to-b"] == ["spiffe://example.org/workload/a"]
    assert callgraph.permissions(callgraph.read({**small, "mesh": "prod"}, "default"))[0]["mesh"] == "prod"


def test_permissions_of_two_meshes_are_not_one_object() -> None:
    """On Kubernetes all of them are in the namespace of the control plane."""
    small = {"services": {"a": {}, "b": {}}, "calls": {"a": ["b"]}}
    names = [callgraph.permissions(callgraph.read(small, mesh))[0]["name"] for mesh in ("default", "shop", "data")]
    assert names == ["calls-to-b", "calls-to-b-shop", "calls-to-b-data"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"calls": {"web": ["apy"]}}, "calls.web: calls 'apy', no service of this name, did you mean api?"),
        ({"calls": {"wep": ["api"]}}, "calls.wep: no service of this name, did you mean web?"),
        ({"calls": {"web": "api"}}, "calls.web: expected a list of services"),
        ({"calls": {"web": ["api", "api"]}}, "api stands there twice"),
        ({"calls": {"web": ["partner"]}}, "calls.web: partner is outside of the mesh"),
        ({"calls": {"web": None}}, "calls.web: expected a list of services"),
        ({"calls": []}, "calls: expected a mapping"),
        ({"services": []}, "services: expected a mapping"),
        ({"servces": {}}, "servces: unknown field, did you mean services?"),
        (
            {"services": {"web": {"lables": {}}}, "calls": {}},
            "services.web.lables: unknown field, did you mean labels?",
        ),
        ({"services": {"web": ["x"]}, "calls": {}}, "services.web: expected a mapping, which may be empty"),
        ({"services": {"Web": {}}, "calls": {}}, "a name has lower case letters"),
        ({"services": {"web": {"service_account": "x"}}, "calls": {}}, "service_account: needs namespace"),
        ({"services": {"web": {"ports": ["http"]}}, "calls": {}}, "ports: expected a list of ports"),
        ({"services": {"web": {"labels": {"a": 1}}}, "calls": {}}, "labels: expected a mapping of texts"),
        # Recorded: "path cannot have a trailing slash".
        ({"services": {"web": {"spiffe_id": "spiffe://a/b/"}}, "calls": {}}, "spiffe_id: 'spiffe://a/b/' is none"),
        ({"allow_cycles": ["web"]}, "allow_cycles: expected a list of lists"),
        ({"allow_cycles": [["web", "ap"]]}, "allow_cycles: ap, no service of this name, did you mean api?"),
        ({"services": {"web": {"gateway": "yes"}}, "calls": {}}, "services.web.gateway: expected true or false"),
        ({"services": {"web": {"cidrs": ["10.0.0.1/8"]}}, "calls": {}}, "cidrs: '10.0.0.1/8' is no network"),
        ({"services": {"web": {"cidrs": "10.0.0.0/8"}}, "calls": {}}, "cidrs: expected a list of networks"),
        (
            {"services": {"web": {"cidrs": ["10.0.0.0/8"], "namespace": "shop"}}, "calls": {}},
            "cidrs: they are of a service outside, and namespace is of one in the mesh",
        ),
        (
            {"services": {"web": {}, "kong": {"gateway": True}}, "calls": {"web": ["kong"]}},
            "calls.web: kong is a gateway, which takes calls past its proxy",
        ),
        (
            {"services": {"api": {}, "office": {"cidrs": ["10.0.0.0/8"]}}, "calls": {"office": ["api"]}},
            "calls.office: api is in the mesh and knows its callers by their certificate: give office a spiffe_id",
        ),
        (
            {"services": {"a": {"cidrs": ["10.0.0.0/8"]}, "b": {"cidrs": ["10.0.0.0/8"]}}, "calls": {"a": ["b"]}},
            "calls.a: b is outside of the mesh, and so is a",
        ),
        # With one identity, what one may the other could as well.
        (
            {"services": {"web": {"namespace": "shop"}, "api": {"namespace": "shop"}}, "calls": {}},
            "services.api: spiffe://default.default.mesh.local/ns/shop/sa/default is what web has too",
        ),
        (
            {"services": {"web": {"labels": {"app": "x"}}, "api": {"labels": {"app": "x"}}}, "calls": {}},
            "services.api: the labels of its dataplanes is what web has too",
        ),
        # One policy of both would let in the callers of either.
        (
            {
                "services": {
                    "web": {"namespace": "a", "service_account": "x", "pod_labels": {"app": "web"}},
                    "api": {"namespace": "a", "service_account": "y", "pod_labels": {"app": "web"}},
                },
                "calls": {},
            },
            "services.api: the pod_labels in namespace a is what web has too, so a NetworkPolicy of one is one of both",
        ),
        ({"calls": {"web": [{"b": 1}]}}, "calls.web: calls {'b': 1}, which is no name of a service"),
        ({"services": {"web": {"namespace": "A B"}}, "calls": {}}, "services.web.namespace: 'A B' is no name of a"),
        ({"services": {"web": {"workload": "A B"}}, "calls": {}}, "services.web.workload: 'A B' is no value of the"),
        (
            {"services": {"web": {"namespace": "a", "service_account": "A_b"}}, "calls": {}},
            "services.web.service_account: 'A_b' is no name of a service account",
        ),
        ({"services": {"web": {"labels": {"app": "x y"}}}, "calls": {}}, "services.web.labels.app: 'x y' is no value"),
        ({"services": {"web": {"pod_labels": {"a/b/c": "x"}}}, "calls": {}}, "services.web.pod_labels.a/b/c: 'a/b' is"),
        ({"services": {5: {}}, "calls": {}}, "services.5: a name has lower case letters"),
        (
            {"services": {"w" * 64: {}}, "calls": {}},
            "a name has lower case letters, digits and dashes only, at most 63",
        ),
        ({"services": {"web": {"cidrs": [5]}}, "calls": {}}, "cidrs: 5 is no network"),
        ({"trust_domain": "Foo Bar"}, "trust_domain: 'Foo Bar' is none"),
        ({"mesh": "a b"}, "mesh: 'a b' is no name of a mesh"),
        ({"zone": ["z"]}, "zone: ['z'] is no name of a zone"),
        ({"network": []}, "network: expected a mapping of default_deny"),
        ({"network": {"defualt_deny": True}}, "network.defualt_deny: unknown field, did you mean default_deny?"),
        ({"network": {"default_deny": "no"}}, "network.default_deny: expected true or false"),
        ({"network": {"metrics_ports": [0]}}, "network.metrics_ports: expected a list of ports"),
        ({"network": {"dns_namespace": "Kube"}}, "network.dns_namespace: 'Kube' is no name of a namespace"),
    ],
)
def test_mistakes(change: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(Problems) as caught:
        callgraph.read({**SHOP, **change}, "default")
    assert problem in str(caught.value)


def test_no_mapping() -> None:
    with pytest.raises(KumaError, match="is a mapping with services and calls"):
        callgraph.read(["web"], "default")


def test_a_ring_is_an_error_until_it_is_meant() -> None:
    ring = {**SHOP, "calls": {"web": ["api"], "api": ["db"], "db": ["web", "db"]}}
    with pytest.raises(Problems) as caught:
        callgraph.read(ring, "default")
    assert "api, db, web call each other in a ring" in str(caught.value)
    assert "add [api, db, web] to allow_cycles" in str(caught.value)
    callgraph.read({**ring, "allow_cycles": [["web", "api", "db"]]}, "default")
    with pytest.raises(Problems):
        callgraph.read({**ring, "allow_cycles": [["web", "api"]]}, "default")


@pytest.mark.parametrize(
    ("callers", "rings"),
    [
        ({}, []),
        ({"a": ["b"], "b": ["c"]}, []),
        ({"a": ["b"], "b": ["a"]}, [["a", "b"]]),
        ({"a": ["b"], "b": ["a", "c"], "c": ["d"], "d": ["c"]}, [["c", "d"], ["a", "b"]]),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"]}, []),
        ({str(number): [str(number + 1)] for number in range(3000)}, []),
    ],
)
def test_rings(callers: dict[str, list[str]], rings: list[list[str]]) -> None:
    assert callgraph.rings_of(callers) == rings


def test_a_gateway_calls_and_is_not_called() -> None:
    graph = {
        "services": {"web": {}, "kong": {"namespace": "kong", "service_account": "kong", "gateway": True}},
        "calls": {"kong": ["web"]},
    }
    assert allowed(graph) == {"calls-to-web": ["spiffe://default.default.mesh.local/ns/kong/sa/kong"]}


def test_what_is_outside_is_called_without_a_permission() -> None:
    graph = {"services": {"web": {}, "payments": {"cidrs": ["203.0.113.0/24"]}}, "calls": {"web": ["payments"]}}
    assert allowed(graph) == {}


def test_the_same_labels_in_two_namespaces_are_two_services() -> None:
    pods = {"service_account": "web", "pod_labels": {"app": "web"}}
    services = {"here": {"namespace": "a", **pods}, "there": {"namespace": "b", **pods}}
    assert len(allowed({"services": services, "calls": {"here": ["there"]}})) == 1


def test_labels_of_pods_on_kubernetes() -> None:
    graph = {
        "services": {"web": {"namespace": "shop"}, "api": {"namespace": "shop", "service_account": "api"}},
        "calls": {"web": ["api"]},
    }
    (permission,) = callgraph.permissions(callgraph.read(graph, "default"))
    assert permission["spec"]["targetRef"]["labels"] == {
        "k8s.kuma.io/namespace": "shop",
        "k8s.kuma.io/service-account": "api",
    }
    allow = permission["spec"]["rules"][0]["default"]["allow"][0]["spiffeID"]["value"]
    assert allow == "spiffe://default.default.mesh.local/ns/shop/sa/default"
