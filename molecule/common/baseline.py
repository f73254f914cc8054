"""Prints everything on a host that a platform could leave there, one line each: before and after must be equal."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

# What changes on a host whatever is done to it: kernel, logs, caches of the system, sessions, and Ansible's own.
NOISE = (
    *("/dev", "/proc", "/sys", "/tmp", "/var/tmp", "/root/.ansible", "/var/log/journal", "/run/log/journal"),
    *(
        "/run/systemd",
        "/run/user",
        "/run/utmp",
        "/var/log/wtmp",
        "/var/log/btmp",
        "/var/log/lastlog",
        "/run/dbus",
        "/run/credentials",
    ),
    *("/var/lib/systemd/random-seed", "/var/lib/systemd/linger", "/var/lib/dbus", "/run/sshd", "/run/sshd.pid"),
    *("/var/lib/systemd/timers/stamp-apt-daily.timer", "/var/lib/systemd/timers/stamp-apt-daily-upgrade.timer"),
    *("/var/lib/systemd/timers/stamp-dpkg-db-backup.timer", "/var/lib/systemd/timers/stamp-e2scrub_all.timer"),
    *("/var/lib/systemd/timers/stamp-fstrim.timer", "/var/lib/systemd/timers/stamp-logrotate.timer"),
    *("/var/lib/apt", "/var/cache", "/var/backups", "/run/blkid", "/run/mount", "/run/lock", "/etc/.pwd.lock"),
    # What a database writes is its own; the platform never touches one.
    "/var/lib/postgresql",
    # Made by every use of iptables, and of useradd.
    *(
        "/run/xtables.lock",
        "/etc/passwd-",
        "/etc/group-",
        "/etc/shadow-",
        "/etc/gshadow-",
        "/etc/subuid-",
        "/etc/subgid-",
    ),
)
SYSCTLS = (
    *("fs/inotify/max_user_instances", "fs/inotify/max_user_watches", "kernel/panic*", "kernel/keys/*"),
    *("net/ipv4/ip_forward", "net/ipv4/conf/*/*", "net/ipv6/conf/*/forwarding", "net/ipv6/conf/*/disable_ipv6"),
    *("net/bridge/*", "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_tcp_*"),
    *("vm/overcommit_memory", "vm/panic_on_oom"),
)
PASSING = (
    "session-",
    "user@",
    "user-",
    "run-",
    "systemd-tmpfiles-clean",
    "apt-daily",
    "dpkg-db",
    "e2scrub",
    "fstrim",
    "logrotate",
)


def run(*command):
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def files():
    for top, directories, names in os.walk("/"):
        directories[:] = [name for name in directories if os.path.join(top, name) not in NOISE]
        for name in (*directories, *names):
            path = os.path.join(top, name)
            if path in NOISE:
                continue
            try:
                info = os.lstat(path)
            except FileNotFoundError:
                continue
            text = f"file {path} {info.st_mode:o} {info.st_uid}:{info.st_gid}"
            if path.startswith("/etc/") and os.path.isfile(path) and not os.path.islink(path):
                text += " " + hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:12]
            yield text


def units():
    for line in run("systemctl", "list-unit-files", "--no-legend", "--plain"):
        name, state = line.split()[:2]
        if not name.startswith(PASSING):
            yield f"unit-file {name} {state}"
    for line in run("systemctl", "list-units", "--all", "--no-legend", "--plain"):
        name, load, active, sub = line.split()[:4]
        # Mounts are asked for below; a target that was reached once stays reached; a service that has run to its end is
        # loaded or not as it happens.
        if name.endswith((".mount", ".device", ".target")) or name.startswith(PASSING):
            continue
        if (active, sub) == ("inactive", "dead"):
            continue
        yield f"unit {name} {load} {active} {sub}"


def network():
    for link in json.loads("".join(run("ip", "-json", "address", "show")) or "[]"):
        # The state of an address, and the number of an interface, are of no interest.
        # Link-local ones are made of the hardware address, which a container gets anew when it is started.
        addresses = sorted(
            f"{item['local']}/{item['prefixlen']}" for item in link["addr_info"] if item["scope"] != "link"
        )
        yield f"interface {link['ifname']} mtu {link['mtu']} {' '.join(addresses)}"
    for version in ("-4", "-6"):
        for route in json.loads("".join(run("ip", version, "-json", "route", "show", "table", "all")) or "[]"):
            shown = [str(route.get(key, "")) for key in ("type", "dst", "gateway", "dev", "table")]
            if not shown[1].startswith("fe80:"):
                yield f"route {version} {' '.join(shown)}"
        for rule in run("ip", version, "rule", "show"):
            yield f"rule {version} {rule}"
    for name in sorted(glob.glob("/run/netns/*")):
        yield f"namespace {name}"


def firewall():
    for line in run("nft", "list", "ruleset"):
        yield f"nft {line}"
    for command in ("iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"):
        for line in run(command):
            if line.startswith("-A") or (line.startswith(":") and line.split()[1] != "ACCEPT"):
                yield f"{command} {line}"
    for name in run("ipset", "list", "-name"):
        yield f"ipset {name}"


def kernel():
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        shared = "shared" if any(field.startswith("shared:") for field in fields) else "private"
        if not fields[4].startswith(("/proc/", "/run/user", "/run/credentials")):
            yield f"mount {fields[4]} {line.split(' - ')[1].split()[0]} {shared}"
    for path in sorted(path for pattern in SYSCTLS for path in pathlib.Path("/proc/sys").glob(pattern)):
        if path.is_file() and path.stat().st_mode & 0o400:
            yield f"sysctl {path} {path.read_text().split()}"
    for top in ("/sys/fs/cgroup", *glob.glob("/sys/fs/cgroup/*")):
        for path in (*glob.glob(f"{top}/*.slice"), *glob.glob(f"{top}/system.slice/*.service")):
            if not os.path.basename(path).startswith(("user", *PASSING)):
                yield f"cgroup {path}"


def people():
    for name in ("passwd", "group"):
        for line in pathlib.Path("/etc", name).read_text().splitlines():
            yield f"{name} {line}"


def processes():
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            name = pathlib.Path("/proc", entry, "comm").read_text().strip()
        except OSError:
            continue
        if not name.startswith(("sshd", "python", "sh", "bash", "(sd-pam)", "systemd", "sftp-server", "agetty")):
            yield f"process {name}"


if __name__ == "__main__":
    found = {line for part in (files, units, network, firewall, kernel, people, processes) for line in part()}
    print("\n".join(sorted(found)))
