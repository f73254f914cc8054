# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's own part: options, and what must not be seen of them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.modules import kuma_resources

DEAD = "http://127.0.0.1:1"
SECRET = {"type": "Secret", "name": "partner", "data": "dmVyeS1zZWNyZXQtdmFsdWU="}
TIMEOUT = {"type": "MeshTimeout", "name": "slow", "spec": {"to": []}}


@pytest.fixture(name="failure")
def fixture_failure(
    capsys: pytest.CaptureFixture[str], give_arguments: t.Callable[[dict[str, t.Any]], None]
) -> t.Callable[..., str]:
    def run(**options: t.Any) -> str:
        give_arguments({"api_url": DEAD, **options})
        with pytest.raises(SystemExit):
            kuma_resources.main()
        output = capsys.readouterr().out
        result = json.loads(output)
        assert result["failed"]
        assert "dmVyeS1z" not in output
        return str(result["msg"])

    return run


@pytest.mark.parametrize(
    "wish",
    [
        [SECRET],
        [{**SECRET, "labels": {"a": 1}}],
        [{**SECRET, "spec": {}}],
        [SECRET, SECRET],
        json.dumps(SECRET),
        "type: Secret\nname: partner\ndata: dmVyeS1zZWNyZXQtdmFsdWU=\nlabels: [",
        [{**SECRET, "data": "dmVyeS1z!"}],
    ],
)
def test_a_failure_shows_no_secret(failure: t.Callable[..., str], wish: t.Any) -> None:
    assert failure(resources=wish)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "there is nothing to do"),
        ({"state": "absent"}, "there is nothing to do"),
        ({"prune": True, "owner": "us"}, "everything of owner us would be pruned"),
        ({"resources": TIMEOUT, "prune": True}, "prune is True but all of the following are missing: owner"),
        ({"resources": TIMEOUT, "owner": "Us_"}, "owner 'Us_' can't be the value of a label"),
        ({"resources": TIMEOUT, "network_policies": True}, "network_policies needs call_graph and mode=kubernetes"),
        ({"call_graph": "/none.yml"}, "call_graph: /none.yml: can't be read"),
        ({"call_graph": "services: {a: {}}\n---\ncalls: {}\n"}, "a call graph is one document, not 2"),
        ({"call_graph": {"services": {"web": {}}, "calls": {"web": ["api"]}}}, "no service of this name"),
        ({"resources": {"type": "TrafficPermission", "name": "x"}}, "to write it nevertheless, set allow_removed"),
        ({"resources": TIMEOUT}, f"the control plane at {DEAD} can't be reached: connection refused"),
        ({"resources": TIMEOUT, "src": ["/none"]}, "/none: can't be read"),
        # Nobody may call anybody: that is something to do, and asks the control plane.
        ({"call_graph": {"services": {"web": {}}, "calls": {}}}, "connection refused"),
        ({"call_graph": {"services": {}}, "prune": True, "owner": "us"}, "connection refused"),
        # Without documents it would be everything of the owner that goes.
        ({"call_graph": {"services": {}}, "state": "absent", "owner": "us"}, "there is nothing of it to delete"),
        ({"call_graph": {"services": {}}, "monitoring_namespace": "A b"}, "'A b' is no name of a namespace"),
    ],
)
def test_options_that_don_t_fit(failure: t.Callable[..., str], options: dict[str, t.Any], said: str) -> None:
    assert said in failure(**options)


@pytest.mark.parametrize("as_text", [False, True])
def test_of_a_kubeconfig_only_what_is_secret_is_masked(failure: t.Callable[..., str], as_text: bool) -> None:
    kubeconfig: t.Any = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "slow", "cluster": {"server": DEAD}}],
        "users": [{"name": "slow", "user": {"token": "dmVyeS1zZWNyZXQtdG9rZW4="}}],
        "contexts": [{"name": "slow", "context": {"cluster": "slow", "user": "slow"}}],
        "current-context": "slow",
    }
    where = {"kubeconfig": json.dumps(kubeconfig) if as_text else kubeconfig}
    labels = {"a": ["dmVyeS1zZWNyZXQtdG9rZW4="]}
    said = failure(resources={**TIMEOUT, "labels": labels}, mode="kubernetes", kubernetes=where)
    assert "MeshTimeout default/slow" in said
    assert "labels.a is" in said
    assert "********" in said


def test_a_graph_in_a_file_names_it(failure: t.Callable[..., str], tmp_path: t.Any) -> None:
    path = tmp_path / "calls.yml"
    path.write_text("services:\n  web: {}\ncalls:\n  web: [wbe]\n")
    assert f"{path}: calls.web: calls 'wbe', no service of this name, did you mean web?" in failure(
        call_graph=str(path)
    )


def test_a_caller_that_stands_in_a_graph_twice(failure: t.Callable[..., str], tmp_path: t.Any) -> None:
    """The likeliest slip in one file for all: with the last one alone, the permissions of the first would be pruned."""
    path = tmp_path / "calls.yml"
    text = "services: {web: {}, api: {}, db: {}}\ncalls:\n  web: [api]\n  api: [db]\n  web: [db]\n"
    path.write_text(text)
    said = "line 5: not valid YAML: key 'web' stands there twice, first in line 3"
    assert f"{path} {said}" in failure(call_graph=str(path), owner="us", prune=True)
    assert f"call_graph {said}" in failure(call_graph=text, owner="us", prune=True)
