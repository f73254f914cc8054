# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes that are there and no help: they answer with errors, with a page of something in between, or not in time.

A relay in front of a double is the bad node. The rule: the others are done, the bad one is named, and what no node took
is kept nowhere.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t
from pathlib import Path

import pytest
from kong_gateway import Gateway, Start, document, doubles

from bench_relay import Answer, Relay

WISH = document(services=[{"name": "a", "host": "h"}])
BEFORE = document(services=[{"name": "before", "host": "h"}])
REFUSED = document(services=[{"name": "a", "host": "h", "port": 99999}])
PUSH = ("POST", "/config")
HANGS = 0


@pytest.fixture(name="start")
def fixture_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Start]:
    with doubles(tmp_path, capsys, monkeypatch) as start:
        yield start


@pytest.fixture(name="running", scope="module")
def fixture_running() -> t.Iterator[Gateway]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("KONG_DBLESS_ADMIN_URLS", raising=False)
        gateway = Gateway("off")
        with gateway.running(3):
            yield gateway


@pytest.fixture(name="nodes")
def fixture_nodes(
    running: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    """Three nodes without a database, which hold something else."""
    running.start_test(tmp_path, capsys, monkeypatch)
    running.run(config=BEFORE)
    return running


@contextlib.contextmanager
def bad(
    gateway: Gateway, number: int, status: int, method: str = "", path: str = "/", after: int = 0
) -> t.Iterator[Relay]:
    """Makes a node answer so, or not at all, to requests of this kind; the first `after` of them are answered well."""
    over = threading.Event()
    good = iter(range(after))

    def instead(asked: str, where: str) -> Answer | None:
        if not asked.startswith(method) or not where.startswith(path) or next(good, None) is not None:
            return None
        if status == HANGS:
            over.wait(30)
        return status, b"<html><body>out of order</body></html>"

    address = gateway.urls[number]
    with Relay(address, instead) as relay:
        gateway.urls[number] = relay.url
        try:
            yield relay
        finally:
            over.set()
            gateway.urls[number] = address


def failure(gateway: Gateway, **options: t.Any) -> str:
    with pytest.raises(AssertionError) as found:
        gateway.run(**{"config": WISH, "timeout": 1, **options})
    return str(found.value)


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        # Everything: a proxy whose node is away, a firewall of applications, an address that leads elsewhere.
        *((status, "", "/") for status in (HANGS, 401, 403, 404, 500, 502, 503)),
        # It fails halfway: its state, its lists, the push.
        *((status, "GET", "/status") for status in (HANGS, 500)),
        *((status, "GET", "/services") for status in (HANGS, 500)),
        *((status, *PUSH) for status in (HANGS, 401, 413, 500)),
    ],
)
def test_a_bad_node_is_named_and_the_others_are_done(
    nodes: Gateway, tmp_path: Path, status: int, method: str, path: str
) -> None:
    kept = tmp_path / "kong.json"
    with bad(nodes, 0, status, method, path) as front:
        said = failure(nodes, dest=str(kept))
        assert front.url in said
        assert f"; {nodes.urls[1]}, {nodes.urls[2]} have the configuration, the next run does what is" in said
    assert kept.exists()
    done = nodes.run(config=WISH)
    assert [node["changed"] for node in done["nodes"]] == [True, False, False]


def test_a_page_that_is_not_kongs_is_one_nodes_trouble(nodes: Gateway) -> None:
    with bad(nodes, 0, 200) as front:
        said = failure(nodes)
        assert f"{front.url} answers, but not as the Admin API of a Kong Gateway does; {nodes.urls[1]}, " in said


@pytest.mark.parametrize(("method", "path"), [("", "/"), ("GET", "/status"), ("GET", "/services"), PUSH])
@pytest.mark.parametrize("status", [HANGS, 500])
def test_all_that_is_wrong_is_told_and_nothing_is_kept_when_all_nodes_are_bad(
    nodes: Gateway, tmp_path: Path, status: int, method: str, path: str
) -> None:
    kept = tmp_path / "kong.json"
    with contextlib.ExitStack() as fronts:
        urls = [fronts.enter_context(bad(nodes, number, status, method, path)).url for number in range(3)]
        said = failure(nodes, dest=str(kept))
    assert [url for url in urls if url not in said] == []
    assert not kept.exists()
    assert not nodes.run(config=BEFORE)["changed"]


