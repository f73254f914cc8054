# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import diff, discovery, reading
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.changes import Planned
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    DefinitionError,
    collect,
    parse_yaml,
    read_files,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.order import Rank, rank_of, waves
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError


def thing(kind, name="x", api_version="v1", namespace=None, **rest):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def one(*args, **kwargs):
    return collect([("test", thing(*args, **kwargs))])[0]


CRD = thing(
    "CustomResourceDefinition",
    "foos.ex.io",
    "apiextensions.k8s.io/v1",
    spec={
        "group": "ex.io",
        "scope": "Namespaced",
        "names": {"plural": "foos", "kind": "Foo"},
        "versions": [{"name": "v1", "served": True}, {"name": "v1alpha1", "served": False}],
    },
)


# -- definitions ------------------------------------------------------------------------------------------------


def test_collect_takes_objects_texts_and_lists():
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\n# nothing\n---\n" + (
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: n}}\n"
    )
    found = collect([("file.yml", text), ("inline", thing("Namespace", "n"))])
    assert [(one.label, one.source) for one in found] == [
        ("ConfigMap a", "file.yml document 1"),
        ("ConfigMap n/b", "file.yml document 2"),
        ("Namespace n", "inline"),
    ]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("a: [1", r"here line \d: not valid YAML"),
        ("a: b: c", "here line 1: not valid YAML"),
        # It may be a password.
        ("a: !name x", "the tag; a text that begins with ! or . must be quoted$"),
        ("a: *name", "found undefined alias; a text"),
        ({"apiVersion": "v1", "kind": "PodList", "items": "p"}, "here: PodList: items must be a list"),
        ("data: {a: [x, !!binary aGk=]}", r"here: data.a\[1\] can't be sent as JSON: leave out the tag"),
        ("a: b\n---\ndata: !!set {a, b}", "here document 2: data can't be sent as JSON"),
        ([1], "here: an object must be a mapping, not int"),
        ({"kind": "Pod"}, "here: apiVersion is missing"),
        ({"apiVersion": "v1", "kind": 5}, "here: kind is missing or not a string"),
        ({"apiVersion": "v1", "kind": "Pod"}, "here: Pod: metadata.name is missing"),
        (thing("Pod", 7), "metadata.name is missing or not a string"),
        (thing("Pod", "p", namespace=7), "Pod p: metadata.namespace must be a string"),
        ([thing("Pod", "p"), thing("Pod", "p")], "Pod p is defined twice"),
    ],
)
def test_collect_refuses(item, message):
    with pytest.raises(DefinitionError, match=message):
        collect([("here", item)])


def test_yaml_is_read_as_kubernetes_reads_it():
    assert parse_yaml("a: 2026-11-22\nb: [=, '=']\nc: 0644\n", "x") == [{"a": "2026-11-22", "b": ["=", "="], "c": 420}]


def test_read_files(tmp_path):
    for name in ("b.yaml", "a.yml", "c.json", "notes.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "empty").mkdir()
    assert [text for _path, text in read_files([str(tmp_path)])] == ["a.yml", "b.yaml", "c.json"]
    with pytest.raises(DefinitionError, match="holds no"):
        read_files([str(tmp_path / "empty")])
    with pytest.raises(DefinitionError, match="can't be read"):
        read_files([str(tmp_path / "gone.yml")])


def test_within_fills_in_the_namespace_only_where_there_is_none():
    assert one("Pod").within("n").namespace == "n"
    assert one("Pod", namespace="own").within("n").namespace == "own"


# -- discovery --------------------------------------------------------------------------------------------------

APPS = {
    "items": [
        {
            "metadata": {"name": "apps"},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {
                            "resource": "deployments",
                            "responseKind": {"group": "", "version": "", "kind": "Deployment"},
                            "scope": "Namespaced",
                            "verbs": ["delete", "get", "list", "patch"],
                        },
                        {"resource": "odd", "responseKind": {"kind": "Odd"}, "scope": "Cluster", "verbs": ["create"]},
                    ],
                }
            ],
        }
    ]
}
CORE = {
    "items": [
        {
            "metadata": {},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {
                            "resource": "namespaces",
                            "responseKind": {"kind": "Namespace"},
                            "scope": "Cluster",
                            "verbs": ["patch"],
                        }
                    ],
                }
            ],
        }
    ]
}


