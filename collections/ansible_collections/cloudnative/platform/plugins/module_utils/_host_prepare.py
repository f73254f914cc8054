# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a host needs before services run on it, decided from what was observed; nothing here touches the host."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.cloudnative.platform.plugins.module_utils._host_baseline import (
    BASELINE_FILE,
    CHANGED_BY_OTHERS,
    MOUNTED_BY_OTHERS,
    Baseline,
)

MODULES_FILE = "/etc/modules-load.d/cloudnative.conf"
SYSCTL_FILE = "/etc/sysctl.d/90-cloudnative.conf"
HOSTS_FILE = "/etc/hosts"
HOSTNAME_FILE = "/etc/hostname"
FSTAB_FILE = "/etc/fstab"
RSHARED_UNIT = "cloudnative-rshared.service"
RSHARED_FILE = f"/etc/systemd/system/{RSHARED_UNIT}"

HEADER = "# Managed by Ansible (cloudnative.platform.host_prepare); changes are overwritten.\n"
BLOCK_BEGIN = "# BEGIN cloudnative.platform"
BLOCK_END = "# END cloudnative.platform"
FSTAB_MARK = "# swap is off for Kubernetes (cloudnative.platform): "
RSHARED_CONTENT = """\
# Managed by Ansible (cloudnative.platform.host_prepare); changes are overwritten.
[Unit]
Description=Let mounts propagate between this host and its containers
DefaultDependencies=no
After=systemd-remount-fs.service
Before=local-fs.target containerd.service kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount --make-rshared /

[Install]
WantedBy=local-fs.target
"""


@dataclass(frozen=True)
class Feature:
    """What a kernel module is for, and how its feature shows in a kernel that has it built in."""

    purpose: str
    paths: tuple[str, ...] = ()
    config: str = ""


FEATURES = {
    "br_netfilter": Feature(
        "firewall rules for bridged pod traffic",
        ("/proc/sys/net/bridge/bridge-nf-call-iptables",),
        "CONFIG_BRIDGE_NETFILTER",
    ),
    "ip_set": Feature("address sets of network policies", (), "CONFIG_IP_SET"),
    "ip_tables": Feature("iptables rules", ("/proc/net/ip_tables_names",), "CONFIG_IP_NF_IPTABLES"),
    "ip_vs": Feature("kube-proxy in ipvs mode", ("/proc/net/ip_vs",), "CONFIG_IP_VS"),
    "nf_conntrack": Feature(
        "connection tracking of Services", ("/proc/sys/net/netfilter/nf_conntrack_max",), "CONFIG_NF_CONNTRACK"
    ),
    "nf_tables": Feature("kube-proxy in nftables mode", (), "CONFIG_NF_TABLES"),
    "overlay": Feature("the file system of containers", (), "CONFIG_OVERLAY_FS"),
    "vxlan": Feature("the pod network between hosts", (), "CONFIG_VXLAN"),
    "wireguard": Feature("encrypted pod traffic between hosts", (), "CONFIG_WIREGUARD"),
}


@dataclass(frozen=True)
class ModuleState:
    present: bool = False  # loaded, or built into the kernel
    loadable: bool = False  # modprobe finds it


@dataclass(frozen=True)
class Wishes:
    hostname: str | None = None
    modules: tuple[str, ...] = ()
    optional_modules: tuple[str, ...] = ()
    sysctls: t.Mapping[str, str] | None = None
    swap_enabled: bool | None = None
    hosts_entries: t.Mapping[str, t.Sequence[str]] | None = None
    mounts_shared: bool = False


@dataclass(frozen=True)
class HostState:
    hostname: str = ""
    container: bool = False
    modules: t.Mapping[str, ModuleState] = field(default_factory=dict)
    sysctls: t.Mapping[str, str | None] = field(default_factory=dict)  # None: the kernel has no such key
    swaps: tuple[str, ...] = ()
    root_shared: bool = True
    files: t.Mapping[str, str | None] = field(default_factory=dict)  # text, None where there is no file
    rshared_enabled: bool = False
    mounts: t.Collection[str] = MOUNTED_BY_OTHERS
    packages_interrupted: bool = False
    baseline: Baseline = field(default_factory=Baseline)


