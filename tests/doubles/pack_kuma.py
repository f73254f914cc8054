# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs the double of Kuma as the tarball that Kuma's programs come in, and writes a lock that names it.

    python pack_kuma.py DIRECTORY

DIRECTORY gets `kuma-double-<version>-linux-amd64-<sum>.tar.gz` and `lock.yml`: the platform's lock, and the component
kuma-double, so that nothing takes it for Kuma: who wants it says `kuma_hosts_component: kuma-double`. Its address is
on a host that does not exist, and has to be mirrored to where the tarball is (bundle_release_mirrors).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pathlib
import sys
import tarfile
import zipfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCK = ROOT / "collections/ansible_collections/cloudnative/platform/roles/bundle/files/lock.yml"
DOUBLE = pathlib.Path(__file__).resolve().parent / "kuma"
VERSION = "2.14.3"
HOST = "https://doubles.invalid"
PROGRAMS = {"kuma-cp": "control_plane", "kuma-dp": "dataplane", "kumactl": "kumactl"}
MAIN = "import sys\n\nfrom kuma.hosts.{module} import main\n\nsys.exit(main(sys.argv[1:]))\n"


def program(module: str) -> bytes:
    """One file that Python runs, with all of the double in it."""
    target = io.BytesIO(b"#!/usr/bin/python3 -B\n")
    target.seek(0, io.SEEK_END)
    with zipfile.ZipFile(target, "a") as archive:
        members = {"__main__.py": MAIN.format(module=module).encode()}
        for path in sorted(DOUBLE.rglob("*")):
            if path.suffix in (".py", ".json"):
                members[f"kuma/{path.relative_to(DOUBLE)}"] = path.read_bytes()
        for name, content in members.items():
            # Without the time of packing, so that equal content gives equal bytes.
            archive.writestr(zipfile.ZipInfo(name), content)
    return target.getvalue()


def tarball() -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, module in PROGRAMS.items():
            content = program(module)
            member = tarfile.TarInfo(f"kuma-{VERSION}/bin/{name}")
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def with_double(lock: dict, name: str, content: bytes) -> dict:
    lock["components"].append(
        {
            "name": "kuma-double",
            "kind": "files",
            "version": VERSION,
            "licence": "GPL-3.0-or-later AND Apache-2.0",
            "home": "https://github.com/cloudnative-platform/cloudnative.platform",
            "ref": "cloudnative.platform/kuma-double:{version}",
            "files": dict.fromkeys(PROGRAMS, "0755"),
            "release": {
                "url": f"{HOST}/{name}",
                "members": {program: f"kuma-{VERSION}/bin/{program}" for program in PROGRAMS},
                "sha256": {"amd64": hashlib.sha256(content).hexdigest(), "arm64": None},
            },
        }
    )
    return lock


def main(target: str) -> None:
    directory = pathlib.Path(target).expanduser()
    directory.mkdir(parents=True, exist_ok=True)
    content = tarball()
    # Another content is another release: a bundle refuses one whose sum changed.
    name = f"kuma-double-{VERSION}-linux-amd64-{hashlib.sha256(content).hexdigest()[:12]}.tar.gz"
    (directory / name).write_bytes(content)
    lock = with_double(yaml.safe_load(LOCK.read_text()), name, content)
    (directory / "lock.yml").write_text(yaml.safe_dump(lock, sort_keys=False))


if __name__ == "__main__":
    main(sys.argv[1])
