# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._path_mtu_io import Peer, measure_paths, route_to

HERE, ROUTER, THERE = "10.255.1.1", "10.255.1.2", "10.255.2.2"

MEASURE = """
import json, sys
from ansible_collections.cloudnative.platform.plugins.module_utils._path_mtu_io import Peer, measure_paths
print(json.dumps(measure_paths([Peer(*peer) for peer in json.loads(sys.argv[1])])))
"""


def may_make_namespaces():
    name = f"probe-{os.getpid()}"
    if (
        not shutil.which("ip")
        or subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode
    ):
        return False
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return True


class Network:
    """Three hosts in a row, as network namespaces: this one, a router, and the peer. The kernel does the rest."""

    def __init__(self):
        self.names = {role: f"mtu-{role}-{os.getpid()}" for role in ("here", "router", "there")}

    def ip(self, role, *arguments):
        subprocess.run(["ip", "-netns", self.names[role], *arguments], check=True)

    def inside(self, role, *command, **options):
        return subprocess.run(
            ["ip", "netns", "exec", self.names[role], *command], check=True, capture_output=True, text=True, **options
        ).stdout

    def make(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        for role in self.names:
            self.ip(role, "link", "set", "lo", "up")
        self.connect("here", "west", f"{HERE}/24", "router", "left", f"{ROUTER}/24")
        self.connect("router", "right", "10.255.2.1/24", "there", "east", f"{THERE}/24")
        self.ip("here", "route", "add", "10.255.2.0/24", "via", ROUTER)
        self.ip("there", "route", "add", "10.255.1.0/24", "via", "10.255.2.1")
        self.inside("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def connect(self, one, interface, address, other, peer_interface, peer_address):
        there = ("peer", "name", peer_interface, "netns", self.names[other])
        self.ip(one, "link", "add", interface, "type", "veth", *there)
        for role, name, own in ((one, interface, address), (other, peer_interface, peer_address)):
            self.ip(role, "address", "add", own, "dev", name)
            self.ip(role, "link", "set", name, "up")

    def remove(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def measure(self, *peers):
        start = time.monotonic()
        answer = self.inside("here", sys.executable, "-c", MEASURE, json.dumps(peers), env=python_environment())
        return json.loads(answer), time.monotonic() - start


def python_environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def network():
    if not may_make_namespaces():
        pytest.skip("needs root and the program ip, to make network namespaces")
    made = Network()
    try:
        made.make()
        yield made
    finally:
        made.remove()


def figures(path):
    return {key: path[key] for key in ("interface", "interface_mtu", "path_mtu", "black_hole", "by") if key in path}


def good(mtu=1500):
    return {"interface": "west", "interface_mtu": mtu, "path_mtu": mtu, "black_hole": False, "by": "icmp"}


def test_a_path_that_takes_all(network):
    paths, seconds = network.measure(("there", THERE, 22), ("router", ROUTER, 22))
    assert [figures(path) for path in paths] == [good(), good()]
    assert [path["name"] for path in paths] == ["there", "router"]
    assert seconds < 4


def test_jumbo_frames(network):
    for role, interface in (("here", "west"), ("router", "left"), ("router", "right"), ("there", "east")):
        network.ip(role, "link", "set", interface, "mtu", "9000")
    paths, _seconds = network.measure(("there", THERE, 22))
    assert figures(paths[0]) == good(9000)


def test_a_narrow_path_whose_router_says_so(network):
    network.ip("router", "link", "set", "right", "mtu", "1400")
    paths, _seconds = network.measure(("there", THERE, 22), ("router", ROUTER, 22))
    assert figures(paths[0]) == {**good(), "path_mtu": 1400}
    assert figures(paths[1]) == good()
    # The kernel has learnt of it and keeps packets small from now on: the figure must not depend on that.
    paths, _seconds = network.measure(("there", THERE, 22))
    assert figures(paths[0]) == {**good(), "path_mtu": 1400}


def test_a_black_hole_because_a_switch_takes_less(network):
    # A veth drops silently what its other end, with room for a VLAN tag, does not take: as a switch does.
    network.ip("router", "link", "set", "left", "mtu", "1400")
    paths, seconds = network.measure(("there", THERE, 22), ("router", ROUTER, 22))
    assert [figures(path) for path in paths] == [{**good(), "path_mtu": 1404, "black_hole": True}] * 2
    assert seconds < 5


needs_iptables = pytest.mark.skipif(not shutil.which("iptables"), reason="needs the program iptables")


@needs_iptables
def test_a_black_hole_because_a_firewall_drops_icmp(network):
    network.ip("router", "link", "set", "right", "mtu", "1400")
    rule = ("OUTPUT", "--protocol", "icmp", "--icmp-type", "fragmentation-needed", "--jump", "DROP")
    network.inside("router", "iptables", "--wait", "--append", *rule)
    paths, _seconds = network.measure(("there", THERE, 22))
    assert figures(paths[0]) == {**good(), "path_mtu": 1400, "black_hole": True}


def test_a_peer_that_answers_tcp_only(network):
    network.inside("there", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    command = "import socket, time; s = socket.create_server(('', 7022)); print(flush=True); time.sleep(60)"
    there = ["ip", "netns", "exec", network.names["there"], sys.executable, "-c", command]
    with subprocess.Popen(there, stdout=subprocess.PIPE) as server:
        try:
            server.stdout.readline()
            paths, seconds = network.measure(("open", THERE, 7022), ("closed", THERE, 7023))
            assert figures(paths[0]) == {**good(), "by": "tcp"}
            # Nothing is known of it, and nothing is claimed.
            assert "path_mtu" not in paths[1]
            assert paths[1]["error"] == f"{THERE} does not answer ICMP echo requests"
            assert seconds < 4
            # The router's refusal of the large echo request is what TCP then knows.
            network.ip("router", "link", "set", "right", "mtu", "1400")
            paths, _seconds = network.measure(("open", THERE, 7022))
            assert figures(paths[0]) == {**good(), "path_mtu": 1400, "by": "tcp"}
        finally:
            server.kill()


@needs_iptables
def test_peers_that_cannot_be_reached(network):
    rule = ("FORWARD", "--destination", "10.255.2.3", "--jump", "REJECT", "--reject-with", "icmp-host-prohibited")
    network.inside("router", "iptables", "--wait", "--append", *rule)
    paths, seconds = network.measure(
        ("no-route", "10.254.0.1", 22), ("filtered", "10.255.2.3", 22), ("off", "10.255.1.9", 22), ("self", HERE, 22)
    )
    assert {path["name"]: path["error"] for path in paths} == {
        "no-route": "no route to 10.254.0.1 (Network is unreachable)",
        "filtered": f"10.255.2.3 cannot be reached: {ROUTER} answers that it is unreachable (host, by a filter)",
        "off": "10.255.1.9 does not answer ICMP echo requests",
    }
    assert seconds < 4


def test_many_peers_take_no_longer_than_one(network):
    for number in range(10, 210):
        network.ip("there", "address", "add", f"10.255.2.{number}/24", "dev", "east")
    paths, seconds = network.measure(*((f"host{number}", f"10.255.2.{number}", 22) for number in range(10, 210)))
    assert [figures(path) for path in paths] == [good()] * 200
    assert seconds < 6


def test_a_name_without_an_address_is_an_error_of_that_peer_only():
    paths = measure_paths([Peer("x", "no-such-host.invalid", 22)])
    assert paths[0]["error"].startswith("no-such-host.invalid has no IPv4 address")


def test_this_host_is_left_out():
    assert route_to("127.0.0.1") == ("lo", 65536)
    assert measure_paths([Peer("self", "127.0.0.1", 22)]) == []
