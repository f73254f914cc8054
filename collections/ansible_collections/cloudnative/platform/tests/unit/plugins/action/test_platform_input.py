# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check as people run it: ansible-playbook, with inventories of their own."""

from __future__ import annotations

import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Rules
from ansible_collections.cloudnative.platform.plugins.module_utils._input_specs import read_roles
from ansible_collections.cloudnative.platform.plugins.module_utils._platform_input import Given, judge

ROOT = pathlib.Path(__file__).parents[8]
HOSTS = """\
[registry]
registry1 ansible_host=192.0.2.10
[kube_control_plane]
cp1 ansible_host=192.0.2.11
[kube_node]
worker1 ansible_host=192.0.2.21
worker2 ansible_host=192.0.2.22
"""
MISTAKES = """\
kubernetes_api_port: https
kubernetes_api_cert_sans: ["https://api.example.org"]
kubernetes_encryption_key: hunter2
kubernetes_node_labels: {kubernetes.io/hostname: cp1, rack: a b}
kubernetes_node_taints: [{key: dedicated, effect: NoSchedul}]
kubernetes_pod_cidr: 10.96.0.0/16
kubernetes_verison: v1.36.4
kubernetes_version: 1.36
containerd_log_level: warning
containerd_max_concurrent_downloads: 0
containerd_registry: {pasword: hunter2}
containerd_upstreams: docker.io
host_entries: {api: [nowhere]}
host_swap_enabled: perhaps
network_calico_mtu: 100
registry_ca_pem: /etc/ca.crt
registry_gc_schedule: every sunday
registry_pull_password: [hunter2]
registry_push_password: "{{ hunter2"
registry_storage_path: data
registry_port: 5001
registry_certificate_renew_days: 365
lab_hosts: [{name: Cp1, gruops: []}]
verify_checks: [dsn]
platform_addons: [kong, monitorin]
kong_edition: enterprise
kong_configuration_files: [gatewya/]
kong_licence: hunter2
"""
NAMED = [
    "kubernetes_api_port 'https': is text, not a whole number; write a whole number, e.g. 8443",
    "kubernetes_api_cert_sans[0] 'https://api.example.org': is neither an IP address nor a DNS name",
    "kubernetes_encryption_key: is not base64; make one with: head -c 32 /dev/urandom | base64",
    "kubernetes_node_labels.kubernetes.io/hostname 'kubernetes.io/hostname': is a label that the kubelet sets itself",
    "kubernetes_node_labels.rack 'a b': is not a label value",
    "kubernetes_node_taints[0].effect 'NoSchedul': is not an effect of a taint; did you mean NoSchedule?",
    "kubernetes_service_cidr '10.96.0.0/16': overlaps kubernetes_pod_cidr 10.96.0.0/16",
    "variable 'kubernetes_verison': is not known to any role; did you mean kubernetes_version?",
    "kubernetes_version 1.36: is not text, YAML took it for a number",
    "containerd_log_level 'warning': is not a valid choice; did you mean warn?",
    "containerd_max_concurrent_downloads 0: is out of range; use a number between 1 and 64",
    "containerd_registry.pasword: is not a known key; did you mean password?",
    "containerd_upstreams 'docker.io': is text, not a list",
    "host_entries.api[0] 'nowhere': is not an IP address",
    "host_swap_enabled 'perhaps': is text, not true or false",
    "network_calico_mtu 100: is out of range; use 0, or a number between 1280 and 9216",
    "registry_ca_pem '/etc/ca.crt': is not a certificate in PEM",
    "registry_gc_schedule 'every sunday': is not a calendar event",
    "registry_pull_password: is a list, not text",
    "registry_push_password: is not a template",
    "registry_storage_path 'data': is not a directory that the registry can use",
    "registry_port 5001: is already taken by registry_metrics_port on the same host",
    "registry_certificate_renew_days 365: is not less than registry_certificate_days, 365",
    "lab_hosts[0].gruops: is not a known key; did you mean groups?",
    "lab_hosts[0].name 'Cp1': is not a name that Kubernetes accepts",
    "verify_checks[0] 'dsn': is not a valid choice; did you mean dns?",
    "platform_addons 'monitorin': is no add-on; did you mean monitoring?",
    "kong_component 'kong': is the image of the open edition, and kong_edition is enterprise",
    "kong_licence: is no licence of Kong; give the text of license.json",
    "gatewya/ does not exist; gatewya/ is a relative path, and begins from /",
]


