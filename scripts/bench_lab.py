"""Hosts for measuring: makes and removes them, and reads from them what a playbook would not tell."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import typing as t

import yaml

from lab_report import read_hosts
from lab_run import ROOT, Failed, Phase, play

NAME = "bench"
SUBNET = "10.98.80.0/24"
PROFILE = ROOT / "inventories" / "lab" / "profiles" / "ha.yml"
RUNNING = ROOT / "molecule" / "common" / "running.sh"
REGISTRY_PORT = 5000

Specs = list[dict[str, t.Any]]


def profile() -> Specs:
    return yaml.safe_load(PROFILE.read_text())["lab_hosts"]


def sent(listing: str) -> dict[str, int]:
    """Host -> bytes, from the counters that `nft --json list chain` shows."""
    found = {}
    for entry in json.loads(listing)["nftables"]:
        rule = entry.get("rule")
        if rule:
            counter = next(part["counter"] for part in rule["expr"] if "counter" in part)
            found[rule["comment"]] = int(counter["bytes"])
    return found


def containers(listing: str) -> dict[str, str]:
    """Pod and container -> id, from what molecule/common/running.sh says."""
    words = (line.split() for line in listing.splitlines())
    return {line[1]: line[2] for line in words if line and line[0] == "container"}


def memory_cgroup(text: str, container: str) -> str:
    """The cgroup of a whole container below /sys/fs/cgroup, from /proc/<its first process>/cgroup."""
    for line in text.splitlines():
        _number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(",") or not controllers:
            # systemd in the container sits in a cgroup of its own below the container's.
            match = re.match(rf".*{container}[^/]*", path)
            if match:
                return f"{controllers}{match[0]}".lstrip("/")
    raise Failed(f"no cgroup of container {container} counts memory: {text!r}")


def anonymous_bytes(stat: str) -> int:
    """Memory of processes without the page cache, which takes what is free: cgroup v1 calls it total_rss, v2 anon."""
    values = dict(line.split() for line in stat.splitlines())
    return int(values["total_rss"] if "total_rss" in values else values["anon"])


class Lab:
    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.key = directory / "ssh" / "id_ed25519"
        self.control_path = directory / "ssh" / "cp"
        self.inventory = directory / "inventory" / "hosts.ini"

    # -- hosts --------------------------------------------------------------------------------------------------

    def _play(self, name: str, specs: Specs, **variables: object) -> Phase:
        settings = {
            "lab_name": NAME,
            "lab_subnet": SUBNET,
            "lab_inventory_path": str(self.inventory.parent),
            "lab_key_path": str(self.key),
            "lab_timeout": 180,
            "lab_hosts": specs,
            **variables,
        }
        return play(name, "make_lab.yml", self.directory, settings, [])

    def make(self, name: str, specs: Specs) -> Phase:
        """Exactly these hosts: others are removed, those that are there stay as they are."""
        return self._play(name, specs)

    def remove(self) -> None:
        self._play("remove hosts", profile(), lab_state="absent")

    def exists(self) -> bool:
        return subprocess.run(["podman", "network", "exists", NAME], check=False).returncode == 0

    def hosts(self) -> dict[str, tuple[str, list[str]]]:
        return read_hosts(self.inventory)

    def address(self, host: str) -> str:
        return self.hosts()[host][0]

    def group(self, name: str) -> list[str]:
        return [host for host, (_address, groups) in self.hosts().items() if name in groups]

    # -- asking them --------------------------------------------------------------------------------------------

    def ssh_options(self) -> dict[str, object]:
        return {
            "User": "root",
            "IdentityFile": self.key,
            "UserKnownHostsFile": self.key.parent / "known_hosts",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
        }

    def ssh(self, host: str, command: str, stdin: bytes = b"") -> str:
        options = [word for name, value in self.ssh_options().items() for word in ("-o", f"{name}={value}")]
        words = ["ssh", *options, self.address(host), command]
        done = subprocess.run(words, input=stdin, capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{host}: `{command}` ended with status {done.returncode}: {done.stderr.decode().strip()}")
        return done.stdout.decode()

    def count_downloads(self, registry: str) -> None:
        """From now on the registry host's kernel counts what it sends to each other host."""
        rules = "".join(
            # What is smaller holds nothing: acknowledgements, and the end of connections that hosts kept open.
            f"add rule inet bench sent ip daddr {address} tcp sport {REGISTRY_PORT} ip length > 120 "
            f'counter comment "{host}"\n'
            for host, (address, _groups) in self.hosts().items()
            if host != registry
        )
        table = "add table inet bench\nadd chain inet bench sent { type filter hook output priority 0; }\n"
        self.ssh(registry, "nft --file -", stdin=(table + rules).encode())

    def downloads(self, registry: str) -> dict[str, int]:
        return sent(self.ssh(registry, "nft --json list chain inet bench sent"))

    def containers(self, hosts: t.Iterable[str]) -> dict[tuple[str, str], str]:
        script = RUNNING.read_bytes()
        return {
            (host, name): identity
            for host in hosts
            for name, identity in containers(self.ssh(host, "sh -s", stdin=script)).items()
        }

    def memory_bytes(self, host: str) -> int:
        inspect = ["podman", "inspect", "--format", "{{.State.Pid}} {{.Id}}", f"{NAME}-{host}"]
        pid, identity = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.split()
        cgroup = memory_cgroup(pathlib.Path(f"/proc/{pid}/cgroup").read_text(), identity)
        return anonymous_bytes((pathlib.Path("/sys/fs/cgroup") / cgroup / "memory.stat").read_text())

    def targets_up(self) -> bool:
        """Whether Prometheus in the cluster has found targets, and all of them up."""
        path = "/api/v1/namespaces/monitoring/services/prometheus:web/proxy/api/v1/targets?state=active"
        # Its Service has nobody behind it at first, which kubectl takes for an error.
        command = f"kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw '{path}' || true"
        answer = self.ssh(self.group("kube_control_plane")[0], command)
        targets = json.loads(answer)["data"]["activeTargets"] if answer else []
        # Every host's node exporter is a target, whatever else there is.
        return len(targets) > len(self.hosts()) and all(target["health"] == "up" for target in targets)
