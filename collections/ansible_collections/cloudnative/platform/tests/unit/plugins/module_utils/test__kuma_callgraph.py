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
    assert allowed({**small, "mesh": "prod", "zone": "z1"})["calls-to-b"] == ["spiffe://prod.z1.mesh.local/workload/a"]
    assert allowed({**small, "trust_domain": "example.org"})["calls-to-b"] == ["spiffe://example.org/workload/a"]
    assert callgraph.permissions(callgraph.read({**small, "mesh": "prod"}, "default"))[0]["mesh"] == "prod"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"calls": {"web": ["apy"]}}, "calls.web: calls 'apy', no service of this name, did you mean api?"),
        ({"calls": {"wep": ["api"]}}, "calls.wep: no service of this name, did you mean web?"),
        ({"calls": {"web": "api"}}, "calls.web: expected a list of services"),
        ({"calls": {"web": ["api", "api"]}}, "api stands there twice"),
        ({"calls": {"web": ["partner"]}}, "partner is outside of the mesh"),
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


# -- NetworkPolicies --------------------------------------------------------------------------------------------------

PODS: dict[str, t.Any] = {
    "services": {
        "web": {"namespace": "shop", "pod_labels": {"app": "web"}, "ports": [8080]},
        "api": {"namespace": "shop", "service_account": "api", "pod_labels": {"app": "api"}},
        "legacy": {},
    },
    "calls": {"web": ["api"]},
}


def test_network_policies_say_the_same() -> None:
    api, web = callgraph.network_policies(callgraph.read(PODS, "default"))
    assert (api["metadata"], api["spec"]["podSelector"]) == (
        {"name": "calls-to-api", "namespace": "shop"},
        {"matchLabels": {"app": "api"}},
    )
    assert api["spec"]["ingress"] == [
        {
            "from": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
                    "podSelector": {"matchLabels": {"app": "web"}},
                }
            ]
        }
    ]
    assert "ingress" not in web["spec"]
    assert web["spec"]["policyTypes"] == ["Ingress"]


def test_ports_narrow_a_network_policy() -> None:
    graph = callgraph.read({**PODS, "calls": {"api": ["web"]}}, "default")
    web = callgraph.network_policies(graph)[1]
    assert web["spec"]["ingress"][0]["ports"] == [{"port": 8080, "protocol": "TCP"}]


def test_a_caller_whose_pods_are_not_known_would_be_locked_out() -> None:
    with pytest.raises(Problems, match="legacy calls api, so a NetworkPolicy needs to know"):
        callgraph.network_policies(callgraph.read({**PODS, "calls": {"legacy": ["api"]}}, "default"))


def test_labels_of_pods_on_kubernetes() -> None:
    (permission,) = callgraph.permissions(callgraph.read(PODS, "default"))
    assert permission["spec"]["targetRef"]["labels"] == {
        "k8s.kuma.io/namespace": "shop",
        "k8s.kuma.io/service-account": "api",
    }
    allow = permission["spec"]["rules"][0]["default"]["allow"][0]["spiffeID"]["value"]
    assert allow == "spiffe://default.default.mesh.local/ns/shop/sa/default"