def test_what_no_node_took_is_not_kept(nodes: Gateway, tmp_path: Path) -> None:
    """Kong would refuse it, but did not come to it."""
    kept = tmp_path / "kong.json"
    with bad(nodes, 0, HANGS, *PUSH) as front:
        said = failure(nodes, config=REFUSED, dest=str(kept), admin_urls=[front.url])
    assert "no node has it" in said
    assert not kept.exists()


def test_a_refusal_of_the_document_is_of_all_nodes(nodes: Gateway, tmp_path: Path) -> None:
    kept = tmp_path / "kong.json"
    with bad(nodes, 0, 502, *PUSH) as first, Relay(nodes.urls[2]) as last:
        said = failure(nodes, config=REFUSED, dest=str(kept), admin_urls=[*nodes.urls[:2], last.url])
        assert f"{nodes.urls[1]} refuses the configuration: service a (config: services[0]): port: value" in said
        assert f"; {first.url}: POST /config was refused (502)" in said
        assert not [method for method, _path in last.seen if method == "POST"]
    assert not kept.exists()


def test_in_check_mode_the_next_node_is_asked(nodes: Gateway) -> None:
    with bad(nodes, 0, 500, "POST", "/schemas/") as front, Relay(nodes.urls[1]) as next_one:
        urls = [front.url, next_one.url]
        said = failure(nodes, check=True, admin_urls=urls)
        assert f"{front.url}: POST /schemas/services/validate was refused (500)" in said
        assert "asked about service a" in said
        assert ("POST", "/schemas/services/validate") in next_one.seen
        said = failure(nodes, config=REFUSED, check=True, admin_urls=urls)
        assert "service a (config: services[0]): port: value should be between 0 and 65535" in said


@pytest.mark.parametrize(("method", "path"), [("", "/"), ("GET", "/services")])
def test_an_export_tells_of_nodes_that_say_nothing(start: Start, method: str, path: str) -> None:
    gateway = start("off", nodes=2)
    gateway.run(config=WISH)
    with bad(gateway, 0, 502, method, path) as front:
        told = gateway.run(state="exported")
        assert [service["name"] for service in told["config"]["services"]] == ["a"]
        warning = str(told["warnings"][-1])
        assert front.url in warning
        assert f"; the export is what {gateway.urls[1]} holds" in warning
    gateway.stop(1)
    warning = str(gateway.run(state="exported")["warnings"][-1])
    assert f"{gateway.urls[1]} can't be reached" in warning
    assert f"; the export is what {gateway.urls[0]} holds" in warning
    with bad(gateway, 0, 502, method, path) as front:
        said = failure(gateway, config=None, state="exported")
        assert front.url in said
        assert gateway.urls[1] in said


def many(count: int) -> dict[str, t.Any]:
    return document(services=[{"name": f"s{number}", "host": "h"} for number in range(count)])


@pytest.mark.parametrize(
    ("status", "reason", "parallel", "most"),
    [
        # One each of those that write at the same time.
        (HANGS, "can't be reached: no answer to PUT /services/", 10, 10),
        (403, "answered 403: the Admin API takes no requests of this kind from here", 10, 10),
        (500, "answered 500: <html><body>out of order</body></html>", 1, 10),
    ],
)
def test_a_node_that_gets_worse_while_it_is_written_to_is_left_alone(
    start: Start, status: int, reason: str, parallel: int, most: int
) -> None:
    gateway = start("postgres")
    with bad(gateway, 0, status, "PUT", "/services", after=30) as front:
        started = time.monotonic()
        said = failure(gateway, config=many(100), parallel=parallel)
        took = time.monotonic() - started
        written = [path for method, path in front.seen if method == "PUT"]
    assert 31 <= len(written) <= 30 + most
    assert said.count(reason) == 1
    failed = len(written) - 30
    assert f"30 changes were made, {70 - failed} not tried; the next run does what is missing" in said
    assert took < 8
    done = gateway.run(config=many(100))
    assert done["counts"]["created"] == 70
    assert not gateway.run(config=many(100))["changed"]


def test_an_error_now_and_then_stops_nothing(start: Start) -> None:
    gateway = start("postgres")
    number = iter(range(1000))
    with Relay(
        gateway.urls[0],
        lambda method, _path: (500, b"") if method == "PUT" and next(number) % 10 == 0 else None,
    ) as front:
        said = failure(gateway, config=many(100), admin_urls=[front.url])
    assert "90 changes were made; the next run" in said
    assert said.count("answered 500") == 1
    assert "and 5 more failed" in said
