"""Measures `kong_config` against bare reads and writes on the same Kong, and prints it as JSON.

The configuration is the one that decK was measured with: 2,000 entities at factor 1, 20,000 at factor 10, made without
any randomness. A Kong with a database has to be empty to begin with, and is empty afterwards. Anything that speaks the
Admin API will do; figures say something only next to the floors of the same run.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
import typing as t
from http.client import HTTPConnection
from urllib.parse import urlsplit

import bench_http
import bench_module
from bench_http import Request
from bench_relay import Relay

ALGORITHMS = ("round-robin", "least-connections", "consistent-hashing", "round-robin")


def configuration(factor: int) -> dict[str, t.Any]:
    """2,000 entities for each unit of `factor`."""
    services = [_service(number, factor) for number in range(200 * factor)]
    for number in range(600 * factor):
        services[number // 3].setdefault("routes", []).append(_route(number, factor))
    consumers = [_consumer(number, factor) for number in range(300 * factor)]
    upstreams = [_upstream(number) for number in range(100 * factor)]
    return {"_format_version": "3.0", "services": services, "consumers": consumers, "upstreams": upstreams}


def _upstream_name(number: int) -> str:
    return f"upstream-{number:05d}.bench.test"


def _service(number: int, factor: int) -> dict[str, t.Any]:
    service: dict[str, t.Any] = {
        "name": f"svc-{number:05d}",
        "protocol": "http",
        "host": _upstream_name(number % (100 * factor)),
        "port": 8080,
        "path": f"/base/{number % 7}",
        "retries": number % 5,
        "connect_timeout": 5000,
        "read_timeout": 30000 + number % 10,
        "write_timeout": 30000,
        "tags": ["bench", f"team-{number % 10}"],
    }
    if number < 100 * factor:
        config = {"minute": 60 + number % 100, "hour": 1000 + number, "policy": "local"}
        service["plugins"] = [
            {
                "name": "rate-limiting",
                "tags": ["bench"],
                "config": {**config, "limit_by": "ip", "fault_tolerant": True},
            }
        ]
    return service


def _route(number: int, factor: int) -> dict[str, t.Any]:
    service = number // 3
    route: dict[str, t.Any] = {
        "name": f"route-{number:05d}",
        "protocols": ["http", "https"],
        "methods": ["GET", "POST"],
        "hosts": [f"h{service:05d}.bench.test"],
        "paths": [f"/s{service:05d}/r{number % 3}"],
        "strip_path": number % 2 == 0,
        "preserve_host": number % 3 == 0,
        "tags": ["bench", f"team-{service % 10}"],
    }
    if number < 100 * factor:
        config = {
            "origins": [f"https://o{number:05d}.bench.test"],
            "methods": ["GET", "POST"],
            "headers": ["X-A", "X-B"],
            "exposed_headers": ["X-C"],
            "credentials": True,
            "max_age": 3600,
        }
        route["plugins"] = [{"name": "cors", "tags": ["bench"], "config": config}]
    elif number < 150 * factor:
        route["plugins"] = [_transformer(number)]
    return route


def _transformer(number: int) -> dict[str, t.Any]:
    add = {"headers": [f"X-Bench:{number}"], "querystring": [f"q:{number % 10}"]}
    config = {"add": add, "remove": {"headers": ["X-Drop"]}}
    return {"name": "request-transformer", "tags": ["bench"], "config": config}


def _consumer(number: int, factor: int) -> dict[str, t.Any]:
    consumer: dict[str, t.Any] = {
        "username": f"consumer-{number:05d}",
        "custom_id": f"cid-{number:05d}",
        "tags": ["bench"],
        "keyauth_credentials": [{"key": f"key-{number:05d}-0123456789abcdef", "tags": ["bench"]}],
    }
    if number < 50 * factor:
        consumer["plugins"] = [_transformer(number)]
    return consumer


def _upstream(number: int) -> dict[str, t.Any]:
    upstream: dict[str, t.Any] = {
        "name": _upstream_name(number),
        "slots": 100,
        "algorithm": ALGORITHMS[number % 4],
        "tags": ["bench"],
        "targets": [
            {
                "target": f"10.{(number // 250) % 250}.{number % 250}.{host + 1}:8080",
                "weight": 100 + host,
                "tags": ["bench"],
            }
            for host in (0, 1)
        ],
    }
    if upstream["algorithm"] == "consistent-hashing":
        upstream.update(hash_on="header", hash_on_header="X-User")
    return upstream


class Floor:
    """The bare requests, in a process of their own as the module is; seconds are without the start of that process."""

    def __init__(self, url: str, connections: int, folder: pathlib.Path) -> None:
        self.url = url
        self.connections = connections
        self.folder = folder

    def write(self, levels: list[list[Request]]) -> dict[str, t.Any]:
        return self._run(levels)

    def read(self) -> dict[str, t.Any]:
        return self._run(None)

    def _run(self, levels: list[list[Request]] | None) -> dict[str, t.Any]:
        todo = self.folder / "floor.json"
        todo.write_text(json.dumps({"url": self.url, "connections": self.connections, "levels": levels}))
        found, took = bench_module.process([bench_http.__file__, str(todo)])
        return {**took, **found}


class Ours:
    """The module in a process of its own, as Ansible runs it."""

    def __init__(self, url: str, connections: int, folder: pathlib.Path) -> None:
        self.url = url
        self.connections = connections
        self.folder = folder

    def start(self) -> dict[str, t.Any]:
        """The module with nothing to do: Python, Ansible's part of it, our own."""
        empty = {"_format_version": "3.0"}
        arguments = {"state": "rendered", "config": empty, "dest": str(self.folder / "rendered.json")}
        return bench_module.run("kong_config", arguments, self.folder)[1]

    def run(self, document: dict[str, t.Any] | None, **options: t.Any) -> dict[str, t.Any]:
        source = self.folder / "kong.json"
        if document is not None:
            source.write_text(json.dumps(document))
            options["src"] = [str(source)]
        arguments = {
            "admin_urls": [self.url],
            "parallel": self.connections,
            "cache_dir": str(self.folder / "cache"),
            "prune_max": -1,
            "timeout": 300,
            **options,
        }
        result, took = bench_module.run("kong_config", arguments, self.folder)
        return {
            **took,
            "requests": result["requests"],
            "changed": result["changed"],
            "counts": result.get("counts"),
        }


