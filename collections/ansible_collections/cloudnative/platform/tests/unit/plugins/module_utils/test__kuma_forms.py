# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forms in which documents are written and in which a control plane keeps them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import canonical, documents, durations, schema
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS, KumaError, Problems
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    load,
    resource,
    timeout,
    wanted,
)

FORMS = load("stored_forms")


def differences(kind: str, wished: dict[str, t.Any], there: dict[str, t.Any]) -> list[str]:
    before = canonical.content(kind, there, wished)
    return canonical.differences(before, canonical.content(kind, wished, there), "" if KINDS[kind].flat else "spec")


@pytest.mark.parametrize(
    ("sent", "kept"), FORMS, ids=[f"{sent['type']}-{sent['name']}-{n}" for n, (sent, kept) in enumerate(FORMS)]
)
def test_what_was_sent_does_not_differ_from_what_is_kept(sent: dict[str, t.Any], kept: dict[str, t.Any]) -> None:
    if "foo" not in str(sent):
        assert schema.problems(sent["type"], sent) == []
    assert differences(sent["type"], sent, kept) == []


def test_every_kind_with_known_fields_was_recorded() -> None:
    kinds = {sent["type"] for sent, _kept in FORMS}
    assert {kind for kind in KINDS if not KINDS[kind].flat} - kinds == {"MeshTrust"}
    assert {"Mesh", "Dataplane", "Secret"} <= kinds


@pytest.mark.parametrize(
    ("kind", "change", "path"),
    [
        (
            "MeshTimeout",
            {"spec": {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "2s"}}]}},
            "spec.to[0].default.connectionTimeout",
        ),
        ("MeshTimeout", {"spec": {"to": []}}, "spec.to"),
        (
            "MeshTimeout",
            {
                "spec": {
                    "targetRef": {"kind": "Mesh"},
                    "to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}],
                }
            },
            "spec.targetRef",
        ),
    ],
)
def test_what_matters_differs(kind: str, change: dict[str, t.Any], path: str) -> None:
    assert differences(kind, {**timeout(), **change}, timeout()) == [path]


def test_a_default_that_is_set_to_something_else_differs() -> None:
    wished = resource("MeshMetric", spec={"default": {"backends": [{"type": "Prometheus", "prometheus": {}}]}})
    kept = resource(
        "MeshMetric",
        spec={"default": {"backends": [{"type": "Prometheus", "prometheus": {"port": 5671, "path": "/metrics"}}]}},
    )
    assert differences("MeshMetric", wished, kept) == ["spec.default.backends[0].prometheus.port"]


def test_what_the_control_plane_owns_is_not_compared() -> None:
    kept = load("observed")["mesh services"][0]
    wished = {**kept, "spec": {name: kept["spec"][name] for name in ("selector", "ports")}}
    assert "state" in kept["spec"]
    assert "identities" in kept["spec"]
    assert differences("MeshService", wished, kept) == []


def probed(**more: t.Any) -> dict[str, t.Any]:
    inbound = {"port": 80, "serviceProbe": {"tcp": {}}, **more}
    inbound = {name: value for name, value in inbound.items() if value is not None}
    return resource("Dataplane", networking={"address": "127.0.0.1", "inbound": [inbound]})


@pytest.mark.parametrize(
    "found", [{"state": "NotReady"}, {"health": {}}, {"state": "Ready", "health": {"ready": True}}]
)
def test_what_a_probe_finds_is_the_control_planes(found: dict[str, t.Any]) -> None:
    assert differences("Dataplane", probed(), probed(**found)) == []
    assert differences("Dataplane", probed(state="Ready"), probed(**found)) == []
    (sent,) = canonical.with_owned("Dataplane", probed(name="http"), probed(**found))["networking"]["inbound"]
    assert sent == {"port": 80, "name": "http", "serviceProbe": {"tcp": {}}, **found}


def test_without_a_probe_the_state_is_what_is_written() -> None:
    wished, there = probed(serviceProbe=None), probed(serviceProbe=None, state="NotReady")
    assert differences("Dataplane", wished, there) == ["networking.inbound[0].state"]
    assert canonical.with_owned("Dataplane", wished, there) == wished
    # What a probe found goes with it, and a new one finds out for itself.
    assert differences("Dataplane", wished, probed(state="NotReady")) == ["networking.inbound[0].serviceProbe"]
    assert canonical.with_owned("Dataplane", wished, probed(state="NotReady")) == wished
    assert canonical.with_owned("Dataplane", probed(), there) == probed()
    assert canonical.with_owned("Dataplane", probed(), probed(port=81, state="NotReady")) == probed()


