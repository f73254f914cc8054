"""Which kill comes when: a pure function of a seed, so that each one can be repeated alone."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, replace

#: name → (host, groups)
TOPOLOGIES: dict[str, tuple[tuple[str, str], ...]] = {
    "small": (("registry1", "registry"), ("cp1", "kube_control_plane"), ("worker1", "kube_node")),
    "ha": (
        ("registry1", "registry"),
        ("cp1", "kube_control_plane"),
        ("cp2", "kube_control_plane"),
        ("cp3", "kube_control_plane"),
        ("worker1", "kube_node"),
    ),
}

#: two reconciles are as dear as one installation
PHASES = ("install", "reconcile", "reconcile", "install", "reconcile")

#: what is killed, or made to fail, in each phase; cards of a deck, so that each one comes up before one comes twice
VICTIMS = {
    "install": ("ansible", "host", "containerd", "registry", "disk", "registry-500"),
    "reconcile": ("ansible", "host", "containerd", "registry", "registry-500"),
}

#: how long each phase takes before one was measured, in seconds
EXPECTED = {
    ("small", "install"): 70.0,
    ("ha", "install"): 130.0,
    ("small", "reconcile"): 20.0,
    ("ha", "reconcile"): 35.0,
}


@dataclass(frozen=True)
class Change:
    """A setting that differs from the installation's, and how one sees on a host that it is in force."""

    name: str
    variables: t.Mapping[str, t.Any]
    group: str
    #: exits 0 where it is in force
    proof: str


def _flag(name: str, value: str) -> str:
    return f"tr '\\0' '\\n' </proc/$(pgrep -x kube-apiserver)/cmdline | grep -qxe --{name}={value}"


def _started_after(unit: str, path: str) -> str:
    started = f'date --date "$(systemctl show --property=ActiveEnterTimestamp --value {unit})" +%s'
    return f'[ "$(stat --format=%Y {path})" -le "$({started})" ]'


_CONTAINERD = "/etc/containerd/config.toml"
_KUBELET = "/var/lib/kubelet/config.yaml"

# The kubelet settings of the lab, which a change of one of them must repeat.
_LAB_KUBELET = {
    "evictionHard": {
        "memory.available": "100Mi",
        "nodefs.available": "0%",
        "nodefs.inodesFree": "0%",
        "imagefs.available": "0%",
        "imagefs.inodesFree": "0%",
    },
    "imageGCHighThresholdPercent": 100,
}

CHANGES = (
    Change(
        "containerd-log",
        {"containerd_log_level": "warn"},
        "kube",
        f"grep -q 'level = .warn.' {_CONTAINERD} && {_started_after('containerd', _CONTAINERD)}",
    ),
    Change(
        "containerd-downloads",
        {"containerd_max_concurrent_downloads": 5},
        "kube",
        f"grep -q 'max_concurrent_downloads = 5' {_CONTAINERD} && {_started_after('containerd', _CONTAINERD)}",
    ),
    Change(
        "sysctl",
        {"host_sysctls": {"net.ipv4.ip_forward": "1", "net.ipv4.tcp_keepalive_time": "600"}},
        "all",
        '[ "$(cat /proc/sys/net/ipv4/tcp_keepalive_time)" = 600 ]',
    ),
    Change(
        "registry-name",
        {"registry_names": ["registry.example.com"]},
        "registry",
        "openssl s_client -connect 127.0.0.1:5000 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName | "
        "grep -q registry.example.com",
    ),
    Change(
        "apiserver-flag",
        {"kubernetes_apiserver_extra_args": {"event-ttl": "2h0m0s"}},
        "kube_control_plane",
        _flag("event-ttl", "2h0m0s"),
    ),
    Change(
        "apiserver-profiling",
        {"kubernetes_apiserver_extra_args": {"profiling": "true"}},
        "kube_control_plane",
        _flag("profiling", "true"),
    ),
    Change(
        "kubelet-pods",
        {"kubernetes_kubelet_config": {**_LAB_KUBELET, "maxPods": 90}},
        "kube",
        f"grep -q 'maxPods.*90' {_KUBELET} && {_started_after('kubelet', _KUBELET)}",
    ),
)