@dataclass(frozen=True)
class Step:
    # packages, baseline, file, remove, hostname, module, sysctl, swapoff, swapon, unmount, rshared, rprivate,
    # enable-rshared
    kind: str
    target: str
    text: str
    value: str = ""


@dataclass
class Plan:
    steps: list[Step] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def file(self, path: str, content: str, state: HostState) -> None:
        if state.files.get(path) != content:
            verb = "create" if state.files.get(path) is None else "change"
            self.steps.append(Step("file", path, f"{verb} {path}", content))

    def remove(self, path: str, state: HostState) -> None:
        if state.files.get(path) is not None:
            self.steps.append(Step("remove", path, f"remove {path}"))


def plan(wishes: Wishes, state: HostState) -> Plan:
    """Pure: steps in order, problems that forbid them, and warnings."""
    result = Plan()
    if state.packages_interrupted:
        # apt refuses everything else until this was done.
        result.steps.append(Step("packages", "", "finish the installation of packages that was interrupted"))
    _plan_hostname(wishes, state, result)
    _plan_modules(wishes, state, result)
    _plan_sysctls(wishes, state, result)
    if wishes.swap_enabled is False:
        _plan_swap(state, result)
    if wishes.hosts_entries is not None:
        _plan_hosts(wishes.hosts_entries, state, result)
    if wishes.mounts_shared:
        _plan_rshared(state, result)
    _plan_baseline(wishes, state, result)
    return result


def _plan_baseline(wishes: Wishes, state: HostState, result: Plan) -> None:
    """Before anything changes, note what was there; when something was given back, forget it."""
    kept = noted(wishes, result.steps, state)
    first = state.baseline == Baseline() and state.files.get(SYSCTL_FILE) is None
    if first and result.steps:
        current = {key: state.sysctls.get(key) for key in CHANGED_BY_OTHERS}
        kept = replace(
            kept,
            others={key: value for key, value in current.items() if value is not None},
            unmounted=tuple(path for path in MOUNTED_BY_OTHERS if path not in state.mounts),
        )
    if kept != state.baseline:
        text = f"note in {BASELINE_FILE} what is there before it changes"
        result.steps.insert(0, Step("baseline", BASELINE_FILE, text, kept.render()))
    given_back = set(kept.sysctls) - set(wishes.sysctls) if wishes.sysctls is not None else set()
    if given_back:
        text = f"forget in {BASELINE_FILE} what was given back"
        result.steps.append(Step("baseline", BASELINE_FILE, text, kept.without_sysctls(given_back).render()))


def noted(wishes: Wishes, steps: t.Iterable[Step], state: HostState) -> Baseline:
    """Pure: the record with what is about to become ours.

    A parameter is noted when it is set for the first time, also where it has the right value already: what somebody
    makes of it later is drift, not what the host had.
    """
    ours = keys_of(state.files.get(SYSCTL_FILE))
    found = {key: state.sysctls.get(key) for key in wishes.sysctls or {} if key not in ours}
    baseline = state.baseline.with_sysctls({key: value for key, value in found.items() if value is not None})
    for step in steps:
        if (step.kind == "hostname" or step.target == HOSTNAME_FILE) and baseline.hostname is None:
            baseline = replace(baseline, hostname=state.hostname, hostname_file=state.files.get(HOSTNAME_FILE))
        elif step.kind == "swapoff" and not baseline.swaps:
            baseline = replace(baseline, swaps=state.swaps)
        elif step.kind == "rshared" and baseline.root_shared is None:
            baseline = replace(baseline, root_shared=False)
    return baseline


