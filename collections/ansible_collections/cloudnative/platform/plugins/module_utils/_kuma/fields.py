# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The fields that each kind has in Kuma 2.14, with the defaults that the control plane fills in. Pure.

The control plane drops a field that it does not know without a word, so names are checked against this table. Values
are not: those it does check, and it says what is wrong with them.
"""

from __future__ import annotations

import typing as t


class Leaf:
    """A field that has no fields of its own."""

    def __init__(self, default: t.Any = None, duration: bool = False, secret: bool = False) -> None:
        #: what it is when nothing is given; stored or left out, that is the same
        self.default = default
        #: text that the control plane writes in Go's form: 60s becomes 1m0s
        self.duration = duration
        self.secret = secret


#: Anything: a map of tags or labels, or a part whose form is somebody else's.
FREE = "free"
#: Tags of a dataplane, to which the control plane adds its zone.
TAGS = "tags"
#: A field that the control plane owns, inside of what people write; never compared.
OWNED = "owned"
VALUE = Leaf()
DURATION = Leaf(duration=True)
SECRET = Leaf(secret=True)

Field = t.Union[Leaf, str, dict[str, t.Any], list[t.Any]]
Fields = dict[str, t.Any]


def _of(names: str = "", /, **more: Field) -> Fields:
    """Plain values by their names, and whatever is more than that."""
    return {**dict.fromkeys(names.split(), VALUE), **more}


def _d(value: t.Any) -> Leaf:
    return Leaf(default=value)


_NAMED = _of("name value")
_TYPED = _of("type value")
_REF = _of("kind mesh name namespace sectionName", labels=FREE, tags=FREE, proxyTypes=[VALUE])
_BACKEND = {**_REF, "port": VALUE, "weight": _d(1)}
_MATCH = _of(spiffeID=_TYPED, sni=_TYPED)
_OTEL_REF = _of("kind", labels=FREE)
_CHANGED_HEADERS = _of(add=[_NAMED], set=[_NAMED], remove=[VALUE])
_ADDED_HEADERS = _of(add=[_NAMED], set=[_NAMED])


def _policy(conf: Fields, sides: str) -> Fields:
    """The frame of a policy: rules, with or without matches, and `from` for what comes in, `to` for what goes out."""
    frame: Fields = {"targetRef": _REF}
    for side in sides.split():
        if side == "matches":
            frame["rules"] = [{"matches": [_MATCH], "default": conf}]
        else:
            frame[side] = [{"default": conf} if side == "rules" else {"targetRef": _REF, "default": conf}]
    return frame


_FORMAT = _of("type plain", json=[_of("key value")], omitEmptyValues=_d(False))
_ACCESS_LOG = _of(
    backends=[
        _of(
            "type",
            file=_of("path", format=_FORMAT),
            tcp=_of("address", format=_FORMAT),
            openTelemetry=_of(endpoint=_d(""), backendRef=_OTEL_REF, attributes=[_of("key value")], body=FREE),
        )
    ]
)
_CIRCUIT_BREAKER = _of(
    connectionLimits=_of("maxConnectionPools maxConnections maxPendingRequests maxRequests maxRetries"),
    outlierDetection=_of(
        "disabled healthyPanicThreshold maxEjectionPercent splitExternalAndLocalErrors",
        interval=DURATION,
        baseEjectionTime=DURATION,
        detectors=_of(
            totalFailures=_of("consecutive"),
            gatewayFailures=_of("consecutive"),
            localOriginFailures=_of("consecutive"),
            successRate=_of("minimumHosts requestVolume standardDeviationFactor"),
            failurePercentage=_of("minimumHosts requestVolume threshold"),
        ),
    ),
)
_FAULT = _of(
    http=[
        _of(
            abort=_of("httpStatus percentage"),
            delay=_of("percentage", value=DURATION),
            responseBandwidth=_of("limit percentage"),
        )
    ]
)
_HEALTH_CHECK = _of(
    "alwaysLogHealthCheckFailures eventLogPath failTrafficOnPanic healthyPanicThreshold healthyThreshold "
    "intervalJitterPercent reuseConnection unhealthyThreshold",
    initialJitter=DURATION,
    interval=DURATION,
    intervalJitter=DURATION,
    noTrafficInterval=DURATION,
    timeout=DURATION,
    grpc=_of("authority disabled serviceName"),
    tcp=_of("disabled send", receive=[VALUE]),
    http=_of("disabled path", expectedStatuses=[VALUE], requestHeadersToAdd=_ADDED_HEADERS),
)
_REWRITTEN_PATH = _of("type replaceFullPath replacePrefixMatch")
_HTTP_RULE = _of(
    matches=[
        _of(
            "method",
            path=_TYPED,
            headers=[_of("name value", type=_d("Exact"))],
            queryParams=[_of("name type value")],
        )
    ],
    default=_of(
        backendRefs=[_BACKEND],
        filters=[
            _of(
                "type",
                requestHeaderModifier=_CHANGED_HEADERS,
                responseHeaderModifier=_CHANGED_HEADERS,
                requestMirror=_of("percentage", backendRef=_BACKEND),
                requestRedirect=_of("hostname port scheme", path=_REWRITTEN_PATH, statusCode=_d(302)),
                urlRewrite=_of("hostToBackendHostname hostname", path=_REWRITTEN_PATH),
            )
        ],
    ),
)
_HASH_POLICIES = [
    _of(
        "type terminal",
        connection=_of("sourceIP"),
        cookie=_of("name path", ttl=DURATION),
        filterState=_of("key"),
        header=_of("name"),
        queryParameter=_of("name"),
    )
]
_LOAD_BALANCING = _of(
    hashPolicies=_HASH_POLICIES,
    loadBalancer=_of(
        "type",
        leastRequest=_of("activeRequestBias choiceCount"),
        maglev=_of("tableSize", hashPolicies=_HASH_POLICIES),
        random=FREE,
        ringHash=_of("hashFunction maxRingSize minRingSize", hashPolicies=_HASH_POLICIES),
        roundRobin=FREE,
    ),
    localityAwareness=_of(
        "disabled",
        crossZone=_of(
            failover=[_of(**{"from": _of(zones=[VALUE]), "to": _of("type", zones=[VALUE])})],
            failoverThreshold=_of("percentage"),
        ),
        localZone=_of(affinityTags=[_of("key weight")]),
    ),
)
_METRIC = _of(
    sidecar=_of(
        "includeUnused",
        profiles=_of(appendProfiles=[_of("name")], exclude=[_of("match type")], include=[_of("match type")]),
    ),
    applications=[_of("address name port", path=_d("/metrics"))],
    backends=[
        _of(
            "type",
            prometheus=_of("clientId", port=_d(5670), path=_d("/metrics"), tls=_of(mode=_d("Disabled"))),
            openTelemetry=_of(endpoint=_d(""), backendRef=_OTEL_REF, refreshInterval=DURATION),
        )
    ],
)


def _patch(match: Fields) -> Fields:
    return _of("operation value", match=match, jsonPatches=[_of("from op path", value=FREE)])


_PROXY_PATCH = _of(
    appendModifications=[
        _of(
            cluster=_patch(_of("name origin")),
            listener=_patch(_of("name origin", tags=FREE)),
            httpFilter=_patch(_of("listenerName name origin", listenerTags=FREE)),
            networkFilter=_patch(_of("listenerName name origin", listenerTags=FREE)),
            virtualHost=_patch(_of("name origin routeConfigurationName")),
        )
    ]
)
_RATE_LIMIT = _of(
    local=_of(
        http=_of(
            "disabled",
            requestRate=_of("num", interval=DURATION),
            onRateLimit=_of("status", headers=_ADDED_HEADERS),
        ),
        tcp=_of("disabled", connectionRate=_of("num", interval=DURATION)),
    )
)
_BACK_OFF: Fields = {
    "backOff": _of(baseInterval=DURATION, maxInterval=DURATION),
    "rateLimitedBackOff": _of(maxInterval=DURATION, resetHeaders=[_of("format name")]),
    "perTryTimeout": DURATION,
    "retryOn": [VALUE],
}
_RETRY = _of(
    tcp=_of("maxConnectAttempt"),
    grpc=_of("numRetries", **_BACK_OFF),
    http=_of(
        "hostSelectionMaxAttempts numRetries",
        hostSelection=[_of("predicate", tags=FREE, updateFrequency=_d(2))],
        retriableRequestHeaders=[_of("name value", type=_d("Exact"))],
        retriableResponseHeaders=[_of("name value", type=_d("Exact"))],
        **_BACK_OFF,
    ),
)
_TIMEOUT = _of(
    connectionTimeout=DURATION,
    idleTimeout=DURATION,
    http=_of(
        maxConnectionDuration=DURATION,
        maxStreamDuration=DURATION,
        requestHeadersTimeout=DURATION,
        requestTimeout=DURATION,
        streamIdleTimeout=DURATION,
    ),
)
_TRACE = _of(
    backends=[
        _of(
            "type",
            datadog=_of("url", splitService=_d(False)),
            openTelemetry=_of(endpoint=_d(""), backendRef=_OTEL_REF),
            zipkin=_of("url", apiVersion=_d("httpJson"), sharedSpanContext=_d(True), traceId128bit=_d(False)),
        )
    ],
    sampling=_of("client overall random"),
    tags=[_of("name literal", header=_of("name default"))],
)
_SOURCE = _of(
    "type",
    envVar=_of("name"),
    file=_of("path"),
    insecureInline=_of(value=SECRET),
    secretRef=_of("kind name"),
)
_DATA = _of("secret", inline=SECRET, inlineString=SECRET)
_TLS_VERSIONS = _of(min=_d("TLSAuto"), max=_d("TLSAuto"))
_PORTS = [_of("name port targetPort", appProtocol=_d("tcp"))]

#: What stands in `spec`, by kind.
SPECS: dict[str, Fields] = {
    "HostnameGenerator": _of(
        "template",
        extension=_of("type", config=FREE),
        selector=_of(
            meshService=_of(matchLabels=FREE),
            meshExternalService=_of(matchLabels=FREE),
            meshMultiZoneService=_of(matchLabels=FREE),
        ),
    ),
    "MeshAccessLog": _policy(_ACCESS_LOG, "to from matches"),
    "MeshCircuitBreaker": _policy(_CIRCUIT_BREAKER, "to from rules"),
    "MeshExternalService": _of(
        extension=_of("type", config=FREE),
        match=_of("port", type=_d("HostnameGenerator"), protocol=_d("tcp")),
        endpoints=[_of("address port priority")],
        tls=_of(
            enabled=_d(False),
            allowRenegotiation=_d(False),
            version=_TLS_VERSIONS,
            verification=_of(
                "serverName",
                mode=_d("Secured"),
                caCert=_DATA,
                clientCert=_DATA,
                clientKey=_DATA,
                subjectAltNames=[_of("value", type=_d("Exact"))],
            ),
        ),
    ),
    "MeshFaultInjection": _policy(_FAULT, "to from matches"),
    "MeshHealthCheck": _policy(_HEALTH_CHECK, "to"),
    "MeshHTTPRoute": _of(targetRef=_REF, to=[_of(targetRef=_REF, hostnames=[VALUE], rules=[_HTTP_RULE])]),
    "MeshIdentity": _of(
        selector=_of(dataplane=_of(matchLabels=FREE)),
        spiffeID=_of("path trustDomain"),
        provider=_of(
            "type",
            bundled=_of(
                "insecureAllowSelfSigned meshTrustCreation",
                autogenerate=_of("enabled"),
                ca=_of(certificate=_SOURCE, privateKey=_SOURCE),
                certificateParameters=_of(expiry=DURATION),
            ),
            spire=_of(agent=_of(timeout=DURATION)),
            extension=_of("name", config=FREE),
        ),
    ),
    "MeshLoadBalancingStrategy": _policy(_LOAD_BALANCING, "to"),
    "MeshMetric": _of(targetRef=_REF, default=_METRIC),
    "MeshMultiZoneService": _of(
        ports=[_of("name port", appProtocol=_d("tcp"))], selector=_of(meshService=_of(matchLabels=FREE))
    ),
    "MeshOpenTelemetryBackend": _of(
        "protocol",
        endpoint=_of("address path port"),
        env=_of("allowSignalOverrides", mode=_d("Optional"), precedence=_d("EnvFirst")),
    ),
    "MeshPassthrough": _of(
        targetRef=_REF,
        default=_of("passthroughMode", appendMatch=[_of("port type value", protocol=_d("tcp"))]),
    ),
    "MeshProxyPatch": _of(targetRef=_REF, default=_PROXY_PATCH),
    "MeshRateLimit": _policy(_RATE_LIMIT, "to from matches"),
    "MeshRetry": _policy(_RETRY, "to"),
    "MeshService": _of(
        selector=_of(dataplaneTags=FREE, dataplaneLabels=_of(matchLabels=FREE), dataplaneRef=_of("name")),
        ports=_PORTS,
        state=OWNED,
        identities=OWNED,
    ),
    "MeshTCPRoute": _of(targetRef=_REF, to=[_of(targetRef=_REF, rules=[_of(default=_of(backendRefs=[_BACKEND]))])]),
    "MeshTimeout": _policy(_TIMEOUT, "to from matches"),
    "MeshTLS": _policy(_of("mode", tlsCiphers=[VALUE], tlsVersion=_TLS_VERSIONS), "from rules"),
    "MeshTrace": _of(targetRef=_REF, default=_TRACE),
    "MeshTrafficPermission": _of(
        targetRef=_REF,
        **{"from": [_of(targetRef=_REF, default=_of("action"))]},
        rules=[_of(default=_of(allow=[_MATCH], allowWithShadowDeny=[_MATCH], deny=[_MATCH]))],
    ),
    "MeshTrust": _of("trustDomain", caBundles=[_of("type", pem=_of("value"))], origin=OWNED),
    "MeshZoneAddress": _of("address port"),
}
