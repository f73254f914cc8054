# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import collect
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.secrets import (
    problems_of,
    secrets_in,
    secrets_of,
)


def thing(kind, name="x", api_version="v1", namespace=None, **rest):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def one(*args, **kwargs):
    return collect([("test", thing(*args, **kwargs))])[0]


def test_secrets_of():
    definitions = collect(
        [
            ("a", thing("Secret", "a", stringData={"pw": "hunter2", "n": 1})),
            ("b", thing("Secret", "b", data={"pw": "c2VjcmV0", "bin": "/w=="})),
            ("c", thing("ConfigMap", "c", data={"open": "public"})),
        ]
    )
    assert secrets_of(definitions) == {"hunter2", "aHVudGVyMg==", "MQ==", "c2VjcmV0", "secret", "/w=="}


@pytest.mark.parametrize(
    ("documents", "found"),
    [
        ([thing("Secret", stringData={"a": {"b": ["one", {"c": 1234}], "d": True, "e": None}})], {"one", "1234"}),
        ([thing("Secret", data={"a": {"b": "c2VjcmV0"}})], {"c2VjcmV0", "secret"}),
        ([thing("Secret", data={"a": "c2Vj\ncmV0\n"})], {"c2Vj\ncmV0\n", "c2VjcmV0", "secret"}),
        ([thing("Secret", stringData=["one"])], {"one"}),
        ([thing("Secret", stringData="one", data="two")], {"one", "two"}),
        # What only looks like one.
        ([{"kind": "secret", "data": {"a": "two"}}], {"two"}),
        ([{"kind": "Sekret", "stringData": {"a": "one"}, "data": {"b": "two"}}], {"one", "two"}),
        ([thing("Secret", api_version="core/v1", data={"a": "two"})], {"two"}),
        # In lists, and in what can't be taken apart.
        ([[{"kind": "SecretList", "items": [{"kind": "Secret", "stringData": {"a": "one"}}]}]], {"one"}),
        ([{"kind": "SecretList", "items": 5}, "a text", None, 5], set()),
        ([thing("ConfigMap", data={"a": "open"})], set()),
    ],
)
def test_secrets_of_what_nobody_has_checked(documents, found):
    assert {text for text in secrets_in(documents) if text not in ("b25l", "MTIzNA==")} == found


@pytest.mark.parametrize(
    ("definition", "problems"),
    [
        (one("Secret", stringData={"a": "b", "c": None, "d": ""}, data={"e": "AAAA\n", "f": None}), []),
        (one("Secret", stringData=None, data=None), []),
        (one("Secret"), []),
        (one("ConfigMap", data={"a": 1}), []),
        (one("Secret", api_version="example.com/v1", data={"a": 1}), []),
        (
            one("Secret", "s", namespace="n", stringData={"a": {"x": 1}, "b": "right", "c": 1.5}, data={"d": "no!"}),
            [
                "test: Secret n/s: stringData.a must be text, not a mapping: a text of several lines needs | before it",
                "test: Secret n/s: stringData.c must be text, not a number: put it in quotes",
                "test: Secret n/s: data.d is not base64: put plain text into stringData",
            ],
        ),
        (
            one("Secret", "s", stringData="x", data=[]),
            [
                "test: Secret s: stringData must be a mapping of keys to texts, not a text",
                "test: Secret s: data must be a mapping of keys to texts, not a list",
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_secret(definition, problems):
    assert problems_of(definition) == problems
