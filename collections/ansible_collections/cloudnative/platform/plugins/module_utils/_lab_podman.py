# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The machine's side of a lab: what podman, the hosts and the file system hold, and the one place that changes them."""

from __future__ import annotations

# Hosts are worked on in threads; run_command belongs to a module and to one of them.
# pylint: disable=ansible-bad-function
import concurrent.futures
import dataclasses
import json
import os
import resource
import shutil
import socket
import subprocess
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils import _lab_image
from ansible_collections.cloudnative.platform.plugins.module_utils._lab_plan import (
    LABEL,
    LABEL_ADDRESS,
    LABEL_INOTIFY,
    VOLUMES,
    Action,
    Host,
    Lab,
    LabError,
    Seen,
    SeenHost,
    address_hosts,
    render_known_hosts,
)

_INOTIFY = "/proc/sys/fs/inotify/max_user_instances"
# podman lowers its own process limit to this.
_PID_MAX = "/proc/sys/kernel/pid_max"
_VOLUME_PATHS = {name: f"/var/lib/{name}" for name in VOLUMES}
_COMMAND_TIMEOUT = 120

# On the hybrid layout podman binds the machine's name=systemd hierarchy into every container. Shared, it makes each
# kubelet tear down the pods of the others; unmounted, systemd mounts one of its own inside the cgroup namespace.
_INIT_CGROUP_V1 = "umount /sys/fs/cgroup/systemd/release_agent; umount /sys/fs/cgroup/systemd; exec /sbin/init"

_ASK = "; echo --; ".join(
    ("systemctl is-system-running", "cat /root/.ssh/authorized_keys", "cat /etc/ssh/ssh_host_ed25519_key.pub")
)


