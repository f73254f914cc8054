# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a lab should be, what it is, and the steps between the two. Pure functions: nothing here touches the machine."""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t
from dataclasses import dataclass, field

LABEL = "cloudnative.platform/lab"
LABEL_ADDRESS = "cloudnative.platform/address"
# The network carries the value that was in force before the lab raised it: no state file can get lost.
LABEL_INOTIFY = "cloudnative.platform/inotify-before"

# Overlay on overlay does not work, and etcd wants a real file system: what hosts write most lives on volumes.
VOLUMES = ("containerd", "kubelet", "etcd", "registry")

# One limit for the whole machine; every systemd, kubelet and containerd takes some.
INOTIFY_INSTANCES = 8192

FIRST_ADDRESS = 11

_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")
_GROUP = re.compile(r"^[a-z_][a-z0-9_]*$")


class LabError(Exception):
    """What is wrong, with the value and what would be right."""


@dataclass(frozen=True)
class Host:
    name: str
    groups: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class Lab:
    name: str
    subnet: str
    image: str
    hosts: tuple[Host, ...]
    inventory_path: str
    key_path: str
    group_vars: dict[str, t.Any]

    def container(self, host: str) -> str:
        return f"{self.name}-{host}"

    def volume(self, host: str, volume: str) -> str:
        return f"{self.name}-{host}-{volume}"

    @property
    def gateway(self) -> str:
        return str(ipaddress.ip_network(self.subnet)[1])

    @property
    def known_hosts_path(self) -> str:
        return self.key_path.rsplit("/", 1)[0] + "/known_hosts"

    @property
    def control_path(self) -> str:
        """Where ssh keeps its shared connections: the lab's own, so that none outlives the host it leads to."""
        return self.key_path.rsplit("/", 1)[0] + "/cp"


@dataclass(frozen=True)
class SeenHost:
    """A container of the lab as podman and the host itself describe it."""

    address: str
    running: bool
    # A container that never ran: the run that made it was cut short.
    unfinished: bool = False
    systemd: str = ""
    authorized: str = ""
    host_key: str = ""
    ssh: bool = False


@dataclass(frozen=True)
class Seen:
    image: bool = False
    archive: bool = False
    network: str | None = None
    volumes: frozenset[str] = frozenset()
    hosts: dict[str, SeenHost] = field(default_factory=dict)
    public_key: str = ""
    inotify: int = 0
    inotify_before: int = 0
    other_labs: bool = False
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Action:
    kind: str
    target: str
    text: str


def address_hosts(specs: list[dict[str, t.Any]], subnet: str, seen: dict[str, str]) -> list[Host]:
    """Gives every host an address: the one asked for, else the one it has, else the lowest free one."""
    net = ipaddress.ip_network(subnet)
    fixed = {spec["name"]: spec.get("address") or seen.get(spec["name"], "") for spec in specs}
    taken = {address for address in fixed.values() if address}
    free = (str(net[n]) for n in range(FIRST_ADDRESS, net.num_addresses - 1) if str(net[n]) not in taken)
    hosts = []
    for spec in specs:
        address = fixed[spec["name"]] or next(free, "")
        if not address:
            raise LabError(f"subnet {subnet} has no free address for host {spec['name']}: use a larger subnet")
        hosts.append(Host(spec["name"], tuple(spec.get("groups") or ()), address))
    return hosts


