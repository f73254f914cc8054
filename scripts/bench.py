"""Measures what the project promises, on hosts of its own, and writes it to bench/results.json.

Absolute seconds tell something about the machine; the ratios, taken in one run, tell something about the project.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import sys
import tempfile
import typing as t

from lab_run import Failed, Phase, play

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results.json"
PROFILE = ROOT / "inventories" / "lab" / "profiles" / "ha.yml"
CACHE = pathlib.Path.home() / ".cache" / "cloudnative-platform"

#: what is promised: name of the figure, bound
BOUNDS = {
    "bundle_full_cache_seconds": 20,
    "hosts_seconds": 40,
    "install_seconds": 300,
    "rerun_seconds": 40,
    "rerun_changed": 0,
    "tasks_install": 25,
    "tasks_rerun": 15,
    "rerun_over_noop": 25,
}

NOOP = """---
- name: Do nothing on every host of the cluster
  hosts: kube_control_plane:kube_node
  gather_facts: false
  tasks:
    - name: Do nothing
      ansible.builtin.command: "true"
      changed_when: false
"""


def most_tasks(phase: Phase) -> int:
    """The tasks that the host with the most of them saw; the controller is no host."""
    return max(tasks for host, tasks in phase.hosts if host != "localhost")


def figures(phases: dict[str, Phase]) -> dict[str, float]:
    """What was measured, under the names of BOUNDS."""
    return {
        "bundle_full_cache_seconds": round(phases["bundle"].seconds, 1),
        "hosts_seconds": round(phases["hosts"].seconds, 1),
        "install_seconds": round(phases["install"].seconds, 1),
        "rerun_seconds": round(phases["rerun"].seconds, 1),
        "rerun_changed": phases["rerun"].changed,
        "tasks_install": most_tasks(phases["install"]),
        "tasks_rerun": most_tasks(phases["rerun"]),
        "noop_seconds": round(phases["noop"].seconds, 2),
        "rerun_over_noop": round(phases["rerun"].seconds / phases["noop"].seconds, 1),
    }


def missed(measured: t.Mapping[str, float]) -> list[str]:
    """Figures beyond their bound, as sentences."""
    return [
        f"{name} is {measured[name]}, more than {bound}" for name, bound in BOUNDS.items() if measured[name] > bound
    ]


def measure(directory: pathlib.Path) -> dict[str, Phase]:
    lab = {
        "lab_name": "bench",
        "lab_subnet": "10.98.80.0/24",
        "lab_inventory_path": str(directory / "inventory"),
        "lab_key_path": str(directory / "ssh" / "id_ed25519"),
    }
    hosts = ["--extra-vars", f"@{PROFILE}"]
    inventory = ["--inventory", str(directory / "inventory" / "hosts.ini")]
    noop = directory / "noop.yml"
    noop.write_text(NOOP)

    def site(name: str) -> Phase:
        return play(name, "site.yml", directory, {}, inventory)

    phases = {}
    try:
        # The first call fills what is missing, the second is the figure.
        play("bundle", "build_bundle.yml", directory, {}, [], progress="bundle_progress_path")
        phases["bundle"] = play("bundle, nothing to do", "build_bundle.yml", directory, {}, [])
        phases["hosts"] = play("hosts", "make_lab.yml", directory, lab, hosts)
        phases["install"] = site("install")
        phases["rerun"] = site("re-run")
        phases["noop"] = play("one task that does nothing", str(noop), directory, {}, inventory)
    finally:
        play("remove hosts", "make_lab.yml", directory, {**lab, "lab_state": "absent"}, hosts)
    return phases


def main() -> int:
    if os.geteuid() != 0:
        print("bench: lab hosts are privileged containers: run this as root", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        try:
            measured = figures(measure(pathlib.Path(directory)))
        except Failed as error:
            print(f"\nbench: {error}", file=sys.stderr)
            return 1
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "figures": measured, "bounds": BOUNDS}, indent=2) + "\n")
    width = max(map(len, measured))
    for name, value in measured.items():
        bound = f"(at most {BOUNDS[name]})" if name in BOUNDS else ""
        print(f"{name:<{width}}  {value:>8}  {bound}".rstrip())
    failures = missed(measured)
    for failure in failures:
        print(f"bench: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