def _plan_hostname(wishes: Wishes, state: HostState, result: Plan) -> None:
    if not wishes.hostname:
        return
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*", wishes.hostname):
        result.problems.append(f'"{wishes.hostname}" is not a host name; use lower case letters, digits, "-" and "."')
        return
    result.file(HOSTNAME_FILE, f"{wishes.hostname}\n", state)
    if state.hostname != wishes.hostname:
        text = f"rename the host from {state.hostname} to {wishes.hostname}"
        result.steps.append(Step("hostname", wishes.hostname, text, wishes.hostname))


def _plan_modules(wishes: Wishes, state: HostState, result: Plan) -> None:
    persistent = []
    for name in (*wishes.modules, *wishes.optional_modules):
        module = state.modules.get(name, ModuleState())
        if module.loadable:
            persistent.append(name)
        if not module.present and module.loadable:
            result.steps.append(Step("module", name, f"load kernel module {name}{_for(name)}"))
        if not module.present and not module.loadable and name in wishes.modules:
            result.problems.append(
                f"kernel module {name}{_for(name)} is neither loaded, built in nor installed; "
                "install the kernel's module package, or boot a kernel that has it"
            )
    # A kernel without loadable modules has nothing to load at boot; a name there would only fail.
    if persistent:
        result.file(MODULES_FILE, HEADER + "".join(f"{name}\n" for name in persistent), state)
    else:
        result.remove(MODULES_FILE, state)


def _for(module: str) -> str:
    feature = FEATURES.get(module)
    return f" (for {feature.purpose})" if feature else ""


def sysctl_path(key: str) -> str:
    """net.ipv4.conf.eth0/1.forwarding: a slash stands for a dot in a name, as sysctl has it."""
    return "/proc/sys/" + key.translate(str.maketrans("./", "/."))


def is_optional_sysctl(key: str) -> bool:
    """Bridged traffic reaches the firewall only where the kernel has that; elsewhere there is nothing to set."""
    return key.startswith("net.bridge.")


def same_value(one: str, other: str) -> bool:
    return one.split() == other.split()


def _plan_sysctls(wishes: Wishes, state: HostState, result: Plan) -> None:
    if wishes.sysctls is None:
        return
    loading = any(step.kind == "module" for step in result.steps)
    for key, value in sorted(wishes.sysctls.items()):
        current = state.sysctls.get(key)
        if current is None:
            if is_optional_sysctl(key):
                # A module that is about to be loaded brings the key with it.
                if loading:
                    result.steps.append(Step("sysctl", key, f"set {key} = {value}", value))
            else:
                result.problems.append(f"sysctl {key} does not exist in this kernel; leave it out of the sysctls")
        elif not same_value(current, value):
            result.steps.append(Step("sysctl", key, f"set {key} = {value} (it is {current})", value))
    # The dash: a key that is missing at boot is no error of systemd-sysctl.
    lines = [f"{'-' if is_optional_sysctl(key) else ''}{key} = {value}\n" for key, value in wishes.sysctls.items()]
    if lines:
        result.file(SYSCTL_FILE, HEADER + "".join(sorted(lines)), state)
    else:
        result.remove(SYSCTL_FILE, state)
    result.steps += give_back_sysctls(state, wishes.sysctls)
    for key in sorted(keys_of(state.files.get(SYSCTL_FILE)) - set(wishes.sysctls) - set(state.baseline.sysctls)):
        result.warnings.append(f"sysctl {key} was taken out; what it was before is not known, it stays until reboot")
    result.warnings.extend(overridden_at_boot(wishes.sysctls, state.files))


def give_back_sysctls(state: HostState, wanted: t.Container[str] | None = None) -> list[Step]:
    """Pure: parameters that were changed and are not wanted any more get the value that they had.

    Without `wanted` nothing is wanted any more, and what others changed is given back, too.
    """
    steps = []
    changed = {**state.baseline.others, **state.baseline.sysctls} if wanted is None else state.baseline.sysctls
    for key, before in sorted(changed.items()):
        current = state.sysctls.get(key)
        if key not in (wanted or ()) and current is not None and not same_value(current, before):
            steps.append(Step("sysctl", key, f"set {key} = {before}, as it was before (it is {current})", before))
    return steps