def check_lab(name: str, subnet: str, specs: list[dict[str, t.Any]]) -> None:
    """Refuses what cannot work, before anything is touched."""
    if not _NAME.match(name):
        raise LabError(f"lab name {name!r} is not valid: use lower-case letters, digits and dashes, e.g. 'lab'")
    try:
        net = ipaddress.ip_network(subnet)
    except ValueError as exc:
        raise LabError(f"subnet {subnet!r} is not valid ({exc}): give a network address, e.g. '10.99.0.0/24'") from exc
    if net.version != 4 or net.prefixlen > 27:
        raise LabError(f"subnet {subnet} does not fit: an IPv4 network of /27 or larger is needed, e.g. '10.99.0.0/24'")
    names: set[str] = set()
    addresses: set[str] = set()
    for spec in specs:
        host = spec["name"]
        if not _NAME.match(host):
            raise LabError(
                f"host name {host!r} is not valid: use lower-case letters, digits and dashes, e.g. 'worker1'"
            )
        if host in names:
            raise LabError(f"host name {host!r} appears twice: every host needs its own name")
        names.add(host)
        for group in spec.get("groups") or ():
            if not _GROUP.match(group):
                raise LabError(f"group {group!r} of host {host} is not valid: use letters, digits and underscores")
        address = spec.get("address")
        if not address:
            continue
        try:
            inside = ipaddress.ip_address(address) in net
        except ValueError as exc:
            raise LabError(f"address {address!r} of host {host} is not valid: {exc}") from exc
        if not inside:
            raise LabError(f"address {address} of host {host} is outside the lab's subnet {subnet}")
        if address in addresses:
            raise LabError(f"address {address} of host {host} is taken by another host of the lab")
        addresses.add(address)


def render_files(lab: Lab, to_yaml: t.Callable[[t.Any], str]) -> dict[str, str]:
    """The inventory directory: path -> content."""
    groups: dict[str, list[Host]] = {}
    for host in lab.hosts:
        for group in host.groups:
            groups.setdefault(group, []).append(host)
    width = max((len(host.name) for host in lab.hosts), default=0)
    lines = [f"# Hosts of the lab {lab.name}; written by cloudnative.platform.lab_hosts, changes are overwritten."]
    lines += [f"{host.name:<{width}} ansible_host={host.address}" for host in lab.hosts]
    for group, members in groups.items():
        lines += ["", f"[{group}]", *(host.name for host in members)]
    connection = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": lab.key_path,
        "ansible_control_path_dir": lab.control_path,
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={lab.known_hosts_path} -o StrictHostKeyChecking=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    return {
        f"{lab.inventory_path}/hosts.ini": "\n".join(lines) + "\n",
        f"{lab.inventory_path}/group_vars/all/lab.yml": "---\n" + to_yaml({**connection, **lab.group_vars}),
    }


def render_known_hosts(hosts: t.Iterable[tuple[str, str]]) -> str:
    """(address, public host key) -> a known_hosts file."""
    return "".join(f"{address} {' '.join(key.split()[:2])}\n" for address, key in sorted(hosts))


def foresee_known_hosts(lab: Lab, seen: Seen) -> dict[str, str]:
    """The known_hosts file, when every host exists; a new host's key is only known once it has booted."""
    keys = [(host.address, seen.hosts[host.name].host_key) for host in lab.hosts if host.name in seen.hosts]
    if len(keys) < len(lab.hosts) or not all(key for _address, key in keys):
        return {}
    return {lab.known_hosts_path: render_known_hosts(keys)}


def plan_present(lab: Lab, seen: Seen, files: dict[str, str]) -> list[Action]:
    """The steps from what is there to the lab that is wanted, in the order they are done."""
    actions = []
    wanted = {host.name: host for host in lab.hosts}
    there = {name: host for name, host in seen.hosts.items() if not host.unfinished}
    if seen.network is not None and seen.network != lab.subnet:
        raise LabError(
            f"lab {lab.name} runs on subnet {seen.network}, not {lab.subnet}: remove the lab first (state absent)"
        )
    for name, host in wanted.items():
        if name in there and there[name].address != host.address:
            has = there[name].address
            raise LabError(f"host {name} has address {has}, not {host.address}: remove the lab first (state absent)")

    if not seen.public_key:
        actions.append(Action("create_key", lab.key_path, f"create ssh key {lab.key_path}"))
    new = [name for name in wanted if name not in there]
    if new and not seen.image:
        if not seen.archive:
            actions.append(Action("build_image", lab.image, f"build image {lab.image}"))
        actions.append(Action("import_image", lab.image, f"import image {lab.image}"))
    # First the network: it keeps the value of the limit that is raised next.
    if seen.network is None:
        actions.append(Action("create_network", lab.name, f"create network {lab.name} ({lab.subnet})"))
    if seen.inotify < INOTIFY_INSTANCES:
        text = f"raise fs.inotify.max_user_instances from {seen.inotify} to {INOTIFY_INSTANCES}"
        actions.append(Action("raise_inotify", str(INOTIFY_INSTANCES), text))

    for name in sorted(set(seen.hosts) - (set(wanted) & set(there))):
        actions.append(Action("remove_host", name, f"remove host {name} and its volumes"))
    # A volume whose host is gone holds another host's life: a new host starts without it.
    kept = {lab.volume(name, volume) for name in seen.hosts for volume in VOLUMES}
    for volume in sorted(seen.volumes - kept):
        actions.append(Action("remove_volume", volume, f"remove volume {volume}, whose host is gone"))
    for name in new:
        actions.append(Action("create_host", name, f"create host {name} ({wanted[name].address})"))
    for name in sorted(set(wanted) & set(there)):
        now = there[name]
        if not now.running:
            actions.append(Action("start_host", name, f"start host {name}"))
        # Which key a stopped host accepts cannot be read; it is looked at again once the host runs.
        if not seen.public_key or (now.running and now.authorized != seen.public_key):
            actions.append(Action("authorize", name, f"authorize the lab's ssh key on host {name}"))
    for path, content in files.items():
        if seen.files.get(path) != content:
            verb = "update" if path in seen.files else "write"
            actions.append(Action("write_file", path, f"{verb} {path}"))
    return actions


