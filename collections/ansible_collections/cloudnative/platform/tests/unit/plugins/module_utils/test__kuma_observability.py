# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proxies tell."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import observability, removed, upgrade
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import Problems
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.network import Network
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import wanted

PLAIN: dict[str, t.Any] = {
    "meshes": [],
    "metrics": True,
    "metrics_port": 5670,
    "applications": [],
    "access_log": "none",
    "otlp_endpoint": None,
    "otlp_protocol": "grpc",
    "trace_sampling": 10,
}
ALL = {**PLAIN, "access_log": "otlp", "otlp_endpoint": "collector.monitoring.svc:4317"}


def made(**changes: t.Any) -> dict[str, dict[str, t.Any]]:
    return {f"{one['type']} {one['name']}": one for one in observability.resources({**PLAIN, **changes}, "shop")}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["MeshMetric metrics-shop"]),
        ({"access_log": "stdout"}, ["MeshMetric metrics-shop", "MeshAccessLog access-log-shop"]),
        ({"access_log": "stdout", "metrics": False}, ["MeshAccessLog access-log-shop"]),
        (
            {"otlp_endpoint": "c:4317"},
            ["MeshOpenTelemetryBackend collector-shop", "MeshMetric metrics-shop", "MeshTrace traces-shop"],
        ),
        (
            {"otlp_endpoint": "c:4317", "trace_sampling": 0},
            ["MeshOpenTelemetryBackend collector-shop", "MeshMetric metrics-shop"],
        ),
        ({"meshes": ["a", "b"]}, ["MeshMetric metrics-a", "MeshMetric metrics-b"]),
    ],
)
def test_what_there_is(changes: dict[str, t.Any], names: list[str]) -> None:
    assert list(made(**changes)) == names


def test_all_of_it_is_what_the_control_plane_knows_and_3_0_keeps() -> None:
    for log in ("stdout", "otlp"):
        documents = wanted(*observability.resources({**ALL, "access_log": log}, "default"))
        assert len(documents) == 4
        assert removed.findings(documents) == []


def test_metrics_are_served_with_what_alerts_need() -> None:
    spec = made(metrics_port=9000)["MeshMetric metrics-shop"]["spec"]
    assert spec["targetRef"] == {"kind": "Mesh"}
    profiles = spec["default"]["sidecar"]["profiles"]
    assert profiles["appendProfiles"] == [{"name": "Basic"}]
    assert profiles["include"] == [{"type": "Exact", "match": observability.CERTIFICATE_METRIC}]
    (backend,) = spec["default"]["backends"]
    assert backend["prometheus"] == {"port": 9000, "path": "/metrics", "tls": {"mode": "Disabled"}}
    assert "applications" not in spec["default"]


def test_metrics_of_applications() -> None:
    applications = [{"name": None, "path": "/metrics", "port": 8080}]
    spec = made(applications=applications)["MeshMetric metrics-shop"]["spec"]
    assert spec["default"]["applications"] == [{"path": "/metrics", "port": 8080}]


def test_a_call_is_logged_by_who_was_called_with_its_caller() -> None:
    spec = made(access_log="stdout")["MeshAccessLog access-log-shop"]["spec"]
    assert set(spec) == {"targetRef", "rules"}
    (backend,) = spec["rules"][0]["default"]["backends"]
    fields = {one["key"]: one["value"] for one in backend["file"]["format"]["json"]}
    assert fields["caller"] == "%DOWNSTREAM_PEER_URI_SAN%"
    assert backend["file"]["path"] == "/dev/stdout"


def test_keys_of_attributes_are_what_2_14_takes() -> None:
    assert list(upgrade._bad_keys(observability.resources(ALL, "shop"))) == []


def test_the_collector_is_found_by_a_label_that_it_has() -> None:
    found = made(**ALL)
    labels = found["MeshOpenTelemetryBackend collector-shop"]["labels"]
    log = found["MeshAccessLog access-log-shop"]["spec"]["rules"][0]["default"]["backends"][0]
    trace = found["MeshTrace traces-shop"]["spec"]["default"]
    references = [one["openTelemetry"]["backendRef"] for one in (log, trace["backends"][0])]
    assert references == [{"kind": "MeshOpenTelemetryBackend", "labels": labels}] * 2
    assert trace["sampling"] == {"overall": 10}


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("10.0.0.1:4317", {"address": "10.0.0.1", "port": 4317}),
        ("collector.monitoring.svc:4318", {"address": "collector.monitoring.svc", "port": 4318}),
        ("[fd00::1]:4317", {"address": "fd00::1", "port": 4317}),
    ],
)
def test_where_the_collector_is(endpoint: str, expected: dict[str, t.Any]) -> None:
    spec = made(otlp_endpoint=endpoint, otlp_protocol="http")["MeshOpenTelemetryBackend collector-shop"]["spec"]
    assert spec == {"endpoint": expected, "protocol": "http"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"access_log": "otlp"}, "observability.access_log: otlp needs otlp_endpoint"),
        ({"otlp_endpoint": "http://c:4317"}, "observability.otlp_endpoint: 'http://c:4317' is none, expected one like"),
        ({"otlp_endpoint": "c"}, "observability.otlp_endpoint: 'c' is none"),
        ({"otlp_endpoint": "c:70000"}, "observability.otlp_endpoint: 'c:70000' is none"),
        ({"metrics_port": 0}, "observability.metrics_port: 0 is no port"),
        ({"trace_sampling": 101}, "observability.trace_sampling: 101 is no percentage"),
        ({"applications": [{"port": 0}]}, "observability.applications[0].port: 0 is no port"),
        ({"metrics": False}, "observability.metrics: off, as are access logs and traces"),
    ],
)
def test_mistakes(changes: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(Problems) as caught:
        made(**changes)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "mesh", "ports"),
    [
        ({}, "shop", (5999,)),
        ({}, "other", (5670,)),
        ({"meshes": ["other"]}, "other", (5999,)),
        ({"metrics": False, "access_log": "stdout"}, "shop", (5670,)),
    ],
)
def test_metrics_get_through_the_network(changes: dict[str, t.Any], mesh: str, ports: tuple[int, ...]) -> None:
    options = {**PLAIN, "metrics_port": 5999, **changes}
    assert observability.network(options, "shop", mesh, Network()) == Network(metrics_ports=ports)


@pytest.mark.parametrize(
    ("changes", "collector"),
    [
        ({}, ("collector.monitoring.svc", 4317)),
        ({"access_log": "none"}, ("collector.monitoring.svc", 4317)),
        ({"trace_sampling": 0}, ("collector.monitoring.svc", 4317)),
        ({"otlp_endpoint": "[fd00::1]:4318"}, ("fd00::1", 4318)),
        ({"access_log": "stdout", "trace_sampling": 0}, None),
        ({"access_log": "stdout", "otlp_endpoint": None}, None),
        ({"meshes": ["other"]}, None),
    ],
)
def test_who_is_sent_something(changes: dict[str, t.Any], collector: tuple[str, int] | None) -> None:
    assert observability.collector({**ALL, **changes}, "shop", "shop") == collector
