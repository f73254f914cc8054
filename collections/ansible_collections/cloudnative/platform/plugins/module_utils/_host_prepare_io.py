# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The half of host_prepare that touches the host: state read, steps done."""

from __future__ import annotations

import gzip
import os
import platform
import socket
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_baseline import (
    BASELINE_FILE,
    CHANGED_BY_OTHERS,
    Baseline,
    parse,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_facts import is_container, root_is_shared
from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import (
    FilePlan,
    Wanted,
    Writer,
    file_system_of,
    read_text,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._host_prepare import (
    FEATURES,
    FSTAB_FILE,
    HOSTNAME_FILE,
    HOSTS_FILE,
    MODULES_FILE,
    RSHARED_FILE,
    RSHARED_UNIT,
    SYSCTL_FILE,
    HostState,
    ModuleState,
    Step,
    Wishes,
    is_optional_sysctl,
    keys_of,
    sysctl_path,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._reset.observed import parse_mounts
from ansible_collections.cloudnative.platform.plugins.module_utils._systemd import ADMIN_UNIT_DIR, Systemd

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class PrepareError(Exception):
    """A step failed; the message names it."""


class Kernel:
    """Which modules the running kernel has, and which it can load."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._modprobe = module.get_bin_path("modprobe")
        self._release = platform.release()
        self._config: str | None = None

    def state(self, name: str) -> ModuleState:
        return ModuleState(present=self._present(name), loadable=self._loadable(name))

    def load(self, name: str) -> None:
        code, out, err = self._module.run_command([str(self._modprobe), name])
        if code != 0:
            raise PrepareError(f"cannot load kernel module {name}: {err.strip() or out.strip()}")

    def _present(self, name: str) -> bool:
        plain = name.replace("-", "_")
        feature = FEATURES.get(plain)
        return (
            os.path.isdir(f"/sys/module/{plain}")
            or (feature is not None and any(os.path.exists(path) for path in feature.paths))
            or self._built_in(plain)
            or (feature is not None and f"\n{feature.config}=y\n" in self._kernel_config())
        )

    def _built_in(self, name: str) -> bool:
        listed = read_text(f"/lib/modules/{self._release}/modules.builtin")
        return any(
            line.rpartition("/")[2].partition(".ko")[0].replace("-", "_") == name for line in listed.splitlines()
        )

    def _kernel_config(self) -> str:
        if self._config is None:
            self._config = "\n" + read_text(f"/boot/config-{self._release}")
            if os.path.exists("/proc/config.gz"):
                with gzip.open("/proc/config.gz", "rt", encoding="utf-8") as stream:
                    self._config = "\n" + stream.read()
        return self._config

    def _loadable(self, name: str) -> bool:
        if self._modprobe is None:
            return False
        code, _out, _err = self._module.run_command([self._modprobe, "--dry-run", "--quiet", name])
        return bool(code == 0)


class Host:
    """Observe and change one host. Every change goes through `apply`."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._kernel = Kernel(module)
        self._writer = Writer(module)
        self._baseline = Baseline()
        self._unborn: set[str] = set()  # sysctls that come with a module that is yet to be loaded

    def observe(self, wishes: Wishes) -> HostState:
        files = {path: _text_or_none(path) for path in _files_of_interest()}
        self._baseline = parse(files[BASELINE_FILE])
        keys = {*(wishes.sysctls or ()), *self._baseline.sysctls, *keys_of(files[SYSCTL_FILE]), *CHANGED_BY_OTHERS}
        sysctls = {key: _sysctl(key) for key in sorted(keys)}
        self._unborn = {key for key, value in sysctls.items() if value is None}
        names = (*wishes.modules, *wishes.optional_modules)
        swaps = [line.split()[0] for line in read_text("/proc/swaps").splitlines()[1:] if line.strip()]
        return HostState(
            hostname=socket.gethostname(),
            container=is_container(),
            modules={name: self._kernel.state(name) for name in names},
            sysctls=sysctls,
            swaps=tuple(swaps),
            root_shared=root_is_shared(read_text("/proc/self/mountinfo")),
            files=files,
            rshared_enabled=os.path.islink(f"{ADMIN_UNIT_DIR}/local-fs.target.wants/{RSHARED_UNIT}"),
            packages_interrupted=packages_interrupted(),
            mounts=parse_mounts(read_text("/proc/self/mountinfo")),
            baseline=self._baseline,
        )

    def missing_packages(self, packages: t.Sequence[str]) -> list[str]:
        if not packages:
            return []
        dpkg, rpm = self._module.get_bin_path("dpkg-query"), self._module.get_bin_path("rpm")
        if dpkg:
            command = [dpkg, "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages]
            _code, out, _err = self._module.run_command(command)
            installed = {line.split()[0] for line in out.splitlines() if line.endswith(" installed")}
        elif rpm:
            _code, out, _err = self._module.run_command([rpm, "--query", "--queryformat=%{NAME}\n", *packages])
            installed = set(out.splitlines())
        else:
            raise PrepareError("neither dpkg-query nor rpm is on this host: its packages cannot be checked")
        return [package for package in packages if package not in installed]

    def apply(self, step: Step) -> None:
        if step.kind == "packages":
            command = ["dpkg", "--force-confold", "--configure", "--pending"]
            self._run(command, step.text, DEBIAN_FRONTEND="noninteractive")
        elif step.kind == "file":
            self._write(step.target, step.value, step.text)
        elif step.kind == "baseline":
            self._note(parse(step.value), step.text)
        elif step.kind == "remove":
            self._writer.apply(FilePlan(Wanted(step.target, 0, absent=True), remove=True, text=step.text))
        elif step.kind == "hostname":
            socket.sethostname(step.value)
        elif step.kind == "module":
            self._kernel.load(step.target)
        elif step.kind == "sysctl":
            self._note_unborn(step)
            _set_sysctl(step)
        elif step.kind == "swapoff":
            self._run(["swapoff", "--all"], step.text)
        elif step.kind == "swapon":
            self._run(["swapon", step.target], step.text)
        elif step.kind == "rshared":
            self._run(["mount", "--make-rshared", "/"], step.text)
        elif step.kind == "unmount":
            self._run(["umount", step.target], step.text)
        elif step.kind == "rprivate":
            self._run(["mount", "--make-rprivate", "/"], step.text)
        elif step.kind == "enable-rshared":
            systemd = Systemd(self._module)
            systemd.change("daemon-reload")
            systemd.change("enable", RSHARED_UNIT)

    def _note(self, baseline: Baseline, text: str) -> None:
        self._baseline = baseline
        self._write(BASELINE_FILE, baseline.render(), text, mode=0o600)

    def _note_unborn(self, step: Step) -> None:
        """What a parameter is that came with a module just now, before it is set."""
        current = _sysctl(step.target) if step.target in self._unborn else None
        if current is not None and step.target not in self._baseline.sysctls and current.split() != step.value.split():
            self._note(self._baseline.with_sysctls({step.target: current}), f"note what {step.target} was")

    def _write(self, path: str, content: str, text: str, mode: int = 0o644) -> None:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        wanted = Wanted(path=path, mode=mode, content=content.encode())
        self._writer.apply(FilePlan(wanted, content=True, text=text))

    def _run(self, command: list[str], what: str, **environment: str) -> None:
        code, out, err = self._module.run_command(command, environ_update=environment)
        if code != 0:
            raise PrepareError(f"cannot {what}: {err.strip() or out.strip()}")


def packages_interrupted(directory: str = "/var/lib/dpkg/updates") -> bool:
    """Whether dpkg was killed at work: its journal is not empty, which is also what apt looks at."""
    return os.path.isdir(directory) and any(name.isdigit() for name in os.listdir(directory))


def _files_of_interest() -> list[str]:
    later = []
    if os.path.isdir("/etc/sysctl.d"):
        later = [f"/etc/sysctl.d/{name}" for name in os.listdir("/etc/sysctl.d") if name.endswith(".conf")]
    ours = [MODULES_FILE, SYSCTL_FILE, HOSTS_FILE, HOSTNAME_FILE, FSTAB_FILE, RSHARED_FILE, BASELINE_FILE]
    return sorted({*ours, *later})


def _text_or_none(path: str) -> str | None:
    return read_text(path) if os.path.exists(path) else None


def _sysctl(key: str) -> str | None:
    try:
        with open(sysctl_path(key), encoding="utf-8") as stream:
            return stream.read().strip()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise PrepareError(f"cannot read sysctl {key}: {e.strerror}") from e


def _set_sysctl(step: Step) -> None:
    path = sysctl_path(step.target)
    if is_optional_sysctl(step.target) and not os.path.exists(path):
        return
    try:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(step.value)
    except OSError as e:
        raise PrepareError(f"cannot set sysctl {step.target} = {step.value}: {e.strerror}") from e


def free_mb(path: str) -> int:
    return file_system_of(path)[1] // 2**20
