# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dashboard and alerts of the gateway ask for what a gateway tells: a real Prometheus asks two nodes."""

from __future__ import annotations

import http.client
import http.server
import json
import re
import threading
import time
import typing as t
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml
from kong_gateway import Gateway, document
from real_servers import BUNDLE, Bundle, Server, free_port

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import dashboards

RULES = Path(__file__).parents[2] / "roles/kong/files/rules/kong.yml"
DASHBOARD = dashboards.dashboards("prometheus", "1m", "now-3h", ["kong"])["platform-gateway"]
PROMETHEUS = {"status_code_metrics": True, "latency_metrics": True, "bandwidth_metrics": True}


class Fine(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: t.Any) -> None:
        pass


@pytest.fixture(name="gateway", scope="module")
def fixture_gateway() -> t.Iterator[Gateway]:
    nodes = Gateway("off")
    with nodes.running(2):
        yield nodes


@pytest.fixture(name="service", scope="module")
def fixture_service() -> t.Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


class Prometheus:
    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, path: str, **arguments: str) -> t.Any:
        with urllib.request.urlopen(
            f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(arguments)}", timeout=5
        ) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, t.Any]]:
        return self.ask("query", query=expression)["result"]


@pytest.fixture(name="prometheus", scope="module")
def fixture_prometheus(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Prometheus]:
    """Asks the nodes each second, and labels what they say as the ServiceMonitor of the role does."""
    directory = tmp_path_factory.mktemp("prometheus")
    targets = [
        {"targets": [urllib.parse.urlsplit(url).netloc], "labels": {"job": "kong", "node": f"node{number}"}}
        for number, url in enumerate(gateway.urls)
    ]
    scrape = {"job_name": "kong", "honor_labels": True, "static_configs": targets}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [scrape],
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    program = Bundle(BUNDLE).take_binary("quay.io/prometheus/prometheus", "prometheus", directory)
    address = f"127.0.0.1:{free_port()}"
    server = Server(
        [
            str(program),
            f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address={address}",
        ],
        directory / "prometheus.log",
    )
    try:
        server.wait(f"http://{address}/-/ready", 30)
        yield Prometheus(address)
    finally:
        server.stop()


def gateway_document(port: int, *services: dict[str, t.Any]) -> dict[str, t.Any]:
    targets = [{"target": f"127.0.0.1:{port}"}]
    shop = {"name": "shop", "host": "shop", "routes": [{"name": "shop", "paths": ["/"]}]}
    plugin = {"name": "prometheus", "config": {**PROMETHEUS, "upstream_health_metrics": True}}
    return document(services=[shop, *services], upstreams=[{"name": "shop", "targets": targets}], plugins=[plugin])


def until(condition: t.Callable[[], t.Any], seconds: float = 20) -> t.Any:
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends
        time.sleep(0.5)
    return found


@pytest.fixture(autouse=True)
def fresh(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.start_test(tmp_path, capsys, monkeypatch)


def test_every_query_of_the_dashboard_finds_something(gateway: Gateway, prometheus: Prometheus, service: int) -> None:
    gateway.run(config=gateway_document(service))
    address = urllib.parse.urlsplit(gateway.proxy or "").netloc
    missing = dashboards.queries(DASHBOARD)
    assert len(missing) > 20

    def found() -> bool:
        connection = http.client.HTTPConnection(address, timeout=5)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
        missing[:] = [one for one in missing if not prometheus.query(one)]
        return not missing

    try:
        until(found)
    finally:
        assert missing == []


def test_every_metric_that_is_asked_for_is_there(prometheus: Prometheus) -> None:
    """Also where no answer is good news, and counts as a zero."""
    told = set(prometheus.ask("label/__name__/values"))
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    asked = [*dashboards.queries(DASHBOARD), *(rule["expr"] for rule in rules)]
    names = {name for query in asked for name in re.findall(r"\bkong_\w+", query)}
    assert len(names) > 10
    assert names - told == set()


def test_every_rule_can_be_evaluated(prometheus: Prometheus) -> None:
    groups = until(
        lambda: [group for group in prometheus.ask("rules")["groups"] if group["rules"][0]["health"] != "unknown"]
    )
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 5
    assert {rule["name"]: rule["health"] for rule in rules if rule["health"] != "ok"} == {}


def test_a_node_with_another_configuration_is_seen(gateway: Gateway, prometheus: Prometheus, service: int) -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    differs = next(rule["expr"] for rule in rules if rule.get("alert") == "KongConfigurationDiffers")
    gateway.run(config=gateway_document(service))
    until(lambda: not prometheus.query(differs))
    other = gateway_document(service)
    other["upstreams"][0]["targets"].append({"target": "127.0.0.1:9"})
    gateway.run(config=other, admin_urls=gateway.urls[:1])
    assert until(lambda: prometheus.query(differs))[0]["metric"]["target"] == "127.0.0.1:9"
