# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import document, files
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Problems
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kong_support import merged


def problems(*contents: t.Any) -> list[str]:
    with pytest.raises(Problems) as found:
        document.merge([(f"{number}.yml", content) for number, content in enumerate(contents)])
    return found.value.problems


def doc(**content: t.Any) -> dict[str, t.Any]:
    return {"_format_version": "3.0", **content}


def test_nested_and_flat_give_the_same_entities() -> None:
    nested = merged(
        services=[{"name": "a", "host": "h", "routes": [{"name": "r", "paths": ["/"], "plugins": [{"name": "cors"}]}]}]
    )
    flat = merged(
        services=[{"name": "a", "host": "h"}],
        routes=[{"name": "r", "paths": ["/"], "service": "a"}],
        plugins=[{"name": "cors", "route": {"name": "r"}}],
    )
    assert [entity.kind for entity in nested.entities] == [entity.kind for entity in flat.entities]
    assert [entity.name for entity in nested.entities] == ["service a", "route r", "plugin cors of route r"]


def test_an_entity_knows_where_it_stands() -> None:
    made = merged(services=[{"name": "a", "host": "h", "routes": [{"name": "r"}, {"paths": ["/x"]}]}])
    assert [entity.where for entity in made.entities] == [
        "services[0]",
        "services[0].routes[0]",
        "services[0].routes[1]",
    ]
    assert made.entities[2].label == "route /x of service a (kong.yml: services[0].routes[1])"


def test_snis_may_be_names() -> None:
    made = merged(certificates=[{"cert": "c", "key": "k", "snis": ["a.test", {"name": "b.test"}]}])
    assert [entity.fields["name"] for entity in made.entities[1:]] == ["a.test", "b.test"]


def test_tags_of_a_deck_file_are_taken_over() -> None:
    made = merged(_info={"select_tags": ["team-a"]}, _workspace="default", _comment="x")
    assert made.select_tags == ["team-a"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "a document is a mapping, not a list"),
        ({"services": []}, '_format_version is missing, write _format_version: "3.0"'),
        ({"_format_version": "9.9"}, "_format_version '9.9' is not known, expected 3.0"),
        (doc(servces=[]), "servces: unknown kind of entity servces, did you mean services?"),
        (doc(consumer_groups=[]), "consumer_groups: consumer groups are an Enterprise feature"),
        (doc(services={"a": 1}), "services: expected a list of services, not a mapping"),
        (doc(services=["a"]), "services[0]: expected a mapping, not a string"),
        (doc(services=[{"name": "a", "routes": {}}]), "services[0].routes: expected a list of routes, not a mapping"),
        (doc(services=[{"id": "1", "name": "a"}]), "services[0]: id '1' is not a UUID"),
        (doc(_transfrom=False), "unknown field _transfrom, did you mean _transform?"),
        (doc(_workspace="team"), "_workspace 'team': Kong Gateway OSS has no workspaces"),
        (
            doc(services=[{"name": "a", "routes": [{"name": "r", "service": "b"}]}]),
            "service is 'b', but the route stands inside of service a",
        ),
        (
            doc(consumers=[{"username": "c", "keyauth_credentials": [{"key": "<hidden>"}]}]),
            "key is <hidden>: this document was shown without its secrets",
        ),
        (
            doc(consumers=[{"username": "c", "keyauth_credentials": [{"key": '${{ env "DECK_KEY" }}'}]}]),
            "keyauth_credentials[0]: key has a variable that only decK fills in: take Kong's {vault://env/…}",
        ),
        (doc(_info="team-a"), "_info is a mapping, not a string"),
        (doc(_info={"select_tags": "team-a"}), "_info.select_tags 'team-a' is not a list of tags: write [tag, …]"),
        (doc(_info={"select_tags": [1]}), "_info.select_tags [1] is not a list of tags"),
        (doc(_info={"selct_tags": ["a"]}), "unknown field _info.selct_tags, did you mean select_tags?"),
        (doc(_info={"defaults": {"service": {"retries": 2}}}), "_info.defaults is decK's own"),
        (doc(services=[{"name": "a", "tags": "abc"}]), "services[0]: tags 'abc' is not a list of strings"),
        (doc(services=[{"name": "a", "tags": [["a"]]}]), "services[0]: tags [['a']] is not a list of strings"),
        (doc(services=[{"name": ["a"]}]), "services[0]: name ['a'] is a list, expected a string"),
        (doc(services=[{"name": 5}]), "services[0]: name 5 is a int, expected a string"),
        (
            doc(routes=[{"name": "r", "service": ["p"]}]),
            "service ['p'] refers to nothing: write the service's id or name",
        ),
        (doc(routes=[{"name": "r", "service": {}}]), "service {} refers to nothing"),
        (
            doc(acls=[{"group": "g", "consumer": {"custom_id": "x"}}]),
            "consumer {'custom_id': 'x'} refers to nothing: write the consumer's id or username",
        ),
    ],
)
def test_what_is_wrong_with_the_form(content: t.Any, problem: str) -> None:
    found = problems(content)
    assert len(found) == 1
    assert problem in found[0]
    assert found[0].startswith("0.yml: ")


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    assert len(problems(doc(a=[], b=[], services=[1]))) == 3


