# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Secret from which new pods load the document that the running ones were given."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import reading
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import AUTH_ARG_SPEC
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ClientError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.run import Outcome, Wish

#: What the API server takes at most in one Secret.
MOST_BYTES = 1024 * 1024
FIELD_MANAGER = "cloudnative.platform"


def manifest(namespace: str, name: str, key: str, text: str) -> Raw:
    """Pure."""
    if len(text.encode()) > MOST_BYTES:
        raise KongError(
            f"the document has {len(text.encode())} bytes, and a Secret holds {MOST_BYTES}: split the gateway, or run "
            "it with a database"
        )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {key: base64.b64encode(text.encode()).decode()},
    }


def keep(text: str, wish: Wish, outcome: Outcome) -> None:
    """Writes the Secret where it holds something else. What it holds is shown in no diff."""
    options: t.Mapping[str, t.Any] = wish.params["kubernetes"]
    namespace, name = options["namespace"], wish.params["kubernetes_secret"]["name"]
    wanted = manifest(namespace, name, wish.params["kubernetes_secret"]["key"], text)
    try:
        cluster = Cluster(timeout=wish.params["timeout"], **{key: options[key] for key in AUTH_ARG_SPEC})
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        found = (reading.get(cluster, path) or {}).get("data") or {}
        if found == wanted["data"]:
            return
        outcome.changed = True
        outcome.actions.append(f"keep the configuration in Secret {namespace}/{name}")
        if not wish.check_mode:
            query = {"fieldManager": FIELD_MANAGER, "force": "true"}
            cluster.request("PATCH", path, query, wanted, "application/apply-patch+yaml")
    except ClientError as e:
        raise KongError(f"Secret {namespace}/{name} could not be kept: {e}") from e
