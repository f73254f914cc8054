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
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._input_conflicts import (
    Surroundings,
    at_hosts,
    check_conflicts,
    check_unique,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._input_facts import check_facts, is_node
from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    Finding,
    Judgement,
    Rules,
    is_dns_name,
    listed,
    parse_address,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._input_rules import form_of
from ansible_collections.cloudnative.platform.plugins.module_utils._input_settings import (
    SETTINGS,
    agreed,
    check_choices,
    check_networks,
    check_ports,
    check_unknown,
    check_version,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._input_specs import Catalog, judge_value


@dataclass(frozen=True)
class Given:
    """What variables have as values: of hosts by their names, secrets among them, and which were kept encrypted."""

    of_hosts: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    encrypted: t.Collection[str] = ()
    now: int = 0


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


def judge_given(given: Given, catalog: Catalog) -> list[Finding]:
    """Each variable by its specification and its form. Equal values of many hosts are judged once."""
    findings = []
    by_value: dict[tuple[str, str], list[str]] = defaultdict(list)
    values: dict[tuple[str, str], t.Any] = {}
    for host, variables in given.of_hosts.items():
        for name, value in variables.items():
            if name in catalog.variables:
                key = (name, repr(value))
                values[key] = value
                by_value[key].append(host)
    for (name, text), hosts in sorted(by_value.items(), key=lambda item: item[0][0]):
        option, secret = catalog.variables[name], name in given.encrypted
        found = judge_value(option, values[name, text], form_of, secret=secret)
        findings += [at_hosts(finding, hosts, len(given.of_hosts)) for finding in found]
    return findings


def without(values: t.Mapping[str, t.Any], broken: t.Container[str]) -> dict[str, t.Any]:
    return {name: value for name, value in values.items() if name not in broken}


def judge(
    hosts: list[dict[str, t.Any]],
    settings: dict[str, t.Any],
    rules: Rules,
    variables: t.Iterable[str] = (),
    catalog: Catalog | None = None,
    given: Given | None = None,
) -> Judgement:
    """All checks, all findings. Settings given by name win over those of hosts, and these over defaults.

    What is wrong by itself is not compared with anything else: one mistake, one finding.
    """
    catalog, given = catalog or Catalog(), given or Given()
    wrong = judge_given(given, catalog)
    broken = {re.split(r"[.\[]", finding.subject)[0] for finding in wrong}
    # Comparisons show what they compare, so what is kept encrypted is left out of them; a pair of PEM never shows.
    broken |= {name for name in given.encrypted if not name.endswith("_pem")}
    hosts = [{**host, "settings": without(host.get("settings") or {}, broken)} for host in hosts]
    of_hosts, disagreements = agreed(hosts)
    defaults = without(catalog.defaults, broken)
    effective = {**{name: defaults[name] for name in SETTINGS if name in defaults}, **of_hosts, **settings}
    unbroken = {host: without(values, broken) for host, values in given.of_hosts.items()}
    in_cluster = [str(host["name"]) for host in hosts if is_node(host, rules)]
    around = Surroundings(now=given.now, nodes=len(in_cluster))
    in_registry = [str(host["name"]) for host in hosts if rules.registry_group in (host.get("groups") or [])]
    groups, facts, unknown = (
        check_groups(hosts, rules),
        check_facts(hosts, rules, effective.get("kubernetes_version")),
        check_unknown(settings, variables, rules),
    )
    problems = [
        *groups.problems,
        *check_names(hosts),
        *check_addresses(hosts),
        *wrong,
        *disagreements,
        *check_networks(hosts, effective, rules),
        *check_version(effective, rules),
        *check_choices(hosts, effective, rules),
        *check_ports(effective),
        *check_conflicts(defaults, unbroken, around),
        *check_unique(unbroken, in_cluster, in_registry),
        *unknown.problems,
        *facts.problems,
    ]
    return Judgement(problems=problems, warnings=[*groups.warnings, *unknown.warnings, *facts.warnings])


def report(problems: list[Finding]) -> str:
    """The one message a person reads when the play stops."""
    lines = [f"  {number}. {finding.sentence()}" for number, finding in enumerate(problems, start=1)]
    things = "problem" if len(lines) == 1 else "problems"
    return "\n".join([f"The input has {len(lines)} {things}; no host was changed:", *lines])
