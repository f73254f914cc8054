"""Checks of the collection as a whole: what is built can be installed and read, and ansible-test finds nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
COLLECTION = ROOT / "collections" / "ansible_collections" / "cloudnative" / "platform"
NAME = "cloudnative.platform"

# ansible-test makes small virtual environments and fetches pip for them from a server of the Ansible project. Python
# carries a pip of its own, so that a machine that only reaches a package index can run it too.
_PIP_BOOTSTRAP = """\
def main():
    import ensurepip

    ensurepip.bootstrap(default_pip=True)


if __name__ == "__main__":
    main()
"""


def typed_files() -> list[str]:
    """What mypy checks: the plugins and the scripts. Tests are checked by running them."""
    plugins = sorted(str(path.relative_to(ROOT)) for path in (COLLECTION / "plugins").iterdir() if path.is_dir())
    return [*plugins, "scripts"]


def build_and_install() -> int:
    """Builds the collection, installs the archive elsewhere, and reads every module and role from there."""
    with tempfile.TemporaryDirectory(prefix="cloudnative-collection-") as directory:
        target = pathlib.Path(directory)
        _run("ansible-galaxy", "collection", "build", "--output-path", str(target), cwd=COLLECTION)
        archive = next(target.glob("*.tar.gz"))
        path = target / "collections"
        installed = path / "ansible_collections" / "cloudnative" / "platform"
        env = {"ANSIBLE_COLLECTIONS_PATH": str(path)}
        install = ("collection", "install", "--offline", "--no-deps", "-p", str(path), str(archive))
        _run("ansible-galaxy", *install, env=env)
        modules = sorted(f.stem for f in (COLLECTION / "plugins" / "modules").glob("*.py") if f.stem != "__init__")
        names = [f"{NAME}.{module}" for module in modules]
        documented = json.loads(_run("ansible-doc", "--json", "--type", "module", *names, env=env))
        undocumented = [name for name in names if not documented.get(name, {}).get("doc")]
        listed = json.loads(_run("ansible-doc", "--json", "--type", "role", "--list", NAME, env=env))
        roles = {path.parent.name for path in (COLLECTION / "roles").glob("*/meta")}
        lost = sorted(role for role in roles if f"{NAME}.{role}" not in listed)
        lost += sorted(role for role in roles if not (installed / "roles" / role / "tasks").is_dir())
        if undocumented or lost:
            print(f"The installed collection has no documentation for {undocumented}, and lacks the roles {lost}.")
            return 1
        size = archive.stat().st_size // 1024
        print(f"{archive.name} ({size} KiB) installs with {len(modules)} modules and {len(roles)} roles.")
    return 0


def sanity() -> int:
    _prepare_pip_bootstrap()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    arguments = ["sanity", "--local", "--requirements", "--python", version, "--color", "no"]
    env = {**os.environ, "PATH": f"{BIN}:{os.environ.get('PATH', '')}", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [str(BIN / "ansible-test"), *arguments], cwd=COLLECTION, env=env, stdin=subprocess.DEVNULL, check=False
    ).returncode


def _prepare_pip_bootstrap() -> None:
    spec = importlib.util.find_spec("ansible_test")
    assert spec is not None and spec.submodule_search_locations is not None
    internal = pathlib.Path(spec.submodule_search_locations[0]) / "_internal" / "python_requirements.py"
    cache = pathlib.Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in set(re.findall(r"pip='([\d.]+)'", internal.read_text())):
        path = cache / f"get_pip_{version.replace('.', '_')}.py"
        if not path.exists():
            path.write_text(_PIP_BOOTSTRAP)


def _run(command: str, *args: str, cwd: pathlib.Path = ROOT, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(BIN / command), *args],
        cwd=cwd,
        env={**os.environ, "PATH": f"{BIN}:{os.environ.get('PATH', '')}", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{command} {' '.join(args)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
