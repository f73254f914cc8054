"""Measures k8s_apply against kubernetes.core.k8s: the same 200 objects, one task each, side by side in one cluster.

kubernetes.core is measured in both ways in which it is used: all objects in one call of the module, and a loop, which
is one call for each (some objects of the list; the time is that of 200). A task that does nothing shows what of all
these seconds is Ansible's own.

The cluster is the API server and the etcd of the bundle on loopback, as in the contract tests. kubernetes.core comes
out of the PyPI package `ansible`, into a directory of the user's cache. Prints the figures as JSON; `measure()` gives
them to scripts/bench.py.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import typing as t
import zipfile

import bench_times
from lab_run import ROOT, Failed, ansible_environment

ROUNDS = 3
NAMESPACES = 10
BIN = ROOT / ".venv" / "bin"
CACHE = pathlib.Path.home() / ".cache" / "cloudnative-platform" / "bench"
# The version whose kubernetes.core everything is compared with.
ANSIBLE = "14.5.0"
IMAGE = "registry.k8s.io/pause:3.10.2"

# A loop costs the same for each object: some are enough.
LOOPED = 20

SIDES = {"k8s_apply": "cloudnative.platform.k8s_apply", "kubernetes_core": "kubernetes.core.k8s"}

# Runs Python and writes down the most memory that it took, for the module's process alone.
WRAPPER = """#!/bin/sh
exec {python} -c '
import os, resource, subprocess, sys
code = subprocess.call([sys.executable, *sys.argv[1:]])
with open("{peak}", "a") as peak:
    peak.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) + chr(10))
sys.exit(code)' "$@"
"""


def objects(prefix: str) -> list[dict[str, t.Any]]:
    """200 objects of eight kinds, as an application has them; nothing runs, because there are no nodes."""
    found: list[dict[str, t.Any]] = []
    for number in range(NAMESPACES):
        namespace = f"{prefix}-{number}"

        def add(api: str, kind: str, name: str, namespace: str = namespace, **fields: t.Any) -> None:
            labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench"}
            metadata = {"name": name, "namespace": namespace, "labels": labels}
            found.append({"apiVersion": api, "kind": kind, "metadata": metadata, **fields})

        found.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for name in ("front", "back"):
            add("v1", "ServiceAccount", name)
            rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]
            add("rbac.authorization.k8s.io/v1", "Role", name, rules=rules)
            role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
            subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
            add("rbac.authorization.k8s.io/v1", "RoleBinding", name, roleRef=role, subjects=[subject])
        for index in range(4):
            add("v1", "ConfigMap", f"settings-{index}", data={f"key-{key}": "value " * 20 for key in range(10)})
        for index in range(2):
            add("v1", "Secret", f"secret-{index}", type="Opaque", stringData={"password": f"bench-{namespace}-{index}"})
        for index in range(3):
            selector = {"app.kubernetes.io/name": f"web-{index}"}
            ports = [{"name": "http", "port": 80, "targetPort": "http"}]
            add("v1", "Service", f"web-{index}", spec={"selector": selector, "ports": ports})
            container = {
                "name": "web",
                "image": IMAGE,
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [{"name": f"SETTING_{key}", "value": str(key)} for key in range(10)],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
            }
            template = {"metadata": {"labels": selector}, "spec": {"containers": [container]}}
            spec = {"replicas": 0, "selector": {"matchLabels": selector}, "template": template}
            add("apps/v1", "Deployment", f"web-{index}", spec=spec)
        add("networking.k8s.io/v1", "NetworkPolicy", "default", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
    return found


def kubernetes_core() -> pathlib.Path:
    """A directory of collections with kubernetes.core in it."""
    directory = CACHE / f"ansible-{ANSIBLE}"
    if (directory / "complete").exists():
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="bench-apply-") as place:
        command = [str(BIN / "pip"), "download", "--quiet", "--no-deps", "--dest", place, f"ansible=={ANSIBLE}"]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next(pathlib.Path(place).glob("*.whl"))) as wheel:
            names = [name for name in wheel.namelist() if name.startswith("ansible_collections/kubernetes/core/")]
            wheel.extractall(directory, names)
    (directory / "complete").touch()
    return directory


def _contract() -> t.Any:
    """The servers of the contract tests."""
    path = ROOT / "tests" / "contract" / "real_servers.py"
    spec = importlib.util.spec_from_file_location("contract_servers", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Bench:
    def __init__(self, directory: pathlib.Path, kubeconfig: dict[str, t.Any]) -> None:
        self.directory = directory
        self.kubeconfig = directory / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(kubeconfig))
        self.collections = kubernetes_core()

    def apply(self, side: str, prefix: str, interpreter: str = sys.executable) -> tuple[float, bool]:
        """All objects in one call."""
        arguments = {"definition": objects(prefix), "kubeconfig": str(self.kubeconfig)}
        return self.task({SIDES[side]: arguments}, interpreter)

    def loop(self, prefix: str) -> tuple[float, bool]:
        arguments = {"definition": "{{ item }}", "kubeconfig": str(self.kubeconfig)}
        return self.task({SIDES["kubernetes_core"]: arguments, "loop": objects(prefix)[:LOOPED]})

    def task(self, task: dict[str, t.Any], interpreter: str = sys.executable) -> tuple[float, bool]:
        """Seconds of a task, and whether it changed anything."""
        play = {
            "name": "Measure",
            "hosts": "localhost",
            "gather_facts": False,
            "connection": "local",
            "tasks": [{"name": "Measure", **task}],
        }
        playbook, times = self.directory / "play.json", self.directory / "times.jsonl"
        playbook.write_text(json.dumps([play]))
        times.unlink(missing_ok=True)
        environment = {
            **ansible_environment(),
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / 'collections'}:{self.collections}",
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "scripts" / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_times",
            "TASK_TIMES_PATH": str(times),
            "PYTHONWARNINGS": "ignore",
        }
        command = [str(BIN / "ansible-playbook"), "--inventory", "localhost,", str(playbook)]
        command += ["--extra-vars", f"ansible_python_interpreter={interpreter}"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"the task failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        (measured,) = bench_times.read(times.read_text())
        return measured.seconds, bool(measured.changed)

    def peak_megabytes(self, side: str, prefix: str) -> int:
        """The most memory of the module's process, for objects that are new and again for the same ones."""
        peak = self.directory / "peak"
        peak.unlink(missing_ok=True)
        wrapper = self.directory / "python"
        wrapper.write_text(WRAPPER.format(python=sys.executable, peak=peak))
        wrapper.chmod(0o755)
        for _run in range(2):
            self.apply(side, prefix, str(wrapper))
        return round(max(int(line) for line in peak.read_text().split()) * 1024 / 1e6)

    def twice(self, call: t.Callable[[], tuple[float, bool]]) -> dict[str, float]:
        """Seconds for objects that are new, and for the same ones again."""
        (first, changed), (again, changed_again) = call(), call()
        if not changed or changed_again:
            raise Failed(f"changed={changed} for new objects, changed={changed_again} for the same ones again")
        return {"create": first, "unchanged": again}


