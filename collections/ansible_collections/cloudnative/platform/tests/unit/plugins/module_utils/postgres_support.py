# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real PostgreSQL on loopback, for the tests of what asks it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import typing as t

PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
PASSWORD = "it's #1: ü $HOME"


@contextlib.contextmanager
def run_postgres() -> t.Iterator[int]:
    """Port of a server in which kong gets in with SCRAM, old with MD5, and nobody over TLS.

    Its directory is none of pytest's: every pytest that starts takes the way into those from all others, and the server
    runs as somebody else.
    """
    made = tempfile.TemporaryDirectory(prefix="cloudnative-postgres-")
    with made as directory, _running(pathlib.Path(directory)) as port:
        yield port


@contextlib.contextmanager
def _running(directory: pathlib.Path) -> t.Iterator[int]:
    binaries = PROGRAMS[-1].parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # It refuses to run as root.
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    shutil.chown(directory, account.pw_uid, account.pw_gid)
    data = directory / "data"

    def run(*command: str | os.PathLike[str], given: str | None = None) -> None:
        subprocess.run(
            command, check=True, input=given, text=True, capture_output=True, user=account.pw_uid, group=account.pw_gid
        )

    run(binaries / "initdb", "--auth=trust", "--username=admin", "--no-sync", "--pgdata", data)
    options = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(binaries / "pg_ctl", "--pgdata", data, "--wait", "--log", directory / "log", "--options", options, "start")
    try:
        quoted = PASSWORD.replace("'", "''")
        sql = (
            f"CREATE ROLE kong LOGIN PASSWORD '{quoted}'; CREATE DATABASE kong OWNER kong;"
            "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'old';"
        )
        run("psql", "--host", directory, "--port", str(port), "--username=admin", "postgres", given=sql)
        rules = "local all all trust\nhost all old all md5\nhost all all all scram-sha-256\n"
        (data / "pg_hba.conf").write_text(rules)
        run(binaries / "pg_ctl", "--pgdata", data, "reload")
        yield port
    finally:
        run(binaries / "pg_ctl", "--pgdata", data, "--mode=immediate", "stop")
