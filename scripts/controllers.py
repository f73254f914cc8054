"""Makes virtual environments with other versions of ansible-core than the one in .venv, and prints where they are.

They are kept in the user's cache and made again when their pins (requirements/controllers/) change.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import typing as t

from lab import CACHE, ROOT
from lab_run import Failed

REQUIREMENTS = ROOT / "requirements"
ENVIRONMENTS = CACHE / "controllers"

# Pythons that each runs with, the best first. 2.16 was released for 3.10 to 3.12; 3.13 is for machines without those.
CORES = {
    "2.16": ("3.12", "3.11", "3.13"),
    "2.18": ("3.13", "3.12", "3.11"),
}
OLDEST, AWX = "2.16", "2.18"
BUILDER = "builder"
PYTHONS: dict[str, tuple[str, ...]] = {**CORES, BUILDER: ("3.13", "3.12", "3.11", "3.14")}

_PIN = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")


def pins(name: str) -> dict[str, str]:
    """Package -> version, as the environment's own file has them."""
    lines = (REQUIREMENTS / "controllers" / f"{name}.txt").read_text().splitlines()
    return {found[1].lower(): found[2] for line in lines if (found := _PIN.match(line))}


def constraints(name: str) -> str:
    """The project's constraints without the packages that the environment has in another version."""
    own = pins(name)
    lines = (REQUIREMENTS / "constraints.txt").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not ((found := _PIN.match(line)) and found[1].lower() in own))


def choose(name: str, pythons: t.Iterable[tuple[str, str]]) -> str:
    """The interpreter for an environment out of (version, path) of those that work."""
    found = sorted(pythons, key=lambda python: [int(part) for part in python[0].split(".")], reverse=True)
    for wanted in PYTHONS[name]:
        for version, path in found:
            if version.startswith(f"{wanted}."):
                return path
    here = ", ".join(version for version, _path in found) or "none"
    wanted = ", ".join(sorted(PYTHONS[name], key=lambda version: int(version.split(".")[1])))
    raise Failed(
        f"{name} needs one of Python {wanted} with venv, ensurepip and ssl; here is {here}. "
        f"Install one, e.g. with apt-get or pyenv install {PYTHONS[name][0]}"
    )


def working_pythons() -> list[tuple[str, str]]:
    listed = subprocess.run(
        [str(ROOT / "scripts" / "bootstrap"), "--pythons"], capture_output=True, text=True, check=True
    ).stdout
    return [(version, path) for version, path in (line.split(" ", 1) for line in listed.splitlines())]


def environment(name: str) -> pathlib.Path:
    """The virtual environment, made when it is not there."""
    wanted = b"".join((REQUIREMENTS / path).read_bytes() for path in (f"controllers/{name}.txt", "controller.txt"))
    digest = hashlib.sha256(wanted + constraints(name).encode()).hexdigest()[:12]
    target = ENVIRONMENTS / f"{name}-{digest}"
    complete = target / ".complete"
    with _lock(name):
        if complete.exists() and subprocess.run([target / "bin" / "python", "-c", ""], check=False).returncode == 0:
            return target
        python = choose(name, working_pythons())
        shutil.rmtree(target, ignore_errors=True)
        _run([python, "-m", "venv", str(target)], f"making {target}")
        (target / "constraints.txt").write_text(constraints(name))
        install(target, "--requirement", REQUIREMENTS / "controllers" / f"{name}.txt")
        complete.touch()
    return target


def install(target: pathlib.Path, *what: str | pathlib.Path) -> None:
    pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *map(str, what), "--constraint", str(target / "constraints.txt")], f"installing packages into {target}")


def _run(command: list[str], doing: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{doing} failed; is a package index reachable (pip config list)?\n{done.stdout}{done.stderr}")


@contextlib.contextmanager
def _lock(name: str) -> t.Iterator[None]:
    """Two runs of the tests on one machine share the cache."""
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(PYTHONS), help="which one; all by default")
    only = parser.parse_args().only
    try:
        for name in [only] if only else PYTHONS:
            print(environment(name))
    except Failed as error:
        print(f"controllers: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
