# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs out of the platform's own bundle, or what PROMTOOL, AMTOOL and ALERTMANAGER name."""

from __future__ import annotations

import importlib.util
import os
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ROOT / "roles/monitoring/files"


def _contract() -> t.Any:
    """What the contract tests have for servers out of the bundle."""
    specification = importlib.util.spec_from_file_location("contract", ROOT / "tests/contract/real_servers.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _program(name: str, repository: str, directory: Path) -> str:
    given = os.environ.get(name.upper())
    contract = _contract()
    return given or str(contract.Bundle(contract.BUNDLE).take_binary(repository, name, directory))


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _program("promtool", "cloudnative.platform/prometheus-tools", tmp_path_factory.mktemp("promtool"))


@pytest.fixture(scope="session")
def amtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _program("amtool", "cloudnative.platform/prometheus-tools", tmp_path_factory.mktemp("amtool"))


@pytest.fixture(scope="session", name="alertmanager_program")
def fixture_alertmanager_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _program("alertmanager", "quay.io/prometheus/alertmanager", tmp_path_factory.mktemp("alertmanager"))


@pytest.fixture
def alertmanager(alertmanager_program: str, inhibit_rules: list[dict[str, t.Any]], tmp_path: Path) -> t.Iterator[str]:
    """The address of an Alertmanager with the inhibitions of the platform, and one more that tests wait for."""
    contract = _contract()
    sentinel = {"source_matchers": ['alertname="Sentinel"'], "target_matchers": ['alertname="Waiting"']}
    config = {
        "route": {"receiver": "nobody"},
        "receivers": [{"name": "nobody"}],
        "inhibit_rules": [*inhibit_rules, sentinel],
    }
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{contract.free_port()}"
    server = contract.Server(
        [
            alertmanager_program,
            f"--config.file={tmp_path}/alertmanager.yml",
            f"--storage.path={tmp_path}/data",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ],
        tmp_path / "alertmanager.log",
    )
    try:
        server.wait(f"http://{address}/-/ready", 30)
        yield f"http://{address}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def inhibit_rules() -> list[dict[str, t.Any]]:
    return yaml.safe_load((FILES / "inhibit_rules.yml").read_text())
