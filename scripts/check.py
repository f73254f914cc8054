"""Runs the checks of the project one after the other, each timed, with a table at the end. CI runs all of them."""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass

import check_collection

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
REPORTS = ROOT / ".lab" / "reports"
COLLECTION = check_collection.COLLECTION
PYTHON_FILES = ("collections", "scripts", "molecule", "tests")

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
    if wanted == "all":
        return [part for group in known.values() for part in group]
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


def table(results: list[Result]) -> str:
    width = max(len(result.name) for result in results)
    lines = [f"{r.name:<{width}}  {r.seconds:7.1f} s  {r.status}  {r.note}".rstrip() for r in results]
    counts = {status: sum(r.status == status for r in results) for status in ("passed", "failed", "skipped")}
    total = ", ".join(f"{count} {status}" for status, count in counts.items() if count or status != "skipped")
    return "\n".join(["", *lines, "", f"{total} in {sum(r.seconds for r in results):.0f} s"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    groups = "all, lint, unit, controllers, bundle, contract, prometheus, molecule or molecule/<scenario>"
    parser.add_argument("part", help=groups)
    chosen = choose(parser.parse_args().part)
    REPORTS.mkdir(parents=True, exist_ok=True)
    results = [run(part) for part in chosen]
    print(table(results), flush=True)
    return 1 if any(result.status == "failed" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
