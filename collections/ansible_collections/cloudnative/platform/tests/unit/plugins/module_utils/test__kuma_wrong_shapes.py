# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever stands in the place of what is expected: what comes of it is a message, or nothing, and no traceback."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import (
    advice,
    callgraph,
    canonical,
    documents,
    isolation,
    plan,
    removed,
    strict,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import load, resource

WRONG: tuple[t.Any, ...] = (None, [], {}, "x", 5, True, [None], {"a": None}, ["x"], [["x"]], [{"b": 1}])
OLD = resource(
    "Dataplane",
    labels={"app": "web"},
    networking={
        "address": "192.0.2.1",
        "advertisedAddress": "192.0.2.2",
        "inbound": [{"port": 1, "tags": {"kuma.io/protocol": "http"}, "health": {"ready": True}}],
        "outbound": [{"port": 2, "tags": {"kuma.io/service": "api"}}, {"backendRef": {"kind": "MeshService"}}],
        "gateway": {"type": "BUILTIN", "tags": {"a": "b"}},
        "transparentProxying": {"reachableServices": ["a"], "reachableBackends": {"refs": [{"labels": {"a": "b"}}]}},
    },
)
FORMS = [sent for sent, _kept in load("stored_forms")] + [OLD]
GRAPH: dict[str, t.Any] = {
    "mesh": "shop",
    "zone": "z1",
    "trust_domain": "shop.example",
    "services": {
        "web": {"namespace": "shop", "service_account": "web", "pod_labels": {"app": "web"}, "ports": [8080]},
        "api": {"workload": "api", "labels": {"app": "api"}, "gateway": False},
        "mail": {"cidrs": ["203.0.113.0/24"], "spiffe_id": "spiffe://mail.example/out"},
    },
    "calls": {"web": ["api", "mail"], "mail": ["web"]},
    "allow_cycles": [["web", "mail"]],
    "network": {"default_deny": False, "dns_namespace": "dns", "metrics_ports": [9000]},
}


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def wrong(value: t.Any) -> t.Iterator[t.Any]:
    for path in places(value):
        for instead in WRONG:
            found = copy.deepcopy([value])
            inner: t.Any = found
            for key in (0, *path)[:-1]:
                inner = inner[key]
            inner[(0, *path)[-1]] = instead
            yield found[0]


@pytest.mark.parametrize("sent", FORMS, ids=[f"{sent['type']}-{number}" for number, sent in enumerate(FORMS)])
def test_documents(sent: dict[str, t.Any]) -> None:
    for body in wrong(sent):
        try:
            found = documents.read([("here", body)], "default", "us")
        except KumaError:
            continue
        removed.findings(found)
        strict.steps({}, {one.key: one.body for one in found})
        for one in found:
            canonical.secrets(one.kind, one.body)
        made = plan.present(found, {}, "us")
        advice.of_wanted(made, found, {}, universal=True)
        for change in made.changes:
            plan.difference(change)


def test_call_graphs() -> None:
    read = 0
    for content in wrong(GRAPH):
        try:
            graph = callgraph.read(content, "default")
            assert documents.read([("graph", one) for one in callgraph.permissions(graph)], "default", None) is not None
            isolation.network_policies(graph)
            read += 1
        except KumaError:
            pass
    # Many of them are right in some way: empty services, no calls, defaults.
    assert read > 20


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"type": ["a"], "name": "x"}, 'type is \\["a"\\], it must be a text'),
        ({**OLD, "networking": {"outbound": [None]}}, r"networking\.outbound\[0\]: is empty; write it"),
        ({**OLD, "labels": {"app": "x y"}}, "labels.app: 'x y' is no value of a label: it has at most 63 letters"),
        ({**OLD, "labels": {"a b": "x"}}, "labels.a b: 'a b' is no key of a label"),
        ({**OLD, "labels": {"Ex_ample/a": "x"}}, "labels.Ex_ample/a: 'Ex_ample' is no domain"),
        ({**OLD, "labels": {"app": "x" * 64}}, "labels.app: 'x+' is no value of a label"),
    ],
)
def test_what_is_said(body: dict[str, t.Any], said: str) -> None:
    with pytest.raises(KumaError, match=said):
        documents.read([("here", body)], "default", None)


def test_labels_that_are_right() -> None:
    labels = {"app": "", "kuma.io/workload": "Web_1.x", "example.org/a": "x" * 63, "a": "1"}
    assert documents.read([("here", {**OLD, "labels": labels})], "default", None)
