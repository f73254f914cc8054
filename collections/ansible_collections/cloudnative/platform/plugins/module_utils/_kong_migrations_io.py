# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The half of kong_migrations that asks: packages, the database, Kong's command line and its Admin API."""

from __future__ import annotations

import json
import os
import re
import tempfile
import typing as t
from urllib.error import URLError

from ansible.module_utils.urls import open_url

from ansible_collections.cloudnative.platform.plugins.module_utils._kong_migrations import (
    MigrationError,
    Schema,
    Status,
    schema_of,
    status_of,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._postgres import Address, Connection, PostgresError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

PROGRAM = "/usr/local/bin/kong"
ADMIN_URL = "http://127.0.0.1:8001/"
PACKAGES = ("kong", "kong-enterprise-edition")
MIGRATIONS = "SELECT subsystem, executed, pending FROM schema_meta WHERE key = 'schema_meta'"
MAY_CREATE = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
# SQLSTATE -> what to do. https://www.postgresql.org/docs/current/errcodes-appendix.html
UNDEFINED_TABLE = "42P01"
REMEDIES = {
    "28P01": "the password in kong_database is wrong, or the role has none",
    "28000": "the role does not exist, or pg_hba.conf on the server has no line that lets it in from here this way",
    "3D000": "create the database, owned by the role",
    "42501": "make the role the owner of the database",
    "53300": "the server has no connection left: raise max_connections",
    "57P03": "the server is starting or stopping; try again when it is up",
}


def address_of(settings: t.Mapping[str, str], timeout: float) -> Address:
    """Pure: where kong.conf says that the database is."""
    # A path is the authority of the database; "system" stands for those that the host trusts anyway.
    given = [path.strip() for path in settings.get("lua_ssl_trusted_certificate", "").split(",")]
    paths = [path for path in given if path.startswith("/")]
    return Address(
        host=settings.get("pg_host", "127.0.0.1"),
        port=int(settings.get("pg_port", "5432")),
        database=settings.get("pg_database", "kong"),
        user=settings.get("pg_user", "kong"),
        password=settings.get("pg_password", ""),
        tls=settings.get("pg_ssl", "off") in ("on", "true"),
        verify=settings.get("pg_ssl_verify", "off") in ("on", "true"),
        ca_file=paths[0] if paths else None,
        timeout=timeout,
    )


class Database:
    """The database of the settings, asked as Kong will ask it."""

    def __init__(self, settings: t.Mapping[str, str], timeout: float) -> None:
        self.is_used = settings.get("database") != "off"
        self._address = address_of(settings, timeout)
        self.name = f"{self._address.database} at {self._address}"

    def schema(self) -> Schema | None:
        """Which migrations ran; None for a database that is new."""
        if not self.is_used:
            return None
        try:
            with Connection(self._address) as connection:
                return self._read(connection)
        except PostgresError as e:
            remedy = REMEDIES.get(e.code)
            who = f"database {self.name} as {self._address.user}"
            raise MigrationError(f"{who}: {e}" + (f"; {remedy}" if remedy else "")) from e

    @staticmethod
    def _read(connection: Connection) -> Schema | None:
        try:
            return schema_of(connection.query(MIGRATIONS))
        except PostgresError as e:
            if e.code != UNDEFINED_TABLE:
                raise
        if connection.query(MAY_CREATE) != [("t",)]:
            raise PostgresError("the role may create no table in it", "42501")
        return None


class Host:
    def __init__(self, module: AnsibleModule, config: str) -> None:
        self._module = module
        self._config = config

    def installed(self) -> str | None:
        """Version of the package that is on this host."""
        command = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}\n", *PACKAGES]
        # It fails where one of them is unknown, which is the rule.
        _code, out, _err = self._run(command)
        found = [line.split()[1] for line in out.splitlines() if line.startswith("installed ")]
        return found[0] if found else None

    def package(self, path: str) -> str:
        """Version of the package in a file; in check mode the file may not be here yet, and its name has to do."""
        if os.path.exists(path):
            code, out, err = self._run(["dpkg-deb", "--field", path, "Version"])
            if code != 0:
                raise MigrationError(f"{path} is no Debian package: {err.strip() or out.strip()}")
            return out.strip()
        match = re.match(r"^[^_]+_([^_]+)_[^_]+\.deb$", os.path.basename(path))
        if match is None:
            raise MigrationError(
                f"{path} is not there, and its name tells no version (kong_<version>_<architecture>.deb)"
            )
        return match[1]

    def check_installable(self, path: str) -> None:
        """Whether this host's distribution has what a package depends on."""
        if not os.path.exists(path):
            return
        command = ["apt-get", "install", "--simulate", "--quiet", "--allow-downgrades", path]
        code, out, err = self._run(command)
        if code != 0 and not self._module.check_mode:
            # A host that was just made has no lists of packages, or old ones.
            self._run(["apt-get", "update", "--quiet"])
            code, out, err = self._run(command)
        if code != 0:
            lines = [line.strip() for line in (out + err).splitlines() if "Depends:" in line or line.startswith("E:")]
            raise MigrationError(
                f"{os.path.basename(path)} can't be installed on this host: {'; '.join(lines)} Take the package that "
                "was made for its distribution (Kong 3.9 has none for Debian 13)"
            )

    def running(self) -> str | None:
        """Version of the process that answers; None where none does or its database is away."""
        try:
            with open_url(ADMIN_URL, timeout=10, use_proxy=False) as answer:
                return str(json.loads(answer.read())["version"])
        except (URLError, OSError, ValueError, KeyError):
            return None

    def status(self) -> Status:
        code, out, err = self._kong("migrations", "status")
        if code != 0:
            raise MigrationError(f"kong migrations status failed: {_last_words(err or out)}")
        try:
            return status_of(json.loads(out))
        except (ValueError, KeyError, TypeError) as e:
            raise MigrationError(f"kong migrations status prints what is not understood: {out[:200]!r}") from e

    def migrate(self, command: str, timeout: int) -> None:
        code, out, err = self._kong("migrations", command, "--db-timeout", str(timeout), "--lock-timeout", str(timeout))
        if code != 0 or "another node is performing database changes" in out:
            raise MigrationError(
                f"kong migrations {command} failed: {_last_words(err or out)}. The nodes that run were left as they are"
            )

    def _kong(self, *arguments: str) -> tuple[int, str, str]:
        """Kong's command line with the settings of this call, from a file that only root can read."""
        if not os.path.exists(PROGRAM):
            raise MigrationError(f"{PROGRAM} is not on this host: install the package first")
        with tempfile.NamedTemporaryFile("w", dir=self._module.tmpdir, suffix=".conf", encoding="utf-8") as conf:
            conf.write(self._config)
            conf.flush()
            return self._run([PROGRAM, *arguments, "--conf", conf.name])

    def _run(self, command: list[str]) -> tuple[int, str, str]:
        return self._module.run_command(
            command, environ_update={"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        )


def _last_words(text: str) -> str:
    """Pure: what a command of Kong says, without its advice on verbosity."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "Run with --v" not in line]
    return " ".join(lines).removeprefix("Error: ")[:500]