class Machine:
    def __init__(self, lab: Lab, recipe: _lab_image.Recipe, cache_path: str, progress: t.Callable[[str], None]) -> None:
        self.lab = lab
        self.recipe = recipe
        self.cache_path = cache_path
        self.progress = progress
        if os.geteuid() != 0:
            raise LabError("lab hosts are privileged containers: run this as root")
        if shutil.which("podman") is None:
            raise LabError("podman is not installed: apt-get install podman")

    # -- reading ------------------------------------------------------------------------------------------------

    def podman(self, *args: str, stdin: str | None = None, timeout: int = _COMMAND_TIMEOUT, check: bool = True) -> str:
        try:
            done = subprocess.run(
                ["podman", *args], input=stdin or "", capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise LabError(f"`podman {' '.join(args)}` did not finish within {timeout} s") from exc
        if check and done.returncode != 0:
            error = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
            raise LabError(f"`podman {' '.join(args)}` failed: {error}")
        return done.stdout

    def address(self, specs: list[dict[str, t.Any]]) -> Lab:
        """The lab with its hosts; a host that exists keeps its address."""
        seen = {name: container["Labels"].get(LABEL_ADDRESS, "") for name, container in self._containers().items()}
        self.lab = dataclasses.replace(self.lab, hosts=tuple(address_hosts(specs, self.lab.subnet, seen)))
        return self.lab

    def _containers(self) -> dict[str, dict[str, t.Any]]:
        listed = json.loads(self.podman("ps", "-a", "--filter", f"label={LABEL}={self.lab.name}", "--format", "json"))
        prefix = f"{self.lab.name}-"
        return {container["Names"][0][len(prefix) :]: container for container in listed}

    def see(self, paths: t.Iterable[str]) -> Seen:
        containers = self._containers()
        with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
            hosts = dict(zip(containers, pool.map(self._see_host, containers, containers.values())))
        networks = json.loads(self.podman("network", "ls", "--filter", f"label={LABEL}", "--format", "json"))
        mine = next((network for network in networks if network["name"] == self.lab.name), None)
        if mine and mine.get("labels", {}).get(LABEL) != self.lab.name:
            raise LabError(f"network {self.lab.name} is another lab's: choose another lab name")
        others = [network for network in networks if network is not mine]
        volumes = self.podman("volume", "ls", "-q", "--filter", f"label={LABEL}={self.lab.name}").split()
        inotify = int(_read(_INOTIFY))
        # What one lab raised is restored by the last one, so every lab passes on the first one's value.
        before = {int(network.get("labels", {}).get(LABEL_INOTIFY, 0)) for network in networks} - {0}
        image = subprocess.run(["podman", "image", "exists", self.lab.image], check=False).returncode == 0
        return Seen(
            image=image,
            archive=os.path.exists(self.recipe.archive(self.cache_path)),
            network=mine["subnets"][0]["subnet"] if mine else None,
            volumes=frozenset(volumes),
            hosts=hosts,
            public_key=_read(f"{self.lab.key_path}.pub"),
            inotify=inotify,
            inotify_before=min(before, default=0),
            other_labs=bool(others),
            files={path: _read(path, strip=False) for path in paths if os.path.exists(path)},
        )

    def _see_host(self, name: str, container: dict[str, t.Any]) -> SeenHost:
        state = container["State"]
        running = state == "running"
        answer = ["", "", ""]
        if running:
            out = self.podman("exec", self.lab.container(name), "sh", "-c", _ASK, check=False, timeout=30)
            answer = [part.strip() for part in [*out.split("--\n"), "", ""][:3]]
        return SeenHost(
            address=container["Labels"].get(LABEL_ADDRESS, ""),
            running=running,
            unfinished=state in ("created", "configured", "initialized"),
            systemd=answer[0],
            authorized=answer[1],
            host_key=answer[2],
            ssh=running and _ssh_banner(container["Labels"].get(LABEL_ADDRESS, "")),
        )

    # -- changing -----------------------------------------------------------------------------------------------

    def apply(self, actions: list[Action], files: dict[str, str], mirror: str, seen: Seen) -> None:
        """Does the actions in order; what concerns different hosts is done at the same time."""
        per_host = {"create_host", "start_host", "remove_host"}
        if any(action.kind in per_host for action in actions):
            self._close_connections()
        waiting: list[Action] = []
        for action in actions:
            if action.kind in per_host:
                waiting.append(action)
                continue
            self._apply_hosts(waiting)
            waiting = []
            self.progress(action.text)
            self._apply_one(action, files, mirror, seen)
        self._apply_hosts(waiting)

    def _apply_hosts(self, actions: list[Action]) -> None:
        # Removals first: a new host may take the address of one that goes.
        for kinds in (("remove_host",), ("create_host", "start_host")):
            batch = [action for action in actions if action.kind in kinds]
            with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
                list(pool.map(self._apply_host, batch))

    def _apply_host(self, action: Action) -> None:
        self.progress(action.text)
        if action.kind == "create_host":
            self._create(next(host for host in self.lab.hosts if host.name == action.target))
        elif action.kind == "start_host":
            self.podman("start", self.lab.container(action.target))
        else:
            self.podman("rm", "--force", "--time", "0", self.lab.container(action.target))
            self._remove_volumes(self.lab.volume(action.target, volume) for volume in VOLUMES)

    def _apply_one(self, action: Action, files: dict[str, str], mirror: str, seen: Seen) -> None:
        if action.kind == "create_key":
            self._create_key()
        elif action.kind == "build_image":
            _lab_image.build(self.recipe, mirror, self.cache_path, self.progress)
        elif action.kind == "import_image":
            archive = self.recipe.archive(self.cache_path)
            changes = ("--change", 'CMD ["/sbin/init"]', "--change", "STOPSIGNAL SIGRTMIN+3")
            self.podman("import", "--quiet", *changes, archive, self.lab.image, timeout=600)
        elif action.kind in ("raise_inotify", "restore_inotify"):
            _write(_INOTIFY, action.target)
        elif action.kind == "create_network":
            self._create_network(seen)
        elif action.kind == "remove_network":
            self.podman("network", "rm", "--force", self.lab.name)
        elif action.kind == "remove_volume":
            self._remove_volumes([action.target])
        elif action.kind == "authorize":
            self._authorize(action.target)
        elif action.kind == "write_file":
            _write_atomic(action.target, files[action.target])
        elif action.kind == "remove_file":
            self._remove(action.target)
        elif action.kind == "remove_key":
            if os.path.isdir(self.lab.control_path):
                os.rmdir(self.lab.control_path)
            self._remove(self.lab.key_path)
            self._remove(f"{self.lab.key_path}.pub")
        elif action.kind == "remove_image":
            self.podman("image", "rm", self.lab.image)
        elif action.kind == "remove_archive":
            os.unlink(self.recipe.archive(self.cache_path))

    def _close_connections(self) -> None:
        """Ends shared ssh connections; one that outlives its host would answer for the next host at the address."""
        directory = self.lab.control_path
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            control = os.path.join(directory, name)
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={control}", "-"], capture_output=True, check=False)
            if os.path.exists(control):
                os.unlink(control)

    def _create_key(self) -> None:
        self._remove(self.lab.key_path)
        os.makedirs(os.path.dirname(self.lab.key_path), mode=0o700, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab {self.lab.name}", "-f", self.lab.key_path]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
        except FileNotFoundError as exc:
            raise LabError("ssh-keygen is not installed: apt-get install openssh-client") from exc
        except subprocess.CalledProcessError as exc:
            raise LabError(f"ssh key {self.lab.key_path} could not be made: {exc.stderr.strip()}") from exc

    def _remove(self, path: str) -> None:
        """Removes a file, and the directories of the lab that are empty then."""
        if os.path.exists(path):
            os.unlink(path)
        roots = (self.lab.inventory_path, os.path.dirname(self.lab.key_path))
        parent = os.path.dirname(path)
        while parent.startswith(roots) and os.path.isdir(parent) and not os.listdir(parent):
            os.rmdir(parent)
            parent = os.path.dirname(parent)

    def _create_network(self, seen: Seen) -> None:
        labels = {LABEL: self.lab.name, LABEL_INOTIFY: str(seen.inotify_before or seen.inotify)}
        options = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
        try:
            self.podman("network", "create", *options, "--subnet", self.lab.subnet, self.lab.name)
        except LabError as exc:
            raise LabError(
                f"network {self.lab.name} ({self.lab.subnet}) could not be made, try another subnet: {exc}"
            ) from exc

    def _create(self, host: Host) -> None:
        container = self.lab.container(host.name)
        mounts = []
        for volume, path in _VOLUME_PATHS.items():
            name = self.lab.volume(host.name, volume)
            self.podman("volume", "create", "--label", f"{LABEL}={self.lab.name}", name)
            mounts += ["--volume", f"{name}:{path}"]
        hybrid = not os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        engine = ["--runtime", "runc"] if hybrid else []
        command = ["sh", "-c", _INIT_CGROUP_V1] if hybrid else []
        self.podman(
            *engine,
            "run",
            "--detach",
            f"--name={container}",
            f"--hostname={host.name}",
            f"--label={LABEL}={self.lab.name}",
            f"--label={LABEL_ADDRESS}={host.address}",
            "--privileged",
            "--systemd=always",
            "--cgroupns=private",
            "--pids-limit=-1",
            *_ulimits(),
            "--tmpfs=/run",
            "--tmpfs=/tmp",
            # /etc/hosts is the host's own file: a bind mount could not be replaced in one step.
            "--no-hosts",
            f"--network={self.lab.name}",
            f"--ip={host.address}",
            *mounts,
            self.lab.image,
            *command,
        )
        self._authorize(host.name)

    def _authorize(self, host: str) -> None:
        script = "umask 077; mkdir -p /root/.ssh; cat >/root/.ssh/authorized_keys"
        key = _read(f"{self.lab.key_path}.pub")
        self.podman("exec", "--interactive", self.lab.container(host), "sh", "-c", script, stdin=f"{key}\n")

    def _remove_volumes(self, names: t.Iterable[str]) -> None:
        # Asked one by one: hosts are removed side by side, and podman's list fails when a volume goes while it is made.
        for name in names:
            if subprocess.run(["podman", "volume", "exists", name], check=False).returncode == 0:
                self.podman("volume", "rm", "--force", name)

    # -- waiting ------------------------------------------------------------------------------------------------

    def wait(self, new: set[str], seen: dict[str, SeenHost], timeout: int) -> dict[str, str]:
        """Until every host has booted and answers on ssh. Returns host name -> public host key."""
        deadline = time.monotonic() + timeout
        names = [host.name for host in self.lab.hosts]
        with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
            keys = list(pool.map(lambda name: self._wait_host(name, name in new, seen.get(name), deadline), names))
        return dict(zip(names, keys))

    def _wait_host(self, name: str, new: bool, seen: SeenHost | None, deadline: float) -> str:
        while True:
            missing = _missing(seen, new)
            if seen and not missing:
                return seen.host_key
            if time.monotonic() > deadline or (seen and new and seen.systemd == "degraded"):
                raise LabError(f"host {name} is not ready: {missing}.\n{self._evidence(name)}")
            time.sleep(0.5)
            container = self._containers().get(name)
            seen = self._see_host(name, container) if container else None

    def _evidence(self, host: str) -> str:
        container = self.lab.container(host)
        script = "systemctl --no-legend --plain --failed; journalctl --no-pager --priority=warning --lines=15"
        journal = self.podman("exec", container, "sh", "-c", script, check=False, timeout=30).strip()
        if not journal:
            journal = self.podman("logs", "--tail", "15", container, check=False, timeout=30).strip()
        return f"Last lines of {host}:\n{journal or '(none)'}"

    def write_known_hosts(self, keys: dict[str, str]) -> None:
        content = render_known_hosts((host.address, keys[host.name]) for host in self.lab.hosts)
        if _read(self.lab.known_hosts_path, strip=False) != content:
            _write_atomic(self.lab.known_hosts_path, content)


def _missing(seen: SeenHost | None, new: bool) -> str:
    """What a host still lacks to be ready; empty when it is."""
    if seen is None:
        return "its container is not there"
    if not seen.running:
        return "its container has stopped"
    # A host at work may have a failed unit of its own; a new one may not.
    if seen.systemd not in (("running",) if new else ("running", "degraded")):
        return f"systemd says {seen.systemd or 'nothing'!r}"
    if not seen.host_key:
        return "it has no ssh host key"
    if not seen.ssh:
        return f"nothing answers on {seen.address}:22"
    return ""


def _ulimits() -> list[str]:
    """What this process and podman may have: without CAP_SYS_RESOURCE a container cannot be given more."""
    ceilings = {"nofile": (resource.RLIMIT_NOFILE, 1048576), "nproc": (resource.RLIMIT_NPROC, int(_read(_PID_MAX)))}
    options = []
    for name, (limit, ceiling) in ceilings.items():
        hard = resource.getrlimit(limit)[1]
        value = ceiling if hard == resource.RLIM_INFINITY else min(hard, ceiling)
        options.append(f"--ulimit={name}={value}:{value}")
    return options


def _ssh_banner(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _read(path: str, strip: bool = True) -> str:
    try:
        with open(path, encoding="utf-8") as handle:
            content = handle.read()
            return content.strip() if strip else content
    except FileNotFoundError:
        return ""


def _write(path: str, content: str) -> None:
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(content)


def _write_atomic(path: str, content: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    _write(f"{path}.new", content)
    os.replace(f"{path}.new", path)
