"""Measures what the project promises, on hosts of its own, and writes it to bench/results.json and the README.

Absolute seconds tell something about the machine; the ratios, taken in one run, tell something about the project.
What each figure is and how it is taken: docs/bench.md. With --only it measures and prints single parts and writes
nothing.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import signal
import sys
import tempfile
import typing as t

import bench_figures
import bench_report
import render_docs
from bench_measure import PARTS, Measurement
from lab_run import ROOT, Failed

RESULTS = ROOT / "bench" / "results.json"


def machine() -> dict[str, t.Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gigabytes": round(memory / 1e9),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ansible_core": importlib.metadata.version("ansible-core"),
        "load_before": round(os.getloadavg()[0], 1),
    }


def write(results: dict[str, t.Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    readme = ROOT / "README.md"
    readme.write_text(render_docs.between(readme, render_docs.FIGURES, bench_report.readme(results)))


def measure(measurement: Measurement, parts: list[str]) -> None:
    """All parts, each told when it is done. The hosts are gone afterwards, also when it is interrupted."""
    try:
        if measurement.lab.exists():
            # Of a run that was killed: what it left is not fresh.
            measurement.lab.remove()
        for part in parts:
            known = set(measurement.figures)
            measurement.part(part)
            new = {name: value for name, value in measurement.figures.items() if name not in known}
            print("\n".join(["", *bench_report.lines(bench_figures.with_ratios(new))]), flush=True)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        measurement.lab.remove()


def interrupt(_number: int, _frame: t.Any) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="measure this part; may be repeated")
    only = parser.parse_args().only
    if os.geteuid() != 0:
        print("bench: lab hosts are privileged containers: run this as root", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    where = machine()
    if where["load_before"] > 1:
        print(f"bench: load is {where['load_before']} already: do not publish these figures", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        measurement = Measurement(pathlib.Path(directory))
        try:
            measure(measurement, only or list(PARTS))
        except Failed as error:
            print(f"\nbench: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nbench: interrupted; its hosts are removed", file=sys.stderr)
            return 130
    measured = bench_figures.with_ratios(measurement.figures)
    if not only:
        date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        phases = measurement.phases
        write({"date": date, "machine": where, "figures": measured, "bounds": bench_figures.BOUNDS, "phases": phases})
    print("\n".join(["", *bench_report.lines(measured)]))
    failures = bench_figures.missed(measured)
    for failure in failures:
        print(f"bench: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
