# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real servers of the platform's own bundle, for the contract tests."""

from __future__ import annotations

import typing as t

import pytest
from real_servers import BUNDLE, Bundle, Server, free_port, kubernetes_servers


@pytest.fixture(scope="session", name="bundle")
def fixture_bundle() -> Bundle:
    return Bundle(BUNDLE)


@pytest.fixture(scope="session", name="kubernetes_api")
def fixture_kubernetes_api(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[dict[str, t.Any]]:
    """A kubeconfig of a real API server, with contexts `admin`, `limited` (may do nothing) and `stranger`."""
    with kubernetes_servers(bundle, tmp_path_factory.mktemp("kubernetes")) as kubeconfig:
        yield kubeconfig


@pytest.fixture(scope="session", name="registry")
def fixture_registry(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """URL of a real, empty registry without credentials."""
    directory = tmp_path_factory.mktemp("registry")
    address = f"127.0.0.1:{free_port()}"
    (directory / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {directory}/data}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    binary = bundle.take_binary("cloudnative.platform/registry", "registry", directory)
    server = Server([str(binary), "serve", f"{directory}/config.yml"], directory / "registry.log")
    try:
        server.wait(f"http://{address}/v2/", 20)
        yield f"http://{address}"
    finally:
        server.stop()
