"""The parts of the measurement: each takes hosts of its own as far as it needs them and gives its figures."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time
import typing as t

import bench_apply
import bench_floor
import bench_kong
import bench_kuma
import bench_simulate
import bench_times
from bench_lab import SUBNET, Lab, profile
from lab_run import ROOT, Failed, Phase, play

BUNDLE = pathlib.Path.home() / ".cache" / "cloudnative-platform" / "bundle"
REGISTRY = "registry1"
NEW_WORKER = {"name": "worker3", "groups": ["kube_node"]}
NOOP = """---
- name: Do nothing on every host
  hosts: all
  gather_facts: false
  tasks:
    - name: Do nothing
      ansible.builtin.command: "true"
      changed_when: false
"""


def most_tasks(phase: Phase) -> int:
    """The tasks that the host with the most of them saw; the controller is no host."""
    return max(tasks for host, tasks in phase.hosts if host != "localhost")


def shared_connections_cpu_seconds(control_path: pathlib.Path) -> float:
    """CPU of the ssh processes that keep connections open: they encrypt, but are no children of Ansible."""
    ticks = 0
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(control_path).encode() in (directory / "cmdline").read_bytes():
                # What comes after the name in parentheses; user and system time are fields 14 and 15 of proc(5).
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def restarted(before: t.Mapping[t.Any, str], after: t.Mapping[t.Any, str]) -> list[t.Any]:
    """What ran before and does not run any more, or runs anew."""
    return [name for name, identity in before.items() if after.get(name) != identity]


class Measurement:
    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.lab = Lab(directory)
        self.figures: dict[str, float] = {}
        self.phases: dict[str, dict[str, float]] = {}
        self.done: set[str] = set()

    def part(self, name: str) -> None:
        """Measure a part, after what it needs."""
        if name in self.done:
            return
        for other in NEEDS.get(name, ()):
            self.part(other)
        PARTS[name](self)
        self.done.add(name)

    def site(
        self,
        name: str,
        inventory: pathlib.Path | None = None,
        environment: t.Mapping[str, str] | None = None,
        variables: t.Mapping[str, object] | None = None,
    ) -> tuple[Phase, list[bench_times.Task]]:
        times = self.directory / "times.jsonl"
        times.unlink(missing_ok=True)
        callback = {
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "scripts" / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_times",
            "TASK_TIMES_PATH": str(times),
        }
        arguments = ["--inventory", str(inventory or self.lab.inventory)]
        environment = {**callback, **(environment or {})}
        phase = play(name, "site.yml", self.directory, variables or {}, arguments, environment=environment)
        tasks = bench_times.read(times.read_text())
        print("\n".join(bench_times.costs(tasks)[:10]), flush=True)
        return phase, tasks

    # -- parts --------------------------------------------------------------------------------------------------

    def bundle(self) -> None:
        # The first call fills what is missing, the second is the figure.
        play("bundle", "build_bundle.yml", self.directory, {}, [], progress="bundle_progress_path")
        phase = play("bundle, nothing to do", "build_bundle.yml", self.directory, {}, [])
        self.figures["bundle_full_cache_seconds"] = round(phase.seconds, 1)

    def install(self) -> None:
        hosts = self.lab.make("hosts", profile())
        self.lab.count_downloads(REGISTRY)
        phase, tasks = self.site("install")
        phases = self.phases["install"] = bench_times.phases(tasks, phase.seconds)
        downloads = self.lab.downloads(REGISTRY)
        self.figures |= {
            "hosts_seconds": round(hosts.seconds, 1),
            "install_seconds": round(phase.seconds, 1),
            "cluster_install_seconds": round(phase.seconds - phases["registry"], 1),
            "install_tasks_per_host": most_tasks(phase),
        }
        for group, name in (("kube_control_plane", "control_plane"), ("kube_node", "worker")):
            most = max(downloads[host] for host in self.lab.group(group))
            self.figures[f"install_megabytes_per_{name}"] = round(most / 1e6)

    def rerun(self) -> None:
        before = self.lab.downloads(REGISTRY)
        phase, tasks = self.site("re-run")
        self.phases["run again"] = bench_times.phases(tasks, phase.seconds)
        after = self.lab.downloads(REGISTRY)
        noop = self.directory / "noop.yml"
        noop.write_text(NOOP)
        arguments = ["--inventory", str(self.lab.inventory)]
        noops = [play("one task that does nothing", str(noop), self.directory, {}, arguments) for _ in range(3)]
        self.figures |= {
            "rerun_seconds": round(phase.seconds, 1),
            "rerun_changed_tasks": phase.changed,
            "rerun_tasks_per_host": most_tasks(phase),
            "rerun_bytes_per_host": max(after[host] - before[host] for host in after),
            "noop_seconds": round(statistics.median(noop.seconds for noop in noops), 2),
        }
        for group, name in (("registry", "registry"), ("kube_control_plane", "control_plane"), ("kube_node", "worker")):
            most = max(self.lab.memory_bytes(host) for host in self.lab.group(group))
            self.figures[f"memory_megabytes_{name}"] = round(most / 1e6)

    def fifty(self) -> None:
        answers = self.directory / "answers"
        wrapper = {
            "ANSIBLE_SSH_EXECUTABLE": str(ROOT / "scripts" / "bench_ssh.sh"),
            "BENCH_ANSWERS": str(answers),
        }
        phase, _tasks = self.site("record what hosts answer", environment={**wrapper, "BENCH_SSH": "record"})
        if phase.changed:
            raise Failed(f"the recorded run changed {phase.changed} things; only converged hosts can be simulated")
        inventory = self.simulate(answers)
        replay = {"BENCH_ANSWERS": str(answers), "BENCH_SSH": "replay"}
        connections = shared_connections_cpu_seconds(self.lab.control_path)
        # The API server is a real one, and would make nodes of those that are not there.
        variables: dict[str, object] = {"__kubernetes_node_objects": []}
        phase, tasks = self.site("fifty simulated hosts", inventory, replay, variables)
        connections = shared_connections_cpu_seconds(self.lab.control_path) - connections
        self.phases["run again, fifty hosts"] = bench_times.phases(tasks, phase.seconds)
        self.figures |= {
            "fifty_hosts_rerun_seconds": round(phase.seconds, 1),
            "fifty_hosts_cpu_seconds_per_host": round((phase.cpu_seconds + connections) / bench_simulate.HOSTS, 2),
        }

    def simulate(self, answers: pathlib.Path) -> pathlib.Path:
        """Addresses and answers of simulated hosts on the registry host, which is no member of the cluster."""
        models = self.lab.hosts()
        control_planes = self.lab.group("kube_control_plane")
        simulated = bench_simulate.hosts(control_planes, self.lab.group("kube_node"), SUBNET)
        registry = models[REGISTRY][0]
        told = self.directory / "simulated"
        for host in simulated:
            model = models[host.model][0]
            (told / "answers" / host.address).mkdir(parents=True)
            for path in (answers / model).iterdir():
                if path.name != "count":
                    text = bench_simulate.retold(path.read_text(), host, model)
                    (told / "answers" / host.address / path.name).write_text(text)
        shutil.rmtree(answers)
        shutil.copytree(told / "answers", answers)
        addresses = "".join(f"address add {host.address}/32 dev eth0\n" for host in simulated)
        self.lab.ssh(REGISTRY, "ip -batch -", stdin=addresses.encode())
        # All fifty connect at once, to one sshd.
        self.lab.ssh(REGISTRY, "cat >/etc/ssh/sshd_config.d/bench.conf", stdin=b"MaxStartups 200\nMaxSessions 200\n")
        self.lab.ssh(REGISTRY, "systemctl reload ssh")
        packed = subprocess.run(["tar", "-C", str(told / "answers"), "-c", "."], capture_output=True, check=True).stdout
        self.lab.ssh(REGISTRY, "mkdir -m 700 /run/bench && tar -C /run/bench -x", stdin=packed)

        inventory = told / "inventory" / "hosts.ini"
        shutil.copytree(self.lab.inventory.parent, inventory.parent)
        inventory.write_text(bench_simulate.inventory(simulated, control_planes, (REGISTRY, registry)))
        known_hosts = told / "known_hosts"
        keys = (self.lab.key.parent / "known_hosts").read_text()
        known_hosts.write_text(bench_simulate.known_hosts(simulated, registry, keys))
        variables = {
            "ansible_ssh_executable": str(ROOT / "scripts" / "bench_ssh.sh"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={known_hosts} -o StrictHostKeyChecking=yes",
        }
        (inventory.parent / "group_vars" / "simulated.yml").write_text(json.dumps(variables))
        return inventory

    def worker(self) -> None:
        there = [host for host in self.lab.hosts() if host != REGISTRY]
        before = self.lab.containers(there)
        self.lab.make("one more host", [*profile(), NEW_WORKER])
        started = time.time()
        phase, tasks = self.site("add a worker")
        self.phases["add a worker"] = bench_times.phases(tasks, phase.seconds)
        ready = self.lab.ssh(
            self.lab.group("kube_control_plane")[0],
            "kubectl --kubeconfig /etc/kubernetes/admin.conf get node worker3 "
            """--output 'jsonpath={.status.conditions[?(@.type=="Ready")].lastTransitionTime}'""",
        )
        moment = datetime.datetime.fromisoformat(ready.strip().replace("Z", "+00:00")).timestamp()
        changed = bench_times.changed_by_host(tasks)
        self.figures |= {
            # The cluster knows whole seconds only: the end of that second.
            "worker_ready_seconds": round(moment + 1 - started, 1),
            "worker_run_seconds": round(phase.seconds, 1),
            "worker_changed_tasks_elsewhere": sum(changed.get(host, 0) for host in [REGISTRY, *there]),
            "worker_restarted_containers": len(restarted(before, self.lab.containers(there))),
        }

    def floor(self) -> None:
        registry = [spec for spec in profile() if spec["name"] == REGISTRY]
        self.lab.make("the registry alone", registry)
        if "install" not in self.done:
            self.site("fill the registry")
        self.lab.make("fresh hosts", profile())
        steps = bench_floor.run(self.lab, BUNDLE, self.directory / "floor")
        self.phases["shell script"] = steps
        self.figures["floor_seconds"] = round(sum(steps.values()), 1)

    def monitoring(self) -> None:
        """Add-ons come into the cluster that stands, until Prometheus finds all of its targets up."""
        addons = {"platform_addons": ["storage", "monitoring"]}
        phase, tasks = self.site("add-ons", variables=addons)
        self.phases["add-ons"] = bench_times.phases(tasks, phase.seconds)
        # What else this run changes is where the cluster's parts serve their metrics.
        took = sum(task.seconds for task in tasks if task.role in ("storage", "monitoring"))
        started = time.monotonic()
        while not self.lab.targets_up():
            if time.monotonic() - started > 300:
                raise Failed("not all targets of Prometheus are up after 300 s")
            time.sleep(1)
        waited = time.monotonic() - started
        again, _tasks = self.site("add-ons again", variables=addons)
        self.figures |= {
            "monitoring_up_seconds": round(took + waited, 1),
            "monitoring_rerun_seconds": round(again.seconds, 1),
            "monitoring_rerun_changed_tasks": again.changed,
            "monitoring_rerun_tasks_per_host": most_tasks(again),
        }

    def apply(self) -> None:
        directory = self.directory / "apply"
        directory.mkdir()
        self.figures |= bench_apply.measure(directory)

    def gateway(self) -> None:
        """2,000 and 20,000 entities, in a gateway with a database and in one without."""
        for factor in (1, 10):
            directory = self.directory / f"gateway-{factor}"
            directory.mkdir()
            self.figures |= bench_kong.figures(directory, factor)

    def mesh(self) -> None:
        """1,000 and 10,000 policies."""
        for count in (1000, 10000):
            directory = self.directory / f"mesh-{count}"
            directory.mkdir()
            self.figures |= bench_kuma.figures(directory, count)


PARTS: dict[str, t.Callable[[Measurement], None]] = {
    "bundle": Measurement.bundle,
    "install": Measurement.install,
    "rerun": Measurement.rerun,
    "fifty": Measurement.fifty,
    "worker": Measurement.worker,
    "monitoring": Measurement.monitoring,
    "floor": Measurement.floor,
    "apply": Measurement.apply,
    "gateway": Measurement.gateway,
    "mesh": Measurement.mesh,
}
NEEDS: dict[str, tuple[str, ...]] = {
    "rerun": ("install",),
    "fifty": ("install",),
    "worker": ("install",),
    "monitoring": ("install",),
}
