# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Judges an inventory and its variables without touching a host. Every check takes plain data and returns findings, so
# that one run names everything that is wrong instead of the first thing only.

from __future__ import annotations

import difflib
import re
import typing as t
from collections import defaultdict

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    Finding,
    Judgement,
    Rules,
    is_dns_name,
    listed,
    parse_address,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._input_settings import (
    agreed,
    check_choices,
    check_networks,
    check_ports,
    check_unknown,
    check_version,
)


def check_names(hosts: list[dict[str, t.Any]]) -> list[Finding]:
    findings = []
    seen: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        name = str(host["name"])
        seen[name.lower()].append(name)
        if not is_dns_name(name):
            remedy = "use lower-case letters, digits, '-' and '.', at most 63 characters between dots"
            suggestion = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")
            if is_dns_name(suggestion):
                remedy += f", e.g. {suggestion}"
            findings.append(Finding("host", name, "is not a valid host name (RFC 1123)", remedy))
    for names in seen.values():
        if len(names) > 1:
            problem = "is the name of more than one host" + (
                " (upper and lower case are the same to DNS and to Kubernetes)" if len(set(names)) > 1 else ""
            )
            findings.append(Finding("host", listed(names), problem, "give every host a name of its own"))
    return findings


def check_addresses(hosts: list[dict[str, t.Any]]) -> list[Finding]:
    seen: dict[tuple[str, int], list[str]] = defaultdict(list)
    for host in hosts:
        if host.get("address"):
            address = parse_address(host["address"])
            seen[(str(address or host["address"]).lower(), int(host.get("port") or 22))].append(str(host["name"]))
    return [
        Finding("ansible_host", address, f"is the address of {listed(names)}", "give every host an address of its own")
        for (address, _port), names in seen.items()
        if len(names) > 1
    ]


def check_groups(hosts: list[dict[str, t.Any]], rules: Rules) -> Judgement:
    judgement = Judgement()
    members: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        for group in host.get("groups") or []:
            members[group].append(str(host["name"]))
    wanted = (rules.control_plane_group, rules.worker_group, rules.registry_group)

    def empty(group: str, problem: str) -> Finding:
        others = [name for name in members if name not in wanted]
        match = difflib.get_close_matches(group, others, n=1, cutoff=0.6)
        hint = f"did you mean it by group {match[0]} ({listed(members[match[0]])})?" if match else ""
        return Finding("group", group, problem, hint or "put at least one host into it")

    control_planes = set(members[rules.control_plane_group])
    workers = set(members[rules.worker_group])
    registries = set(members[rules.registry_group])
    if not control_planes:
        judgement.problems.append(empty(rules.control_plane_group, "has no host, a cluster needs a control plane"))
    elif len(control_planes) % 2 == 0:
        count = len(control_planes)
        judgement.warnings.append(
            Finding(
                "group",
                rules.control_plane_group,
                f"has an even number of hosts ({count}), etcd survives the loss of no more than with {count - 1}",
                f"use {count - 1} or {count + 1}",
            )
        )
    if not registries:
        judgement.problems.append(empty(rules.registry_group, "has no host, everything is fetched from the registry"))
    if control_planes and not workers:
        judgement.warnings.append(empty(rules.worker_group, "has no host, only control planes can run workloads"))
    for name in sorted(registries & (control_planes | workers)):
        cluster_groups = listed(g for g in wanted[:2] if name in members[g])
        judgement.problems.append(
            Finding(
                "host",
                name,
                f"is in group {rules.registry_group} and in {cluster_groups}",
                "the registry must be outside of the cluster it supplies: use a host of its own",
            )
        )
    return judgement


def check_facts(hosts: list[dict[str, t.Any]], rules: Rules) -> Judgement:
    """What only shows when the facts of all hosts lie side by side."""
    judgement = Judgement()
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


def judge(
    hosts: list[dict[str, t.Any]],
    settings: dict[str, t.Any],
    rules: Rules,
    variables: t.Iterable[str] = (),
    defaults: dict[str, t.Any] | None = None,
) -> Judgement:
    """All checks, all findings. Settings given by name win over those of hosts, and these over defaults."""
    of_hosts, disagreements = agreed(hosts)
    effective = {**(defaults or {}), **of_hosts, **settings}
    groups, facts, unknown = (
        check_groups(hosts, rules),
        check_facts(hosts, rules),
        check_unknown(settings, variables, rules),
    )
    return Judgement(
        problems=[
            *groups.problems,
            *check_names(hosts),
            *check_addresses(hosts),
            *disagreements,
            *check_networks(hosts, effective, rules),
            *check_version(effective, rules),
            *check_choices(hosts, effective, rules),
            *check_ports(effective),
            *unknown.problems,
            *facts.problems,
        ],
        warnings=[*groups.warnings, *unknown.warnings, *facts.warnings],
    )


def report(problems: list[Finding]) -> str:
    """The one message a person reads when the play stops."""
    lines = [f"  {number}. {finding.sentence()}" for number, finding in enumerate(problems, start=1)]
    things = "problem" if len(lines) == 1 else "problems"
    return "\n".join([f"The input has {len(lines)} {things}; no host was changed:", *lines])
