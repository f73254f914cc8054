# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/mesh-config.md shows can be used as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import callgraph, documents, isolation

PAGE = (Path(__file__).parents[2] / "docs/mesh-config.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
GRAPHS = [yaml.safe_load(text) for text in BLOCKS if re.search(r"^services:", text, re.MULTILINE)]


def test_call_graphs() -> None:
    on_kubernetes, on_hosts = (callgraph.read(graph, "default") for graph in GRAPHS)
    assert [one["name"] for one in callgraph.permissions(on_kubernetes)] == [
        "calls-to-api",
        "calls-to-db",
        "calls-to-web",
    ]
    assert len(isolation.network_policies(on_kubernetes)) == 6
    assert len(callgraph.permissions(on_hosts)) == 3


def test_the_defaults_of_the_network_are_what_it_says() -> None:
    shown = GRAPHS[0]["network"]
    defaults = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in callgraph.Network()._asdict().items()
    }
    assert shown == defaults


def test_documents() -> None:
    (text,) = (text for text in BLOCKS if text.startswith("# mesh/default.yml"))
    parsed = [("docs/mesh-config.md", one) for one in yaml.safe_load_all(text)]
    assert len(documents.read(parsed, "default", None)) == 3
