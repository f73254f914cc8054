"""Runs the checks of the project, each timed, with a table at the end. CI runs all of them.

With `all`, two lanes run side by side: hosts mostly wait, and leave a core to others.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import typing as t
from dataclasses import asdict, dataclass

import check_collection

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
REPORTS = ROOT / ".lab" / "reports"
COLLECTION = check_collection.COLLECTION
PYTHON_FILES = ("collections", "scripts", "molecule", "tests")

# What runs beside the others: first what needs no bundle. Of the scenarios as many as make the lanes about as long.
BESIDE = (
    ("lint", "unit", "controllers"),
    (
        "contract",
        "prometheus",
        *(f"molecule/{name}" for name in ("kong-hosts", "kuma-hosts", "controllers", "secrets", "resume")),
    ),
)

# Cheap ones first: a person waits for the first failure, not for the last success.
SCENARIOS = (
    "bundle",
    "lab",
    "host",
    "containerd",
    "registry",
    "kubernetes",
    "network",
    "reset",
    "cluster",
    "controllers",
    "secrets",
    "resume",
    "addons",
    "kong",
    "kong-hosts",
    "kuma",
    "kuma-hosts",
)


@dataclass(frozen=True)
class Part:
    name: str
    run: t.Callable[[], int]


@dataclass(frozen=True)
class Result:
    name: str
    seconds: float
    status: str
    note: str = ""


class Skip(Exception):
    """Why a part cannot run here."""


def command(*args: str | os.PathLike[str], cwd: pathlib.Path = ROOT, **env: str) -> t.Callable[[], int]:
    def run() -> int:
        return subprocess.run(
            [str(arg) for arg in args], cwd=cwd, env={**environment(), **env}, stdin=subprocess.DEVNULL, check=False
        ).returncode

    return run


def environment() -> dict[str, str]:
    # Two languages make output that differs from machine to machine; Python writes UTF-8 whatever the machine's locale.
    return {**os.environ, "PATH": f"{BIN}:{os.environ.get('PATH', '')}", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}


def python_files() -> list[str]:
    return [path for path in PYTHON_FILES if (ROOT / path).exists()]


def pytest(name: str, *args: str) -> t.Callable[[], int]:
    return command(BIN / "pytest", "--quiet", f"--junit-xml={REPORTS / f'{name}.xml'}", *args)


def tests_in(name: str, directory: str) -> t.Callable[[], int]:
    def run() -> int:
        if not (ROOT / directory).is_dir():
            raise Skip(f"{directory} does not exist")
        return pytest(name, directory)()

    return run


def scenario(name: str) -> t.Callable[[], int]:
    def run() -> int:
        if not (ROOT / "molecule" / name / "molecule.yml").exists():
            raise Skip(f"molecule/{name}/molecule.yml does not exist")
        if os.geteuid() != 0:
            raise Skip("lab hosts need root")
        return command(BIN / "molecule", "test", "--scenario-name", name, MOLECULE_COMMAND_BORDERS="0")()

    return run


def lint() -> list[Part]:
    return [
        Part("lint: yamllint", command(BIN / "yamllint", "--strict", ".")),
        Part("lint: ruff", command(BIN / "ruff", "check", *python_files())),
        Part("lint: ruff format", command(BIN / "ruff", "format", "--check", *python_files())),
        Part("lint: mypy", command(BIN / "mypy", "--no-error-summary", *check_collection.typed_files())),
        Part("lint: project", pytest("project", "tests/project")),
        Part("lint: generated documentation", command(sys.executable, "scripts/render_docs.py", "--check")),
        Part("lint: changelog", command(BIN / "antsibull-changelog", "lint", cwd=COLLECTION)),
        Part("lint: ansible-lint", command(BIN / "ansible-lint", "--offline", "--strict")),
        Part("lint: collection", check_collection.build_and_install),
        Part("lint: ansible-test sanity", check_collection.sanity),
    ]


def parts() -> dict[str, list[Part]]:
    return {
        "lint": lint(),
        "unit": [Part("unit", pytest("unit", "--numprocesses=auto", str(COLLECTION / "tests" / "unit")))],
        "controllers": [Part("controllers", tests_in("controllers", "tests/controllers"))],
        # Every part below takes the bundle that is made here; on a fresh machine this is the long one.
        "bundle": [Part("bundle", command(sys.executable, "scripts/lab.py", "bundle"))],
        "contract": [Part("contract", tests_in("contract", "tests/contract"))],
        "prometheus": [Part("prometheus", tests_in("prometheus", "tests/prometheus"))],
        "molecule": [Part(f"molecule: {name}", scenario(name)) for name in SCENARIOS],
    }


def choose(wanted: str) -> list[Part]:
    known = parts()
    group, _, name = wanted.partition("/")
    if group == "molecule" and name:
        return [Part(f"molecule: {name}", scenario(name))]
    if group not in known or name:
        raise SystemExit(f"check: {wanted} is unknown; choose all, {', '.join(known)} or molecule/<scenario>")
    return known[group]


def run(part: Part) -> Result:
    print(f"\n==> {part.name}", flush=True)
    started = time.monotonic()
    try:
        code = part.run()
    except Skip as exc:
        # What CI skips is not tested, and nobody would see it.
        status = "failed" if os.environ.get("CI") else "skipped"
        return Result(part.name, time.monotonic() - started, status, str(exc))
    status, note = ("passed", "") if code == 0 else ("failed", f"exit code {code}")
    seconds = time.monotonic() - started
    print(f"<== {part.name}: {status} after {seconds:.1f} s", flush=True)
    return Result(part.name, seconds, status, note)


class Beside:
    """Parts that run beside the others, gently, as a process of their own. Its output is shown in one piece."""

    def __init__(self, groups: t.Sequence[str]) -> None:
        self._groups = groups
        self._directory = tempfile.TemporaryDirectory(prefix="cloudnative-check-")
        self._output, self._results = (pathlib.Path(self._directory.name) / name for name in ("output", "results.json"))
        arguments = ["nice", "-n", "5", sys.executable, __file__, *groups, f"--results={self._results}"]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def runs(self) -> bool:
        return self._process.poll() is None

    def results(self) -> list[Result]:
        code = self._process.wait()
        print(self._output.read_text(errors="replace"), flush=True)
        if not self._results.exists():
            return [Result(", ".join(self._groups), 0, "failed", f"ended with exit code {code}")]
        return [Result(**one) for one in json.loads(self._results.read_text())]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._directory.cleanup()


def run_all() -> list[Result]:
    """Two lanes: what is in BESIDE, one after the other, and the rest. Both take what `bundle` makes."""
    known, waiting = parts(), list(BESIDE)
    beside = {part.name for wanted in itertools.chain(*BESIDE) for part in choose(wanted)}
    rest = [part for group in known.values() for part in group if part.name not in beside]
    lane, results, others = Beside(waiting.pop(0)), [], []
    try:
        while rest or waiting:
            if rest:
                results.append(run(rest.pop(0)))
            if waiting and not (rest and lane.runs()):
                others += lane.results()
                lane.stop()
                lane = Beside(waiting.pop(0))
        others += lane.results()
    finally:
        lane.stop()
    return others + results


def table(results: list[Result], seconds: float) -> str:
    width = max(len(result.name) for result in results)
    lines = [f"{r.name:<{width}}  {r.seconds:7.1f} s  {r.status}  {r.note}".rstrip() for r in results]
    counts = {status: sum(r.status == status for r in results) for status in ("passed", "failed", "skipped")}
    total = ", ".join(f"{count} {status}" for status, count in counts.items() if count or status != "skipped")
    return "\n".join(["", *lines, "", f"{total} in {seconds:.0f} s"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    groups = "all, lint, unit, controllers, bundle, contract, prometheus, molecule or molecule/<scenario>"
    parser.add_argument("parts", nargs="+", help=groups)
    parser.add_argument("--results", type=pathlib.Path, help="write them there as JSON")
    arguments = parser.parse_args()
    # Whoever ends it, the other lane ends as well, and its files go.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    REPORTS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    if arguments.parts == ["all"]:
        results = run_all()
    else:
        results = [run(part) for wanted in arguments.parts for part in choose(wanted)]
    print(table(results, time.monotonic() - started), flush=True)
    if arguments.results:
        arguments.results.write_text(json.dumps([asdict(result) for result in results]))
    return 1 if any(result.status == "failed" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