def test_parse_discovery():
    assert discovery.parse([CORE, APPS]) == {
        ("v1", "Namespace"): Resource("", "v1", "namespaces", "Namespace", False, prunable=False),
        ("apps/v1", "Deployment"): Resource("apps", "v1", "deployments", "Deployment", True),
    }


def test_kinds_of_definitions_that_are_sent_along():
    catalog = discovery.from_crds(collect([("crd", CRD), ("other", thing("Namespace"))]))
    assert catalog == {("ex.io/v1", "Foo"): Resource("ex.io", "v1", "foos", "Foo", True, from_crd=True)}


@pytest.mark.parametrize(
    "spec", [5, {"names": 5, "versions": [{"name": "v1"}]}, {"versions": 5}, {"versions": "v1"}, {"versions": ["v1"]}]
)
def test_definition_of_a_kind_that_is_wrong_is_left_to_the_server(spec):
    assert ("ex.io/v1", "Foo") not in discovery.from_crds(collect([("crd", {**CRD, "spec": spec})]))


@pytest.mark.parametrize(
    ("resource", "args", "path"),
    [
        (Resource("", "v1", "pods", "Pod", True), ("p", "n"), "/api/v1/namespaces/n/pods/p"),
        (Resource("", "v1", "nodes", "Node", False), (), "/api/v1/nodes"),
        (Resource("ex.io", "v1", "foos", "Foo", True), ("a:b", "n"), "/apis/ex.io/v1/namespaces/n/foos/a%3Ab"),
        (Resource("ex.io", "v1", "bars", "Bar", False), ("b", "n"), "/apis/ex.io/v1/bars/b"),
    ],
)
def test_paths(resource, args, path):
    assert resource.path(*args) == path


@pytest.mark.parametrize(
    ("api_version", "kind", "words"),
    [
        ("apps/v1beta1", "Deployment", "it serves Deployment in apps/v1"),
        ("apps/v1", "Deploymnt", "did you mean Deployment?"),
        ("apps/v1", "Whatever", "kinds in apps/v1: Deployment"),
        ("app/v1", "Deploymnt", "did you mean apps/v1, or is its CustomResourceDefinition installed?"),
        ("ex.io/v1", "Foo", "CustomResourceDefinition installed"),
    ],
)
def test_unknown_kind_says_what_would_be_right(api_version, kind, words):
    text = discovery.unknown_kind(one(kind, api_version=api_version), discovery.parse([CORE, APPS]))
    assert text.startswith(f"test: the cluster serves no {kind} in {api_version}")
    assert words in text


def test_preferred_version_comes_first():
    new, old = (Resource("ex.io", version, "foos", "Foo", True) for version in ("v2", "v1"))
    found = discovery.preferred({("ex.io/v2", "Foo"): new, ("ex.io/v1", "Foo"): old})
    assert found == {"Foo.ex.io": new}


@pytest.mark.parametrize(
    ("api_version", "built_in"),
    [
        ("v1", True),
        ("apps/v1", True),
        ("networking.k8s.io/v1", True),
        ("crd.projectcalico.org/v1", False),
        ("gateway.networking.k8s.io/v1", False),
    ],
)
def test_is_built_in(api_version, built_in):
    assert discovery.is_built_in(api_version) is built_in


# -- order ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api_version", "kind", "rank"),
    [
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", Rank.CRD),
        ("v1", "Namespace", Rank.NAMESPACE),
        ("v1", "ServiceAccount", Rank.ACCOUNT),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", Rank.RBAC),
        ("v1", "Secret", Rank.CONFIG),
        ("apps/v1", "DaemonSet", Rank.WORKLOAD),
        ("apps/v1", "ControllerRevision", Rank.REST),
        ("ex.io/v1", "Foo", Rank.REST),
        ("ex.io/v1", "Namespace", Rank.REST),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", Rank.HOOK),
    ],
)
def test_rank(api_version, kind, rank):
    assert rank_of(one(kind, api_version=api_version)) is rank


