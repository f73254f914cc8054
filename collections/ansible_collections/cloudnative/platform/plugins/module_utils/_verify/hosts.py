# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Judges what probes on the hosts saw: etcd, the node-local API endpoints, and the loss of a control plane."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._verify.result import Result, skipped, verdict
from ansible_collections.cloudnative.platform.plugins.module_utils._verify.state import Expectation

Object = dict[str, t.Any]


def etcd(expected: Expectation, observed: dict[str, Object]) -> Result:
    """Voters are the control planes, healthy, with one leader; each host asked says the same."""
    if not observed:
        return skipped("etcd", "no host was asked for the etcd members")
    wanted = sorted(node.name for node in expected.control_planes)
    faults: list[str] = []
    for host, answer in sorted(observed.items()):
        seen = [f"seen from {host}: {fault}" for fault in member_faults(wanted, answer.get("members") or [])]
        faults += seen
    one = next(iter(observed.values())).get("members") or []
    leader = next((member["name"] for member in one if member.get("leader")), "none")
    size = max((member.get("db_size") or 0 for member in one), default=0)
    details = [f"{member['name']}: {member.get('version')}, {member.get('db_size')} bytes" for member in one]
    return verdict("etcd", faults, f"{len(one)} voters healthy, leader {leader}, {size / 1e6:.1f} MB", details)


def member_faults(wanted: list[str], members: list[Object]) -> list[str]:
    faults = []
    voters = sorted(member.get("name") or "(unstarted)" for member in members if not member.get("learner"))
    faults += [f"{name} is no voter" for name in wanted if name not in voters]
    faults += [f"voter {name} is not a control plane" for name in voters if wanted and name not in wanted]
    for member in members:
        name = member.get("name") or member.get("id") or "(unstarted)"
        if member.get("learner"):
            faults.append(f"{name} is still a learner")
        if not member.get("healthy"):
            faults.append(f"{name} is not healthy: {member.get('error') or 'no answer'}")
        faults += [f"{name} raised alarm {alarm}" for alarm in member.get("alarms") or []]
    leaders = {member.get("name") for member in members if member.get("leader")}
    if len(leaders) != 1:
        faults.append(f"there are {len(leaders)} leaders instead of one")
    terms = {member.get("raft_term") for member in members if member.get("healthy")}
    if len(terms) > 1:
        faults.append("members disagree about the raft term")
    return faults


def endpoints(observed: dict[str, Object], hosts: t.Sequence[str] = ()) -> Result:
    """Every host reaches the API through its own local endpoint."""
    if not observed:
        return skipped("api-endpoints", "no host was asked for its local endpoint")
    faults = [f"{host}: not probed" for host in sorted(set(hosts) - set(observed))]
    faults += endpoint_faults(observed)
    return verdict("api-endpoints", faults, f"{len(observed)} node-local endpoints answer")


def endpoint_faults(observed: dict[str, Object]) -> list[str]:
    return [
        f"{host}: {probe.get('url')} {probe.get('error') or 'did not answer'}"
        for host, probe in sorted(observed.items())
        if not probe.get("answered")
    ]


def failover(expected: Expectation, disruptive: bool, observed: list[Object]) -> Result:
    """With any one API server hanging, every local endpoint still answers."""
    name = "api-failover"
    control_planes = [node.name for node in expected.control_planes]
    if len(control_planes) < 2:
        return skipped(name, "there is one control plane, the API is gone when it is")
    if not disruptive:
        return skipped(name, "it makes each API server hang for some seconds, allow it with verify_disruptive: true")
    faults = []
    slowest = 0.0
    tried = {entry["control_plane"]: entry for entry in observed}
    faults += [f"{host} was not made to hang" for host in control_planes if host not in tried]
    for host, entry in tried.items():
        if not entry.get("resumed", {}).get("was_paused"):
            faults.append(f"with {host} hanging: its API server did not stay stopped, so nothing is proven")
        probes = entry.get("endpoints") or {}
        if not probes:
            faults.append(f"with {host} hanging: no endpoint was probed")
        faults += [f"with {host} hanging: {fault}" for fault in endpoint_faults(probes)]
        slowest = max([slowest, *(float(probe.get("seconds") or 0) for probe in probes.values())])
    return verdict(
        name,
        faults,
        f"every local endpoint answers with any one of {len(control_planes)} API servers hanging, "
        f"steadily after {slowest:.1f} s at most",
    )
