# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Parts of Debian packages: fetched by apt with its signature checks, cut down to what a layer needs."""

from __future__ import annotations

# run_command needs a module, and this code is called from threads and tests without one.
# pylint: disable=ansible-bad-function
import dataclasses
import fnmatch
import io
import os
import posixpath
import shutil
import struct
import subprocess
import tarfile
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.oci import Node, Tree
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.process import run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Debian's /bin, /sbin and /lib are links into /usr, but its packages still name files by both.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
LIBRARY_DIRECTORIES = {
    "amd64": ("/usr/lib/x86_64-linux-gnu", "/usr/lib"),
    "arm64": ("/usr/lib/aarch64-linux-gnu", "/usr/lib"),
}
PT_DYNAMIC, PT_INTERP = 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB = 0, 1, 5


@dataclasses.dataclass
class PackagedFile:
    package: str
    mode: int
    target: str = ""  # of a link
    data: bytes = b""


@dataclasses.dataclass
class Selection:
    """What of the packages goes into a layer."""

    files: dict[str, PackagedFile]
    packages: list[dict[str, str]]


def merged_path(name: str) -> str:
    """The path of a package's file on a system whose /bin is a link to /usr/bin."""
    path = posixpath.normpath("/" + name.lstrip("./"))
    first = path.split("/")[1]
    return "/usr" + path if first in MERGED else path


def needed_libraries(data: bytes) -> list[str]:
    """DT_NEEDED names and the interpreter of a 64-bit little-endian ELF file; nothing for other files."""
    if data[:6] != b"\x7fELF\x02\x01":
        return []
    offset, entry_size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", data, offset + index * entry_size) for index in range(count)]
    names: list[str] = []

    def at(address: int) -> int:
        for kind, _flags, position, virtual, _physical, in_file, _in_memory, _align in headers:
            if kind == 1 and virtual <= address < virtual + in_file:
                return position + address - virtual
        raise ValueError(f"no segment holds the address {address:#x}")

    for kind, _flags, position, _virtual, _physical, in_file, _in_memory, _align in headers:
        if kind == PT_INTERP:
            names.append(data[position : position + in_file].rstrip(b"\0").decode())
        elif kind == PT_DYNAMIC:
            tags = []
            for place in range(position, position + in_file, 16):
                tag, value = struct.unpack_from("<QQ", data, place)
                if tag == DT_NULL:
                    break
                tags.append((tag, value))
            strings = at(next(value for tag, value in tags if tag == DT_STRTAB))
            for tag, value in tags:
                if tag == DT_NEEDED:
                    begin = strings + value
                    names.append(data[begin : data.index(b"\0", begin)].decode())
    return names


def select(
    available: dict[str, PackagedFile], patterns: list[str], architecture: str, below: t.Iterable[str] = ()
) -> dict[str, PackagedFile]:
    """The named files, what their links point to and the libraries they need, without what a lower layer has."""
    directories = LIBRARY_DIRECTORIES[architecture]
    lower = set(below)
    todo: list[str] = []
    for pattern in patterns:
        matches = [path for path in available if fnmatch.fnmatchcase(path, pattern)]
        if not matches:
            raise BundleError(f"debian: no package has {pattern}; correct the lock's list of files or of packages")
        todo += matches
    chosen: dict[str, PackagedFile] = {}
    while todo:
        path = todo.pop()
        if path in chosen or path in lower:
            continue
        found = available[path]
        chosen[path] = found
        if found.target:
            target = merged_path(posixpath.join(posixpath.dirname(path), found.target))
            # A link into /etc/alternatives has no target in any package: the lock names those links itself.
            if target in available:
                todo.append(target)
            else:
                del chosen[path]
            continue
        for name in needed_libraries(found.data):
            if name.startswith("/"):
                candidates = [merged_path(name)]
            else:
                candidates = [posixpath.join(directory, name) for directory in directories]
            library = next((candidate for candidate in candidates if candidate in available), None)
            if library is not None:
                todo.append(library)
            elif not any(candidate in lower for candidate in candidates):
                raise BundleError(f"debian: {path} needs {name}, which no package of the layer has")
    return chosen