def test_a_zone_in_tags_counts_where_it_is_wished() -> None:
    def proxy(**tags: str) -> dict[str, t.Any]:
        inbound = {"port": 80, "tags": {"kuma.io/service": "a", **tags}}
        return resource("Dataplane", networking={"address": "127.0.0.1", "inbound": [inbound]})

    assert differences("Dataplane", proxy(), proxy(**{"kuma.io/zone": "z1"})) == []
    assert differences("Dataplane", proxy(**{"kuma.io/zone": "z2"}), proxy(**{"kuma.io/zone": "z1"})) == [
        "networking.inbound[0].tags.kuma.io/zone"
    ]


def test_fields_of_a_newer_control_plane_are_nobodys_wish() -> None:
    kept = timeout()
    kept["spec"] = {**kept["spec"], "novelty": True}
    assert differences("MeshTimeout", timeout(), kept) == []


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("5000ms", "5s"),
        ("60s", "1m0s"),
        ("1h", "1h0m0s"),
        ("24h", "24h0m0s"),
        ("0s", "0s"),
        ("0", "0s"),
        ("1.5h", "1h30m0s"),
        ("250ms", "250ms"),
        ("-1s", "-1s"),
        ("1m1.5s", "1m1.5s"),
        ("1500us", "1.5ms"),
        ("1h0.5s", "1h0m0.5s"),
        ("100ns", "100ns"),
    ],
)
def test_durations_are_written_as_go_writes_them(text: str, written: str) -> None:
    size = durations.nanoseconds(text)
    assert size is not None
    assert durations.written(size) == written
    assert durations.nanoseconds(written) == size


@pytest.mark.parametrize("text", ["", "5 seconds", "30d", "s", "1h30", 5, None, "--1s"])
def test_no_durations(text: t.Any) -> None:
    assert durations.nanoseconds(text) is None


def test_days_are_for_people() -> None:
    assert (durations.seconds("30d"), durations.seconds("2w"), durations.seconds("90m")) == (
        2592000.0,
        1209600.0,
        5400.0,
    )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        # Recorded: 201 without a word, and the field is gone.
        (
            timeout(spec={"to": [{"targetRef": {"kind": "Mesh"}, "default": {"conectionTimeout": "1s"}}]}),
            "spec.to[0].default.conectionTimeout: unknown field, did you mean connectionTimeout?",
        ),
        (timeout(foo=1), "foo: unknown field"),
        (resource("MeshTimeout", to=[]), "to: unknown field: it belongs into spec"),
        (resource("MeshTimeout"), "spec is missing"),
        (timeout(spec=[]), "spec: expected a mapping"),
        (timeout(spec={"to": {}}), "spec.to: expected a list"),
        (timeout(spec={"to": ["x"]}), "spec.to[0]: expected a mapping"),
        (resource("Mesh", mesh=None, unknownField=1), "unknownField: unknown field, expected constraints"),
        # Recorded: 200, and all that is in spec is dropped; of a secret the data is wiped.
        (
            resource("Mesh", mesh=None, spec={"meshServices": {"mode": "Exclusive"}}),
            "spec: a Mesh has its fields next to its name",
        ),
        (resource("Secret", spec={"data": "eA=="}), "spec: a Secret has its fields next to its name"),
        (resource("Secret"), "data is missing"),
        (resource("Secret", data="not base64!"), "data is not base64"),
        (resource("Secret", data="<hidden>"), "this document was shown without its secrets"),
        (
            resource("Dataplane", networking={"address": "a", "inbound": [{"port": 1, "service_port": 2}]}),
            "networking.inbound[0].service_port: unknown field, did you mean servicePort?",
        ),
        (timeout("X_y"), "name 'X_y' must be of lower case letters"),
        (resource("Mesh", "a" * 64, mesh=None), "at most 63 characters"),
        (timeout(labels={"a": 1}), "labels.a is 1: a label is a text, write it in quotes"),
        (timeout(labels=["a"]), "labels must be a mapping"),
        (timeout(labels={"kuma.io/mesh": "other"}), "labels say kuma.io/mesh=other, but its mesh is default"),
        (resource("Mesh"), "a Mesh is in no mesh"),
        (resource("MeshTimeot"), "unknown kind 'MeshTimeot', did you mean MeshTimeout?"),
        (resource("Workload"), "Workload is not written by anybody else"),
        ({"name": "x"}, "type is missing"),
        ({"type": "Mesh"}, "name is missing"),
        (
            {"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "x"}},
            "this is the form of a custom resource",
        ),
        (["x"], "a resource is a mapping, not list"),
    ],
)
def test_mistakes_are_named_with_their_path(body: t.Any, problem: str) -> None:
    with pytest.raises(Problems) as caught:
        wanted(body)
    assert problem in str(caught.value)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        wanted(resource("Nope"), timeout(foo=1), timeout("two"), timeout("two"))
    assert len(caught.value.problems) == 3
    assert "stands in resources[2] and in resources[3]" in str(caught.value)


