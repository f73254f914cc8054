# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.conditions import compiled, resource_of
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import DefinitionError
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import Resource
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.readiness import State

BODY = {"spec": {"replicas": 2}, "status": {"ready": 1, "none": 0, "names": ["a", "b"], "phase": "Bound"}}


@pytest.mark.parametrize(
    ("expression", "state", "words"),
    [
        ("status.phase == 'Bound'", State.READY, ""),
        ("status.phase == 'Lost'", State.WAITING, "status.phase == 'Lost' is false"),
        ("status.ready == spec.replicas", State.WAITING, "is false"),
        ("status.names[?@ == 'a']", State.READY, ""),
        ("status.names[?@ == 'c']", State.WAITING, "is []"),
        ("status.other", State.WAITING, "is null"),
        # Zero is true in JMESPath.
        ("status.none", State.READY, ""),
        ("length(status.names) >= `2`", State.READY, ""),
        ("length(status.other) >= `2`", State.WAITING, "length(status.other)"),
        ("spec.replicas >= '1'", State.FAILED, "numbers stand in backticks, as in spec.replicas >= `1`"),
        ("status.phase < `1`", State.FAILED, "status.phase < `1` can't be evaluated: '<' not supported"),
        ("contains(status.phase, `1`)", State.FAILED, "can't be evaluated"),
        ("status.names[::0]", State.FAILED, "slice step cannot be zero"),
        # Nothing is there yet to be compared.
        ("status.other >= '1'", State.WAITING, "is null"),
    ],
)
def test_expressions(expression, state, words):
    verdict = compiled(expression, "wait_for[0]")(BODY)
    assert verdict.state is state
    assert words in verdict.message


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("status.phase = 'Bound'", "is no JMESPath expression"),
        ("", "is no JMESPath expression"),
        ("status.[", "is no JMESPath expression"),
        ("a && lenght(b) > `1`", r"calls lenght\(\), which JMESPath does not have; did you mean length"),
        ("nothing(b)", "there are abs, avg"),
        ("length(a, b)", r"calls length\(\) with 2 arguments; it takes 1"),
        ("not_null()", "takes 1 or more"),
    ],
)
def test_wrong_expressions(expression, words):
    with pytest.raises(DefinitionError, match=rf"^wait_for\[3\]: .*{words}"):
        compiled(expression, "wait_for[3]")


PODS = Resource("", "v1", "pods", "Pod", True)
OLD, NEW = (Resource("ex.io", version, "foos", "Foo", True) for version in ("v1", "v2"))
OTHER = Resource("else.io", "v1", "foos", "Foo", True)
CATALOG = {("v1", "Pod"): PODS, ("ex.io/v2", "Foo"): NEW, ("ex.io/v1", "Foo"): OLD}


@pytest.mark.parametrize(
    ("kind", "api_version", "expected"),
    [("Pod", None, PODS), ("Foo", None, NEW), ("Foo", "ex.io/v1", OLD)],
)
def test_resource_of(kind, api_version, expected):
    assert resource_of(kind, api_version, CATALOG, "here") == expected


@pytest.mark.parametrize(
    ("kind", "api_version", "words"),
    [
        ("Pot", None, "here: the cluster serves no Pot; did you mean Pod?"),
        ("Pod", "v2", "here: the cluster serves no Pod in v2"),
        ("Foo", None, "here: Foo is served in ex.io/v2, else.io/v1; say which by api_version"),
    ],
)
def test_resource_that_is_not_there(kind, api_version, words):
    with pytest.raises(DefinitionError) as refused:
        resource_of(kind, api_version, {**CATALOG, ("else.io/v1", "Foo"): OTHER}, "here")
    assert words in str(refused.value)
