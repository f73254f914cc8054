"""Measures `kuma_resources` against bare reads on the same control plane, and prints it as JSON.

1,000 policies in a mesh of their own, made, left alone, one of them changed, and deleted again. Anything that speaks
the API of a Universal control plane will do; figures say something only next to the floors of the same run.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
import time
import typing as t
from http.client import HTTPConnection
from urllib.parse import urlsplit

import bench_module

MESH = "bench"
#: What the issue promises for 1,000 resources that don't change.
BOUNDS = {"requests_per_thousand_of_a_kind": 2, "unchanged_seconds": 3.0, "writes_for_one_change": 1}


def configuration(count: int, changed: bool = False) -> list[dict[str, t.Any]]:
    """A mesh without the policies of its own, and policies of one kind in it."""
    return [
        {"type": "Mesh", "name": MESH, "skipCreatingInitialPolicies": ["*"]},
        *[_timeout(number, changed and number == 0) for number in range(count)],
    ]


def _timeout(number: int, changed: bool) -> dict[str, t.Any]:
    conf = {
        "connectionTimeout": f"{number % 7 + 1}s",
        "idleTimeout": "90m",
        "http": {"requestTimeout": "7000ms" if changed else f"{number % 60 + 1}s", "streamIdleTimeout": "30m"},
    }
    target = {"kind": "MeshService", "labels": {"app": f"app-{number:05d}"}}
    return {
        "type": "MeshTimeout",
        "mesh": MESH,
        "name": f"timeout-{number:05d}",
        "labels": {"team": f"team-{number % 10}"},
        "spec": {"targetRef": {"kind": "Mesh"}, "to": [{"targetRef": target, "default": conf}]},
    }


def floor(url: str, count: int) -> dict[str, t.Any]:
    """The reads that there have to be, and nothing else."""
    parts = urlsplit(url)
    started = time.monotonic()
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=60)
    requests, found = 0, 0
    while found < count:
        connection.request("GET", f"/meshes/{MESH}/meshtimeouts?size=1000&offset={found}")
        page = json.loads(connection.getresponse().read())
        requests += 1
        found += len(page["items"])
        if not page["items"]:
            raise SystemExit(f"bench_kuma: {found} of {count} policies are there")
    connection.close()
    return {"wall_seconds": round(time.monotonic() - started, 3), "requests": requests}


def run(url: str, folder: pathlib.Path, documents: list[dict[str, t.Any]], **options: t.Any) -> dict[str, t.Any]:
    """The module in a process of its own, as Ansible runs it."""
    source = folder / "mesh.json"
    source.write_text(json.dumps(documents))
    arguments = {"api_url": url, "src": [str(source)], "timeout": 120, "owner": "bench", **options}
    result, took = bench_module.run("kuma_resources", arguments, folder)
    return {
        **took,
        "requests": result["requests"],
        "writes": sum(result["counts"].values()),
        "changed": result["changed"],
    }


def measure(url: str, folder: pathlib.Path, count: int) -> dict[str, t.Any]:
    documents = configuration(count)
    created = run(url, folder, documents)
    figures: dict[str, t.Any] = {
        "resources": count,
        "create": created,
        "floor_read": floor(url, count),
        "unchanged": run(url, folder, documents),
        "unchanged_with_prune": run(url, folder, documents, prune=True),
        "check_mode": run(url, folder, documents, _ansible_check_mode=True),
        "one_changed": run(url, folder, configuration(count, changed=True)),
    }
    run(url, folder, documents[:1], state="absent")
    # The version and the list of meshes are asked for besides, whatever there is.
    of_a_kind = (figures["unchanged"]["requests"] - 2) / max(1, -(-count // 1000))
    figures["bounds"] = BOUNDS
    figures["held"] = {
        "requests_per_thousand_of_a_kind": of_a_kind <= BOUNDS["requests_per_thousand_of_a_kind"],
        "unchanged_seconds": figures["unchanged"]["wall_seconds"] <= BOUNDS["unchanged_seconds"] * max(1, count / 1000),
        "writes_for_one_change": figures["one_changed"]["writes"] == BOUNDS["writes_for_one_change"],
        "nothing_changed": not figures["unchanged"]["changed"] and not figures["unchanged_with_prune"]["changed"],
    }
    return figures


def figures(folder: pathlib.Path, count: int) -> dict[str, float]:
    """What `make bench` tells, of a double."""
    with bench_module.double("kuma", "--port", "0") as ports:
        found = measure(f"http://127.0.0.1:{ports['port']}", folder, count)
    prefix, unchanged = f"mesh_{count}", found["unchanged"]
    return {
        f"{prefix}_create_seconds": found["create"]["wall_seconds"],
        f"{prefix}_read_floor_seconds": found["floor_read"]["wall_seconds"],
        f"{prefix}_read_floor_requests": found["floor_read"]["requests"],
        f"{prefix}_unchanged_seconds": unchanged["wall_seconds"],
        f"{prefix}_unchanged_cpu_seconds": unchanged["cpu_seconds"],
        f"{prefix}_unchanged_peak_megabytes": unchanged["memory_megabytes"],
        f"{prefix}_unchanged_requests": unchanged["requests"],
        f"{prefix}_one_changed_written_requests": found["one_changed"]["writes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--api-url", default="http://127.0.0.1:5681")
    parser.add_argument("--count", type=int, default=1000, help="number of policies")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(chosen.api_url, pathlib.Path(folder), chosen.count)
    print(json.dumps(figures, indent=2))
    sys.exit(0 if all(figures["held"].values()) else 1)


if __name__ == "__main__":
    main()
