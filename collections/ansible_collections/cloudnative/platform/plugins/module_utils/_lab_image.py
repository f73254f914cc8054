# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The root file system of a lab host: its recipe, and making it from distribution packages."""

from __future__ import annotations

import collections
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import threading
import time
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.cloudnative.platform.plugins.module_utils._lab_plan import LabError

# What makes a machine out of a container, whatever its purpose.
_BASE_PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "python3")

# Runs in the new root. Hosts must not share an identity, so the keys and the machine-id are made at first boot.
_SETUP = r"""
set -eu
rm -f /etc/ssh/ssh_host_*
install -d -m 0700 /root/.ssh
cat >/etc/systemd/system/ssh-host-key.service <<'UNIT'
[Unit]
Description=Make the ssh host key of this machine
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=multi-user.target
UNIT
# A first boot applies the presets: services of packages stay off until somebody wants them.
install -d /etc/systemd/system-preset
cat >/etc/systemd/system-preset/00-lab.preset <<'PRESET'
enable ssh.service
enable ssh-host-key.service
disable *
PRESET
systemctl preset-all --preset-mode=full >/dev/null 2>&1
# Belongs to the machine below, not to a container.
systemctl mask dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
  systemd-udevd.service systemd-binfmt.service modprobe@.service getty.target >/dev/null 2>&1
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
"""

_DPKG_OPTIONS = tuple(f"path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info"))

_BUILD_TIMEOUT = 900


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in the image; the mirror only decides where it comes from."""

    suite: str
    packages: tuple[str, ...]
    setup: str = _SETUP
    dpkg_options: tuple[str, ...] = _DPKG_OPTIONS
    base: tuple[str, ...] = _BASE_PACKAGES

    @property
    def digest(self) -> str:
        text = json.dumps({**asdict(self), "packages": sorted(set(self.packages))}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def image(self) -> str:
        return f"localhost/cloudnative-lab:{self.digest}"

    def archive(self, cache_path: str) -> str:
        return os.path.join(cache_path, f"{self.digest}.tar")

    def command(self, mirror: str, target: str) -> list[str]:
        packages = sorted({*self.base, *self.packages})
        return [
            "mmdebstrap",
            "--variant=minbase",
            "--format=tar",
            '--aptopt=Acquire::Languages "none"',
            *(f"--dpkgopt={option}" for option in self.dpkg_options),
            f"--include={','.join(packages)}",
            f'--customize-hook=chroot "$1" sh -c {shlex.quote(self.setup)}',
            self.suite,
            target,
            mirror,
        ]


def build(recipe: Recipe, mirror: str, cache_path: str, progress: t.Callable[[str], None]) -> None:
    """Makes the archive of the recipe in the cache, once, however many runs ask for it at the same time."""
    if shutil.which("mmdebstrap") is None:
        raise LabError("mmdebstrap is not installed, the lab's image is made with it: apt-get install mmdebstrap")
    os.makedirs(cache_path, exist_ok=True)
    archive = recipe.archive(cache_path)
    with open(f"{archive}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(archive):
            return
        part = f"{archive}.part"
        try:
            _mmdebstrap(recipe.command(mirror, part), progress)
            os.replace(part, archive)
        finally:
            if os.path.exists(part):
                os.unlink(part)


def _mmdebstrap(command: list[str], progress: t.Callable[[str], None]) -> None:
    started = time.monotonic()
    tail: collections.deque[str] = collections.deque(maxlen=15)
    # run_command shows nothing until its end; this takes more than a minute.
    with subprocess.Popen(  # pylint: disable=ansible-bad-function
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    ) as process:
        timer = threading.Timer(_BUILD_TIMEOUT, process.kill)
        timer.start()
        try:
            for line in process.stdout or ():
                tail.append(line.rstrip())
                if line.startswith("I: "):
                    progress(f"lab image: {line[3:].strip()} ({time.monotonic() - started:.0f} s)")
        finally:
            timer.cancel()
    if process.returncode != 0:
        cause = "killed after its time limit" if process.returncode < 0 else f"exit code {process.returncode}"
        raise LabError(f"the lab's image could not be made ({cause}). Last lines of mmdebstrap:\n" + "\n".join(tail))