def writes(url: str, folder: pathlib.Path, factor: int) -> tuple[list[list[Request]], list[Request]]:
    """The bare writes of the configuration, level by level, and the deletes that undo them, from the module's plan."""
    sys.path.insert(0, str(bench_module.ROOT / "collections"))
    from ansible_collections.cloudnative.platform.plugins.module_utils._kong import document, plan, sync
    from ansible_collections.cloudnative.platform.plugins.module_utils._kong import writes as requests
    from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin
    from ansible_collections.cloudnative.platform.plugins.module_utils._kong.observed import Observed
    from ansible_collections.cloudnative.platform.plugins.module_utils._kong.reading import Schemas, node

    admin = Admin(url)
    about = node(admin)
    known = Schemas(admin, about, str(folder / "cache")).catalogue(["rate-limiting", "cors", "request-transformer"], [])
    admin.close()
    made = plan.compute(document.merge([("bench", configuration(factor))]), Observed({}), known)
    levels = [[requests.request(change) for change in step] for step in sync.phases(made)]
    parents = [change for change in made.changes if change.kind in ("routes", "consumers", "upstreams")]
    parents += [change for change in made.changes if change.kind == "services"]
    return levels, [("DELETE", f"/{change.kind}/{change.id}", None) for change in parents]


def with_database(url: str, factor: int, connections: int, folder: pathlib.Path) -> dict[str, t.Any]:
    document = configuration(factor)
    ours, floor = Ours(url, connections, folder), Floor(url, connections, folder)
    levels, deletes = writes(url, folder, factor)
    routes = [request for request in deletes if request[1].startswith("/routes/")]
    services = [request for request in deletes if request[1].startswith("/services/")]
    others = [request for request in deletes if request not in routes and request not in services]
    results: dict[str, t.Any] = {"start": ours.start(), "floor_write": floor.write(levels)}
    floor.write([routes, services, others])
    results["first"] = ours.run(document, select_tags=["bench"])
    results["floor_read"] = floor.read()
    results["unchanged"] = ours.run(document, select_tags=["bench"], prune=True)
    for service in document["services"][:10]:
        service["routes"][0]["paths"] = ["/changed" + service["routes"][0]["paths"][0]]
    results["ten_routes"] = _with_writes(ours, document, select_tags=["bench"], prune=True)
    half = {**document, "consumers": [], "services": document["services"][: 100 * factor]}
    results["prune"] = ours.run(half, select_tags=["bench"], prune=True)
    results["remove_all"] = ours.run(None, state="absent", select_tags=["bench"])
    return results


