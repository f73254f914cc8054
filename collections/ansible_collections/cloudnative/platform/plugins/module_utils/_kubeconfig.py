# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Changes of a kubeconfig as pure functions on its parsed content."""

from __future__ import annotations

import copy
import typing as t


class KubeconfigError(ValueError):
    """The document is not a usable kubeconfig; str() says what is wrong with it, without its content."""


def with_server(kubeconfig: t.Any, server: str) -> dict[str, t.Any]:
    """The same kubeconfig with another address of the API server in its current context."""
    if not isinstance(kubeconfig, dict) or kubeconfig.get("kind") != "Config":
        raise KubeconfigError("this is not a kubeconfig: it has no kind: Config")
    result = copy.deepcopy(kubeconfig)
    current = result.get("current-context")
    contexts = {item["name"]: item["context"] for item in result.get("contexts") or []}
    if current not in contexts:
        raise KubeconfigError(f"the kubeconfig has no context {current!r}, which is its current one")
    clusters = {item["name"]: item["cluster"] for item in result.get("clusters") or []}
    name = contexts[current].get("cluster")
    if name not in clusters:
        raise KubeconfigError(f"the kubeconfig has no cluster {name!r}, which its context {current!r} uses")
    clusters[name]["server"] = server
    return result
