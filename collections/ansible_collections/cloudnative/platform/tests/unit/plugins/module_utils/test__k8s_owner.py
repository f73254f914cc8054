# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import owner
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    Definition,
    DefinitionError,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", True)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False)


def thing(name, kind="ConfigMap", api_version="v1", **metadata):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "n", **metadata}}


def owned(name, operation="Apply", label="shop", field=f"f:{owner.LABEL}"):
    fields = {"f:metadata": {"f:labels": {field: {}}}}
    return thing(name, labels={owner.LABEL: label}, managedFields=[{"operation": operation, "fieldsV1": fields}])


@pytest.mark.parametrize("name", ["a", "shop", "shop-2", "9", "a" * 57])
def test_good_names(name):
    assert owner.check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "Shop", "a.b", "a b", "a" * 58])
def test_bad_names(name):
    with pytest.raises(DefinitionError, match="lower case letters"):
        owner.check_name(name)


@pytest.mark.parametrize("labels", [None, {}, {"app": "x"}, {owner.LABEL: "shop"}])
def test_label_is_added(labels):
    body = thing("a", labels=labels)
    result = owner.labelled(Definition(body, "here"), "shop").body
    assert result["metadata"]["labels"] == {**(labels or {}), owner.LABEL: "shop"}
    # What was given stays as it is.
    assert body["metadata"]["labels"] == labels


@pytest.mark.parametrize("labels", [{owner.LABEL: "other"}, ["a"], "a=b"])
def test_label_is_refused(labels):
    with pytest.raises(DefinitionError, match="here: ConfigMap n/a"):
        owner.labelled(Definition(thing("a", labels=labels), "here"), "shop")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (owned("a"), "shop"),
        (owned("a", operation="Update"), None),
        (owned("a", field="f:app"), None),
        (thing("a", labels={owner.LABEL: "shop"}), None),
        (thing("a"), None),
        (None, None),
    ],
)
def test_only_a_label_that_was_applied_counts(body, expected):
    assert owner.owner_of(body) == expected


def test_record_is_read_as_it_was_written():
    record = owner.record_of([(DEPLOYMENTS, "b"), (DEPLOYMENTS, "a"), (NAMESPACES, None)])
    assert record == owner.Record(frozenset({"Deployment.apps", "Namespace"}), frozenset({"a", "b"}))
    written = owner.write_record("shop", "kube-system", record)
    assert written.label == "ConfigMap kube-system/owner-shop"
    assert written.body["data"] == {"kinds": "Deployment.apps\nNamespace\n", "namespaces": "a\nb\n"}
    assert owner.read_record(written.body) == record
    assert owner.read_record(owner.write_record("shop", "x", owner.Record()).body) == owner.Record()


@pytest.mark.parametrize("body", [None, {}, {"data": None}, {"data": {"other": "x"}}])
def test_no_record(body):
    assert owner.read_record(body) is None


def test_doomed():
    there = [
        thing("stays"),
        thing("goes"),
        thing("ends", deletionTimestamp="now"),
        thing("stays", kind="Deployment", api_version="apps/v1"),
        thing("moves", namespace="old"),
    ]
    # The version of a group plays no part, its namespace does.
    desired = [
        owner.key_of(thing("stays")),
        owner.key_of(thing("stays", kind="Deployment", api_version="apps/v1beta1")),
        owner.key_of(thing("moves", namespace="new")),
    ]
    assert [body["metadata"]["name"] for body in owner.doomed(there, desired)] == ["goes", "moves"]


@pytest.mark.parametrize(
    ("limit", "objects", "allowed"),
    [
        ("50%", 4, 2),
        ("50%", 5, 2),
        ("50%", 1, 0),
        ("10%", 3, 1),
        ("0%", 9, 0),
        ("100%", 7, 7),
        ("0", 5, 0),
        ("3", 2, 3),
        (" 20 % ", 10, 2),
    ],
)
def test_most(limit, objects, allowed):
    assert owner.most(limit, objects) == allowed


@pytest.mark.parametrize("limit", ["", "half", "-1", "101%", "1.5", "50 percent"])
def test_limit_is_refused(limit):
    with pytest.raises(DefinitionError, match="neither a number of objects nor a percentage"):
        owner.most(limit, 5)


def test_guard():
    going = [thing(f"c{number}") for number in range(25)]
    owner.guard("shop", going, 50, "50%")
    owner.guard("shop", [], 0, "0")
    with pytest.raises(DefinitionError, match=r"25 of 49 objects of owner shop .* allows 24 to go") as refused:
        owner.guard("shop", going, 49, "50%")
    assert "ConfigMap n/c0, ConfigMap n/c1," in str(refused.value)
    assert "ConfigMap n/c19 and 5 more" in str(refused.value)