def test_two_files_that_claim_one_entity() -> None:
    found = problems(doc(services=[{"name": "a"}]), doc(services=[{"name": "b"}, {"name": "a"}]))
    assert found == [
        "two services have the same name a: 0.yml: services[0] and 1.yml: services[1]; "
        "an entity stands in one place only"
    ]


@pytest.mark.parametrize(
    "content",
    [
        doc(consumers=[{"username": "a"}, {"username": "a"}]),
        doc(upstreams=[{"name": "u"}, {"name": "u"}]),
        doc(snis=[{"name": "s"}, {"name": "s"}]),
        doc(vaults=[{"prefix": "p"}, {"prefix": "p"}]),
    ],
)
def test_duplicate_names(content: t.Any) -> None:
    assert "the same" in problems(content)[0]


def test_a_key_that_stands_there_twice_is_not_shown() -> None:
    twice = {"keyauth_credentials": [{"key": "very-secret"}]}
    found = problems(doc(consumers=[{"username": "a", **twice}, {"username": "b", **twice}]))
    assert "two keyauth_credentials have the same key:" in found[0]
    assert "very-secret" not in found[0]


def test_files_of_two_forms_are_not_merged() -> None:
    found = problems(doc(_transform=False), doc())
    assert "0.yml has _transform: false" in found[0]


def test_a_directory_stands_for_its_documents(tmp_path: t.Any) -> None:
    (tmp_path / "b.json").write_text(json.dumps(doc(services=[{"name": "b"}])))
    (tmp_path / "a.yml").write_text('_format_version: "3.0"\nservices: [{name: a}]\n')
    (tmp_path / "readme.md").write_text("no document")
    made = document.merge(files.read([str(tmp_path)]))
    assert [entity.name for entity in made.entities] == ["service a", "service b"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [b", "is not YAML in line"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "is not JSON: key 'c' stands there twice"),
        ("a: 1\na: 2\n", "is not YAML in line 2, column 1: key 'a' stands there twice"),
        ("x: &x {a: 1}\ny: {<<: *x, b: 1, b: 2}\n", "is not YAML in line 2, column 19: key 'b' stands there twice"),
        ("? [a]\n: 1\n", "is not YAML in line 1, column 3: a key is not a name"),
    ],
)
def test_what_can_not_be_read(tmp_path: t.Any, text: str, problem: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)
    with pytest.raises(KongError) as found:
        files.read([str(path)])
    assert problem in str(found.value)


def test_a_secret_of_the_wrong_type_is_not_shown() -> None:
    found = problems(doc(consumers=[{"username": "c", "keyauth_credentials": [{"key": ["hunter2"]}]}]))
    assert found == ["0.yml: consumers[0].keyauth_credentials[0]: key is a list, expected a string"]


def test_what_is_written_wins_over_what_is_merged() -> None:
    text = "a: &a {name: a, host: h}\nb: &b {<<: *a, name: b}\nc: {<<: [*b, {port: 1}], host: i}\n"
    assert files.parse(text, "x.yml") == {
        "a": {"name": "a", "host": "h"},
        "b": {"name": "b", "host": "h"},
        "c": {"name": "b", "host": "i", "port": 1},
    }


def test_broken_yaml_is_not_quoted() -> None:
    with pytest.raises(KongError) as found:
        files.parse("password: hunter2: x\n", "x.yml")
    assert "hunter2" not in str(found.value)


def test_json_needs_no_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "yaml", None)
    assert files.parse('{"a": 1}', "x") == {"a": 1}
    with pytest.raises(KongError, match="PyYAML is not there"):
        files.parse("a: 1", "x.yml")
    assert json.loads(files.dump({"a": 1})) == {"a": 1}


def test_what_is_written_is_for_its_owner_only(tmp_path: t.Any) -> None:
    path = str(tmp_path / "kong.json")
    assert files.differs(path, "x")
    files.write(path, "x")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert not files.differs(path, "x")
    assert files.differs(path, "y")
    os.chmod(path, 0o644)
    assert files.differs(path, "x")
    assert os.listdir(tmp_path) == ["kong.json"]