@dataclass(frozen=True)
class Disk:
    """A directory that is a file system of its own, too small, while the hosts are made a cluster."""

    directory: str
    group: str
    #: MiB: less than what comes, so that it fills up while it is written to
    sizes: tuple[int, int]
    #: what the run that fails must say
    says: str


DISKS = (
    Disk("/usr/local/bin", "kube", (20, 300), r"/usr/local/bin (needs \d+ MiB|is full \(\d+ MiB free)"),
    # On a control plane kubeadm pulls, and says why it can't; on a worker the kubelet does, later.
    Disk(
        "/var/lib/containerd",
        "kube_control_plane",
        (30, 250),
        r"/var/lib/containerd\S*: no space left on device",
    ),
    Disk("/var/lib/registry", "registry", (50, 500), r"https://\S+:5443 is full .*MiB are still to come"),
)


@dataclass(frozen=True)
class Kill:
    """One kill: in which phase of which hosts, of what, and when."""

    number: int
    topology: str
    phase: str
    victim: str
    host: str
    #: share of the time that the phase takes
    moment: float
    change: str = ""
    disk: str = ""
    #: MiB of the disk, or seconds that the registry fails; 0: until the run ends
    amount: int = 0

    def __str__(self) -> str:
        where = self.disk and f" {self.disk} ({self.amount} MiB)"
        what = self.change and f" of {self.change}"
        return f"{self.number}: {self.phase}{what} of {self.topology}, {self.victim}{where} on {self.host}"


def hosts_of(topology: str, group: str) -> list[str]:
    """Names of the hosts in a group; `kube` is all nodes, `all` is all."""
    groups = {"kube": ("kube_control_plane", "kube_node"), "all": ("registry", "kube_control_plane", "kube_node")}
    wanted = groups.get(group, (group,))
    return [name for name, member_of in TOPOLOGIES[topology] if member_of in wanted]


def schedule(seed: str, kills: int, changes: t.Sequence[str] = ()) -> list[Kill]:
    """The kills of a seed. More kills begin with the same ones; `changes` limits what reconciles change."""
    cards = random.Random(f"{seed}/deck")
    decks: dict[str, list[str]] = {phase: [] for phase in VICTIMS}
    result: list[Kill] = []
    topology = "small"
    for number in range(1, kills + 1):
        dice = random.Random(f"{seed}/{number}")
        phase = PHASES[(number - 1) % len(PHASES)]
        if not decks[phase]:
            decks[phase] = cards.sample(VICTIMS[phase], len(VICTIMS[phase]))
        victim = decks[phase].pop()
        if phase == "install":
            topology = dice.choice(("small", "small", "ha"))
        result.append(_kill(dice, number, topology, phase, victim, changes))
    return result


def _kill(dice: random.Random, number: int, topology: str, phase: str, victim: str, changes: t.Sequence[str]) -> Kill:
    group = {"ansible": "all", "host": "all", "containerd": "kube"}.get(victim, "registry")
    kill = Kill(
        number=number,
        topology=topology,
        phase=phase,
        victim=victim,
        host=dice.choice(hosts_of(topology, group)) if victim != "ansible" else "the controller",
        moment=round(dice.uniform(0.02, 0.98), 2),
        change=dice.choice([one.name for one in CHANGES if not changes or one.name in changes])
        if phase == "reconcile"
        else "",
    )
    if victim == "disk":
        disk = dice.choice(DISKS)
        host = dice.choice(hosts_of(topology, disk.group))
        return replace(kill, host=host, disk=disk.directory, amount=dice.randint(*disk.sizes), moment=0)
    if victim == "registry-500":
        return replace(kill, amount=dice.choice((0, 0, 4)))
    return kill


def family(ancestor: int, parents: t.Mapping[int, int]) -> set[int]:
    """A process with all that come from it; *parents* is process id → that of its parent."""
    found = {ancestor}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more
