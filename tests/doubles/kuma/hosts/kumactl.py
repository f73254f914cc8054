# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kumactl: `install` and `uninstall transparent-proxy` for IPv4 and TCP, with Kuma's names of chains; `version`."""

from __future__ import annotations

import argparse
import pwd
import subprocess
import sys

from .envoy import INBOUND_PORT, OUTBOUND_PORT

VERSION = "2.14.3"
_HOOKS = {"PREROUTING": "KUMA_MESH_INBOUND", "OUTPUT": "KUMA_MESH_OUTBOUND"}
_CHAINS = ("KUMA_MESH_INBOUND", "KUMA_MESH_INBOUND_REDIRECT", "KUMA_MESH_OUTBOUND", "KUMA_MESH_OUTBOUND_REDIRECT")


def rules(user: int, inbound: list[int], outbound: list[int]) -> str:
    """For iptables-restore, which takes all of it or none."""
    lines = ["*nat", *(f":{chain} - [0:0]" for chain in _CHAINS)]
    lines += [f"-A KUMA_MESH_INBOUND -p tcp --dport {port} -j RETURN" for port in inbound]
    lines += [
        "-A KUMA_MESH_INBOUND -p tcp -j KUMA_MESH_INBOUND_REDIRECT",
        f"-A KUMA_MESH_INBOUND_REDIRECT -p tcp -j REDIRECT --to-ports {INBOUND_PORT}",
    ]
    lines += [f"-A KUMA_MESH_OUTBOUND -p tcp --dport {port} -j RETURN" for port in outbound]
    lines += [
        f"-A KUMA_MESH_OUTBOUND -m owner --uid-owner {user} -j RETURN",
        "-A KUMA_MESH_OUTBOUND -o lo -j RETURN",
        "-A KUMA_MESH_OUTBOUND -p tcp -j KUMA_MESH_OUTBOUND_REDIRECT",
        f"-A KUMA_MESH_OUTBOUND_REDIRECT -p tcp -j REDIRECT --to-ports {OUTBOUND_PORT}",
    ]
    lines += [f"-A {hook} -p tcp -j {chain}" for hook, chain in _HOOKS.items()]
    return "\n".join([*lines, "COMMIT", ""])


def iptables(*arguments: str) -> bool:
    return subprocess.run(["iptables", "-w", "-t", "nat", *arguments], capture_output=True, check=False).returncode == 0


def uninstall() -> None:
    for hook, chain in _HOOKS.items():
        while iptables("-D", hook, "-p", "tcp", "-j", chain):
            pass
    for step in ("-F", "-X"):
        for chain in _CHAINS:
            iptables(step, chain)


def ports(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="kumactl", description="A double of the management tool; not Kuma.")
    parser.add_argument("--no-config", action="store_true")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version")
    install = commands.add_parser("install").add_subparsers(required=True).add_parser("transparent-proxy")
    install.add_argument("--kuma-dp-user", required=True)
    install.add_argument("--exclude-inbound-ports", type=ports, default=[])
    install.add_argument("--exclude-outbound-ports", type=ports, default=[])
    commands.add_parser("uninstall").add_subparsers(required=True).add_parser("transparent-proxy")
    chosen = parser.parse_args(argv)
    if chosen.command == "version":
        print(f"Client: Kuma {VERSION}")
        return 0
    uninstall()
    if chosen.command == "install":
        text = rules(
            pwd.getpwnam(chosen.kuma_dp_user).pw_uid, chosen.exclude_inbound_ports, chosen.exclude_outbound_ports
        )
        done = subprocess.run(["iptables-restore", "-w", "--noflush"], input=text, text=True, check=False)
        if done.returncode:
            print("Error: failed to restore iptables rules", file=sys.stderr)
            return 1
        print("iptables set to divert the traffic to Envoy")
    return 0
