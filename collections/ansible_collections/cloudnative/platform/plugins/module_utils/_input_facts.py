# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Judges what was found on hosts, where it only shows when the facts of all of them lie side by side.

from __future__ import annotations

import typing as t
from collections import defaultdict

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    Finding,
    Judgement,
    Rules,
    listed,
    parse_version,
)


def is_node(host: dict[str, t.Any], rules: Rules) -> bool:
    groups = host.get("groups") or []
    return rules.control_plane_group in groups or rules.worker_group in groups


def check_facts(hosts: list[dict[str, t.Any]], rules: Rules, wanted_version: t.Any = None) -> Judgement:
    nodes = [host for host in hosts if is_node(host, rules)]
    judgement = Judgement(problems=[*check_authorities(nodes, rules), *check_upgrade(nodes, wanted_version)])
    seen: dict[tuple[str, str], list[str]] = defaultdict(list)
    for host in hosts:
        facts = host.get("facts") or {}
        name = str(host["name"])
        for key in ("machine_id", "default_ipv4"):
            if facts.get(key):
                seen[(key, str(facts[key]))].append(name)
        architecture = facts.get("architecture")
        if architecture and architecture not in rules.architectures:
            remedy = f"use a host of architecture {listed(rules.architectures)}"
            judgement.problems.append(Finding("host", name, f"has architecture {architecture}", remedy))
        if facts.get("root") is False:
            judgement.problems.append(
                Finding("host", name, "the tasks do not run as root", "set ansible_user: root or ansible_become: true")
            )
        if facts.get("time_synchronised") is False:
            judgement.warnings.append(
                Finding("host", name, "its clock is not synchronised", "run chrony or systemd-timesyncd")
            )
    remedies = {
        "machine_id": (
            "is the machine-id of {names}, the hosts were cloned",
            "on all but one: rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; reboot",
        ),
        "default_ipv4": ("is the address of {names}", "give every host an address of its own"),
    }
    for (key, value), names in seen.items():
        if len(names) > 1:
            problem, remedy = remedies[key]
            judgement.problems.append(Finding(key, value, problem.format(names=listed(names)), remedy))
    return judgement


def check_authorities(nodes: list[dict[str, t.Any]], rules: Rules) -> list[Finding]:
    """A host that belongs to another cluster would be torn out of it, or would stay a stranger in this one."""
    members: dict[str, list[dict[str, t.Any]]] = defaultdict(list)
    # Whether a control plane has one is known only of those that were looked at.
    control_planes = [
        (host.get("facts") or {}).get("kubernetes_ca")
        for host in nodes
        if rules.control_plane_group in (host.get("groups") or [])
    ]
    for host in nodes:
        authority = (host.get("facts") or {}).get("kubernetes_ca")
        if authority:
            members[str(authority)].append(host)
    remedy = "take it out of this inventory, or take the other cluster off it first (playbooks/reset.yml)"
    if control_planes and all(authority == "" for authority in control_planes):
        return [
            Finding(
                "host",
                listed(str(host["name"]) for host in hosts),
                f"belongs to another cluster: its CA is {authority[:16]}…, and no control plane here has one",
                remedy,
            )
            for authority, hosts in sorted(members.items())
        ]
    if len(members) < 2:
        return []

    def weight(authority: str) -> tuple[int, int]:
        hosts = members[authority]
        return sum(rules.control_plane_group in (host.get("groups") or []) for host in hosts), len(hosts)

    # The cluster of most control planes is the one that this inventory is about.
    own = max(sorted(members), key=weight)
    names_of_own = listed(str(host["name"]) for host in members[own])
    return [
        Finding(
            "host",
            listed(str(host["name"]) for host in hosts),
            f"belongs to another cluster: its CA is {authority[:16]}…, that of {names_of_own} is {own[:16]}…",
            remedy,
        )
        for authority, hosts in sorted(members.items())
        if authority != own
    ]


def check_upgrade(nodes: list[dict[str, t.Any]], wanted_version: t.Any) -> list[Finding]:
    """Kubernetes goes one minor version at a time, and never back."""
    wanted = parse_version(wanted_version)
    if wanted is None:
        return []
    running: dict[tuple[int, int], list[str]] = defaultdict(list)
    for host in nodes:
        version = parse_version((host.get("facts") or {}).get("kubernetes_version"))
        if version is not None:
            running[version[:2]].append(str(host["name"]))
    findings = []
    for (major, minor), names in sorted(running.items()):
        if wanted[:2] < (major, minor):
            problem = f"is older than what runs on {listed(names)}, {major}.{minor}: Kubernetes cannot go back"
            remedy = f"give {major}.{minor} or newer; to go back, make a new cluster and restore into it"
        elif wanted[:2] > (major, minor + 1):
            problem = f"is more than one minor version above what runs on {listed(names)}, {major}.{minor}"
            remedy = f"upgrade to {major}.{minor + 1} first"
            if any(other > (major, minor) for other in running):
                remedy = f"the rest of the cluster is newer: reset {listed(names)} (playbooks/reset.yml), to join anew"
        else:
            continue
        findings.append(Finding("kubernetes_version", str(wanted_version), problem, remedy))
    return findings
