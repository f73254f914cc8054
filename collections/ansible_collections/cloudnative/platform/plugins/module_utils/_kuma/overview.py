# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the overview of a dataplane says, and which policies it has where, in one form. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.versions import is_near

#: What the short names in identifiers of outbounds stand for.
_CALLED = {"msvc": "MeshService", "extsvc": "MeshExternalService", "mzsvc": "MeshMultiZoneService"}


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


def policies(whole: t.Sequence[Raw], inbounds: t.Mapping[str, t.Any], outbounds: t.Mapping[str, t.Any]) -> list[Raw]:
    """Each policy of a dataplane once, with the inbounds and outbounds that it is about.

    `whole` is what was answered for the dataplane, the others by the identifier of each inbound and outbound.
    """
    found: dict[tuple[str, str], Raw] = {}

    def add(answers: t.Sequence[Raw], side: str = "", place: str = "") -> None:
        for answer in answers:
            for name in {parts(str(one.get("kri") or ""))[1] for one in answer.get("origins") or [{}]}:
                key = (str(answer.get("kind")), name)
                entry = found.setdefault(key, {"kind": key[0], "name": name, "inbounds": [], "outbounds": []})
                if side:
                    entry[side].append(place)

    add(whole)
    for kri, answers in inbounds.items():
        add(answers, "inbounds", parts(kri)[2])
    for kri, answers in outbounds.items():
        short, name, section = parts(kri)
        add(answers, "outbounds", f"{_CALLED.get(short, short)} {name} {section}")
    return [found[key] for key in sorted(found)]


def parts(kri: str) -> tuple[str, str, str]:
    """Short name of the kind, name and section, as of kri_msvc_default_zone__backend_http.

    From the ends, as a zone may have an underscore in its name.
    """
    ends = kri.rsplit("_", 2)
    return (kri.split("_")[1], ends[1], ends[2]) if kri.startswith("kri_") and len(ends) == 3 else ("", kri, "")
