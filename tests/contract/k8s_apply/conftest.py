# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real API server, and k8s_apply run against it."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from apply_objects import Run

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster
from ansible_collections.cloudnative.platform.plugins.modules import k8s_apply


@pytest.fixture(name="cluster")
def fixture_cluster(kubernetes_api: dict[str, t.Any]) -> Cluster:
    return Cluster(kubernetes_api)


@pytest.fixture(name="namespace")
def fixture_namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:50].rstrip("-")
    cluster.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
    return name


@pytest.fixture(name="run")
def fixture_run(kubernetes_api: dict[str, t.Any], capsys: pytest.CaptureFixture[str]) -> Run:
    def run(check: bool = False, diff: bool = False, **params: t.Any) -> dict[str, t.Any]:
        arguments = {"kubeconfig": kubernetes_api, "_ansible_check_mode": check, "_ansible_diff": diff, **params}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            k8s_apply.main()
        return json.loads(capsys.readouterr().out)

    return run
