# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes Debian packages of the double, for hosts: python kong_package.py DIRECTORY VERSION...

Laid out as Kong's own package: the command, nginx below openresty, and a unit that is neither enabled nor started.
"""

from __future__ import annotations

import io
import json
import pathlib
import sys
import tarfile

DOUBLE = pathlib.Path(__file__).resolve().parent / "kong"
LIBRARY = "/usr/lib/kong-double"
# The real 3.9.3 has no migration of its own; with this one, an upgrade to it has something to finish.
INVENTED = "025_390_to_392"
COMMAND = """#!/usr/bin/python3 -B
import sys

sys.path.insert(0, "{library}")
from kong.cli import {function}

sys.exit({function}(sys.argv[1:]))
"""
# As the unit in Kong's package.
UNIT = """[Unit]
Description=Kong (a test double, not Kong)
After=syslog.target network.target remote-fs.target nss-lookup.target

[Service]
User=root
ExecStartPre=/usr/local/bin/kong prepare -p /usr/local/kong
ExecStart=/usr/local/openresty/nginx/sbin/nginx -p /usr/local/kong -c nginx.conf
ExecReload=/usr/local/bin/kong prepare -p /usr/local/kong
ExecStop=/bin/kill -s QUIT $MAINPID
PrivateTmp=true
Environment=KONG_NGINX_DAEMON=off
LimitNOFILE=infinity

[Install]
WantedBy=multi-user.target
"""
CONTROL = """Package: kong
Version: {version}
Architecture: all
Maintainer: cloudnative.platform maintainers <noreply@example.invalid>
Depends: python3, python3-psycopg2
Description: test double of Kong Gateway {version}; it is not Kong
"""
POSTINST = """#!/bin/sh
set -e
getent group kong >/dev/null || groupadd kong
getent passwd kong >/dev/null || useradd --gid kong --no-create-home --shell /bin/sh kong
"""


def tree(version: str) -> dict[str, tuple[str, int]]:
    """Path -> content and mode."""
    sources = sorted(path for path in DOUBLE.rglob("*") if path.suffix in (".py", ".json"))
    files = {f"{LIBRARY}/kong/{path.relative_to(DOUBLE)}": (path.read_text(), 0o644) for path in sources}
    known = json.loads((DOUBLE / "data/migrations.json").read_text())
    known["core"].append(INVENTED)
    files[f"{LIBRARY}/kong/data/migrations.json"] = (json.dumps(known), 0o644)
    files[f"{LIBRARY}/kong/data/version.json"] = (json.dumps(version), 0o644)
    files["/usr/local/bin/kong"] = (COMMAND.format(library=LIBRARY, function="kong"), 0o755)
    files["/usr/local/openresty/nginx/sbin/nginx"] = (COMMAND.format(library=LIBRARY, function="nginx"), 0o755)
    files["/lib/systemd/system/kong.service"] = (UNIT, 0o644)
    # The prefix, where a node keeps what it is started with.
    files["/usr/local/kong/.keep"] = ("", 0o644)
    files["/etc/kong/kong.conf.default"] = ("# database = postgres\n", 0o644)
    return files


def archive(files: dict[str, tuple[str, int]]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz", compresslevel=6, format=tarfile.GNU_FORMAT) as tar:
        made: set[str] = set()
        for path, (content, mode) in files.items():
            for parent in [*reversed(pathlib.PurePosixPath(path).parents)][1:]:
                if str(parent) not in made:
                    made.add(str(parent))
                    directory = tarfile.TarInfo(f".{parent}/")
                    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(directory)
            entry = tarfile.TarInfo(f".{path}")
            entry.size, entry.mode = len(content.encode()), mode
            tar.addfile(entry, io.BytesIO(content.encode()))
    return written.getvalue()


def package(version: str) -> bytes:
    """An ar archive of three members, each padded to an even length."""
    control = {"/control": (CONTROL.format(version=version), 0o644), "/postinst": (POSTINST, 0o755)}
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": archive(control),
        "data.tar.gz": archive(tree(version)),
    }
    written = b"!<arch>\n"
    for name, content in members.items():
        written += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        written += content + b"\n" * (len(content) % 2)
    return written


def main(directory: str, *versions: str) -> None:
    target = pathlib.Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    for version in versions:
        (target / f"kong_{version}_all.deb").write_bytes(package(version))


if __name__ == "__main__":
    main(*sys.argv[1:])
