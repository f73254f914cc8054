"""No secret shows: neither in what a run prints, nor in the hosts' logs, process lists, temporary or readable files.

The platform is made with secrets that are given, tasks are made to fail where secrets are at hand, and it is converged
once more with secrets that it generates: all of it with -vvv and --diff. A canary is planted wherever is searched.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import re
import secrets
import subprocess
import time
from dataclasses import dataclass, field

import pytest

from process_sampler import Sampler
from secret_search import Channel, Leak, Secret, search

ROOT = pathlib.Path(__file__).parents[3]
FILES = ROOT / ".lab" / "molecule" / "secrets"
HOSTS = ("registry1", "cp1", "worker1")
#: process → the one secret that its environment may hold: only root and the registry's own user can read it
ENVIRONMENT_MAY_HOLD = {"registry": "registry1 /etc/cloudnative/secrets/registry-http"}

# What any user of a host can read of what came into being since the test began.
READABLE = """
for directory in / /var/lib/containerd /var/lib/kubelet /var/lib/etcd /var/lib/registry /run /tmp /dev/shm; do
  runuser -u nobody -- find "$directory" -xdev -type f -readable -size -4M -newermt @{since} -print0 2>/dev/null
done | runuser -u nobody -- tar --create --null --files-from=- --ignore-failed-read --absolute-names 2>/dev/null; true
"""


def on(host: str, script: str, stdin: bytes = b"") -> bytes:
    command = ["podman", "exec", "--interactive", f"molecule-secrets-{host}", "sh", "-c", script]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=120).stdout


def new_authority() -> tuple[str, str]:
    """Certificate and key of an authority, as a company would give its own."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "-"]
    command = ["openssl", "req", "-x509", *curve, "-days", "30", "-subj", "/CN=A company"]
    both = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    key, certificate = re.findall(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----\n", both, re.DOTALL)
    return certificate, key


@dataclass
class Evidence:
    secrets: list[Secret]
    channels: list[Channel] = field(default_factory=list)
    environments: list[tuple[str, bytes]] = field(default_factory=list)
    rounds: int = 0

    def leaks(self, *channels: Channel) -> list[Leak]:
        return search(self.secrets, channels or self.channels)


class Collector:
    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.since = int(time.time())
        certificate, key = new_authority()
        # With characters that need quoting in one place or another.
        self.given = {
            "registry_pull_password": f"pull &'\"%41 ö/+{secrets.token_urlsafe(12)}",
            "registry_push_password": f"push {secrets.token_urlsafe(18)}",
            "registry_ca_pem": certificate,
            "registry_ca_key_pem": key,
            "kubernetes_encryption_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        self.planted = f"planted-{secrets.token_urlsafe(18)}"
        self.canary = f"canary-{secrets.token_hex(12)}"
        self.outputs: list[Channel] = []
        self.secrets = [
            Secret("planted", self.planted.encode()),
            Secret("canary", self.canary.encode()),
            *(Secret(name, text.encode()) for name, text in self.given.items() if name != "registry_ca_pem"),
        ]

    def variables(self, name: str, values: dict[str, object]) -> str:
        path = self.directory / f"{name}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(values))
        return f"@{path}"

    def play(self, name: str, playbook: str, *arguments: str) -> None:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE", "MOLECULE"))},
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        }
        command = [str(ROOT / ".venv/bin/ansible-playbook"), "-vvv", "--diff", "--inventory"]
        done = subprocess.run(
            [*command, str(FILES / "inventory/hosts.ini"), *arguments, str(ROOT / playbook)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=300,
        )
        (self.directory / f"{name}.log").write_bytes(done.stdout)
        self.outputs.append(Channel(f"output of {name}", done.stdout))
        if done.returncode:
            shown = "\n".join(str(leak) for leak in search(self.secrets, self.outputs))
            pytest.fail(f"{name} failed, see {self.directory}/{name}.log\n{shown}")

    def keep(self, when: str) -> None:
        script = (pathlib.Path(__file__).parents[1] / "collect.py").read_bytes()
        for host in HOSTS:
            for name, value in json.loads(on(host, "python3 -", script)).items():
                self.secrets.append(Secret(f"{host} {name}{when}", base64.b64decode(value)))

    def plant(self) -> None:
        """The canary, in every place that is searched."""
        on("worker1", f"logger {self.canary}; mkdir -p /root/.ansible/tmp /var/log/private")
        for path, mode in (("/root/.ansible/tmp/x", 600), ("/var/log/private/x", 600), ("/etc/canary", 644)):
            on("worker1", f"cat >{path}; chmod {mode} {path}", self.canary.encode())
        on("worker1", f"CANARY={self.canary} timeout 2 sh -c 'while :; do sleep 0.1; done' {self.canary} || true")
        message = self.variables("canary", {"canary": self.canary})
        playbook = self.directory / "canary.yml"
        task = {"name": "Show it", "ansible.builtin.debug": {"msg": "{{ canary }}"}}
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        self.play("the canary", str(playbook), "--extra-vars", message)

    def configurations(self, found: set[bytes]) -> None:
        """Keys and tokens that were in kubeadm's configuration for the time of its run only."""
        for text in found:
            for name, value in re.findall(rb'"(certificateKey|token)": "([^"]+)"', text):
                self.secrets.append(Secret(f"kubeadm's {name.decode()}", value.rpartition(b".")[2]))

    def look(self, sampler: Sampler) -> Evidence:
        evidence = Evidence(self.secrets, list(self.outputs), sorted(sampler.environments), sampler.rounds)
        evidence.channels.append(Channel("command lines", b"\n".join(sampler.command_lines)))
        for host in HOSTS:
            journal = on(host, "journalctl --no-pager --output=export")
            logs = on(host, "tar --create --absolute-names /var/log 2>/dev/null || [ $? = 1 ]")
            temporary = "find /root/.ansible /tmp /var/tmp /run/cloudnative -type f -print0 2>/dev/null"
            left = on(host, f"{temporary} | tar --create --null --files-from=- --absolute-names 2>/dev/null; true")
            readable = on(host, READABLE.format(since=self.since))
            evidence.channels += [
                Channel(f"journal of {host}", journal),
                Channel(f"log files of {host}", logs),
                Channel(f"temporary files of {host}", left),
                Channel(f"files of {host} that anyone can read", readable),
            ]
        return evidence


@pytest.fixture(scope="session")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    directory = tmp_path_factory.mktemp("secrets")
    directory.chmod(0o700)
    collector = Collector(directory)
    given = collector.variables("given", collector.given)
    kubeconfig = directory / "kubeconfig"
    with Sampler() as sampler:
        collector.play("the installation", "playbooks/site.yml", "--extra-vars", given)
        collector.keep(" as given")
        fetch = json.dumps({"kubeconfig_path": str(kubeconfig)})
        collector.play("fetching the kubeconfig", "playbooks/fetch_kubeconfig.yml", "--extra-vars", fetch)
        address = re.search(r"registry1 +ansible_host=(\S+)", (FILES / "inventory/hosts.ini").read_text())
        assert address
        registry = {
            "endpoints": [f"https://{address[1]}:5000"],
            "ca_pem": collector.given["registry_ca_pem"],
            "username": "pull",
            "password": collector.given["registry_pull_password"],
        }
        failing = {"registry": registry, "planted": collector.planted, "kubeconfig_path": str(kubeconfig)}
        variables = collector.variables("failing", failing)
        collector.play("tasks that fail", "molecule/secrets/fail.yml", "--extra-vars", variables)
        collector.play("the registry's verification", "playbooks/verify.yml", "--limit=registry", "--extra-vars", given)
        collector.play("a run with generated secrets", "playbooks/site.yml")
        collector.keep("")
        collector.plant()
    collector.configurations(sampler.configurations)
    return collector.look(sampler)


def test_what_was_looked_for(evidence):
    names = " ".join(secret.name for secret in evidence.secrets)
    for name in (
        *("registry_pull_password", "registry_ca_key_pem", "kubernetes_encryption_key"),
        *("registry-pull", "registry-push", "registry-http", "pull.htpasswd as given", "pki/ca.key", "registry.key"),
        *("pki/sa.key", "etcd/ca.key", "encryption/config.yaml", "admin.conf client key", "kubelet-client"),
        *("token bootstrap-token-", "kubeadm's token"),
    ):
        assert name in names
    assert evidence.rounds > 50


def test_the_search_finds_what_is_planted(evidence):
    """One canary for each channel; the run's own output is one of them."""
    where = {leak.channel for leak in evidence.leaks() if leak.secret == "canary"}
    environments = Channel("environments", b"\n".join(text for _name, text in evidence.environments))
    where |= {leak.channel for leak in evidence.leaks(environments) if leak.secret == "canary"}
    assert where >= {
        "output of the canary",
        "command lines",
        "environments",
        "journal of worker1",
        "log files of worker1",
        "temporary files of worker1",
        "files of worker1 that anyone can read",
    }


def test_no_secret_shows(evidence):
    leaks = [str(leak) for leak in evidence.leaks() if leak.secret != "canary"]
    assert not leaks, "\n".join(leaks)


def test_no_secret_is_in_an_environment(evidence):
    leaks = []
    for process, text in evidence.environments:
        for leak in evidence.leaks(Channel(f"environment of {process}", text)):
            allowed = ENVIRONMENT_MAY_HOLD.get(process)
            if leak.secret != "canary" and not (allowed and leak.secret.startswith(allowed)):
                leaks.append(str(leak))
    assert not leaks, "\n".join(leaks)


def test_failed_tasks_did_fail_and_say_why(evidence):
    output = next(one for one in evidence.channels if one.name == "output of tasks that fail").content.decode()
    for reason in (
        "check the user name and the password",
        "directory /run/none does not exist",
        "what it said is withheld, the file is secret",
        "Unsupported parameters",
        "is not a private key",
        "kubeadm is not installed",
    ):
        assert reason in output