def plan_absent(lab: Lab, seen: Seen, files: t.Iterable[str], remove_image: bool) -> list[Action]:
    """The steps to nothing: exactly what a lab of this name made."""
    actions = [Action("remove_host", name, f"remove host {name} and its volumes") for name in sorted(seen.hosts)]
    kept = {lab.volume(name, volume) for name in seen.hosts for volume in VOLUMES}
    for volume in sorted(seen.volumes - kept):
        actions.append(Action("remove_volume", volume, f"remove volume {volume}, whose host is gone"))
    if seen.network is not None:
        actions.append(Action("remove_network", lab.name, f"remove network {lab.name} ({seen.network})"))
    if seen.inotify_before and seen.inotify != seen.inotify_before and not seen.other_labs:
        text = f"set fs.inotify.max_user_instances back from {seen.inotify} to {seen.inotify_before}"
        actions.append(Action("restore_inotify", str(seen.inotify_before), text))
    for path in files:
        if path in seen.files:
            actions.append(Action("remove_file", path, f"remove {path}"))
    if seen.public_key:
        actions.append(Action("remove_key", lab.key_path, f"remove ssh key {lab.key_path}"))
    if remove_image and seen.image:
        actions.append(Action("remove_image", lab.image, f"remove image {lab.image}"))
    if remove_image and seen.archive:
        actions.append(Action("remove_archive", lab.image, f"remove the cached archive of image {lab.image}"))
    return actions


def describe(lab: Lab, seen: Seen, texts: t.Iterable[str]) -> dict[str, t.Any]:
    """One side of a diff: the lab as a person would write it down."""
    return {
        "network": seen.network,
        "image": lab.image if seen.image else None,
        "inotify_max_user_instances": seen.inotify,
        "hosts": {
            name: {"address": host.address, "running": host.running} for name, host in sorted(seen.hosts.items())
        },
        "files": {path: seen.files[path] for path in texts if path in seen.files},
    }


def foresee(lab: Lab, before: dict[str, t.Any], actions: list[Action], files: dict[str, str]) -> dict[str, t.Any]:
    """The other side of a diff: what `describe` says after the actions."""
    after = json.loads(json.dumps(before))
    addresses = {host.name: host.address for host in lab.hosts}
    for action in actions:
        if action.kind == "create_network":
            after["network"] = lab.subnet
        elif action.kind == "remove_network":
            after["network"] = None
        elif action.kind == "import_image":
            after["image"] = lab.image
        elif action.kind == "remove_image":
            after["image"] = None
        elif action.kind in ("raise_inotify", "restore_inotify"):
            after["inotify_max_user_instances"] = int(action.target)
        elif action.kind in ("create_host", "start_host"):
            after["hosts"][action.target] = {"address": addresses[action.target], "running": True}
        elif action.kind == "remove_host":
            del after["hosts"][action.target]
        elif action.kind == "write_file":
            after["files"][action.target] = files[action.target]
        elif action.kind == "remove_file":
            after["files"].pop(action.target, None)
    return after