def test_a_document_never_says_another_owner_than_the_option() -> None:
    with pytest.raises(Problems, match="the option owner says ours"):
        wanted(timeout(labels={"cloudnative.platform/owner": "theirs"}), owner="ours")
    (one,) = wanted(timeout(), owner="ours")
    assert one.labels == {"cloudnative.platform/owner": "ours"}


def test_texts_mappings_and_files_are_one_list(tmp_path: t.Any) -> None:
    (tmp_path / "b.yml").write_text("type: Mesh\nname: m1\n---\ntype: Mesh\nname: m2\n")
    (tmp_path / "a.json").write_text('[{"type": "Mesh", "name": "m3"}]')
    given = ["type: Mesh\nname: m4\n", {"type": "Mesh", "name": "m5"}]
    found = documents.read(documents.sources(given, [str(tmp_path)]), "default", None)
    assert [one.name for one in found] == ["m4", "m5", "m3", "m1", "m2"]
    assert found[-1].where == f"{tmp_path / 'b.yml'} document 2"
    assert documents.sources("", []) == []


def test_names_will_do_to_take_away() -> None:
    given = [("a", resource("MeshTimeout")), ("b", resource("Secret", "s"))]
    assert [one.name for one in documents.read(given, "default", None, names_only=True)] == ["one", "s"]


def test_what_a_server_says_of_a_resource_is_no_wish() -> None:
    (one,) = wanted({**timeout(), "creationTime": "x", "modificationTime": "x", "kri": "x", "status": {}, "snis": []})
    assert set(one.body) == {"type", "mesh", "name", "spec"}


def test_a_text_that_is_no_yaml(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KumaError, match=r"resources\[0\] line 2"):
        documents.sources(["a: [1"], [])
    with pytest.raises(KumaError, match="can't be read"):
        documents.sources([], [str(tmp_path / "none.yml")])
    monkeypatch.setattr(documents.definitions, "yaml", None)
    assert documents.sources(['{"type": "Mesh", "name": "m"}'], [])[0][1]["name"] == "m"
    with pytest.raises(KumaError, match="PyYAML is not there"):
        documents.sources(["type: Mesh"], [])


@pytest.mark.parametrize("with_yaml", [True, False])
def test_a_key_that_stands_twice(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch, with_yaml: bool) -> None:
    if not with_yaml:
        monkeypatch.setattr(documents.definitions, "yaml", None)
    path = tmp_path / "mesh.json"
    path.write_text('[{"type": "Mesh", "name": "m",\n "meshServices": {}, "name": "n"}]')
    where = "line 2" if with_yaml else "is not JSON"
    with pytest.raises(KumaError, match=f"mesh.json {where}.*key 'name' stands there twice"):
        documents.sources([], [str(path)])


def test_secrets_are_found_and_hidden() -> None:
    body = resource("Secret", data="c2VjcmV0")
    assert canonical.secrets("Secret", body) == {"c2VjcmV0"}
    inline = {"type": "InsecureInline", "insecureInline": {"value": "KEY"}}
    identity = resource("MeshIdentity", spec={"provider": {"bundled": {"ca": {"privateKey": inline}}}})
    assert canonical.secrets("MeshIdentity", identity) == {"KEY"}
    authority = {"backends": [{"name": "ca", "conf": {"key": {"inline": "S0VZ"}, "cert": {"secret": "name"}}}]}
    assert canonical.secrets("Mesh", resource("Mesh", mesh=None, mtls=authority)) == {"S0VZ"}
    shown = canonical.masked("Mesh", {"mtls": authority}, None, "")
    assert shown["mtls"]["backends"][0]["conf"] == {"key": {"inline": "<hidden>"}, "cert": {"secret": "name"}}
    assert canonical.masked("Secret", {"data": "a"}, {"data": "a"}, "new") == {"data": "<hidden>"}
    assert canonical.masked("Secret", {"data": "a"}, {"data": "b"}, "new") == {"data": "<hidden, new value>"}
    assert canonical.masked("Secret", {"data": "a"}, None, "") == {"data": "<hidden>"}