def _with_writes(ours: Ours, document: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """A run, and how many writes arrived, whatever the module says of them."""
    with Relay(ours.url) as relay:
        found = Ours(relay.url, ours.connections, ours.folder).run(document, **options)
    # A check of an entity stores nothing.
    written = [path for method, path in relay.seen if method != "GET" and not path.startswith("/schemas/")]
    return {**found, "writes": len(written)}


def without_database(url: str, factor: int, connections: int, folder: pathlib.Path) -> dict[str, t.Any]:
    document = configuration(factor)
    ours = Ours(url, connections, folder)
    return {"push": ours.run(document), "unchanged": ours.run(document)}


def figures(folder: pathlib.Path, factor: int) -> dict[str, float]:
    """What `make bench` tells, of doubles of both kinds."""
    listeners = [f"--{name}-port=0" for name in ("admin", "status", "proxy", "proxy-ssl")]
    found = {}
    for database, measure in (("postgres", with_database), ("off", without_database)):
        with bench_module.double("kong", "--database", database, *listeners) as ports:
            found[database] = measure(f"http://127.0.0.1:{ports['admin_port']}", factor, 10, folder)
    return told(found["postgres"], found["off"], factor)


def told(database: dict[str, t.Any], dbless: dict[str, t.Any], factor: int) -> dict[str, float]:
    """The figures by their names. Pure."""
    prefix = f"gateway_{2000 * factor}"
    start = database["start"]["wall_seconds"]
    names = {"floor_write": "write_floor", "floor_read": "read_floor", "first": "first", "unchanged": "unchanged"}
    made: dict[str, float] = {f"{prefix}_module_start_seconds": start}
    for name, shown in names.items():
        for key, unit in (
            ("wall_seconds", "seconds"),
            ("cpu_seconds", "cpu_seconds"),
            ("memory_megabytes", "peak_megabytes"),
            ("requests", "requests"),
        ):
            made[f"{prefix}_{shown}_{unit}"] = database[name][key]
    first, write, read, again = (database[name] for name in ("first", "floor_write", "floor_read", "unchanged"))
    return {
        **made,
        f"{prefix}_first_over_floor_ratio": round((first["wall_seconds"] - start) / write["wall_seconds"], 2),
        f"{prefix}_unchanged_beyond_two_floors_seconds": round(again["wall_seconds"] - 2 * read["wall_seconds"], 2),
        f"{prefix}_unchanged_beyond_floor_requests": again["requests"] - read["requests"],
        f"{prefix}_ten_routes_written_requests": database["ten_routes"]["writes"],
        f"{prefix}_dbless_push_seconds": dbless["push"]["wall_seconds"],
        f"{prefix}_dbless_unchanged_seconds": dbless["unchanged"]["wall_seconds"],
        f"{prefix}_dbless_unchanged_requests": dbless["unchanged"]["requests"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--admin-url", default="http://127.0.0.1:8001", help="Admin API of an empty Kong")
    parser.add_argument("--factor", type=int, default=1, help="1 for 2,000 entities, 10 for 20,000")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--generate", action="store_true", help="print the configuration and measure nothing")
    options = parser.parse_args()
    if options.generate:
        print(json.dumps(configuration(options.factor), indent=1))
        return 0
    connection = HTTPConnection(urlsplit(options.admin_url).netloc, timeout=30)
    connection.request("GET", "/")
    root = json.loads(connection.getresponse().read())
    connection.close()
    database = root["configuration"]["database"]
    measure = without_database if database == "off" else with_database
    with tempfile.TemporaryDirectory(prefix="bench-kong-") as folder:
        results = measure(options.admin_url, options.factor, options.connections, pathlib.Path(folder))
    about = {"version": root["version"], "database": database, "factor": options.factor}
    print(json.dumps({**about, "connections": options.connections, "results": results}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