def test_waves_both_ways_and_with_an_override():
    definitions = [
        one("Deployment", "d", "apps/v1"),
        one("Foo", "f", "ex.io/v1"),
        one("ConfigMap", "b"),
        one("ConfigMap", "a"),
        one("Namespace", "n"),
    ]
    names = [[one.name for one in wave] for _rank, wave in waves(definitions)]
    assert names == [["n"], ["b", "a"], ["d"], ["f"]]
    assert [[one.name for one in wave] for _rank, wave in waves(definitions, reverse=True)] == names[::-1]
    first = waves(definitions, {("ex.io", "Foo"): Rank.CONFIG})
    assert [[one.name for one in wave] for _rank, wave in first] == [["n"], ["f", "b", "a"], ["d"]]


# -- diff -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (None, {"kind": "X"}, True),
        ({"kind": "X"}, None, True),
        ({"spec": 1}, {"spec": 1}, False),
        ({"spec": 1}, {"spec": 2}, True),
        ({"spec": 1, "status": 1}, {"spec": 1, "status": 2}, False),
        (
            {"metadata": {"resourceVersion": "1", "generation": 1, "managedFields": [1], "uid": "a"}},
            {"metadata": {"resourceVersion": "2", "generation": 2, "managedFields": [2], "uid": "a"}},
            False,
        ),
        (
            {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}},
            {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}}},
            False,
        ),
        ({"metadata": {"labels": {}}}, {"metadata": {"labels": {"a": "b"}}}, True),
        ({"metadata": {"annotations": {"a": "1"}}}, {"metadata": {"annotations": {"a": "2"}}}, True),
    ],
)
def test_is_changed(before, after, changed):
    assert diff.is_changed(before, after) is changed


def test_diff_hides_secrets_but_shows_that_they_change():
    before = thing("Secret", "s", data={"same": "AAAA", "other": "BBBB", "gone": "CCCC"})
    before["metadata"]["annotations"] = {diff.LAST_APPLIED: '{"data": "BBBB"}'}
    after = thing("Secret", "s", data={"same": "AAAA", "other": "DDDD"}, stringData={"new": "EEEE"})
    entry = diff.render(before, after)
    text = entry["before"] + entry["after"]
    for secret in ("AAAA", "BBBB", "CCCC", "DDDD", "EEEE"):
        assert secret not in text
    assert "other: <hidden, old value>" in entry["before"]
    assert "other: <hidden, new value>" in entry["after"]
    assert "same" not in text
    assert before["data"]["same"] == "AAAA"


def test_diff_of_a_new_object():
    entry = diff.render(None, thing("ConfigMap", "c", namespace="n", data={"a": "b"}))
    assert entry["before"] == ""
    assert entry["after_header"] == "ConfigMap n/c"
    assert "a: b" in entry["after"]


