# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the overview of a dataplane says, in one form. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.versions import is_near


def dataplane(overview: Raw, version: str) -> Raw:
    insight = overview.get("dataplaneInsight") or {}
    subscriptions = insight.get("subscriptions") or []
    last = subscriptions[-1] if subscriptions else {}
    versions = last.get("version") or {}
    own = str((versions.get("kumaDp") or {}).get("version") or "")
    labels = overview.get("labels") or {}
    return {
        "mesh": str(overview.get("mesh") or ""),
        "name": str(overview.get("name") or ""),
        "zone": str(labels.get("kuma.io/zone") or ""),
        "workload": str(labels.get("kuma.io/workload") or ""),
        "online": is_online(subscriptions),
        "version": own,
        "envoy": str((versions.get("envoy") or {}).get("version") or ""),
        "compatible": not own or is_near(version, own),
        "certificate_expiry": (insight.get("mTLS") or {}).get("certificateExpirationTime"),
        "identity": (insight.get("mTLS") or {}).get("issuedBackend"),
    }


def is_online(subscriptions: t.Sequence[Raw]) -> bool:
    return any(one.get("connectTime") and not one.get("disconnectTime") for one in subscriptions)
