"""Fifty hosts out of five: what recorded hosts answered, told by more of their kind. Pure.

Every simulated host has a name and an address of its own, and answers as a real one of its role did, with its own
name, address and machine-id in place of that one's.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t
from dataclasses import dataclass

HOSTS = 50
#: where the addresses of simulated hosts begin within the lab's subnet
FIRST_ADDRESS = 101

_MACHINE_ID = re.compile(r'"machine_id": ?"([0-9a-f]{32})"')


@dataclass(frozen=True)
class Simulated:
    name: str
    address: str
    # name of the host that it answers like
    model: str


def hosts(
    control_planes: t.Sequence[str], workers: t.Sequence[str], subnet: str, count: int = HOSTS
) -> list[Simulated]:
    """The recorded control planes, and workers until there are enough: a large cluster grows by workers."""
    network = ipaddress.ip_network(subnet)
    found = [Simulated(name, str(network[FIRST_ADDRESS + place]), name) for place, name in enumerate(control_planes)]
    for place in range(len(found), count):
        model = workers[place % len(workers)]
        found.append(Simulated(f"simulated{place + 1}", str(network[FIRST_ADDRESS + place]), model))
    return found


def retold(answer: str, host: Simulated, model_address: str) -> str:
    """An answer of the model as the simulated host gives it. A control plane answers for itself, word for word."""
    if host.name == host.model:
        return answer
    answer = re.sub(rf"(?<![\w.-]){re.escape(host.model)}(?![\w-])", host.name, answer)
    answer = re.sub(rf"(?<![\d.]){re.escape(model_address)}(?!\d|\.\d)", host.address, answer)
    for machine_id in set(_MACHINE_ID.findall(answer)):
        answer = answer.replace(machine_id, hashlib.sha256(host.name.encode()).hexdigest()[:32])
    return answer


def inventory(simulated: t.Sequence[Simulated], control_planes: t.Collection[str], registry: tuple[str, str]) -> str:
    """hosts.ini with one real host, the registry, and the simulated ones in the groups of their models."""
    lines = [f"{registry[0]} ansible_host={registry[1]}"]
    lines += [f"{host.name} ansible_host={host.address}" for host in simulated]
    lines += ["", "[registry]", registry[0], "", "[kube_control_plane]"]
    lines += [host.name for host in simulated if host.model in control_planes]
    lines += ["", "[kube_node]", *(host.name for host in simulated if host.model not in control_planes)]
    lines += ["", "[simulated:children]", "kube_control_plane", "kube_node"]
    return "\n".join(lines) + "\n"


def known_hosts(simulated: t.Sequence[Simulated], registry_address: str, text: str) -> str:
    """All simulated addresses lead to the registry host, whose key they show."""
    keys = [line.split(" ", 1)[1] for line in text.splitlines() if line.split(" ", 1)[0] == registry_address]
    return text + "".join(f"{host.address} {key}\n" for host in simulated for key in keys)