CONTAINER = {"name": "web", "image": "a:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}


def deployment(**changes):
    spec = {"replicas": 2, "template": {"spec": {"containers": [{**CONTAINER, **changes}]}}}
    return thing("Deployment", "web", "apps/v1", "shop", spec=spec)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            deployment(),
            deployment(env=[{"name": "B", "value": "3"}, {"name": "A", "value": "1"}]),
            (
                {
                    "spec": {
                        "template": {"spec": {"containers": [{"name": "web", "env": [{"name": "B", "value": "2"}]}]}}
                    }
                },
                {
                    "spec": {
                        "template": {"spec": {"containers": [{"name": "web", "env": [{"name": "B", "value": "3"}]}]}}
                    }
                },
            ),
            id="items are told by their name",
        ),
        pytest.param({"args": ["--a", "--b"]}, {"args": ["--b"]}, ({"args": ["--a"]}, {}), id="a flag"),
        pytest.param({"l": [1, 2]}, {"l": [2, 1]}, ({"l": [1, 2]}, {"l": [2, 1]}), id="only the order"),
        pytest.param({"a": {"x": "1", "y": "2"}}, {"a": {"x": "1"}}, ({"a": {"y": "2"}}, {}), id="a field is gone"),
        pytest.param({"a": 1}, {"a": 1, "b": {"c": 2}}, ({}, {"b": {"c": 2}}), id="a new field"),
        pytest.param(
            {"l": [{"name": "a"}, {"name": "b"}]},
            {"l": [{"name": "b"}]},
            ({"l": [{"name": "a"}]}, {}),
            id="an item is gone",
        ),
        pytest.param(
            {"l": [{"x": 1}, {"y": 2}]},
            {"l": [{"x": 1}, {"y": 3}]},
            ({"l": [{"y": 2}]}, {"l": [{"y": 3}]}),
            id="no names",
        ),
    ],
)
def test_only_changed_fields_are_shown(before, after, expected):
    assert diff.changed_fields(before, after) == expected


def test_texts_of_several_lines_are_shown_as_such():
    before = thing("ConfigMap", "c", data={"conf": "a: 1\nb: 2\n", "other": "x"})
    after = thing("ConfigMap", "c", data={"conf": "a: 1\nb: 3\n", "other": "x"})
    entry = diff.render(before, after)
    assert (entry["before"], entry["after"]) == (
        "data:\n  conf: |\n    a: 1\n    b: 2\n",
        "data:\n  conf: |\n    a: 1\n    b: 3\n",
    )


# -- reading ----------------------------------------------------------------------------------------------------


MAPS, SECRETS, SPACES, BOXES = (
    Resource("", "v1", "configmaps", "ConfigMap", True),
    Resource("", "v1", "secrets", "Secret", True),
    Resource("", "v1", "namespaces", "Namespace", False),
    Resource("ex.io", "v1", "boxes", "Box", True, from_crd=True),
)


def test_what_is_worth_a_list():
    wave = [
        *(Planned(one("ConfigMap", namespace="a", name=f"m{number}"), MAPS) for number in range(3)),
        *(Planned(one("ConfigMap", namespace="b", name=f"m{number}"), MAPS) for number in range(2)),
        # Too large to read others along with them; not served yet; not known.
        *(Planned(one("Secret", namespace="a", name=f"s{number}"), SECRETS) for number in range(5)),
        *(Planned(one("Box", namespace="a", name=f"x{number}"), BOXES) for number in range(5)),
        *(Planned(one("Odd", namespace="a", name=f"x{number}"), None) for number in range(5)),
        *(Planned(one("Namespace", name=f"n{number}"), SPACES) for number in range(3)),
    ]
    assert reading.groups(wave) == [(MAPS, "a", ["m0", "m1", "m2"]), (SPACES, None, ["n0", "n1", "n2"])]


class Listing:
    def __init__(self, *names, rest=None, error=None):
        self.answer = {"metadata": {"continue": rest}, "items": [{"metadata": {"name": name}} for name in names]}
        self.error = error

    def request(self, method, path, query):
        if self.error:
            raise ApiError(self.error, "Reason", "", method, path)
        return self.answer


@pytest.mark.parametrize(
    ("listing", "known"),
    [
        (Listing("a", "other"), {"a": True, "b": False}),
        # More are to come: what isn't there yet may be.
        (Listing("a", rest="more"), {"a": True}),
        (Listing(error=403), {}),
        (Listing(error=404), {}),
    ],
)
def test_what_a_list_tells(listing, known):
    found = reading.read_group(listing, MAPS, "n", ["a", "b"])
    assert {path.rpartition("/")[2]: body is not None for path, body in found.items()} == known
    assert all(body["kind"] == "ConfigMap" for body in found.values() if body)


def test_a_list_that_fails():
    with pytest.raises(ApiError):
        reading.read_group(Listing(error=500), MAPS, "n", ["a"])
