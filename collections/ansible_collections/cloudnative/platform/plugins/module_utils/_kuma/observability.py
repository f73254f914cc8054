# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What makes the proxies of a mesh tell what they see: metrics to be scraped, access logs, traces. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.network import Collector, Network

#: On Universal nobody sets a display name, so the collector is referred to by a label of ours.
COLLECTOR = {"cloudnative.platform/telemetry": "otlp"}
#: When a proxy's certificate ends. The profile Basic leaves it out, and it is what an alert is made of.
CERTIFICATE_METRIC = "envoy_listener_ssl_certificate_expiration_unix_time_seconds"
NONE, STDOUT, OTLP = "none", "stdout", "otlp"
#: A call as the one who was called saw it. Key and what Envoy puts there; who called is what its certificate says.
FIELDS = (
    ("start_time", "%START_TIME%"),
    ("mesh", "%KUMA_MESH%"),
    ("caller", "%DOWNSTREAM_PEER_URI_SAN%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("code", "%RESPONSE_CODE%"),
    ("code_details", "%RESPONSE_CODE_DETAILS%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("duration_ms", "%DURATION%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
)
_ENDPOINT = re.compile(r"(?P<address>[A-Za-z0-9][-A-Za-z0-9.]*|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})\Z")


def resources(options: t.Mapping[str, t.Any], mesh: str) -> list[Raw]:
    """The policies for `options` of kuma_resources; raises `Problems` with all that is wrong with those.

    Their names carry the mesh: on Kubernetes policies of all meshes are in one namespace.
    """
    problems = list(_problems(options))
    if problems:
        raise Problems(f"observability.{problem}" for problem in problems)
    return [one for name in options["meshes"] or [mesh] for one in _of_mesh(options, name)]


def network(options: t.Mapping[str, t.Any], default_mesh: str, mesh: str, network: Network) -> Network:
    """What has to get through to the proxies of a mesh, so that Prometheus has their metrics."""
    if mesh in (options["meshes"] or [default_mesh]) and options["metrics"]:
        return network._replace(metrics_ports=(options["metrics_port"],))
    return network


def collector(options: t.Mapping[str, t.Any], default_mesh: str, mesh: str) -> Collector | None:
    """Where the proxies of a mesh send their access logs and traces, if they do."""
    sends = options["otlp_endpoint"] and (options["access_log"] == OTLP or options["trace_sampling"])
    if not sends or mesh not in (options["meshes"] or [default_mesh]):
        return None
    return _address(options["otlp_endpoint"])


def _address(endpoint: str) -> Collector:
    address, port = endpoint.rsplit(":", 1)
    return Collector(address.strip("[]"), int(port))


def _problems(options: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if not 0 < options["metrics_port"] < 65536:
        yield f"metrics_port: {options['metrics_port']} is no port"
    endpoint = options["otlp_endpoint"]
    match = _ENDPOINT.match(endpoint) if endpoint else None
    if endpoint and not (match and 0 < int(match["port"]) < 65536):
        yield f"otlp_endpoint: {endpoint!r} is none, expected one like collector.monitoring.svc:4317"
    if options["access_log"] == OTLP and not endpoint:
        yield "access_log: otlp needs otlp_endpoint"
    if not 0 <= options["trace_sampling"] <= 100:
        yield f"trace_sampling: {options['trace_sampling']} is no percentage"
    for number, application in enumerate(options["applications"]):
        if not 0 < application["port"] < 65536:
            yield f"applications[{number}].port: {application['port']} is no port"
    if not (options["metrics"] or endpoint or options["access_log"] != NONE):
        yield "metrics: off, as are access logs and traces, so there is nothing left to do"


def _of_mesh(options: t.Mapping[str, t.Any], mesh: str) -> t.Iterator[Raw]:
    if options["otlp_endpoint"]:
        yield _collector(options, mesh)
    if options["metrics"]:
        yield _policy("MeshMetric", "metrics", mesh, {"default": _metrics(options)})
    if options["access_log"] != NONE:
        backend = _log_to_collector() if options["access_log"] == OTLP else _log_to_stdout()
        yield _policy("MeshAccessLog", "access-log", mesh, {"rules": [{"default": {"backends": [backend]}}]})
    if options["otlp_endpoint"] and options["trace_sampling"]:
        backend = {"type": "OpenTelemetry", "openTelemetry": {"backendRef": _reference()}}
        sampling = {"overall": options["trace_sampling"]}
        yield _policy("MeshTrace", "traces", mesh, {"default": {"backends": [backend], "sampling": sampling}})


def _policy(kind: str, name: str, mesh: str, spec: Raw) -> Raw:
    return {"type": kind, "mesh": mesh, "name": f"{name}-{mesh}", "spec": {"targetRef": {"kind": "Mesh"}, **spec}}


def _collector(options: t.Mapping[str, t.Any], mesh: str) -> Raw:
    endpoint = _address(options["otlp_endpoint"])._asdict()
    return {
        "type": "MeshOpenTelemetryBackend",
        "mesh": mesh,
        "name": f"collector-{mesh}",
        "labels": dict(COLLECTOR),
        "spec": {"endpoint": endpoint, "protocol": options["otlp_protocol"]},
    }


def _reference() -> Raw:
    return {"kind": "MeshOpenTelemetryBackend", "labels": dict(COLLECTOR)}


def _metrics(options: t.Mapping[str, t.Any]) -> Raw:
    profiles = {"appendProfiles": [{"name": "Basic"}], "include": [{"type": "Exact", "match": CERTIFICATE_METRIC}]}
    prometheus = {"port": options["metrics_port"], "path": "/metrics", "tls": {"mode": "Disabled"}}
    found: Raw = {
        "sidecar": {"profiles": profiles},
        "backends": [{"type": "Prometheus", "prometheus": prometheus}],
    }
    if options["applications"]:
        found["applications"] = [
            {name: value for name, value in one.items() if value is not None} for one in options["applications"]
        ]
    return found


def _log_to_stdout() -> Raw:
    fields = [{"key": key, "value": value} for key, value in FIELDS]
    return {"type": "File", "file": {"path": "/dev/stdout", "format": {"type": "Json", "json": fields}}}


def _log_to_collector() -> Raw:
    # The time is the record's own.
    attributes = [{"key": key, "value": value} for key, value in FIELDS if key != "start_time"]
    return {"type": "OpenTelemetry", "openTelemetry": {"backendRef": _reference(), "attributes": attributes}}