def inventory(path: pathlib.Path, variables: str = "", hosts: str = HOSTS) -> pathlib.Path:
    (path / "hosts.ini").write_text(hosts)
    (path / "group_vars").mkdir()
    (path / "group_vars" / "all.yml").write_text(variables)
    return path / "hosts.ini"


def play(playbook: pathlib.Path | str, hosts: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [pathlib.Path(sys.executable).with_name("ansible-playbook"), "-i", hosts, playbook, *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true", "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """A run of everything with many mistakes at once; it ends before any other play begins."""
    return play("playbooks/site.yml", inventory(tmp_path_factory.mktemp("broken"), MISTAKES), "-vvv")


@pytest.mark.parametrize("words", NAMED)
def test_every_mistake_is_named_in_one_run(refused, words):
    assert words in refused.stdout + refused.stderr


def test_bad_input_ends_the_run_before_any_host_is_touched(refused):
    assert refused.returncode == 2
    assert "PLAY [Prepare the registry hosts" not in refused.stdout
    assert "UNREACHABLE" not in refused.stdout


def test_bad_input_is_no_crash_and_shows_no_secret(refused):
    text = refused.stdout + refused.stderr
    assert "Traceback" not in text
    assert "hunter2" not in text
    assert "problems; no host was changed:" in text


def test_the_check_is_quick(tmp_path):
    """CPU time, because a machine that does much else says nothing about ours."""
    hosts = inventory(tmp_path, MISTAKES)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert play("playbooks/check_input.yml", hosts).returncode == 2
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3


def test_fifty_hosts_are_judged_in_a_blink():
    """All variables of all roles, set for every host."""
    names = [f"w{number}" for number in range(50)]
    hosts = [
        {"name": "r1", "groups": ["registry"]},
        {"name": "c1", "groups": ["kube_control_plane"]},
        *({"name": name, "groups": ["kube_node"]} for name in names),
    ]
    start = time.process_time()
    catalog = read_roles(str(ROOT / "roles"))
    rules = Rules(known_variables=frozenset(catalog.variables), variable_prefixes=catalog.roles)
    given = {name: {**catalog.defaults, "kubernetes_node_name": name} for name in names}
    judgement = judge(hosts, {}, rules, catalog.variables, catalog, Given(given, now=int(time.time())))
    assert judgement.problems == []
    assert time.process_time() - start < 1


def test_the_example_is_right(tmp_path):
    shutil.copytree(ROOT / "inventories" / "example", tmp_path / "example")
    done = play("playbooks/check_input.yml", tmp_path / "example" / "hosts.ini")
    assert done.returncode == 0, done.stdout
    assert "WARNING" not in done.stdout + done.stderr


@pytest.mark.parametrize("profile", ["small", "ha"])
def test_the_lab_is_right(tmp_path, profile):
    settings = yaml.safe_load((ROOT / "inventories" / "lab" / "profiles" / f"{profile}.yml").read_text())
    groups: dict[str, list[str]] = {}
    for host in settings["lab_hosts"]:
        for group in host["groups"]:
            groups.setdefault(group, []).append(host["name"])
    text = "".join(f"[{group}]\n" + "".join(f"{name}\n" for name in names) for group, names in groups.items())
    variables = (ROOT / "inventories" / "lab" / "group_vars" / "all" / "platform.yml").read_text()
    done = play("playbooks/check_input.yml", inventory(tmp_path, variables + yaml.safe_dump(settings), text))
    assert done.returncode == 0, done.stdout


def test_extra_variables_are_judged_as_well(tmp_path):
    done = play("playbooks/check_input.yml", inventory(tmp_path), "-e", "registry_port=https", "-e", "registry_prot=1")
    assert done.returncode == 2
    assert "registry_port 'https': is text, not a whole number" in done.stdout + done.stderr
    assert "did you mean registry_port?" in done.stdout + done.stderr


def test_what_is_encrypted_is_judged_and_never_shows(tmp_path):
    password = tmp_path / "password"
    password.write_text("one")
    encrypted = subprocess.run(
        [
            *[pathlib.Path(sys.executable).with_name("ansible-vault"), "encrypt_string", "--name", "registry_port"],
            *["--vault-password-file", password, "hunter2"],
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    hosts = inventory(tmp_path, encrypted)
    for arguments, words in (
        (["--vault-password-file", password], "registry_port: is text, not a whole number"),
        ([], "registry_port: cannot be deciphered; give the vault password"),
    ):
        done = play("playbooks/check_input.yml", hosts, *map(str, arguments))
        text = done.stdout + done.stderr
        assert done.returncode == 2
        assert words in text
        assert "hunter2" not in text
        assert "Traceback" not in text


def test_what_is_wrong_for_some_hosts_names_them(tmp_path):
    hosts = HOSTS.replace("192.0.2.22", "192.0.2.22 containerd_root=data")
    done = play("playbooks/check_input.yml", inventory(tmp_path, hosts=hosts))
    assert "containerd_root 'data' (on worker2): is not an absolute path" in done.stdout + done.stderr


def test_roles_that_are_not_there_are_named(tmp_path):
    task = {"cloudnative.platform.platform_input": {"roles_path": "/nowhere"}}
    content = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(content))
    done = play(tmp_path / "play.yml", inventory(tmp_path))
    assert done.returncode == 2
    assert "roles_path: /nowhere holds no role" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_facts_of_hosts_are_compared(tmp_path):
    """The facts are made up; what compares them is the task of site.yml."""
    facts = {"machine_id": "{{ inventory_hostname }}", "default_ipv4": "{{ ansible_host }}"}
    facts.update(
        kubernetes_version="{{ 'v1.35.1' if inventory_hostname == 'cp1' else '' }}",
        kubernetes_ca="{{ 'a' if inventory_hostname == 'cp1' else 'b' }}",
    )
    plays = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text())
    (task,) = (
        task for play in plays for task in play.get("tasks", []) if "cloudnative.platform.platform_input" in task
    )
    wanted = {
        "kubernetes_version": "v1.37.0",
        "kubernetes_components": {"kubeadm": {"version": "v1.36.4"}},
        "kubernetes_pod_cidr": "192.0.2.0/25",
        "kubernetes_service_cidr": None,
    }
    made_up = {"ansible.builtin.set_fact": {"cacheable": True, "platform_host": facts}}
    content = [
        {"hosts": "kube_control_plane:kube_node", "gather_facts": False, "tasks": [made_up, task], "vars": wanted}
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(content))
    done = play(tmp_path / "play.yml", inventory(tmp_path))
    text = done.stdout + done.stderr
    assert done.returncode == 2
    for words in (
        "problems; the cluster was not touched:",
        "host 'worker1, worker2': belongs to another cluster",
        "kubernetes_version 'v1.37.0': is more than one minor version above what runs on cp1, 1.35",
        "kubernetes_version 'v1.37.0': is not what the registry holds, v1.36.4; leave it out, or fill the registry",
        "host 'worker1': its address 192.0.2.21 lies in kubernetes_pod_cidr 192.0.2.0/25",
    ):
        assert words in text
    assert "Traceback" not in text
