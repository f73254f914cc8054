"""What a person wants to know when the lab is up: what runs where, which versions, how long it took, how to use it."""

from __future__ import annotations

import configparser
import json
import pathlib
import shutil
from collections.abc import Sequence

from lab_run import Failed, Phase


def read_bundle(bundle: pathlib.Path) -> dict:
    path = bundle / "bundle.json"
    if not path.exists():
        raise Failed(f"{path} is missing: the bundle was not made")
    return json.loads(path.read_text())


def take_tools(bundle: pathlib.Path, tools: dict[str, str], target: pathlib.Path) -> int:
    """Copies executables out of the bundle. Returns how many changed."""
    components = {component["name"]: component for component in read_bundle(bundle)["components"]}
    target.mkdir(parents=True, exist_ok=True)
    changed = 0
    for component, name in tools.items():
        if component not in components:
            continue
        file = next(file for file in components[component]["files"] if file["name"] == name)
        digest = target / f".{name}.sha256"
        path = target / name
        if path.exists() and digest.exists() and digest.read_text() == file["sha256"]:
            continue
        new = target / f".{name}.new"
        shutil.copyfile(bundle / "blobs" / "sha256" / file["sha256"], new)
        new.chmod(0o755)
        new.replace(path)
        digest.write_text(file["sha256"])
        changed += 1
    return changed


def read_hosts(inventory: pathlib.Path) -> dict[str, tuple[str, list[str]]]:
    """Host -> (address, groups)."""
    parser = configparser.ConfigParser(allow_no_value=True, delimiters=("\0",), default_section="")
    parser.read_string("[ungrouped]\n" + inventory.read_text())
    hosts: dict[str, tuple[str, list[str]]] = {}
    for line in parser["ungrouped"]:
        name, _, rest = line.partition(" ")
        hosts[name] = (rest.split("ansible_host=")[1].split()[0], [])
    for group in parser.sections():
        for name in parser[group] if group != "ungrouped" else ():
            hosts[name][1].append(group)
    return hosts


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def verdict(directory: pathlib.Path) -> list[str]:
    """What the verification found out, check by check."""
    lines = []
    for path in sorted(directory.glob("*.json")):
        results = json.loads(path.read_text())["results"]
        lines += table([(result["name"], result["status"], result["message"]) for result in results])
    return lines


def doubles(components: list[dict]) -> list[str]:
    """Nobody is to take what a stand-in shows for what the real server does."""
    found = [component["name"] for component in components if component["name"].endswith("-double")]
    if not found:
        return []
    what = f"{', '.join(found)}: in place of the real server there is a test double, which proves nothing about it"
    border = "!" * (len(what) + 8)
    return ["", border, f"!!  {what}  !!", border]


def summary(
    root: pathlib.Path,
    inventory: pathlib.Path,
    bundle: pathlib.Path,
    verified: pathlib.Path,
    phases: list[Phase],
    seconds: float,
) -> str:
    content = read_bundle(bundle)
    tasks = {host: count for phase in phases if phase.name == "platform" for host, count in phase.hosts}
    hosts = [("host", "address", "groups", "tasks")] + [
        (name, address, " ".join(groups), str(tasks.get(name, "-")))
        for name, (address, groups) in read_hosts(inventory).items()
    ]
    versions = [
        (component["name"], component["version"], component["origin"], component["licence"])
        for component in sorted(content["components"], key=lambda component: component["name"])
    ]
    times = [("phase", "seconds", "changed")] + [
        (phase.name, f"{phase.seconds:.1f}", str(phase.changed)) for phase in phases
    ]
    missing = [f"  {item['name']}: {item['reason']}" for item in content.get("unobtainable", [])]
    lines = [
        *doubles(content["components"]),
        "",
        "Hosts",
        *table(hosts),
        "",
        "Versions (from the bundle)",
        *table([("component", "version", "origin", "licence"), *versions]),
        "",
        f"Time: {seconds:.0f} s",
        *table(times),
        "",
        "Not obtainable: nothing" if not missing else "Not obtainable",
        *missing,
        *(("", "Verified", *verdict(verified)) if verified.is_dir() else ()),
        "",
        "How to use it",
        f"  export KUBECONFIG={root}/.lab/kubeconfig PATH={root}/.lab/bin:$PATH",
        "  kubectl get nodes --output wide",
        f"  ansible --inventory {inventory.relative_to(root)} all --module-name ping",
        "  make up     converges again; make down removes the hosts; make clean the caches too",
    ]
    return "\n".join(lines)