class Debian:
    """One suite of Debian for one architecture, seen through apt with directories of its own."""

    def __init__(self, suite: str, architecture: str, cache: str, mirror: str, security_mirror: str) -> None:
        self.suite = suite
        self.architecture = architecture
        self.root = os.path.join(cache, "debian", f"{suite}-{architecture}")
        self.log = os.path.join(cache, "logs", "debian.log")
        self.mirror = mirror
        self.security_mirror = security_mirror
        self._updated = False

    def _apt(self, *arguments: str) -> str:
        options = {
            "Dir": self.root,
            "Dir::Etc::SourceList": f"{self.root}/sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": f"{self.root}/state",
            "Dir::State::status": f"{self.root}/status",
            "Dir::Cache": f"{self.root}/cache",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Architecture": self.architecture,
            "APT::Architectures::": self.architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "",
            "APT::Update::Post-Invoke::": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Acquire::http::Timeout": "20",
        }
        command = ["apt-get", arguments[0], "--quiet=2"]
        for key, value in options.items():
            command += ["-o", f"{key}={value}"]
        return run([*command, *arguments[1:]], self.log, env={**os.environ, "LC_ALL": "C"})

    def _prepare(self) -> None:
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise BundleError(
                    f"{tool}: not found. Layers with Debian parts are built on Debian and Ubuntu; elsewhere put "
                    "'release' first in the origins"
                )
        if not os.path.exists(KEYRING):
            raise BundleError(f"{KEYRING}: not found; install the package debian-archive-keyring")
        # The packages of one run belong together: what an older run left is not mixed in.
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("state/lists/partial", "cache/archives/partial", "empty/partial"):
            os.makedirs(os.path.join(self.root, name))
        with open(os.path.join(self.root, "status"), "w", encoding="utf-8"):
            pass
        lines = [
            f"{self.mirror} {self.suite} main",
            f"{self.mirror} {self.suite}-updates main",
            f"{self.security_mirror} {self.suite}-security main",
        ]
        with open(os.path.join(self.root, "sources.list"), "w", encoding="utf-8") as stream:
            stream.writelines(f"deb [arch={self.architecture} signed-by={KEYRING}] {line}\n" for line in lines)
        self._apt("update")
        self._updated = True

    def fetch(self, packages: list[str]) -> list[str]:
        """Paths of the packages' archives and of all they depend on."""
        if not self._updated:
            self._prepare()
        archives = os.path.join(self.root, "cache", "archives")
        # Seen from an empty directory, or what an earlier set of packages brought would be missing in the list.
        empty = f"Dir::Cache::archives={self.root}/empty"
        said = self._apt("install", "--download-only", "--yes", "--print-uris", "-o", empty, *packages)
        wanted = [line.split()[1] for line in said.splitlines() if line.startswith("'")]
        self._apt("install", "--download-only", "--yes", *packages)
        # apt has checked each of them against the signed index on the way in.
        return sorted(os.path.join(archives, name) for name in wanted)

    def contents(self, archives: list[str]) -> tuple[dict[str, PackagedFile], dict[str, str]]:
        """Files of the archives by path, and the packages' versions."""
        files: dict[str, PackagedFile] = {}
        versions: dict[str, str] = {}
        for archive in archives:
            said = run(["dpkg-deb", "--field", archive, "Package", "Version"], self.log)
            fields = dict(line.split(": ", 1) for line in said.splitlines())
            versions[fields["Package"]] = fields["Version"]
            data = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True).stdout
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    path = merged_path(member.name)
                    if member.issym():
                        files[path] = PackagedFile(fields["Package"], 0o777, target=member.linkname)
                    elif member.isreg():
                        stream = tar.extractfile(member)
                        content = stream.read() if stream else b""
                        files[path] = PackagedFile(fields["Package"], member.mode & 0o755, data=content)
                    elif member.islnk():
                        original = files[merged_path(member.linkname)]
                        files[path] = PackagedFile(fields["Package"], original.mode, data=original.data)
        return files, versions

    def layer(self, spec: dict[str, t.Any], below: list[str]) -> Selection:
        available, versions = self.contents(self.fetch(list(spec["packages"])))
        patterns = list(spec["files"])
        chosen = select(available, patterns, self.architecture, below)
        for path, target in spec.get("links", {}).items():
            chosen[path] = PackagedFile("", 0o777, target=target)
        for name in spec.get("busybox", ()):
            chosen.setdefault(f"/usr/bin/{name}", PackagedFile("", 0o777, target="busybox"))
        used = sorted({found.package for found in chosen.values() if found.package})
        for package in used:
            # The licences of what is shipped go with it.
            path = f"/usr/share/doc/{package}/copyright"
            if path in available and not available[path].target:
                chosen[path] = available[path]
        return Selection(chosen, [{"name": name, "version": versions[name]} for name in used])

    def file(self, packages: list[str], path: str) -> tuple[PackagedFile, list[dict[str, str]]]:
        """One file of the packages, for images that are nothing but that file."""
        available, versions = self.contents(self.fetch(packages))
        if path not in available or available[path].target:
            raise BundleError(f"debian: none of {', '.join(packages)} has the file {path}")
        found = available[path]
        if needed_libraries(found.data):
            raise BundleError(f"debian: {path} is linked dynamically; it can't stand alone in an image")
        return found, [{"name": found.package, "version": versions[found.package]}]


def installed_versions(packages: list[str]) -> list[dict[str, str]]:
    """Versions of packages of this machine; those that it has under other names or not at all are left out."""
    if not packages or shutil.which("dpkg-query") is None:
        return []
    command = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *packages]
    said = subprocess.run(command, capture_output=True, check=False, text=True).stdout
    return [dict(zip(("name", "version"), line.split())) for line in said.splitlines()]


def tree_of(selection: Selection, base: bool) -> Tree:
    """The layer of a selection; the lowest one also has the links and directories of a system's root."""
    tree = Tree()
    if base:
        for name in ("bin", "sbin", "lib", "lib64"):
            tree.add(f"/{name}", Node("link", target=f"usr/{name}"))
        tree.add("/tmp", Node("directory", 0o1777))
        tree.add("/run", Node("directory", 0o755))
        tree.add("/var/run", Node("link", target="../run"))
    for path, found in selection.files.items():
        if found.target:
            tree.add(path, Node("link", target=found.target))
        else:
            tree.add(path, Node("file", found.mode, data=found.data))
    return tree