def keys_of(text: str | None) -> set[str]:
    """Pure: parameters that a file of sysctl.d sets."""
    lines = [line.strip() for line in (text or "").splitlines()]
    return {line.partition("=")[0].strip().lstrip("-") for line in lines if "=" in line and line[0] not in "#;"}


def overridden_at_boot(sysctls: t.Mapping[str, str], files: t.Mapping[str, str | None]) -> list[str]:
    """Files that are read after ours and set something else."""
    found = []
    for path, text in sorted(files.items()):
        name = path.rpartition("/")[2]
        if not path.startswith("/etc/sysctl.d/") or name <= SYSCTL_FILE.rpartition("/")[2]:
            continue
        for line in (text or "").splitlines():
            key, equals, value = line.partition("=")
            key = key.strip().lstrip("-")
            if equals and not key.startswith(("#", ";")) and key in sysctls and not same_value(value, sysctls[key]):
                found.append(f"{path} sets {key} = {value.strip()} at boot, over {sysctls[key]}; remove that line")
    return found


def _plan_swap(state: HostState, result: Plan) -> None:
    if state.swaps and state.container:
        names = ", ".join(state.swaps)
        result.warnings.append(f"swap on {names} belongs to the machine below this container; it stays on")
    elif state.swaps:
        result.steps.append(Step("swapoff", "", f"turn off swap on {', '.join(state.swaps)}"))
    fstab = state.files.get(FSTAB_FILE)
    if fstab is not None:
        result.file(FSTAB_FILE, without_swap(fstab), state)


def without_swap(fstab: str) -> str:
    """Pure: the table with its swap lines commented out."""
    lines = []
    for line in fstab.splitlines(keepends=True):
        fields = line.split()
        if len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap":
            line = FSTAB_MARK + line
        lines.append(line)
    return "".join(lines)


def _plan_hosts(entries: t.Mapping[str, t.Sequence[str]], state: HostState, result: Plan) -> None:
    for name, addresses in entries.items():
        for address in addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                result.problems.append(f'"{address}" of host name {name} is not an IP address')
    if result.problems:
        return
    current = state.files.get(HOSTS_FILE) or ""
    result.file(HOSTS_FILE, with_block(current, entries), state)
    for line in without_block(current).splitlines():
        fields = line.partition("#")[0].split()
        for name in fields[1:]:
            if name in entries and fields[0] not in entries[name]:
                result.warnings.append(f"{HOSTS_FILE} also maps {name} to {fields[0]}; that line wins, remove it")


def without_block(text: str) -> str:
    pattern = rf"^{re.escape(BLOCK_BEGIN)}$.*?^{re.escape(BLOCK_END)}$\n?"
    return re.sub(pattern, "", text, flags=re.MULTILINE | re.DOTALL)


def with_block(text: str, entries: t.Mapping[str, t.Sequence[str]]) -> str:
    """Pure: the hosts file with our block at its end, or where it was."""
    lines = [f"{address} {name}\n" for name, addresses in entries.items() for address in addresses]
    block = "".join([f"{BLOCK_BEGIN}\n", *lines, f"{BLOCK_END}\n"]) if lines else ""
    rest = without_block(text)
    if rest == text:
        return (text if not text or text.endswith("\n") else text + "\n") + block
    return rest[: text.index(BLOCK_BEGIN)] + block + rest[text.index(BLOCK_BEGIN) :]


def _plan_rshared(state: HostState, result: Plan) -> None:
    ours = state.files.get(RSHARED_FILE) is not None
    # systemd shares / itself; only where something else started the host (a container) is our unit needed.
    if state.root_shared and not ours:
        return
    result.file(RSHARED_FILE, RSHARED_CONTENT, state)
    if not state.rshared_enabled:
        result.steps.append(Step("enable-rshared", RSHARED_UNIT, f"enable {RSHARED_UNIT}"))
    if not state.root_shared:
        result.steps.append(Step("rshared", "/", "let mounts below / propagate to containers (mount --make-rshared /)"))
