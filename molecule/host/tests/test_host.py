"""A prepared host after a restart, seen from outside: what the kernel and the resolver answer."""

from __future__ import annotations

import pytest

SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "fs.inotify.max_user_instances": 8192,
    "vm.overcommit_memory": 1,
}


def test_sysctls(host):
    for key, value in SYSCTLS.items():
        assert host.sysctl(key) == value


def test_mounts_propagate(host):
    assert host.check_output("findmnt --noheadings --output PROPAGATION /") == "shared"


def test_no_unit_failed(host):
    assert host.check_output("systemctl is-system-running") == "running"


def test_names(host):
    assert host.check_output("getent ahostsv4 api.example.internal").split()[0] == "127.0.0.1"
    addresses = host.check_output("getent ahostsv4 registry.example.internal | awk '{print $1}' | sort -u").split()
    assert addresses == ["192.0.2.11", "192.0.2.12"]


@pytest.mark.parametrize("program", ["socat", "nft", "conntrack", "haproxy", "ip"])
def test_programs_run(host, program):
    assert host.run("command -v %s", program).rc == 0


def test_swap_is_off_in_its_table(host):
    active = [line for line in host.file("/etc/fstab").content_string.splitlines() if not line.startswith("#")]
    assert not [line for line in active if " swap " in line]


def test_no_temporary_file_is_left(host):
    assert host.check_output("find /etc -name '*.cloudnative-new'") == ""
