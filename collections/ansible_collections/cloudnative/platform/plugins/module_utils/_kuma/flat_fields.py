# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The fields of the flat kinds of Kuma 2.14. Pure.

They are protocol buffers: a value that is zero is not stored, so it is the default of its field. The kinds that Kuma
3.0 removes are not listed, and their fields not checked.
"""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.fields import (
    DURATION,
    FREE,
    TAGS,
    VALUE,
    Field,
    Fields,
    Leaf,
)

#: Of an inbound that has a probe, what the control plane writes as it is found.
PROBE, PROBED = "serviceProbe", ("health", "state")

_NO = Leaf(default=False)
_TEXT = Leaf(default="")
_NUMBER = Leaf(default=0)
_SECRET = Leaf(default="", secret=True)
_ADMIN = {"port": VALUE}


def _of(names: str = "", numbers: str = "", flags: str = "", **more: Field) -> Fields:
    """Texts, numbers and flags by their names, and whatever is more than that."""
    return {
        **dict.fromkeys(names.split(), _TEXT),
        **dict.fromkeys(numbers.split(), _NUMBER),
        **dict.fromkeys(flags.split(), _NO),
        **more,
    }


_PROMETHEUS: Fields = {
    "aggregate": FREE,
    "envoy": FREE,
    "path": Leaf(default="/metrics"),
    "port": Leaf(default=5670),
    "skipMTLS": VALUE,
    "tags": Leaf(default={"kuma.io/service": "dataplane-metrics"}),
    "tls": Leaf(default={}),
}
_RULES = [_of(tags=FREE)]
_BACKEND_REF = _of("kind name namespace", "port", labels=FREE)

FLAT: dict[str, Fields] = {
    "Mesh": _of(
        constraints=_of(dataplaneProxy=_of(requirements=_RULES, restrictions=_RULES)),
        logging=_of("defaultBackend", backends=[_of("name format type", conf=FREE)]),
        meshServices=_of(mode=Leaf(default="Disabled")),
        metrics=_of("enabledBackend", backends=[_of("name type", conf=_PROMETHEUS)]),
        mtls=_of(
            "enabledBackend",
            flags="skipValidation",
            backends=[
                _of(
                    "name type",
                    conf=FREE,
                    mode=Leaf(default="STRICT"),
                    dpCert=_of(rotation=_of("expiration"), requestTimeout=DURATION),
                    rootChain=_of(requestTimeout=DURATION),
                )
            ],
        ),
        networking=_of(outbound=_of(passthrough=VALUE)),
        routing=_of(flags="defaultForbidMeshExternalServiceAccess localityAwareLoadBalancing zoneEgress"),
        skipCreatingInitialPolicies=[VALUE],
        tracing=_of("defaultBackend", backends=[_of("name type", sampling=VALUE, conf=FREE)]),
    ),
    "Zone": {"enabled": VALUE},
    "Secret": {"data": _SECRET},
    "GlobalSecret": {"data": _SECRET},
    "Dataplane": _of(
        metrics=FREE,
        probes=_of(numbers="port", endpoints=[_of("inboundPath path", "inboundPort")]),
        networking=_of(
            "address advertisedAddress",
            admin=_ADMIN,
            gateway=_of(type=Leaf(default="DELEGATED"), tags=TAGS),
            inbound=[
                _of(
                    "address name protocol serviceAddress",
                    "port servicePort",
                    tags=TAGS,
                    health=_of(flags="ready"),
                    state=Leaf(default="Ready"),
                    serviceProbe=_of(
                        interval=DURATION,
                        timeout=DURATION,
                        healthyThreshold=VALUE,
                        unhealthyThreshold=VALUE,
                        tcp=FREE,
                    ),
                )
            ],
            listeners=[_of("address name", "port", state=Leaf(default="Ready"), type=Leaf(default="Unspecified"))],
            outbound=[_of("address", "port", tags=FREE, backendRef=_BACKEND_REF)],
            transparentProxying=_of(
                numbers="redirectPortInbound redirectPortOutbound",
                directAccessServices=[VALUE],
                reachableServices=[VALUE],
                ipFamilyMode=Leaf(default="UnSpecified"),
                reachableBackends=_of(refs=[_BACKEND_REF]),
            ),
        ),
    ),
}
