# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster with Kuma's definitions to try kuma_resources with mode=kubernetes on, and documents for it.

`KUMA_CRDS` names a directory with the definitions of Kuma's chart; without it, those of the double stand in.
"""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import double_of_kuma
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from kuma_mesh import mesh

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import Definition
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule
from ansible_collections.cloudnative.platform.plugins.modules import kuma_resources

double = double_of_kuma.part("definitions")
Run = t.Callable[..., dict[str, t.Any]]
SYSTEM = "kuma-system"
GRAPH: dict[str, t.Any] = {
    "services": {
        "web": {"namespace": "shop", "service_account": "web", "pod_labels": {"app": "web"}},
        "api": {"namespace": "shop", "service_account": "api", "pod_labels": {"app": "api"}, "ports": [8080]},
    },
    "calls": {"web": ["api"]},
}


def definitions() -> list[dict[str, t.Any]]:
    given = os.environ.get("KUMA_CRDS")
    if given:
        return [yaml.safe_load(path.read_text()) for path in sorted(Path(given).glob("*.yaml"))]
    return [double.definition(kind) for kind in double.CRDS]


def with_definitions(kubernetes_api: dict[str, t.Any]) -> Cluster:
    cluster = Cluster(kubernetes_api)
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (SYSTEM, "shop")]
    Engine(cluster, "test").apply([Definition(body, "Kuma's chart") for body in [*namespaces, *definitions()]])
    return cluster


def runner(
    kubernetes_api: dict[str, t.Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    owner: str = "contract",
) -> Run:
    """Calls the module; a failure is an AssertionError with its message."""
    # Those of a process add up over all of its modules.
    warnings: list[str] = []
    monkeypatch.setattr(MaskedModule, "warn", lambda _module, text: warnings.append(text))

    def run(*documents: t.Any, check: bool = False, diff: bool = False, **options: t.Any) -> dict[str, t.Any]:
        capsys.readouterr()
        warnings.clear()
        arguments = {
            "mode": "kubernetes",
            "kubernetes": {"kubeconfig": kubernetes_api},
            "resources": list(documents),
            "owner": owner,
            "mesh": "contract",
            "_ansible_check_mode": check,
            "_ansible_diff": diff,
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            kuma_resources.main()
        output = capsys.readouterr().out
        assert "c2VjcmV0LW9mLXRoZS1wYXJ0bmVy" not in output
        result = json.loads(output)
        if result.get("failed"):
            raise AssertionError(result["msg"])
        return {**result, "warnings": list(warnings)}

    return run


def clean(run: Run) -> None:
    run(state="absent", prune_max=-1)
    run(mesh(), state="absent")


# Modules that use them import these two by name, for pytest to find them there. OWNER of the module owns what it makes.
@pytest.fixture(scope="module", name="cluster")
def fixture_cluster(kubernetes_api: dict[str, t.Any]) -> Cluster:
    return with_definitions(kubernetes_api)


@pytest.fixture(name="run")
def fixture_run(
    request: pytest.FixtureRequest,
    kubernetes_api: dict[str, t.Any],
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> t.Iterator[Run]:
    run = runner(kubernetes_api, capsys, monkeypatch, getattr(request.module, "OWNER", "contract"))
    yield run
    clean(run)


def tls(mode: str) -> dict[str, t.Any]:
    return {"type": "MeshTLS", "name": "mode", "spec": {"rules": [{"default": {"mode": mode}}]}}
