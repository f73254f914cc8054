"""The lab's hosts, seen from outside by ssh: each is a machine of its own."""

from __future__ import annotations

import pathlib

import testinfra

INVENTORY = str(pathlib.Path(__file__).parents[3] / ".lab/molecule/lab/inventory/hosts.ini")
ADDRESSES = {"one": "10.98.10.11", "two": "10.98.10.12"}


def test_host_has_its_name_and_address(host):
    name = host.backend.get_hostname()
    assert host.check_output("hostname") == name
    assert ADDRESSES[name] in host.interface("eth0").addresses


def test_systemd_runs_without_failed_units(host):
    assert host.check_output("systemctl is-system-running") == "running"


def test_only_ssh_listens(host):
    listening = host.check_output("ss -Hltn | awk '{print $4}'").split()
    assert sorted(listening) == ["0.0.0.0:22", "[::]:22"]


def test_identities_differ_from_host_to_host():
    hosts = testinfra.get_hosts([f"ansible://{name}" for name in ADDRESSES], ansible_inventory=INVENTORY)
    for path in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"):
        contents = {host.check_output("cat %s", path) for host in hosts}
        assert len(contents) == len(ADDRESSES)


def test_hosts_reach_each_other(host):
    for address in ADDRESSES.values():
        assert host.run("ping -c 1 -W 2 %s", address).rc == 0


def test_cgroup_hierarchies_are_its_own(host):
    for line in host.check_output("cat /proc/1/cgroup").splitlines():
        if line.startswith("0::") or "name=systemd" in line:
            assert line.endswith(":/init.scope")


def test_state_lives_on_volumes(host):
    for path in ("containerd", "kubelet", "etcd", "registry"):
        mount = host.mount_point(f"/var/lib/{path}")
        assert mount.exists
        assert mount.filesystem != "overlay"


def test_etc_hosts_can_be_replaced(host):
    # Roles replace it in one step, which a bind mount would refuse.
    host.check_output("cp /etc/hosts /etc/hosts.new && mv /etc/hosts.new /etc/hosts")