def measure(directory: pathlib.Path) -> dict[str, float]:
    """Medians of several rounds, each on objects of its own, the two sides in turn."""
    contract = _contract()
    with contract.kubernetes_servers(contract.Bundle(contract.BUNDLE), directory) as kubeconfig:
        bench = Bench(directory, kubeconfig)
        rounds: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        noops: list[float] = []
        for number in range(ROUNDS):
            for side in SIDES if number % 2 == 0 else reversed(SIDES):
                prefix = f"{side.replace('_', '-')}-{number}"
                rounds[side].append(bench.twice(functools.partial(bench.apply, side, prefix)))
            noops.append(bench.task({"ansible.builtin.ping": {}})[0])
        looped = bench.twice(functools.partial(bench.loop, "loop"))
        peaks = {side: bench.peak_megabytes(side, f"{side.replace('_', '-')}-memory") for side in SIDES}
    figures = {"noop_task_seconds": round(statistics.median(noops), 2)}
    for what in ("create", "unchanged"):
        ours, theirs = (statistics.median(one[what] for one in rounds[side]) for side in SIDES)
        loop = looped[what] * len(objects("x")) / LOOPED
        figures |= {
            f"k8s_apply_{what}_seconds": round(ours, 2),
            f"kubernetes_core_{what}_seconds": round(theirs, 2),
            f"kubernetes_core_loop_{what}_seconds": round(loop, 1),
            f"k8s_apply_{what}_over_kubernetes_core_ratio": round(ours / theirs, 3),
            f"k8s_apply_{what}_over_kubernetes_core_loop_ratio": round(ours / loop, 3),
        }
    for side, peak in peaks.items():
        figures[f"{side}_peak_megabytes"] = peak
    return figures


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-apply-") as directory:
        try:
            figures = measure(pathlib.Path(directory))
        except Failed as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    print(json.dumps({"objects": len(objects("x")), **figures}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
