# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What k8s_apply tells, and what not, when something is wrong with a Secret, or with what holds one."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml
from apply_objects import Run, config_map

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.secrets import problems_of
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, Cluster

PASSWORD = "Tr0ub4dor"


def secret(**fields: t.Any) -> dict[str, t.Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **fields}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stringData": {"a": {"b": PASSWORD}}}, "stringData.a must be text, not a mapping"),
        ({"stringData": {"a": [{"b": [PASSWORD]}]}}, "stringData.a must be text, not a list"),
        ({"stringData": {"a": 1234567}}, "stringData.a must be text, not a number: put it in quotes"),
        ({"stringData": {"a": True}}, "stringData.a must be text, not true or false: put it in quotes"),
        ({"stringData": [PASSWORD]}, "stringData must be a mapping of keys to texts, not a list"),
        ({"stringData": PASSWORD}, "stringData must be a mapping of keys to texts, not a text"),
        ({"data": {"a": f"{PASSWORD} in plain text"}}, "data.a is not base64: put plain text into stringData"),
        ({"data": [PASSWORD]}, "data must be a mapping of keys to texts, not a list"),
    ],
)
@pytest.mark.parametrize("written", ["as objects", "as a text", "in a file"])
def test_values_that_are_no_text(
    run: Run,
    cluster: Cluster,
    namespace: str,
    tmp_path: pathlib.Path,
    fields: dict[str, t.Any],
    words: str,
    written: str,
) -> None:
    objects = [config_map("early", namespace), secret(**fields)]
    text = yaml.safe_dump_all(objects)
    (tmp_path / "all.yml").write_text(text)
    sources = {"as objects": "definitions[1]", "as a text": "definitions[0]", "in a file": f"{tmp_path}/all.yml"}
    given = {"as objects": objects, "as a text": [text], "in a file": []}[written]
    source = sources[written] + ("" if written == "as objects" else " document 2")
    for check in (True, False):
        src = [str(tmp_path / "all.yml")] if written == "in a file" else []
        result = run(definitions=given, src=src, namespace=namespace, check=check, diff=True)
        assert result["failed"] is True
        assert f"{source}: Secret s: {words}" in result["msg"]
        assert PASSWORD not in json.dumps(result)
        assert "1234567" not in json.dumps(result)
    with pytest.raises(ApiError, match="404"):
        cluster.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/early")


@pytest.mark.parametrize(
    "value",
    [
        *("", "AA==", "AB==", "AAAA\nAAAA\n", "AA\r\n==", "AA=\n=", "/w==", None),
        *(
            "AA=",
            "AA",
            "A===",
            "=",
            "AAAA AAAA",
            " AAAA",
            "\tAAAA",
            "_-==",
            "AA==AA==",
            "\u00e4",
            "plain text",
            5,
            ["AAAA"],
        ),
    ],
)
def test_what_is_base64_is_said_as_the_server_says(cluster: Cluster, value: t.Any) -> None:
    body = secret(data={"a": value})
    path = "/api/v1/namespaces/default/secrets/s"
    query = {"fieldManager": "contract", "fieldValidation": "Strict", "dryRun": "All"}
    try:
        cluster.request("PATCH", path, query, body, content_type="application/apply-patch+yaml")
        taken = True
    except ApiError as e:
        assert e.status == 500
        taken = False
    assert (problems_of(Definition(body, "here")) == []) is taken


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        (
            [config_map("a", "shop"), config_map("a", "shop")],
            "ConfigMap shop/a is defined twice: in definitions[1] and in definitions[2]",
        ),
        ([{"apiVersion": "v1", "kind": "ConfigMap"}], "definitions[1]: ConfigMap: metadata.name is missing"),
        ([{"kind": "ConfigMap"}], "definitions[1]: apiVersion is missing or not a string"),
        ([{"apiVersion": "v1", "kind": "ConfigMapList", "items": 5}], "definitions[1]: ConfigMapList: items must be a"),
        (["a: [1"], "definitions[1] line 2: not valid YAML"),
        ([secret(stringData={"a": PASSWORD})], "Secret s is defined twice"),
        (
            [{**secret(stringData={"a": PASSWORD}), "kind": "Sekret"}],
            "definitions[1]: the cluster serves no Sekret in v1",
        ),
        ([{**secret(data={"a": PASSWORD}), "apiVersion": "core/v1"}], "the cluster serves no Secret in core/v1"),
        (
            [f"apiVersion: v1\nstringData:\n  a: !{PASSWORD}\n"],
            "definitions[1] line 3: not valid YAML: could not determine",
        ),
        ([f"apiVersion: v1\nstringData: {{a: *{PASSWORD}}}"], "definitions[1] line 2: not valid YAML: found undefined"),
    ],
)
def test_mistakes_are_named_and_secrets_are_not(run: Run, objects: list[t.Any], words: str) -> None:
    """With words in the definitions, and in a Secret's keys, that the messages have too."""
    first = secret(stringData={"password": "hunter2", "kind": "hunter2"})
    labels = {"a": "definitions", "b": "line", "c": "ConfigMap", "d": "shop"}
    result = run(definitions=[{**first, "metadata": {"name": "s", "labels": labels}}, *objects])
    assert words in result["msg"]
    assert "hunter2" not in json.dumps(result)
    assert PASSWORD not in json.dumps(result)


def test_other_options_are_named_too(run: Run, tmp_path: pathlib.Path) -> None:
    """What is wrong with them is told before any definition is read."""
    definition = {**config_map("a"), "data": {"a": "owner", "b": "wait_for", "c": str(tmp_path), "d": "kubeconfig"}}
    for options, words in (
        ({"owner": "Big Shop"}, "owner 'Big Shop' can't be the value of a label"),
        ({"src": [f"{tmp_path}/gone.yml"]}, f"{tmp_path}/gone.yml: can't be read"),
        ({"wait_for": [{"kind": "Pod", "name": "p", "expression": "a"}]}, "wait_for needs wait=true"),
        ({"kubeconfig": f"{tmp_path}/admin.conf"}, f"kubeconfig {tmp_path}/admin.conf does not exist"),
    ):
        assert words in run(definitions=[definition], **options)["msg"]


def test_kubeconfig_that_is_no_path(run: Run, kubernetes_api: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    """Its content, where a path was meant, and a file that is none."""
    user = {"name": "admin", "user": {"token": PASSWORD}}
    text = yaml.safe_dump({**kubernetes_api, "users": [user]})
    result = run(definitions=[config_map("a")], kubeconfig=text)
    assert "make a dictionary of the content of a file with the filter from_yaml" in result["msg"]
    assert PASSWORD not in json.dumps(result)
    (tmp_path / "config").write_text(f"apiVersion: v1\nusers: [{{token: !{PASSWORD}}}]\n")
    result = run(definitions=[config_map("a")], kubeconfig=str(tmp_path / "config"))
    assert result["msg"] == f"the kubeconfig {tmp_path}/config is not valid YAML in line 2"
    assert PASSWORD not in json.dumps(result)
